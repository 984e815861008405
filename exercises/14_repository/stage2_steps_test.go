package repository_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	repository "example/turnstile/exercises/14_repository"
	"example/turnstile/exercises/14_repository/objects"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

func TestPutsOfOneObjectAllSucceed(t *testing.T) {
	t.Parallel()
	long := contents()["long"]
	for _, c := range []struct {
		name string
		end  string // what becomes of the first one
	}{{"and the first goes on", "end"}, {"and the first is cut", "cut"}} {
		for _, existed := range []bool{false, true} {
			name := c.name
			if existed {
				name += ", where the object existed"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r, dir := create(t, repository.Options{})
				if existed {
					plant(t, dir, long, long)
				}
				l := lab.Lesson{
					Did:   "a process was half way through PutExpected; another one stored the same object",
					Means: "two clients send one file, and one of them is refused, or takes the other one's away", Read: together,
				}
				first := start(t, dir)
				first.Succeed("begin long", l.Say(beginning))
				lab.Age(t, dir, 1000*time.Hour) // its connection is very slow
				_, err := put(t, r, strings.NewReader(long), l)
				lab.RequireNoError(t, err, l.Say("Put fails while another upload of the same object is under way"))
				lab.RequireFile(t, place(dir, long), long, l.Say("Put returned nil, and the object is not there"))
				err = putExpected(t, r, objectOf(long), strings.NewReader(long), l)
				lab.RequireNoError(t, err, l.Say("PutExpected fails while another upload of the same object is under way"))
				l.Did += "; then the first: " + c.end
				err = first.Do(c.end, l)
				if c.end == "cut" {
					lab.RequireErrorIs(t, err, errCut, l.Say("PutExpected returned no error, or another one, for an upload that was cut"))
					l.Says = "PutExpected failed, and took the object of another upload away"
				} else {
					lab.RequireNoError(t, err, l.Say("PutExpected fails because another upload of the same object was faster"))
					l.Says = "PutExpected returned nil, and the object is not there"
				}
				requireHolds(t, dir, []string{long}, l)
			})
		}
	}
	t.Run("and one of them lies", func(t *testing.T) {
		t.Parallel()
		r, dir := create(t, repository.Options{})
		l := lab.Lesson{
			Says:  "PutExpected stores what was not announced",
			Did:   "an upload was half way; another one announced the same object, and sent other bytes",
			Means: "a client that lies takes an honest upload away", Read: together,
		}
		first := start(t, dir)
		first.Succeed("begin long", l.Say(beginning))
		err := putExpected(t, r, objectOf(long), strings.NewReader(strings.ToUpper(long)), l)
		lab.RequireErrorIs(t, err, repository.ErrMismatch, l)
		first.Succeed("end", l.Say("PutExpected fails because another upload lied"))
		requireHolds(t, dir, []string{long}, l.Say("PutExpected returned nil, and the object is not there"))
	})
	t.Run("beside slow ones in the same process", func(t *testing.T) { t.Parallel(); besideSlowOnes(t) })
	t.Run("eight at once", func(t *testing.T) {
		t.Parallel()
		_, dir := create(t, repository.Options{})
		l := lab.Lesson{
			Says: "Put failed beside others of the same object", Did: "2 processes × 4 Puts of one object at once, and 8 goroutines of one process",
			Means: "two clients send one file, and one of them is refused", Read: together,
		}
		crew := []lab.Program{start(t, dir), start(t, dir)}
		for _, p := range crew {
			p.Send("put long")
		}
		r, err := repository.Open(dir, repository.Options{})
		lab.RequireSetUp(t, err)
		defer r.Close()
		failed := make([]error, 8)
		var crowd sync.WaitGroup
		for i := range failed {
			crowd.Go(func() { _, failed[i] = r.Put(t.Context(), strings.NewReader(long)) })
		}
		lab.Finishes(t, crowd.Wait, l.Say("Put does not return"))
		for _, p := range crew {
			failed = append(failed, p.Reply(l).Returned.Err)
		}
		lab.RequireNoError(t, errors.Join(failed...), l)
		requireHolds(t, dir, []string{long}, l.Say("Put returned nil, and the repository does not hold the object alone"))
	})
}

// besideSlowOnes has slow uploads of one object and of others half way, stores the same meanwhile, and lets the slow ones end or cuts them.
func besideSlowOnes(t *testing.T) {
	t.Helper()
	r, dir := create(t, repository.Options{})
	l := lab.Lesson{
		Did:   "100 goroutines were half way through Put, 50 of them of one object; others stored that object and another one",
		Means: "a few slow clients keep all others out", Read: together,
	}
	long := contents()["long"]
	uploads, ended := make([]*upload, 100), make([]chan error, 100)
	slow := func(i int) string {
		if i%2 == 0 {
			return long
		}
		return fmt.Sprint(bracket, " ", i)
	}
	for i := range uploads {
		uploads[i], ended[i] = begin(t, r, slow(i), unknown, l)
	}
	stored := []string{long, hinge}
	for _, content := range stored {
		requireStored(t, r, content, l.Say("Put waits for another upload"))
		lab.RequireFile(t, place(dir, content), content, l.Say("Put returned nil, and the object is not there"))
	}
	for i, ways := range []error{errCut, nil} { // the cut ones first: the others are still half way
		l.Did += "; then " + []string{"every third of the 100 was cut", "the rest went on"}[i]
		for j, upload := range uploads {
			if (ways != nil) != (j%3 == 0) {
				continue
			}
			upload.goOn <- ways
			var err error
			lab.Finishes(t, func() { err = <-ended[j] }, l.Say("Put does not return"))
			if ways != nil {
				lab.RequireErrorIs(t, err, ways, l.Say("Put returned no error, or another one, for an upload that was cut"))
				requireStored(t, r, slow(j), l.Say("Put fails after an upload of the same object was cut"))
			} else {
				lab.RequireNoError(t, err, l.Say("Put fails because another upload was faster, or was cut"))
			}
		}
	}
	for j := range uploads {
		if j%2 == 1 {
			stored = append(stored, slow(j))
		}
	}
	requireHolds(t, dir, stored, l.Say("Put returned nil, and the object is not there"))
}

