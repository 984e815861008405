package atomicreplace_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

// manyLeft is more than a first look at a directory finds, if it takes 100 entries at once. With ten times as many other files beside them
// that is true of 1,000 entries as well.
const manyLeft = 130

// left holds what many Creates for one locks.json leave when their process is killed: it is the same for all tests.
var left struct {
	once  sync.Once
	files fstest.MapFS
	names []string
}

// crashed makes locks.json in the directory and puts beside it what count process crashes between Create and Commit leave, so long ago. It
// skips the test if the code under test leaves nothing.
func crashed(t *testing.T, ago time.Duration, dir string, count int) (leftovers []string) {
	t.Helper()
	left.once.Do(func() {
		path := lab.WriteFile(t, "locks.json", before)
		writer := lab.Start(t, "hold", slices.Repeat([]string{path}, manyLeft)...)
		writer.Reached("holds", lab.Lesson{
			Says: "Create failed although nothing stood in its way",
			Did:  "a process called Create",
			Read: leftOver,
		})
		writer.Kill()
		left.files, left.names = fstest.MapFS{}, others(t, path)
		for i, name := range left.names {
			must(t, fs.WalkDir(os.DirFS(filepath.Dir(path)), name, func(name string, entry fs.DirEntry, err error) error {
				if err == nil && !entry.IsDir() {
					left.files[name] = &fstest.MapFile{Data: []byte(after[:min(10*i, len(after))])} // the first died before its first Write
				}
				return err
			}))
		}
	})
	if len(left.names) < count {
		t.Skip("a process crash between Create and Commit left nothing to sweep")
	}
	must(t, os.WriteFile(filepath.Join(dir, "locks.json"), []byte(before), 0o600))
	for _, name := range left.names[:count] {
		one := fstest.MapFS{}
		for file := range left.files {
			if file == name || strings.HasPrefix(file, name+"/") {
				one[file] = left.files[file]
			}
		}
		must(t, os.CopyFS(dir, one))
		leftovers = append(leftovers, filepath.Join(dir, name))
	}
	lab.Age(t, dir, ago)
	return leftovers
}

// sweep calls Sweep with an age of one hour, which must succeed.
func sweep(t *testing.T, path, did string) []string {
	t.Helper()
	removed, err := atomicreplace.Sweep(path, time.Hour)
	lab.RequireNoError(t, err, lab.Lesson{
		Says:  "Sweep failed although nothing stood in its way",
		Did:   did,
		Means: "leftovers pile up",
		Read:  leftOver,
	})
	return removed
}

func TestSweepRemovesWhatAProcessCrashLeft(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, found string
		count       int
		missing     bool
		given       bool // to another user, as Create gives it to the owner of the old file
	}{
		{"beside a file", "two process crashes after Create, one before the first Write", 2, false, false},
		{
			"where there is no file yet",
			"two process crashes in the first save, one before the first Write: there is no locks.json",
			2, true, false,
		},
		{"of many process crashes", fmt.Sprint(manyLeft, " process crashes, beside ", 10*manyLeft, " other files"), manyLeft, false, false},
		{"of a file of another user", "two crashes of root's process, which had given its temporary files to the file's owner", 2, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "orders [2026]")
			must(t, os.Mkdir(dir, 0o700))
			path := filepath.Join(dir, "locks.json")
			leftovers := crashed(t, 2*time.Hour, dir, c.count)
			if c.missing {
				must(t, os.Remove(path))
			}
			for n := range 10 * c.count {
				if c.count < manyLeft {
					break
				}
				must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(n, ".step")), nil, 0o600))
			}
			for _, leftover := range leftovers {
				if !c.given {
					break
				}
				if err := os.Chown(leftover, 65534, 65534); err != nil {
					t.Skip("this user may not give files away: ", err)
				}
			}
			did := c.found + `; two hours later, Sweep with an age of one hour, in "orders [2026]"`
			removed := sweep(t, path, did)
			lesson := lab.Lesson{
				Says:  "Sweep does not remove what a process crash left",
				Did:   did,
				Read:  leftOver,
				Means: "leftovers pile up, one for each crash, with copies of the data in them",
			}
			for _, leftover := range leftovers {
				lab.RequireNoFile(t, leftover, lesson)
			}
			slices.Sort(leftovers)
			slices.Sort(removed)
			lesson.Says = "Sweep does not return the paths that it removed"
			lesson.Means = "an administrator who asks what was deleted gets no answer"
			lab.RequireEqual(t, strings.Join(leftovers, ", "), strings.Join(removed, ", "), lesson)
			content := []byte(before)
			if c.missing {
				content = nil
			}
			requireContent(t, path, content, lab.Lesson{
				Says:  "Sweep changed the file itself",
				Did:   did,
				Means: "the list of checkouts is gone",
				Read:  leftOver,
			})
			lab.RequireEqual(t, 0, len(sweep(t, path, did+"; Sweep once more")), lab.Lesson{
				Says: "Sweep reports what was gone before it came",
				Did:  did + "; Sweep once more",
				Read: leftOver,
			})
		})
	}
	t.Run("whatever the file is called", func(t *testing.T) { t.Parallel(); sweepsEveryName(t) })
}