// TestPutTouchesNothingThatIsNotItsOwn has one Put fail, in a directory where another one's file looks old and an empty directory waits.
func TestPutTouchesNothingThatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		put  func(ctx context.Context, r *repository.Repository) error
		want error
	}{
		{"of other bytes than were announced", func(ctx context.Context, r *repository.Repository) error {
			return r.PutExpected(ctx, objectOf(bracket), strings.NewReader(strings.ToUpper(bracket)))
		}, repository.ErrMismatch},
		{"of a content that is cut", func(ctx context.Context, r *repository.Repository) error {
			return r.PutExpected(ctx, objectOf(bracket), failingAt(bracket, func() error { return errCut }))
		}, errCut},
		{"for which the quota has no room", func(ctx context.Context, r *repository.Repository) error {
			return r.PutExpected(ctx, objectOf(bracket), io.MultiReader(strings.NewReader(bracket), &counted{limit: 1 << 20}))
		}, repository.ErrQuota},
		{"for which the disk has no room", refusing("write", syscall.ENOSPC), repository.ErrFull},
		{"whose rename is refused", refusing("rename or link", syscall.ENOSPC), repository.ErrFull},
		{"whose fsync is refused", refusing("sync", syscall.EIO), syscall.EIO},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, dir := create(t, repository.Options{Quota: int64(len(hinge) + len(bracket))})
			l := lab.Lesson{
				Did:   "an upload was half way and looked 1,000 hours old, and the object's directory was empty; a Put " + c.name,
				Means: "one upload that fails takes others with it", Read: refusal,
			}
			slow, ended := begin(t, r, hinge, unknown, l)
			lab.RequireSetUp(t, os.MkdirAll(filepath.Dir(place(dir, bracket)), 0o755))
			lab.RequireSetUp(t, os.WriteFile(filepath.Join(dir, "tmp", "theirs"), nil, 0o644))
			lab.Age(t, dir, 1000*time.Hour)
			var err error
			lab.Finishes(t, func() { err = c.put(t.Context(), r) }, l.Say("Put does not return"))
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("this system refuses no calls: ", err)
			}
			if c.want == repository.ErrQuota && errors.Is(err, repository.ErrMismatch) {
				err = c.want // both are true
			}
			if err == nil && strings.HasSuffix(c.name, "refused") || c.want == repository.ErrFull && err == nil {
				t.Skip("the code under test makes the call in a goroutine of its own, where it is not refused")
			}
			lab.RequireErrorIs(t, err, c.want, l.Say("Put returned no error, or another one"))
			_, err = os.Stat(filepath.Dir(place(dir, bracket)))
			lab.RequireNoError(t, err, l.Say("Put, which has failed, takes away a directory that another Put may be about to need"))
			lab.RequireFile(t, filepath.Join(dir, "tmp", "theirs"), "", l.Say("Put, which has failed, takes away a file that is not its own"))
			slow.goOn <- nil
			lab.Finishes(t, func() { err = <-ended }, l.Say("Put does not return"))
			lab.RequireNoError(t, err, l.Say("Put, which has failed, takes away the file of another upload"))
			l.Did, l.Means = l.Did+"; another Put of the same, for which the quota has just room", "the quota is used up by what is not there"
			_, err = put(t, r, strings.NewReader(bracket), l)
			lab.RequireNoError(t, err, l.Say("Put, which has failed, does not give the quota back"))
		})
	}
	t.Run("after someone has removed the directories before its rename", func(t *testing.T) { t.Parallel(); removedBeforeTheRename(t) })
	t.Run("where a directory has the object's name", func(t *testing.T) {
		t.Parallel()
		r, dir := create(t, repository.Options{})
		theirs := filepath.Join(place(dir, bracket), "notes")
		lab.RequireSetUp(t, os.MkdirAll(filepath.Dir(theirs), 0o755))
		lab.RequireSetUp(t, os.WriteFile(theirs, []byte("theirs"), 0o644))
		l := lab.Lesson{
			Says:     "Put says that the object is stored where it cannot be",
			Did:      "Put, and PutExpected, of an object whose name a directory with a file in it had",
			Expected: "an error", Found: "no error", Means: "what a person has put there is lost, or the object is not there", Read: refusal,
		}
		_, err := put(t, r, strings.NewReader(bracket), l)
		lab.Require(t, err != nil, l)
		lab.Require(t, putExpected(t, r, objectOf(bracket), strings.NewReader(bracket), l) != nil, l)
		l.Expected, l.Found = "", ""
		lab.RequireFile(t, theirs, "theirs", l.Say("Put, which has failed, takes away a file that is not its own"))
	})
	t.Run("after someone has removed an empty directory", func(t *testing.T) {
		t.Parallel()
		r, dir := create(t, repository.Options{})
		l := lab.Lesson{
			Did:   "Put and Remove; then a person removed the directories, which were empty; Put of the same",
			Means: "no object whose ID begins with these digits is stored until the server is started again", Read: onDisk,
		}
		for range 2 {
			requireStored(t, r, bracket, l)
			requireHolds(t, dir, []string{bracket}, l.Say("Put returned nil, and the object is not in the repository"))
			lab.RequireSetUp(t, r.Remove(t.Context(), objectOf(bracket).ID))
			inner := filepath.Dir(place(dir, bracket))
			lab.RequireSetUp(t, errors.Join(os.Remove(inner), os.Remove(filepath.Dir(inner))))
		}
	})
}

// removedBeforeTheRename has a person remove the object's directories, which are empty, when Put is about to rename its file into them.
func removedBeforeTheRename(t *testing.T) {
	t.Helper()
	r, dir := create(t, repository.Options{})
	l := lab.Lesson{
		Did:  "Put, stopped before its first rename; meanwhile a person removed the object's directories, which were empty; Put went on",
		Read: onDisk,
	}
	var after []string // the calls from there on
	inner := filepath.Dir(place(dir, bracket))
	var err error
	failed := lab.Watch(func() { err = putBracket(t.Context(), r, "Put") }, func(call string) {
		if len(after) == 0 && (strings.HasPrefix(call, "rename") || call == "linkat") {
			if os.Remove(inner) != nil {
				return // it is another design's, which has not made the directory yet
			}
			lab.RequireSetUp(t, os.Remove(filepath.Dir(inner)))
			after = append(after, "a removal")
		}
		if len(after) > 0 {
			after = append(after, call)
		}
	})
	lab.RequireRefuse(t, failed)
	if len(after) == 0 {
		t.Skip("the code under test makes the directory later, or renames in a goroutine of its own")
	}
	if err != nil {
		requireHolds(t, dir, nil, l.Say("Put has failed, and the repository is not as it was"))
		return
	}
	l.Means = "the client removes its copy, and a power cut takes the object away"
	requireHolds(t, dir, []string{bracket}, l.Say("Put returned nil, and the object is not in the repository"))
	l.Says = "Put makes directories anew, and does not bring their names to the disk"
	l.Expected = "an error, or an fsync of each of the three directories with a new name"
	l.Found = fmt.Sprint("fsyncs after that: ", count(after, "sync"))
	lab.Require(t, count(after, "sync") >= 3 || slices.Contains(after, "sync") || slices.Contains(after, "syncfs"), l)
}

// refusing returns a Put of the bracket to which the kernel refuses these calls. Its error matches errors.ErrUnsupported where it cannot.
func refusing(calls string, errno error) func(ctx context.Context, r *repository.Repository) error {
	return func(ctx context.Context, r *repository.Repository) (err error) {
		refused := lab.Refuse(calls, errno, func() { err = putBracket(ctx, r, "PutExpected") })
		return cmp.Or(refused, err)
	}
}

func TestPutHealsADamagedObject(t *testing.T) {
	t.Parallel()
	for name, found := range map[string]string{
		"a flipped byte": strings.Replace(bracket, "s", "S", 1), "a cut object": bracket[:5], "an empty object": "", "a tail": bracket + "!",
	} {
		for _, call := range []string{"Put", "PutExpected"} {
			t.Run(name+", "+call, func(t *testing.T) {
				t.Parallel()
				r, dir := create(t, repository.Options{})
				_, err := r.Put(t.Context(), strings.NewReader(bracket)) // so that r knows it
				lab.RequireSetUp(t, err)
				damage(t, place(dir, bracket), found)
				l := lab.Lesson{
					Says:  call + " leaves a damaged object as it is",
					Did:   "the object's file was damaged, and kept its time: " + name + "; " + call + " of the right content",
					Means: "the damage stays for ever: each good copy that is sent is refused or thrown away", Read: `lessons/14_repository, "Write once"`,
				}
				if call == "Put" {
					_, err = put(t, r, strings.NewReader(bracket), l)
				} else {
					err = putExpected(t, r, objectOf(bracket), strings.NewReader(bracket), l)
				}
				lab.RequireNoError(t, err, l)
				requireHolds(t, dir, []string{bracket}, l)
			})
		}
	}
}

func TestPutStaysInItsDirectory(t *testing.T) {
	t.Parallel()
	t.Run("after a Chdir", func(t *testing.T) {
		t.Parallel()
		_, dir := create(t, repository.Options{})
		elsewhere := t.TempDir()
		l := lab.Lesson{
			Says:  "Put does not write into the repository that Open found",
			Did:   "Open with a relative path; the program changed its working directory; Put, Get, Put of a content that failed",
			Means: "a new directory grows somewhere, and the repository is empty", Read: inside,
		}
		p := lab.Start(t, "elsewhere", filepath.Dir(dir), filepath.Base(dir), elsewhere)
		err := p.Wait(l)
		l.Expected, l.Found = "nothing in the new working directory", list(files(t, elsewhere))
		lab.Require(t, len(files(t, elsewhere)) == 0, l)
		l.Expected, l.Found = "", ""
		lab.RequireErrorIs(t, err, errCut, l.Say("Put does not write into the repository that Open found, or Get does not read from it"))
		lab.RequireFile(t, place(dir, bracket), bracket, l)
		l.Says, l.Means = "Put does not clean up in the repository that Open found", "what is left piles up, one file for each upload that is cut"
		requireHolds(t, dir, []string{bracket}, l)
	})
	t.Run("when another directory gets its path", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows renames no directory that a program has open")
		}
		r, dir := create(t, repository.Options{})
		lab.RequireSetUp(t, os.Rename(dir, dir+".moved"))
		lab.RequireSetUp(t, os.Mkdir(dir, 0o755))
		decoy, err := repository.Create(dir, repository.Options{})
		lab.RequireSetUp(t, err)
		lab.RequireSetUp(t, decoy.Close())
		l := lab.Lesson{
			Says: "Put does not write into the repository that Open found", Did: "Open; the directory was renamed, and a new one got its path; Put",
			Means: "one half of an operation works on one directory, and the other half on another one", Read: inside,
		}
		requireStored(t, r, bracket, l)
		requireHolds(t, dir+".moved", []string{bracket}, l)
		requireHolds(t, dir, nil, l)
		lab.RequireNoError(t, getsBracket(r), l.Say("Get does not read from the repository that Open found"))
		l.Did += ", and another one, of a content that failed"
		_, err = put(t, r, failingAt(hinge, func() error { return errCut }), l)
		lab.RequireErrorIs(t, err, errCut, l.Say("Put hides why an upload was cut"))
		l.Says, l.Means = "Put does not clean up in the repository that Open found", "what is left piles up, one file for each upload that is cut"
		requireHolds(t, dir+".moved", []string{bracket}, l)
		requireHolds(t, dir, nil, l)
	})
	for _, c := range []struct{ name, link string }{
		{"through a directory that is a link", filepath.Dir(filepath.Dir(objects.Name(objectOf(bracket).ID)))},
		{"through a directory below it that is a link", filepath.Dir(objects.Name(objectOf(bracket).ID))},
		{"through tmp that is a link", "tmp"},
		{overALink, objects.Name(objectOf(bracket).ID)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, dir := create(t, repository.Options{})
			outside := t.TempDir()
			target, link := outside, filepath.Join(dir, c.link)
			if c.name == overALink {
				target = filepath.Join(outside, "theirs")
				lab.RequireSetUp(t, os.WriteFile(target, []byte("theirs"), 0o600))
			}
			lab.RequireSetUp(t, os.RemoveAll(link))
			lab.RequireSetUp(t, os.MkdirAll(filepath.Dir(link), 0o755))
			if err := os.Symlink(target, link); err != nil {
				t.Skip("this system or this user makes no symbolic links: ", err)
			}
			if _, err := os.Stat(link); err != nil { // Wine makes none, or one that leads nowhere, and returns nil
				t.Skip("symbolic links lead nowhere here: ", err)
			}
			before := files(t, outside)
			l := lab.Lesson{
				Says: "Put writes outside the repository", Did: c.link + " was a symbolic link to another directory, or to a file in it; Put",
				Means: "a user who may write into the repository can have the server write anywhere", Read: inside,
			}
			_, err := put(t, r, strings.NewReader(bracket), l)
			l.Expected, l.Found = "outside: "+list(before), list(files(t, outside))
			lab.Require(t, slices.Equal(before, files(t, outside)), l)
			if len(before) > 0 {
				lab.RequireFile(t, target, "theirs", l)
			}
			l.Expected, l.Found = "", ""
			if c.name == overALink {
				requireReplaced(t, r, err, l)
			}
			if err == nil {
				l.Says, l.Means = "Put returned nil, and the object is not in the repository", "the upload is lost"
				info, err := os.Lstat(place(dir, bracket))
				l.Expected, l.Found = "a regular file", fmt.Sprint(err)
				lab.Require(t, err == nil && info.Mode().IsRegular(), l)
			}
		})
	}
	t.Run("over a named pipe with the object's name", func(t *testing.T) {
		t.Parallel()
		r, dir := create(t, repository.Options{})
		plantPipe(t, place(dir, bracket))
		l := lab.Lesson{Did: objects.Name(objectOf(bracket).ID) + " was a named pipe; Put", Read: inside}
		_, err := put(t, r, strings.NewReader(bracket), l)
		requireReplaced(t, r, err, l)
	})
}