func sweepsEveryName(t *testing.T) {
	t.Helper()
	var paths []string
	names := []string{strings.Repeat("n", 250) + ".json", strings.Repeat("é", 127), ".locks", "parts[1].json", "my [locks] *.json"}
	for _, name := range names {
		path := filepath.Join(t.TempDir(), name)
		if os.WriteFile(path, []byte(before), 0o600) == nil { // otherwise this file system does not take the name
			paths = append(paths, path)
		}
	}
	lesson := lab.Lesson{
		Says: "Create failed although nothing stood in its way", Did: "a process called Create for files of unusual names", Read: leftOver,
		Means: "leftovers pile up, with copies of the data in them",
	}
	writer := lab.Start(t, "hold", paths...)
	writer.Reached("holds", lesson)
	writer.Kill()
	for _, path := range paths {
		lesson.Did = fmt.Sprintf("a process crash between Create and Commit of %s; Sweep with an age of 0", filepath.Base(path))
		_, err := atomicreplace.Sweep(path, 0)
		lab.RequireNoError(t, err, lesson.Say("Sweep failed although nothing stood in its way"))
		requireAlone(t, path, lesson.Say("Sweep does not remove what a process crash left"))
		lab.RequireFile(t, path, before, lesson.Say("Sweep changed the file itself"))
	}
}

func TestSweepLeavesAYoungFileAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "locks.json")
	for _, c := range []struct {
		written, read, age time.Duration // written and read so long ago
		removed            bool
		did                string
	}{
		{58 * time.Minute, 58 * time.Minute, time.Hour, false, "the last Write was 58 minutes ago"},
		{58 * time.Minute, 3 * time.Hour, time.Hour, false, "the last Write was 58 minutes ago; no program has read the file for three hours"},
		{3 * time.Hour, 3 * time.Hour, 4 * time.Hour, false, "the last Write was three hours ago"},
		{-2 * time.Hour, -2 * time.Hour, time.Hour, false, "the clock of the file system is two hours ahead"},
		{-time.Minute, -time.Minute, 0, true, "a writer holds a pending file, and the clock of the file system is a minute ahead"},
		{62 * time.Minute, 0, time.Hour, true, "the last Write was 62 minutes ago; a backup has read the file just now"},
		{2 * time.Minute, 2 * time.Minute, time.Minute, true, "the last Write was two minutes ago"},
		{10 * time.Millisecond, 0, time.Millisecond, true, "the last Write was 10 ms ago, in a process that had started long before"},
	} {
		lesson := lab.Lesson{
			Says:  "Sweep removes the temporary file of a writer that may be alive",
			Did:   fmt.Sprintf("%s; Sweep with an age of %v", c.did, c.age),
			Means: "a slow writer's Commit fails: a save is lost that would have worked", Read: leftOver,
		}
		if c.removed {
			lesson.Says = "Sweep leaves a file that no process has written to for age"
			lesson.Means = "leftovers pile up, with copies of the data in them"
		}
		if c.age == 0 {
			lesson.Says = "Sweep with an age of 0 leaves a leftover"
			lesson.Means = "a program that holds the lock of all writers cannot tidy up at its start"
		}
		both := crashed(t, 5*time.Hour, dir, 2) // the second stays old
		leftover := both[0]
		must(t, filepath.WalkDir(leftover, func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Chtimes(path, time.Now().Add(-c.read), time.Now().Add(-c.written)))
		}))
		removed, err := atomicreplace.Sweep(path, c.age)
		lab.RequireNoError(t, err, lesson)
		if c.removed {
			lab.RequireNoFile(t, leftover, lesson)
			continue
		}
		_, err = os.Lstat(leftover)
		lab.RequireNoError(t, err, lesson)
		goesOn := lesson.Say("Sweep stops at a temporary file that is too young")
		goesOn.Did = "one old leftover, and one before it in the directory: " + lesson.Did
		goesOn.Means = "the old leftovers behind a live writer's pile up"
		lab.RequireEqual(t, baseNames(both[1:]), baseNames(removed), goesOn)
		must(t, os.RemoveAll(leftover)) // for the next one
	}
}