const overALink = "over a link with the object's name"

// requireReplaced demands that Put, which returned err, has put the bracket in the place of what could not be read.
func requireReplaced(t *testing.T, r *repository.Repository, err error, l lab.Lesson) {
	t.Helper()
	l.Means = "what has the object's name and cannot be read keeps each good copy out, for ever"
	lab.RequireNoError(t, err, l.Say("Put does not replace what has the object's name and is not an object"))
	lab.Finishes(t, func() { err = getsBracket(r) }, l.Say("Get does not return"))
	lab.RequireNoError(t, err, l.Say("Put returned nil, and Get does not hand out the object"))
}

// plantPipe makes a named pipe at path.
func plantPipe(t *testing.T, path string) {
	t.Helper()
	lab.RequireSetUp(t, os.MkdirAll(filepath.Dir(path), 0o755))
	if err := makePipe(path); err != nil {
		t.Skip("this system or this file system has no named pipes: ", err)
	}
}

// makePipe is that of Unix where there is one.
var makePipe = func(string) error { return errors.ErrUnsupported }

// elsewhere opens the repository NAME in DIR by its relative path, changes to OTHER, puts an object and gets it. Then it puts one that is
// cut, and returns that error.
func elsewhere(w *lab.Worker) error {
	if err := os.Chdir(w.Arg(0)); err != nil {
		return err
	}
	r, err := repository.Open(w.Arg(1), repository.Options{})
	if err != nil {
		return err
	}
	if err := os.Chdir(w.Arg(2)); err != nil {
		return err
	}
	if _, err := r.Put(context.Background(), strings.NewReader(bracket)); err != nil {
		return err
	}
	if err := getsBracket(r); err != nil {
		return err
	}
	_, err = r.Put(context.Background(), failingAt(hinge, func() error { return errCut }))
	return err
}

// getsBracket returns an error unless Get hands out the bracket.
func getsBracket(r *repository.Repository) error {
	reader, err := r.Get(context.Background(), objectOf(bracket).ID)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(impatient(reader))
	if err == nil && string(text) != bracket {
		err = fmt.Errorf("%w: %q", errMissing, text)
	}
	return errors.Join(err, reader.Close())
}

func TestPutGivesPermAndKeepsTheUmask(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no umask")
	}
	for _, umask := range []string{"000", "022", "077"} {
		_, dir := create(t, repository.Options{})
		l := lab.Lesson{
			Says: "Put makes a file with other permissions", Did: "Put in a process with umask " + umask, Read: inside,
			Means: "other programs cannot read the object, or users who may not read it can",
		}
		p := lab.Launch(t, lab.Options{Wrap: []string{"sh", "-c", "umask " + umask + `; exec "$0" "$@"`}}, "store", dir)
		lab.RequireNoError(t, p.Wait(l), l)
		info, err := os.Stat(place(dir, bracket))
		lab.RequireNoError(t, err, l)
		var mask fs.FileMode
		_, err = fmt.Sscanf(umask, "%o", &mask)
		lab.RequireSetUp(t, err)
		lab.RequireEqual(t, objects.Perm&^mask, info.Mode().Perm(), l)
	}
}

// store puts the bracket, or a content of SIZE bytes, into the repository in DIR, by CALL, and before that into the one in FIRST, if there
// is one.
func store(w *lab.Worker) error {
	r, err := repository.Open(w.Arg(0), repository.Options{})
	if err != nil {
		return err
	}
	content := bracket
	if w.Arg(1) != "" && w.Int(1) != len(bracket) {
		content = long(w.Int(1))
	}
	if w.Arg(3) != "" {
		first, err := repository.Open(w.Arg(3), repository.Options{})
		if err != nil {
			return err
		}
		if _, err := first.Put(context.Background(), strings.NewReader(content)); err != nil {
			return err
		}
	}
	if w.Arg(2) == "PutExpected" {
		return r.PutExpected(context.Background(), objectOf(content), strings.NewReader(content))
	}
	_, err = r.Put(context.Background(), strings.NewReader(content))
	return err
}

// TestPutShowsAWholeObjectOrNone stops Put before each of its calls. What a reader finds there is what a process crash leaves.
func TestPutShowsAWholeObjectOrNone(t *testing.T) {
	t.Parallel()
	for _, existed := range []bool{false, true} {
		content := long(100_000)
		r, dir := create(t, repository.Options{})
		l := lab.Lesson{
			Says:  "Put lets a reader find half an object, or none where there was one",
			Did:   "Put of 100,000 bytes, stopped before each call",
			Read:  why,
			Means: "a reader, or a process crash, finds that moment under a name that promises the whole",
		}
		if existed {
			plant(t, dir, content, content)
			l.Did += "; the object existed"
		}
		whole := existed
		var err error
		failed := lab.Watch(func() { _, err = r.Put(t.Context(), strings.NewReader(content)) }, func(call string) {
			text, readErr := os.ReadFile(place(dir, content))
			l.Expected, l.Found = "the whole object", fmt.Sprintf("before %s: %d bytes", call, len(text))
			if readErr != nil {
				l.Found = "before " + call + ": no file"
			}
			lab.Require(t, string(text) == content || !whole && errors.Is(readErr, fs.ErrNotExist), l)
			whole = whole || readErr == nil
		})
		lab.RequireRefuse(t, failed)
		l.Expected, l.Found = "", ""
		lab.RequireNoError(t, err, l.Say("Put failed although nothing stood in its way"))
		requireHolds(t, dir, []string{content}, l.Say("Put did not store the content"))
	}
}

func TestPutAsksTheDisk(t *testing.T) {
	t.Parallel()
	for _, content := range []string{bracket, "", long(2 << 20), long(1000)} {
		t.Run(fmt.Sprint("for ", len(content), " bytes"), func(t *testing.T) {
			t.Parallel()
			dir := created(t)
			before := ""
			switch len(content) {
			case 2 << 20: // a new object's name, and that of one which is replaced
				plant(t, dir, content, strings.ToUpper(content))
				before = ", where a damaged object had its name"
			case 1000:
				plant(t, dir, content, content)
				before = ", where the object existed"
			}
			rule := lab.Rule{Calls: "openat,linkat,mkdirat," + trace.Writes + "," + trace.Syncs + "," + trace.Renames}
			call, first := "Put", ""
			if content == "" { // what the program knows of one repository does not hold for another
				first, before = created(t), ", after one into another repository"
			}
			if len(content) >= 1000 {
				call = "PutExpected"
			}
			args := []string{dir, fmt.Sprint(len(content)), call, first}
			p := lab.Trace(t, rule, lab.Options{}, "store", args...)
			l := lab.Lesson{
				Did:   fmt.Sprintf("the first %s of a program, of %d bytes%s, under strace, which shows its calls", call, len(content), before),
				Read:  onDisk,
				Means: "the client removes its copy, and a power cut takes the object away",
			}
			lab.RequireNoError(t, p.Wait(l), l.Say("Put failed although nothing stood in its way"))
			spilled := last(p.Calls(), func(c lab.Call) bool {
				return strings.Contains(c.Args, "O_CREAT") && !c.Within(dir) && (first == "" || !c.Within(first))
			})
			if spilled >= 0 {
				outside := l.Say("Put makes a file outside the repository")
				outside.Means, outside.Read = "another disk is full, or other users read the upload there", inside
				outside.Expected, outside.Found = "all its files are in the directory", list(p.Calls()[spilled].Paths)
				lab.Fail(t, outside)
			}
			requireAsked(t, dir, place(dir, content), len(content) == 1000, p.Calls(), l)
		})
	}
}

// requireAsked demands that the object's bytes, its name and the names of new directories were brought to the disk.
func requireAsked(t *testing.T, dir, object string, existed bool, calls []lab.Call, l lab.Lesson) {
	t.Helper()
	placed := last(calls, func(c lab.Call) bool {
		return (strings.HasPrefix(c.Name, "rename") || c.Name == "linkat") && slices.Contains(c.Paths, object)
	})
	if placed < 0 && existed { // a design that leaves a good copy where it is
		l.Says = "Put leaves an object that exists, and does not bring it to the disk"
		l.Expected, l.Found = "fsync of the object and of its directory", "not both"
		lab.Require(t, synced(calls, object) && synced(calls, filepath.Dir(object)), l)
		return
	}
	l.Says, l.Expected, l.Found = "Put does not put the object in place by one step", "a rename", "none"
	lab.Require(t, placed >= 0, l)
	file := calls[placed].Paths[slices.IndexFunc(calls[placed].Paths, func(path string) bool { return path != dir })]
	written := last(calls[:placed], func(c lab.Call) bool { return strings.Contains(c.Name, "write") && c.Within(dir) })
	unnamed := last(calls[:placed], func(c lab.Call) bool { // as handles of an O_TMPFILE show it
		return len(c.Paths) > 0 && c.Within(dir) && strings.HasPrefix(filepath.Base(c.Paths[0]), "#")
	})
	if written >= 0 {
		file = calls[written].Paths[0]
	} else if unnamed >= 0 { // the object is empty
		file = calls[unnamed].Paths[0]
	}
	l.Says = "Put does not bring the bytes to the disk before it puts the object in place"
	l.Expected, l.Found = "fsync of the file between its last write and the rename", "no such call"
	lab.Require(t, synced(calls[max(0, written):placed], file) || openedSynchronous(calls[:placed], file), l)
	for name := filepath.Dir(object); name != dir; name = filepath.Dir(name) {
		short, _ := filepath.Rel(dir, name)
		from := placed
		if name != filepath.Dir(object) {
			from = last(calls, func(c lab.Call) bool {
				return c.Name == "mkdirat" && slices.ContainsFunc(c.Paths, func(path string) bool { return filepath.Dir(path) == name })
			})
		}
		l.Says = "Put does not bring a name to the disk"
		l.Expected = "fsync of the directory " + short + " after the last new name in it"
		lab.Require(t, synced(calls[max(0, from):], name), l)
	}
}

func synced(calls []lab.Call, path string) bool {
	return last(calls, func(c lab.Call) bool {
		switch c.Name {
		case "fsync", "fdatasync":
			return len(c.Paths) > 0 && c.Paths[0] == path
		}
		return c.Name == "sync" || c.Name == "syncfs"
	}) >= 0
}

func openedSynchronous(calls []lab.Call, path string) bool {
	return last(calls, func(c lab.Call) bool {
		return c.Name == "openat" && slices.Contains(c.Paths, path) && (strings.Contains(c.Args, "O_SYNC") || strings.Contains(c.Args, "O_DSYNC"))
	}) >= 0
}

func last(calls []lab.Call, is func(lab.Call) bool) int {
	for i := len(calls) - 1; i >= 0; i-- {
		if is(calls[i]) {
			return i
		}
	}
	return -1
}

// A refused is a set of calls that the kernel refuses.
type refused struct {
	calls, what string // see lab.Refuse
	errnos      []error
}