func TestSweepLeavesTheFilesOfOthersAlone(t *testing.T) {
	t.Parallel()
	t.Run("files that no Create has made", func(t *testing.T) { t.Parallel(); leavesNeighbours(t) })
	t.Run("temporary files of other files", func(t *testing.T) { t.Parallel(); leavesOtherTemporaryFiles(t) })
	t.Run("a link with the name of a temporary file", func(t *testing.T) { t.Parallel(); leavesWhatIsNoFile(t, "a link") })
	t.Run("a named pipe of such a name", func(t *testing.T) { t.Parallel(); leavesWhatIsNoFile(t, "a named pipe") })
	t.Run("an empty directory of such a name", func(t *testing.T) { t.Parallel(); leavesWhatIsNoFile(t, "an empty directory") })
}

func leavesNeighbours(t *testing.T) {
	t.Helper()
	path := lab.WriteFile(t, "locks.json", before)
	neighbours := []string{
		"locks.json.tmp", "locks.json.bak", "locks.json-notes.tmp", ".locks.json.swp", ".locks.json.tmp", ".locks.json..tmp",
		"parts.json", "plan.tmp",
		".locks.json.notes.tmp", ".locks.json.2026.07.tmp", ".locks.json.2026.tmp", "locks", "locks.json.lock",
	}
	for _, name := range neighbours {
		must(t, os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte("mine"), 0o600))
	}
	lab.Age(t, filepath.Dir(path), 2*time.Hour)
	lesson := lab.Lesson{
		Says:     "Sweep removes files that no Create has made",
		Did:      "Sweep beside locks.json, in a directory with other people's old files",
		Expected: "all of them are still there",
		Read:     leftOver,
		Means:    "a program that tidies up has deleted a user's work",
	}
	sweep(t, path, lesson.Did)
	var missing []string
	for _, name := range neighbours {
		if !slices.Contains(others(t, path), name) {
			missing = append(missing, name)
		}
	}
	lesson.Found = "gone: " + strings.Join(missing, ", ")
	lab.Require(t, len(missing) == 0, lesson)
	lab.RequireFile(t, path, before, lab.Lesson{
		Says:  "Sweep removes the file itself",
		Did:   lesson.Did,
		Means: "the list of checkouts is gone",
		Read:  leftOver,
	})
}

func leavesOtherTemporaryFiles(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "sub", "sub"), 0o700))
	dir = filepath.Join(dir, "sub")
	leftover := crashed(t, 2*time.Hour, dir, 1)[0]
	for _, other := range []string{"locks", "json", "locks.json.old", ".locks.json", "../locks.json", "sub/locks.json"} {
		did := "Sweep beside " + other + ", a file with a similar name or in another directory; a directory with a leftover of locks.json"
		sweep(t, filepath.Join(dir, other), did)
		_, err := os.Lstat(leftover)
		lab.RequireNoError(t, err, lab.Lesson{
			Says:  "Sweep removes another file's temporary file",
			Did:   did,
			Read:  leftOver,
			Means: "programs that share a directory break each other's saves",
		})
	}
}