func TestPutReportsEachRefusal(t *testing.T) {
	t.Parallel()
	for _, c := range []refused{
		{"write", "a write is refused", []error{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT}},
		{"sync", "an fsync fails", []error{syscall.EIO, syscall.EINVAL, syscall.ENOSPC}},
		{"close", "a close fails", []error{syscall.EIO, syscall.EDQUOT}},
		{"rename", "the rename fails", []error{syscall.EXDEV, syscall.EIO, syscall.ENOSPC, syscall.ENOENT, syscall.EACCES}},
		{"create exclusively", "the temporary file cannot be created", []error{syscall.ENOSPC, syscall.EACCES}},
		{"open for reading", "no directory can be opened", []error{syscall.EMFILE, syscall.EACCES}},
	} {
		for _, before := range befores {
			t.Run(c.what+", "+before.name, func(t *testing.T) {
				t.Parallel()
				for _, errno := range c.errnos {
					for _, call := range []string{"Put", "PutExpected"} {
						requireReported(t, c, call, errno, before.found)
					}
				}
			})
		}
	}
	t.Run("the removal of a cut upload's file is refused", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			what    string
			content *failing
			want    error
		}{
			{"of a content that was cut", failingAt(bracket, func() error { return errCut }), errCut},
			{"of other bytes than were announced", failingAt(hinge, func() error { return io.EOF }), repository.ErrMismatch},
		} {
			r, dir := create(t, repository.Options{})
			l := lab.Lesson{
				Says:  "Put leaves a file behind, and does not report it",
				Did:   "PutExpected " + c.what + "; the kernel refuses to remove a file: EACCES",
				Means: "what is left piles up, and nothing in the server's log says so", Read: refusal,
			}
			var err error
			lab.RequireRefuse(t, lab.Refuse("remove", syscall.EACCES, func() { err = r.PutExpected(t.Context(), objectOf(bracket), c.content) }))
			lab.RequireErrorIs(t, err, c.want, l.Say("Put hides why an upload has failed"))
			if len(files(t, dir)) > 0 {
				lab.RequireErrorIs(t, err, syscall.EACCES, l)
			}
		}
	})
}

// putBracket stores the bracket by that call, Put or PutExpected.
func putBracket(ctx context.Context, r *repository.Repository, call string) (err error) {
	if call == "Put" {
		_, err = r.Put(ctx, strings.NewReader(bracket))
		return err
	}
	return r.PutExpected(ctx, objectOf(bracket), strings.NewReader(bracket))
}

// befores are what has the bracket's name before a Put: nothing, the object, or a damaged one of the same size.
var befores = []struct{ name, found string }{
	{"no object", ""}, {"over the object", bracket}, {"over a damaged object", strings.ToUpper(bracket)},
}

// over returns a new repository in which found, unless it is empty, has the bracket's name. The file has another name outside, by which
// requireTruth sees whether Put has written into it.
func over(t *testing.T, found string) (r *repository.Repository, dir string) {
	t.Helper()
	r, dir = create(t, repository.Options{})
	if found != "" {
		plant(t, dir, bracket, found)
		_ = os.Link(place(dir, bracket), dir+".found") // not on each system, and not needed where the kernel refuses no calls
	}
	return r, dir
}

func requireReported(t *testing.T, c refused, call string, errno error, found string) {
	t.Helper()
	r, dir := over(t, found)
	l := lab.Lesson{
		Did: call + "; " + c.what + ": " + trace.ErrnoName(errno) + " (the test makes the kernel refuse it)", Read: refusal,
	}
	var err, refused error
	lab.Finishes(t, func() {
		refused = lab.Refuse(c.calls, errno, func() { err = putBracket(t.Context(), r, call) })
	}, l.Say("%s does not return", call))
	lab.RequireRefuse(t, refused)
	l.Says = call + " mistakes a refusal for a success, or hides the kernel's reason"
	l.Means = "the client removes its copy, and the object is not there, or not for long"
	if err != nil {
		lab.RequireErrorIs(t, err, errno, l)
		isFull := errno == syscall.ENOSPC || errno == syscall.EDQUOT
		l.Says, l.Means = call+" does not say that the disk is full", "the server cannot tell its client a full disk from a broken one"
		lab.Require(t, errors.Is(err, repository.ErrFull) == isFull, withFound(l, fmt.Sprintf("an error that matches ErrFull: %v", isFull), err))
	} else if c.calls == "sync" || c.calls == "rename" {
		if c.calls == "rename" {
			l.Means = "what it does without the rename is not one step: a process crash leaves half an object under the object's name"
		}
		lab.Require(t, count(callsOf(t, call, found), c.calls) == 0, withFound(l, "an error that matches "+trace.ErrnoName(errno), err))
	} // what else may be another design's: it makes the call in a goroutine of its own, or has no need of it
	requireTruth(t, dir, found, err, false, l)
}

// callsOf returns the calls, without the writes, that call makes in the caller's goroutine.
func callsOf(t *testing.T, call, found string) []string {
	t.Helper()
	r, _ := over(t, found)
	calls, failed := lab.RefuseOne(math.MaxInt32, syscall.EIO, func() { _ = putBracket(t.Context(), r, call) })
	lab.RequireRefuse(t, failed)
	return calls
}

// count counts the calls whose name has that part, such as those that bring something to the disk.
func count(calls []string, part string) (n int) {
	for _, call := range calls {
		if strings.Contains(call, part) {
			n++
		}
	}
	return n
}

func withFound(l lab.Lesson, expected string, err error) lab.Lesson {
	l.Expected, l.Found = expected, fmt.Sprint(err)
	return l
}

// requireTruth demands what the repository holds after a Put of the bracket, where found was, has returned err.
//
// Where a design removes its temporary file although all has gone well, and this very removal is refused, the file stays.
func requireTruth(t *testing.T, dir, found string, err error, removalRefused bool, l lab.Lesson) {
	t.Helper()
	if removalRefused {
		lab.RequireSetUp(t, os.RemoveAll(filepath.Join(dir, "tmp")))
	}
	if err == nil || errors.Is(err, repository.ErrNotDurable) {
		l.Says, l.Means = "Put returned "+fmt.Sprint(err)+", and the object is not in place", "the client removes its copy"
		requireHolds(t, dir, []string{bracket}, l)
		if found != "" {
			l.Says, l.Means = "Put writes into the object's file", "a reader that has it open, or a process crash, finds a mixture"
			lab.RequireFile(t, dir+".found", found, l)
		}
	} else {
		l.Says = "Put has failed, and the repository is not as it was"
		l.Means = "what is left piles up, or an object counts as stored that is not"
		if found != "" {
			lab.RequireFile(t, place(dir, bracket), found, l)
			lab.RequireSetUp(t, os.Remove(place(dir, bracket)))
		}
		requireHolds(t, dir, nil, l)
	}
	if err == nil {
		l.Says = "Put does not report that the kernel refused to close its file"
		l.Means = "a network file system reports there that the bytes are lost"
		l.Expected, l.Found = "an error", "nil, and the object is still open for writing"
		lab.Require(t, !openForWriting(place(dir, bracket)), l)
	}
}

// openForWriting reports whether this process can write to the file at path through a descriptor: its close was refused.
func openForWriting(path string) bool {
	found, _ := lab.OpenDescriptors(path)
	return slices.ContainsFunc(found, func(descriptor int) bool {
		info, err := os.ReadFile(fmt.Sprint("/proc/self/fdinfo/", descriptor))
		var flags int
		if _, after, ok := strings.Cut(string(info), "flags:"); err == nil && ok {
			_, _ = fmt.Sscanf(after, "%o", &flags)
		}
		return flags&(os.O_WRONLY|os.O_RDWR) != 0
	})
}

// TestPutTellsTheTruthWhicheverCallIsRefused lets each call of a Put fail once.
func TestPutTellsTheTruthWhicheverCallIsRefused(t *testing.T) {
	t.Parallel()
	for _, before := range befores {
		t.Run(before.name, func(t *testing.T) {
			t.Parallel()
			for i, errno := range []error{syscall.EIO, syscall.ENOSPC, syscall.EACCES} {
				refuseOneByOne(t, []string{"PutExpected", "Put"}[i%2], before.name, before.found, errno, "")
			}
			refuseOneByOne(t, "Put", before.name, before.found, syscall.EMFILE, "open")
			for _, errno := range []error{syscall.EINVAL, syscall.EOPNOTSUPP} { // "this file system has no fsync"
				refuseOneByOne(t, "Put", before.name, before.found, errno, "sync")
				refuseOneByOne(t, "PutExpected", before.name, before.found, errno, "sync")
			}
		})
	}
}

// refuseOneByOne puts the bracket again and again, each time into a new repository and with another call refused, of those whose name has
// that part.
func refuseOneByOne(t *testing.T, call, before, found string, errno error, part string) {
	t.Helper()
	all := callsOf(t, call, found) // of a Put to which nothing is refused
	removal := slices.Index(all, "unlinkat")
	var reasons []func() // what the errors say comes after what the repository holds, of all calls
	for made, name := range all {
		if !strings.Contains(name, part) {
			continue
		}
		r, dir := over(t, found)
		var err error
		calls, failed := lab.RefuseOne(made, errno, func() { err = putBracket(t.Context(), r, call) })
		lab.RequireRefuse(t, failed)
		l := lab.Lesson{
			Did: fmt.Sprintf("%s, %s; %s, its call number %d without the writes, is refused: %s",
				call, before, name, made+1, trace.ErrnoName(errno)),
			Read: refusal,
		}
		requireTruth(t, dir, found, err, made <= removal && made > removal-3, l)
		_ = r.Close()
		if err == nil && strings.Contains(name, "sync") && replaces(t, call, calls, all) {
			continue
		}
		reasons = append(reasons, func() { requireReason(t, name, errno, err, calls, all, l) })
	}
	for _, reason := range reasons {
		reason()
	}
}

// replaces reports whether a design that leaves a good copy in place, as all shows, has put its own file there in these calls, one of whose
// fsyncs was refused: then this was that of the copy, if all others were made that a new object needs.
func replaces(t *testing.T, call string, calls, all []string) bool {
	t.Helper()
	return count(all, "rename") == 0 && count(calls, "rename") > 0 && count(calls, "sync")-1 >= count(callsOf(t, call, ""), "sync")
}

// requireReason demands that err says why the call of that name was refused, or that Put had no need of it.
func requireReason(t *testing.T, name string, errno, err error, calls, all []string, l lab.Lesson) {
	t.Helper()
	l.Says, l.Means = "Put hides the kernel's reason", "the server cannot say what went wrong"
	if err != nil {
		if strings.Contains(name, "stat") && errors.Is(err, fs.ErrExist) {
			l.Means = "os.Root.MkdirAll hides it where the directory exists and cannot be examined; Store.Directory calls it for a missing one only"
		}
		lab.RequireErrorIs(t, err, errno, l)
		return
	}
	l.Says, l.Means = "Put mistakes a refused fsync for a success", "a power cut takes the object away, and no error reported it"
	lab.Require(t, !strings.Contains(name, "sync"), withFound(l, "an error", err))
	l.Says = "Put does without an fsync when another call is refused"
	syncs := count(all, "sync")
	isRename := func(call string) bool { return strings.Contains(call, "rename") }
	if at := slices.IndexFunc(calls, isRename); at >= 0 && !slices.ContainsFunc(all, isRename) && count(calls[at:], "sync") > 0 {
		syncs-- // that of a good copy, which another design leaves in place if it can read it
	}
	lab.Require(t, count(calls, "sync") >= syncs, withFound(l, "an error, or as many fsyncs as without the refusal", err))
}

func TestPutOnAFullDisk(t *testing.T) {
	t.Parallel()
	t.Run("of its own", func(t *testing.T) {
		t.Parallel()
		dir, kind := lab.SmallDisk(t, 256<<10)
		r, err := repository.Create(dir, repository.Options{})
		lab.RequireSetUp(t, err)
		defer r.Close()
		l := lab.Lesson{
			Says: "Put does not say that the disk is full", Did: "Put of 1 MiB on a " + kind + " of 256 KiB",
			Means: "an upload is lost, or no one can tell why it failed", Read: room,
		}
		_, err = put(t, r, strings.NewReader(long(1<<20)), l)
		lab.RequireErrorIs(t, err, repository.ErrFull, l)
		lab.RequireErrorIs(t, err, syscall.ENOSPC, l)
		requireHolds(t, dir, nil, l.Say("Put has failed, and leaves its bytes on the full disk"))
		l.Did, l.Means = "Put on a disk on which another Put has found no room", "one upload that is too large ends all uploads"
		requireStored(t, r, long(100_000), l)
		lab.RequireSetUp(t, r.Remove(t.Context(), objectOf(long(100_000)).ID))
		requireNothingTaken(t, r, 240_000, "on a "+kind+" of 256 KiB")
	})
	t.Run("by a limit, in the middle of a write", func(t *testing.T) {
		t.Parallel()
		_, dir := create(t, repository.Options{})
		l := lab.Lesson{
			Says: "Put returned no error, or another one, for bytes that the kernel did not take",
			Did:  "Put of 110,000 bytes in a process that may write 100,000 bytes to a file", Means: "half an upload counts as stored", Read: room,
		}
		p := lab.Start(t, "limited", dir)
		err := p.Wait(l)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("this system has no such limit")
		}
		lab.RequireErrorIs(t, err, tooLarge, l)
		requireHolds(t, dir, nil, l.Say("Put has failed, and the repository is not as it was"))
		l.Says = "PutExpected takes room for bytes that have only been announced"
		l.Did = "PutExpected of 13 bytes; its sender announced 110,000; no file may have more than 100,000"
		l.Means = "an upload fails because of what its sender says, and not of what it sends"
		p = lab.Start(t, "limited", dir, "announced")
		lab.RequireErrorIs(t, p.Wait(l), repository.ErrMismatch, l)
	})
}