// leavesWhatIsNoFile is about what a user has made: a link to an old file, or something else that is old.
func leavesWhatIsNoFile(t *testing.T, kind string) {
	t.Helper()
	dir := t.TempDir()
	both := crashed(t, 2*time.Hour, dir, 2)
	name := both[0]
	info, err := os.Lstat(name)
	must(t, err)
	if kind != "a link" && !info.Mode().IsRegular() {
		t.Skip("the code under test keeps its temporary files in directories")
	}
	must(t, os.RemoveAll(name))
	switch special := makeSpecial[kind]; {
	case kind == "a link":
		needLinks(t)
		must(t, os.Symlink("locks.json", name))
	case kind == "an empty directory":
		must(t, os.Mkdir(name, 0o700))
	case special == nil:
		t.Skip("this system has no such thing")
	default:
		must(t, special(name))
	}
	lab.Age(t, dir, 2*time.Hour)
	for _, age := range []time.Duration{time.Hour, 0} {
		did := fmt.Sprintf("%s, two hours old, has a name that Create could have given; Sweep with an age of %v", kind, age)
		var err error
		lab.Finishes(t, func() { _, err = atomicreplace.Sweep(filepath.Join(dir, "locks.json"), age) }, lab.Lesson{
			Says: "Sweep does not return", Did: did, Read: leftOver, Means: "an open of a named pipe waits for a writer, who may never come",
		})
		lesson := lab.Lesson{
			Says:  "Sweep removes what is not a regular file",
			Did:   did,
			Read:  leftOver,
			Means: "Create makes no such thing: it belongs to another program, and is gone",
		}
		_, gone := os.Lstat(name)
		lab.RequireNoError(t, gone, lesson)
		lesson.Says = "Sweep fails because of what is not a regular file"
		lesson.Means = "on this machine it fails every time, and its errors are no longer read"
		lab.RequireNoError(t, err, lesson)
		lesson.Means = "the leftovers behind it pile up"
		lab.RequireNoFile(t, both[1], lesson.Say("Sweep stops at what is not a regular file"))
	}
}

func TestSweepLooksBesideTheFileThatALinkLeadsTo(t *testing.T) {
	t.Parallel()
	needLinks(t)
	dir := filepath.Join(t.TempDir(), "data")
	must(t, os.MkdirAll(filepath.Join(dir, "deep"), 0o700))
	link, shortcut := lab.Path(t, "link.json"), lab.Path(t, "shortcut")
	must(t, os.Symlink(filepath.Join(dir, "locks.json"), link))
	must(t, os.Symlink(filepath.Join(dir, "deep"), shortcut))
	for _, c := range []struct{ path, says, did string }{
		{
			link, "Sweep does not follow a symbolic link",
			"link.json leads to locks.json in another directory, with a leftover beside it; Sweep on link.json",
		},
		{
			shortcut + filepath.FromSlash("/../locks.json"), "Sweep resolves .. on paper, and looks in another directory than Create",
			"shortcut leads to data/deep, and there is a leftover in data; Sweep on shortcut/../locks.json, which is data/locks.json",
		},
	} {
		if c.path != link && runtime.GOOS == "windows" {
			continue // there, .. is resolved on paper
		}
		leftover := crashed(t, 2*time.Hour, dir, 1)[0]
		sweep(t, c.path, c.did)
		lab.RequireNoFile(t, leftover, lab.Lesson{
			Says:  c.says,
			Did:   c.did,
			Read:  leftOver,
			Means: "Create writes in one directory and Sweep looks in another: its leftovers are never found",
		})
	}
}

func TestSweepReportsWhatItCannotRemove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "locks.json")
	_, err := atomicreplace.Sweep(filepath.Join(dir, "nowhere", "locks.json"), time.Hour)
	lab.RequireError(t, err, lab.Lesson{
		Says:  "Sweep returns nil for a directory that does not exist",
		Did:   "Sweep in a missing directory",
		Read:  leftOver,
		Means: "a mistyped path, and nothing is ever swept",
	})
	leftovers := crashed(t, 2*time.Hour, dir, 2)
	for _, c := range []struct {
		calls string
		errno error
	}{
		{"list", syscall.EIO},
		{"remove", syscall.EACCES},
		{"remove", syscall.EPERM},
		{"remove", syscall.EBUSY},
		{"stat", syscall.EIO},
	} {
		lesson := lab.Lesson{
			Did:  "two leftovers, two hours old; Sweep; the kernel refuses to " + c.calls + ": " + trace.ErrnoName(c.errno),
			Read: leftOver,
		}
		var removed []string
		var err error
		failed := lab.Refuse(c.calls, c.errno, func() { removed, err = atomicreplace.Sweep(path, time.Hour) })
		if failed != nil {
			t.Skip("this test cannot make the kernel refuse calls: ", failed)
		}
		lesson.Says, lesson.Means = "Sweep hides that it could not do its work", "copies of the data stay, and no error reports it"
		lab.RequireErrorIs(t, err, c.errno, lesson)
		for _, leftover := range leftovers {
			lesson.Says = "Sweep does not report each leftover that it could not remove"
			lesson.Expected, lesson.Found = "an error that names "+filepath.Base(leftover), err.Error()
			lab.Require(t, c.calls != "remove" || strings.Contains(err.Error(), filepath.Base(leftover)), lesson)
		}
		lesson.Says, lesson.Means = "Sweep reports a removal that it did not make", "an administrator believes that a copy of the data is gone"
		lesson.Expected, lesson.Found = "no path", strings.Join(removed, ", ")
		lab.Require(t, len(removed) == 0, lesson)
		for _, leftover := range leftovers {
			_, err = os.Lstat(leftover)
			must(t, err)
		}
	}
}