// tooLarge is what a limit of a file's size is reported by.
const tooLarge = syscall.EFBIG

// limited puts 110,000 bytes into the repository in DIR with a limit of 100,000 bytes, or a bracket which is ANNOUNCED with that size.
func limited(w *lab.Worker) error {
	r, err := repository.Open(w.Arg(0), repository.Options{})
	if err != nil {
		return err
	}
	if err := lab.LimitFileSize(100_000); err != nil {
		return err
	}
	if w.Arg(1) == "announced" {
		return r.PutExpected(context.Background(), repository.Object{ID: objectOf(bracket).ID, Size: 110_000}, strings.NewReader(bracket))
	}
	_, err = r.Put(context.Background(), strings.NewReader(long(110_000)))
	return err
}

func TestPutAndGetLeaveNothingOpen(t *testing.T) {
	t.Parallel()
	_, dir := create(t, repository.Options{})
	plant(t, dir, hinge, strings.ToUpper(hinge))
	plant(t, dir, "nothing", "")
	lab.RequireSetUp(t, os.MkdirAll(place(dir, "directory"), 0o755))
	for _, what := range []string{
		"Put", "Put that is cut", "Put whose content panics", "Put whose content ends its goroutine", "Put over a directory",
		"PutExpected of other bytes", "PutExpected of too many bytes", "Put, each call of which is refused once",
		"Get", "Get of no object", "Get of a directory", "Get of a damaged object", "Get of an object that was cut to nothing",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			call := strings.Trim(strings.Fields(what)[0], ",")
			l := lab.Lesson{
				Says:  call + " leaves a file open",
				Did:   "20 times " + what,
				Means: "after some thousand requests the server can open no file",
				Read:  refusal,
			}
			p := lab.Start(t, "handles", append([]string{dir}, strings.Fields(what)...)...)
			var more int
			p.Result(&more, l)
			err := p.Wait(l)
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("this system refuses no calls: ", err)
			}
			lab.RequireNoError(t, err, l)
			l.Expected, l.Found = "as many open handles as before", fmt.Sprint(more, " more")
			lab.Require(t, more < 10, l)
		})
	}
}

// handles does WHAT with the repository in DIR, and sends how many handles are open more than before.
func handles(w *lab.Worker) error {
	noCollection()
	r, err := repository.Open(w.Arg(0), repository.Options{})
	if err != nil {
		return err
	}
	what := w.Arg(1)
	for i := 2; w.Arg(i) != ""; i++ {
		what += " " + w.Arg(i)
	}
	var failed error
	once := func() {
		ctx := context.Background()
		switch what {
		case "Put":
			_, _ = r.Put(ctx, strings.NewReader(bracket))
		case "Put that is cut":
			_, _ = r.Put(ctx, failingAt(bracket, func() error { return errCut }))
		case "Put whose content panics", "Put whose content ends its goroutine":
			ended := make(chan bool)
			go func() {
				defer close(ended)
				defer func() { _ = recover() }()
				_, _ = r.Put(ctx, failingAt(bracket, func() error { return gone(strings.Fields(what)[3]) }))
			}()
			<-ended
		case "PutExpected of other bytes":
			_ = r.PutExpected(ctx, objectOf(hinge), strings.NewReader(bracket))
		case "PutExpected of too many bytes":
			_ = r.PutExpected(ctx, objectOf(hinge), strings.NewReader(hinge+hinge))
		case "Put over a directory":
			_, _ = r.Put(ctx, strings.NewReader("directory"))
		case "Put, each call of which is refused once":
			failed = errors.Join(failed, refuseEach(r, w.Progress))
		case "Get of an object that was cut to nothing":
			get(r, objectOf("nothing").ID)
		case "Get":
			get(r, objectOf("there").ID)
		case "Get of no object":
			get(r, objectOf("not there").ID)
		case "Get of a directory":
			get(r, objectOf("directory").ID)
		case "Get of a damaged object":
			get(r, objectOf(hinge).ID)
		}
	}
	if _, err := r.Put(context.Background(), strings.NewReader("there")); err != nil {
		return err
	}
	once() // Go's runtime opens handles of its own the first time, and Put may make a directory
	before, err := lab.OpenHandles()
	if err != nil {
		return err
	}
	for range 20 {
		once()
		w.Progress()
	}
	after, err := lab.OpenHandles()
	return errors.Join(err, failed, w.Result(after-before))
}

// refuseEach puts the bracket again and again, each time with another call refused, after which it calls progress. A close that is refused
// closes nothing: not that one.
func refuseEach(r *repository.Repository, progress func()) error {
	store := func() { _, _ = r.Put(context.Background(), strings.NewReader(bracket)) }
	calls, err := lab.RefuseOne(math.MaxInt32, syscall.EIO, store)
	for made, call := range calls {
		if call != "close" {
			_, failed := lab.RefuseOne(made, syscall.EIO, store)
			err = errors.Join(err, failed)
			progress()
		}
	}
	return err
}

// get gets an object, reads it and closes it.
func get(r *repository.Repository, id repository.ID) {
	if reader, err := r.Get(context.Background(), id); err == nil {
		_, _ = io.Copy(io.Discard, impatient(reader))
		_ = reader.Close()
	}
}