func TestSweepGoesOn(t *testing.T) {
	t.Parallel()
	t.Run("after one that it cannot remove", func(t *testing.T) { t.Parallel(); goesOnAfterARefusal(t) })
	t.Run("past one that vanishes", func(t *testing.T) { t.Parallel(); goesOnPastWhatVanishes(t) })
}

// goesOnPastWhatVanishes removes one of two leftovers before each call of a Sweep, as a live writer's rename or another Sweep does.
func goesOnPastWhatVanishes(t *testing.T) {
	t.Helper()
	for made, calls := 0, 1; made < calls; made++ {
		for victim := range 2 {
			dir := t.TempDir()
			both := crashed(t, 2*time.Hour, dir, 2)
			calls = 0
			var removed []string
			var err error
			lesson := lab.Lesson{Read: leftOver}
			vanished := false
			failed := lab.Watch(func() { removed, err = atomicreplace.Sweep(filepath.Join(dir, "locks.json"), time.Hour) }, func(call string) {
				if calls == made {
					_, missing := os.Lstat(both[victim])
					vanished = missing == nil && os.RemoveAll(both[victim]) == nil
					lesson.Did = fmt.Sprintf("two leftovers; Sweep; before %s, its call number %d, a program removed one", call, made+1)
				}
				calls++
			})
			lab.RequireRefuse(t, failed)
			lesson.Means = "on a busy machine Sweep fails now and then, and other leftovers stay"
			lab.RequireNoError(t, err, lesson.Say("Sweep fails because a temporary file vanished"))
			if vanished {
				both = slices.Delete(both, victim, victim+1)
			}
			lesson.Means = "an administrator looks for the wrong file"
			lab.RequireEqual(t, baseNames(both), baseNames(removed), lesson.Say("Sweep does not tell the truth about what it removed"))
		}
	}
}

// goesOnAfterARefusal lets each call of a Sweep fail once, with two leftovers.
func goesOnAfterARefusal(t *testing.T) {
	t.Helper()
	for made := 0; ; made++ {
		dir := t.TempDir()
		both := crashed(t, 2*time.Hour, dir, 2)
		var removed []string
		var err error
		calls, failed := lab.RefuseOne(made, syscall.EACCES, func() {
			removed, err = atomicreplace.Sweep(filepath.Join(dir, "locks.json"), time.Hour)
		})
		if failed != nil {
			t.Skip("this test cannot make the kernel refuse one call: ", failed)
		}
		if made >= len(calls) {
			return
		}
		stay := slices.DeleteFunc(slices.Clone(both), func(leftover string) bool { _, err := os.Lstat(leftover); return err != nil })
		gone := slices.DeleteFunc(slices.Clone(both), func(leftover string) bool { return slices.Contains(stay, leftover) })
		lesson := lab.Lesson{
			Did:  fmt.Sprintf("two leftovers; Sweep; %s, its call number %d, is refused: EACCES", calls[made], made+1),
			Read: leftOver,
		}
		if calls[made] == "unlinkat" || calls[made] == "newfstatat" && slices.Contains(calls[:made], "openat") {
			lesson.Says, lesson.Means = "Sweep stops at the first leftover that it cannot remove or examine", "one file that stays keeps all others"
			lab.Require(t, len(stay) < 2, lesson)
		}
		lesson.Says, lesson.Means = "Sweep does not tell the truth about what it removed", "an administrator looks for the wrong file"
		lab.RequireEqual(t, baseNames(gone), baseNames(removed), lesson)
		if len(stay) > 0 {
			lesson.Says, lesson.Means = "Sweep hides that it left a leftover", "copies of the data stay, and no error reports it"
			lab.RequireError(t, err, lesson)
		}
		if len(stay) == 1 {
			lesson.Says = "Sweep does not report which leftover it left"
			lesson.Expected, lesson.Found = "an error that names "+filepath.Base(stay[0]), err.Error()
			lab.Require(t, strings.Contains(err.Error(), filepath.Base(stay[0])), lesson)
		}
	}
}

// baseNames returns the names without their directories, in order.
func baseNames(paths []string) string {
	var names []string
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
