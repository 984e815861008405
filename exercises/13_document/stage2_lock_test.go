package document_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"example/turnstile/exercises/11_locked_file/filelock"
	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/13_document/lockfile"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

// begin starts a worker that gets inside its callback, since no other owner stands in its way.
func begin(t *testing.T, name string, args ...string) *lab.Process {
	t.Helper()
	p := lab.Start(t, name, args...)
	p.Reached("inside", lab.Lesson{
		Says: title(name) + " waits although the document is free", Did: title(name) + "; no other call was at work",
		Means: "the program cannot work at all", Read: fix,
	})
	return p
}

func title(name string) string {
	return map[string]string{"update": "Update", "view": "View", "recover": "Recover", "desk": "Update"}[name]
}

// finish lets a worker out of its callback.
func finish(t *testing.T, p *lab.Process, l lab.Lesson) {
	t.Helper()
	p.Continue()
	lab.RequireNoError(t, p.Wait(l), l)
}

// saw lets a View out, which has sent what it has seen.
func saw(t *testing.T, p *lab.Process, l lab.Lesson, want string) {
	t.Helper()
	p.Reached("inside", l)
	p.Continue()
	found := ""
	p.Result(&found, l)
	lab.RequireEqual(t, want, found, l)
	lab.RequireNoError(t, p.Wait(l), l)
}

func TestUpdateExcludesOthers(t *testing.T) {
	t.Parallel()
	t.Run("a second program", aSecondProgram)
	t.Run("a third program", aThirdProgram)
	t.Run("and keeps its turn when the document is replaced", keepsItsTurn)
}

// Bob waits for a document, which another program replaces meanwhile. He asks for the locks as often as for one that stays the same.
func keepsItsTurn(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{
		Did:   "another program had the lock, and bob's Update waited; the other one replaced the document and gave the lock back",
		Means: "bob goes to the end of the line whenever the one before him has changed something: on a busy day he never gets in",
		Read:  contexts,
	}
	ask := func(replaced bool) (asked int) {
		path := shelf(t)
		held, err := lockfile.Lock(t.Context(), path+".lock", filelock.Exclusive, 0o644)
		lab.RequireSetUp(t, err)
		bob := lab.Start(t, "counting", path)
		waits(t, bob, l.Say("Update does not wait for the lock on PATH.lock"))
		if replaced {
			lab.RequireSetUp(t, replace(t, path, good))
		}
		lab.RequireSetUp(t, held.Unlock())
		bob.Result(&asked, l)
		lab.RequireNoError(t, bob.Wait(l), l.Say("Update failed"))
		return asked
	}
	l.Expected = "as many calls of flock(2) as for a document that is not replaced"
	lab.RequireEqual(t, ask(false), ask(true), l.Say("Update gave the lock back and asked for it again"))
}

// counting calls Update for the document at PATH, and sends how often it has asked for a lock: -1 if that cannot be seen.
func counting(w *lab.Worker) error {
	asked := 0
	var err error
	if lab.WatchLocks(func() { err = open(w.Arg(0)).Update(context.Background(), checkOut("plate.step", "bob")) }, func() { asked++ }) != nil {
		asked, err = -1, open(w.Arg(0)).Update(context.Background(), checkOut("plate.step", "bob"))
	}
	return errors.Join(err, w.Result(asked))
}

// Alice is inside her Update. Bob waits for the lock, and Carol comes after him. When Alice's Update has replaced the document, Bob gets
// the lock that he waits for. Which one does Carol ask for?
func aThirdProgram(t *testing.T) {
	t.Parallel()
	path := shelf(t)
	l := lab.Lesson{
		Did:   "alice was inside her Update, bob waited in his, and carol's Update came third; then alice's came to its end",
		Means: "bob's lock is on the file that alice has replaced, carol's on the new one: both change one generation, and one change is lost",
		Read:  why,
	}
	alice := begin(t, "update", path, "hinge.step", "alice")
	bob := lab.Start(t, "update", path, "plate.step", "bob")
	waits(t, bob, l.Say("Update does not wait for another program's Update"))
	carol := lab.Start(t, "update", path, "screw.step", "carol")
	waits(t, carol, l.Say("Update does not wait for another program's Update"))
	finish(t, alice, l.Say("Update failed"))
	bob.Reached("inside", l.Say("Update did not get the lock after the one before it"))
	waits(t, carol, l.Say("Update let two programs in at once"))
	// Bob's Update has replaced the document too before Carol reads it.
	finish(t, bob, l.Say("Update failed"))
	carol.Reached("inside", l.Say("Update did not get the lock after the one before it"))
	dave := lab.Start(t, "update", path, "axle.step", "dave")
	waits(t, dave, l.Say("Update let two programs in at once"))
	finish(t, carol, l.Say("Update failed"))
	dave.Reached("inside", l.Say("Update did not get the lock after the one before it"))
	finish(t, dave, l.Say("Update failed"))
	requireCheckouts(t, path, l.Say("Update lost a change that it had acknowledged"),
		"axle.step=dave bracket.step=alice hinge.step=alice plate.step=bob screw.step=carol")
}

func aSecondProgram(t *testing.T) {
	t.Parallel()
	path := shelf(t)
	l := lab.Lesson{
		Did:   "alice was inside her Update; bob's Update waited for her",
		Means: "bob's change is made of a generation that is out of date, and writes over hers", Read: fix,
	}
	alice := begin(t, "update", path, "hinge.step", "alice")
	bob := lab.Start(t, "update", path, "plate.step", "bob")
	waits(t, bob, l.Say("Update does not wait for another program's Update"))
	finish(t, alice, l.Say("Update failed"))
	bob.Reached("inside", l.Say("Update did not get the lock after the one before it"))
	finish(t, bob, l.Say("Update failed"))
	requireCheckouts(t, path, l.Say("Update read the document before it had the lock"), "bracket.step=alice hinge.step=alice plate.step=bob")
}

func TestViewAndUpdateExcludeEachOther(t *testing.T) {
	t.Parallel()
	t.Run("a View waits for an Update", func(t *testing.T) {
		t.Parallel()
		path := shelf(t)
		l := lab.Lesson{Did: "alice was inside her Update; bob called View", Means: "the reader decides by what is just being changed", Read: fix}
		alice := begin(t, "update", path, "hinge.step", "alice")
		bob := lab.Start(t, "view", path)
		waits(t, bob, l.Say("View does not wait for an Update that is at work"))
		finish(t, alice, l.Say("Update failed"))
		saw(t, bob, l.Say("View read the document before it had the lock"), "bracket.step=alice hinge.step=alice")
	})
	t.Run("an Update waits for a View", func(t *testing.T) {
		t.Parallel()
		path := shelf(t)
		l := lab.Lesson{
			Did: "alice was inside her View; bob called Update", Means: "what a reader still looks at has changed by the time it acts", Read: fix,
		}
		alice := begin(t, "view", path)
		bob := lab.Start(t, "update", path, "hinge.step", "bob")
		waits(t, bob, l.Say("Update does not wait for a View that is at work"))
		lab.RequireFile(t, path, good, l.Say("Update wrote while a View was at work"))
		alice.Continue()
		found := ""
		alice.Result(&found, l)
		lab.RequireNoError(t, alice.Wait(l), l.Say("View failed"))
		bob.Reached("inside", l.Say("Update did not get the lock after a View"))
		finish(t, bob, l.Say("Update failed"))
	})
	t.Run("two Views do not wait for each other", func(t *testing.T) {
		t.Parallel()
		path := shelf(t)
		l := lab.Lesson{Did: "alice was inside her View; bob called View", Means: "readers, who do each other no harm, stand in line", Read: fix}
		alice := begin(t, "view", path)
		bob := lab.Start(t, "view", path)
		saw(t, bob, l.Say("View waits for another View"), "bracket.step=alice")
		found := ""
		alice.Continue()
		alice.Result(&found, l)
		lab.RequireNoError(t, alice.Wait(l), l.Say("View failed"))
	})
	t.Run("two Views of one Document at once", twoViews)
	t.Run("a third program behind a View", func(t *testing.T) {
		t.Parallel()
		path := shelf(t)
		l := lab.Lesson{
			Did:   "alice was inside her Update, bob waited in his, and carol called View; then alice's Update came to its end",
			Means: "carol's lock is on the new file, bob's on the old one: she reads while he changes", Read: why,
		}
		alice := begin(t, "update", path, "hinge.step", "alice")
		bob := lab.Start(t, "update", path, "plate.step", "bob")
		waits(t, bob, l.Say("Update does not wait for another program's Update"))
		carol := lab.Start(t, "view", path)
		waits(t, carol, l.Say("View does not wait for an Update that is at work"))
		finish(t, alice, l.Say("Update failed"))
		bob.Reached("inside", l.Say("Update did not get the lock after the one before it"))
		waits(t, carol, l.Say("View let itself in beside an Update"))
		finish(t, bob, l.Say("Update failed"))
		saw(t, carol, l.Say("View read another generation than the one that its lock is for"),
			"bracket.step=alice hinge.step=alice plate.step=bob")
	})
}

// Two Views of one Document are at work at once. The second is made whole between two calls of the first one, for another document: the
// Document's link leads there meanwhile.
func twoViews(t *testing.T) {
	t.Parallel()
	for moment := 0; ; moment++ {
		path, other, link := shelf(t), shelf(t), lab.Path(t, "link.json")
		lab.RequireSetUp(t, os.WriteFile(other, []byte(strings.Replace(good, "alice", "carol", 1)), 0o644))
		lab.RequireSetUp(t, os.Symlink(path, link))
		d := open(link)
		l := lab.Lesson{
			Did:   "two goroutines called View of one Document at the same time; its link led elsewhere for the second one",
			Means: "people decide by what another one has asked for, or by chance", Read: copies,
		}
		view := func() (found string, err error) {
			err = d.View(context.Background(), func(content *shop) error { found = list(content); return nil })
			return found, err
		}
		var found string
		var err error
		calls := 0
		lab.RequireRefuse(t, lab.Watch(func() { found, err = view() }, func(string) {
			if calls++; calls != moment+1 {
				return
			}
			lab.RequireSetUp(t, errors.Join(os.Remove(link), os.Symlink(other, link)))
			var second string
			var failed error
			lab.Finishes(t, func() { second, failed = view() }, l.Say("View waits for another View of the same Document"))
			lab.RequireSetUp(t, errors.Join(os.Remove(link), os.Symlink(path, link)))
			lab.RequireNoError(t, failed, l.Say("View failed beside another View"))
			lab.RequireEqual(t, "bracket.step=carol", second, l.Say("View showed what another View had read"))
		}))
		lab.RequireNoError(t, err, l.Say("View failed beside another View"))
		lab.RequireEqual(t, "bracket.step=alice", found, l.Say("View showed what another View had read"))
		if calls <= moment {
			return
		}
	}
}

func TestTheLockBelongsToTheDocument(t *testing.T) {
	t.Parallel()
	t.Run("under two names", func(t *testing.T) {
		t.Parallel()
		path := shelf(t)
		link := lab.Path(t, "link.json")
		if err := os.Symlink(path, link); err != nil {
			t.Skip("no symbolic links here: " + err.Error())
		}
		if _, err := os.Stat(link); err != nil {
			t.Skip("symbolic links lead nowhere here: " + err.Error())
		}
		l := lab.Lesson{
			Did:   "alice was inside her Update through a symbolic link; bob called Update for the file itself",
			Means: "both change the same generation, and one change is lost", Read: names,
		}
		alice := begin(t, "update", link, "hinge.step", "alice")
		bob := lab.Start(t, "update", path, "plate.step", "bob")
		waits(t, bob, l.Say("Update does not wait for one that knows the document by another name"))
		finish(t, alice, l.Say("Update failed"))
		bob.Reached("inside", l.Say("Update did not get the lock"))
		finish(t, bob, l.Say("Update failed"))
		requireCheckouts(t, path, l.Say("Update lost a change"), "bracket.step=alice hinge.step=alice plate.step=bob")
	})
	for what, change := range map[string]func(t *testing.T, path, link, other string){
		"when a link leads elsewhere": func(t *testing.T, _, link, other string) {
			t.Helper()
			lab.RequireSetUp(t, errors.Join(os.Remove(link), os.Symlink(other, link)))
		},
		"when a link to its directory leads elsewhere": func(t *testing.T, _, link, other string) {
			t.Helper()
			lab.RequireSetUp(t, errors.Join(os.Remove(filepath.Dir(link)), os.Symlink(filepath.Dir(other), filepath.Dir(link))))
		},
		"when it has become a link": func(t *testing.T, path, _, other string) {
			t.Helper()
			lab.RequireSetUp(t, errors.Join(os.Remove(path), os.Symlink(other, path)))
		},
	} {
		t.Run(what, func(t *testing.T) { elsewhere(t, what, change) })
	}
	for end, method := range map[string]string{
		"the document": "Update", "its directory": "Update", "the document, which is only read": "View",
	} {
		t.Run("at each moment at which a link to "+end+" leads elsewhere", func(t *testing.T) { atEachMoment(t, end, method) })
	}
	t.Run("and not to its directory", func(t *testing.T) {
		t.Parallel()
		path := shelf(t)
		other := filepath.Join(filepath.Dir(path), "other.json")
		lab.RequireSetUp(t, os.WriteFile(other, []byte(good), 0o644))
		l := lab.Lesson{
			Did:   "alice was inside her Update of locks.json; bob called Update for other.json in the same directory",
			Means: "documents that have nothing to do with each other stand in each other's way", Read: names,
		}
		alice := begin(t, "update", path, "hinge.step", "alice")
		bob := lab.Start(t, "update", other, "plate.step", "bob")
		bob.Reached("inside", l.Say("Update waits for the Update of another document"))
		finish(t, bob, l.Say("Update failed"))
		finish(t, alice, l.Say("Update failed"))
	})
	for what, c := range map[string]struct{ name, means string }{
		"by a relative path": {"locks.json", "the document is looked for, or made, in another directory"},
		"by a path with .. after a link": {
			"link/../locks.json", "the kernel follows the link first: .. is the parent of what it leads to, and this is another document",
		},
	} {
		t.Run("from wherever it is used, "+what, func(t *testing.T) {
			t.Parallel()
			path := shelf(t)
			from, elsewhere := filepath.Dir(path), filepath.Dir(lab.Path(t, "x"))
			if c.name != "locks.json" {
				if runtime.GOOS == "windows" {
					t.Skip("Windows takes .. away before it looks for a link")
				}
				from = filepath.Dir(lab.Path(t, "y"))
				lab.RequireSetUp(t, os.Mkdir(filepath.Join(filepath.Dir(path), "sub"), 0o755))
				lab.RequireSetUp(t, os.Symlink(filepath.Join(filepath.Dir(path), "sub"), filepath.Join(from, "link")))
			}
			was := entries(t, filepath.Join(from, "y"))
			for _, before := range []string{"", from + "/"} {
				lab.RequireSetUp(t, os.WriteFile(path, []byte(good), 0o644))
				l := lab.Lesson{
					Did: "New with the path " + before + c.name + "; the program changed its directory; then Update, View, Recover", Means: c.means,
					Read: names,
				}
				p := lab.Start(t, "away", from, before+c.name, elsewhere)
				lab.RequireNoError(t, p.Wait(l), l.Say("Update, View or Recover looked for the document in another directory than New"))
				requireCheckouts(t, path, l.Say("Update wrote to another directory than that of New"), "bracket.step=alice hinge.step=bob")
				lab.RequireEqual(t, "", entries(t, filepath.Join(elsewhere, "x")), l.Say("Update left files in another directory than that of New"))
				if c.name != "locks.json" {
					found, err := os.ReadDir(from)
					lab.RequireSetUp(t, err)
					lab.RequireEqual(t, was, entries(t, filepath.Join(from, "y")), l.Say("Update left files beside the link"))
					lab.RequireEqual(t, 1, len(found), l.Say("Update put its lock files beside the link"))
				}
			}
		})
	}
	t.Run("whoever may only read it", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 || runtime.GOOS == "windows" {
			t.Skip("it takes root to become another user")
		}
		directory := lab.SharedDir(t)
		lab.RequireSetUp(t, os.Chmod(directory, 0o755))
		path := filepath.Join(directory, "locks.json")
		for _, name := range []string{path, path + ".lock", path + ".lock.next"} {
			lab.RequireSetUp(t, os.WriteFile(name, []byte(good), 0o644))
			lab.RequireSetUp(t, os.Chmod(name, 0o644))
		}
		l := lab.Lesson{
			Did:   "View by a user who may read the document and its lock files, and write nothing",
			Means: "people who only look need the permission to destroy", Read: names,
		}
		p := lab.StartProgram(t, lab.Options{Unprivileged: true}, stuck, "desk", path)
		p.Succeed("view", l.Say("View needs the permission to write"))
	})
}

// Update waits for one document. Before it has the lock, its name leads to another one, which a third program has locked.
func elsewhere(t *testing.T, what string, change func(t *testing.T, path, link, other string)) {
	t.Helper()
	t.Parallel()
	path, other, link := shelf(t), shelf(t), lab.Path(t, "link.json")
	from, to := link, path
	if strings.Contains(what, "directory") {
		link, to = filepath.Join(link, "locks.json"), filepath.Dir(path)
	}
	if err := os.Symlink(to, from); err != nil {
		t.Skip("no symbolic links here: " + err.Error())
	}
	if _, err := os.Stat(link); err != nil {
		t.Skip("symbolic links lead nowhere here: " + err.Error())
	}
	l := lab.Lesson{
		Did:   "Update waited for its document; meanwhile, " + what + ", its name came to lead to another one, which alice had locked",
		Means: "the lock of one document is taken, and another one is changed: what alice writes is lost", Read: names,
	}
	mine, err := lockfile.Lock(t.Context(), path+".lock", filelock.Exclusive, 0o600)
	lab.RequireSetUp(t, err)
	alice, err := lockfile.Lock(t.Context(), other+".lock", filelock.Exclusive, 0o600)
	lab.RequireSetUp(t, err)
	bob := lab.Start(t, "update", link, "plate.step", "bob")
	waits(t, bob, l.Say("Update does not wait for the lock"))
	change(t, path, link, other)
	lab.RequireSetUp(t, mine.Unlock())
	inside := bob.Settle() == process.AtStep // of the one that it has waited for, or it waits for the other one now
	if inside {
		bob.Reached("inside")
		bob.Continue()
		_ = bob.Wait(l.Say("Update does not come to its end"))
	}
	lab.RequireFile(t, other, good, l.Say("Update changed a document whose lock another program had"))
	lab.RequireSetUp(t, alice.Unlock())
	if !inside {
		bob.Reached("inside", l.Say("Update did not get the lock"))
		finish(t, bob, l.Say("Update failed"))
		requireCheckouts(t, other, l.Say("Update lost its change"), "bracket.step=alice plate.step=bob")
	}
}

// A link leads to another document from one moment of a call on. Whichever of the two the call works on, it leaves the other one alone.
func atEachMoment(t *testing.T, end, method string) {
	t.Helper()
	t.Parallel()
	const rival = `{"version":1,"generation":40,"content":{"checkouts":{"axle.step":"carol"}}}`
	for moment := 0; ; moment++ {
		path, other, link := shelf(t), shelf(t), lab.Path(t, "link.json")
		lab.RequireSetUp(t, os.WriteFile(other, []byte(rival), 0o644))
		name, from, to := link, path, other
		if end == "its directory" {
			name, from, to = filepath.Join(link, "locks.json"), filepath.Dir(path), filepath.Dir(other)
		}
		lab.RequireSetUp(t, os.Symlink(from, link))
		l := lab.Lesson{
			Did: fmt.Sprintf("%s through a symbolic link to %s; the link was made to lead to another document before its system call number %d",
				method, end, moment+1),
			Means: "a document is read, or overwritten, whose lock other programs may have", Read: names,
		}
		var err error
		calls, found := 0, ""
		lab.RequireRefuse(t, lab.Watch(func() {
			err = methods[method](context.Background(), open(name), func(content *shop) error {
				found = list(content)
				return checkOut("hinge.step", "bob")(content)
			})
		}, func(string) {
			if calls++; calls == moment+1 {
				lab.RequireSetUp(t, errors.Join(os.Remove(link), os.Symlink(to, link)))
			}
		}))
		lab.RequireNoError(t, err, l.Say("%s failed", method))
		state := func(path string) string {
			generation, content := read(t, path, l)
			return fmt.Sprintf("generation %d %s beside %s", generation, list(content), entries(t, path))
		}
		l.Found = state(path) + ", and " + state(other) + "; its function was called with " + found
		left, right := "generation 7 bracket.step=alice beside locks.json", "generation 40 axle.step=carol beside locks.json"
		one, two := left, right
		if method == "Update" {
			one = "generation 8 bracket.step=alice hinge.step=bob beside locks.json locks.json.bak"
			two = "generation 41 axle.step=carol hinge.step=bob beside locks.json locks.json.bak"
		}
		lab.Require(t, state(path) == one && state(other) == right && found == "bracket.step=alice" ||
			state(path) == left && state(other) == two && found == "axle.step=carol",
			l.Say("%s worked on two documents, or on another one than it had locked", method))
		if calls <= moment {
			return
		}
	}
}

// away names the document in the directory FROM by PATH, goes to the directory ELSEWHERE, and uses it.
func away(w *lab.Worker) error {
	if err := os.Chdir(w.Arg(0)); err != nil {
		return err
	}
	d := open(w.Arg(1))
	if err := os.Chdir(w.Arg(2)); err != nil {
		return err
	}
	ctx := context.Background()
	if err := d.Update(ctx, checkOut("hinge.step", "bob")); err != nil {
		return err
	}
	if _, err := d.Recover(ctx); err != nil {
		return err
	}
	return d.View(ctx, func(*shop) error { return nil })
}

// waiting calls METHOD for the document at PATH, until it is told to end the context.
func waiting(w *lab.Worker) error {
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	done := make(chan error, 1)
	go func() { done <- methods[w.Arg(0)](ctx, open(w.Arg(1)), func(*shop) error { return errTest }) }()
	told := make(chan error, 1)
	go func() { order := ""; told <- w.Receive(&order) }()
	select {
	case err := <-done: // it has not waited
		return err
	case err := <-told:
		if err != nil {
			return err
		}
	}
	stop(errors.New("the shop closes"))
	return <-done
}

func TestTheContextLimitsTheWaiting(t *testing.T) {
	t.Parallel()
	for method, call := range methods {
		t.Run(method+" in line, with one that ends while it waits", func(t *testing.T) { endsWhileItWaits(t, method, ".lock.next") })
		t.Run(method+" with one that ends while it waits", func(t *testing.T) { endsWhileItWaits(t, method, ".lock") })
		t.Run(method+" with a context that has ended", func(t *testing.T) {
			t.Parallel()
			for _, want := range []error{context.Canceled, context.DeadlineExceeded} {
				path := prepared(t, method)
				was := documents(t, path)
				ctx, stop := context.WithCancelCause(t.Context())
				if want == context.DeadlineExceeded { //nolint:errorlint // one of two values above
					late, end := context.WithTimeoutCause(t.Context(), 0, errors.New("the shop has closed"))
					defer end()
					ctx = late
				}
				stop(errors.New("the shop closes")) // whose error is context.Canceled all the same
				called := false
				l := lab.Lesson{Did: method + " with a context that had ended before", Means: "work is done for a caller who has left", Read: contexts}
				err := fail(t, l.Say("%s went on although its context had ended", method), func() error {
					return call(ctx, open(path), func(*shop) error { called = true; return nil })
				})
				requireReason(t, want, err, method, l)
				requireNamed(t, path, err, l.Say("%s returned an error that does not name the path", method))
				lab.Require(t, !called, l.Say("%s called its function although its context had ended", method))
				lab.RequireEqual(t, was, documents(t, path), l.Say("%s wrote although its context had ended", method))
			}
		})
	}
	for method, call := range methods {
		t.Run("and nothing of "+method+" after that", func(t *testing.T) {
			t.Parallel()
			path := prepared(t, method)
			ctx, stop := context.WithCancel(t.Context())
			l := lab.Lesson{
				Did: method + "; its context ended while Validate was at work", Means: "what was begun is left half done", Read: contexts,
			}
			d := document.New(path, document.Options[shop]{Validate: func(s *shop) error { stop(); return validate(s) }})
			succeed(t, l.Say("%s gave up half way when its context ended", method), func() error {
				return call(ctx, d, func(*shop) error { return nil })
			})
		})
	}
	t.Run("and nothing after that", func(t *testing.T) {
		t.Parallel()
		path := shelf(t)
		ctx, stop := context.WithCancel(t.Context())
		l := lab.Lesson{
			Did: "Update; its context ended while change was at work", Means: "the caller cannot know what the document holds", Read: contexts,
		}
		succeed(t, l.Say("Update gave up half way when its context ended"), func() error {
			return open(path).Update(ctx, func(content *shop) error { stop(); return checkOut("hinge.step", "bob")(content) })
		})
		requireCheckouts(t, path, l.Say("Update did not write although it returned nil"), "bracket.step=alice hinge.step=bob")
	})
}

// endsWhileItWaits ends the context of the method, which waits for another program: for its lock, or for its place as the next in line.
func endsWhileItWaits(t *testing.T, method, file string) {
	t.Helper()
	t.Parallel()
	path := prepared(t, method)
	was := documents(t, path)
	held, err := lockfile.Lock(t.Context(), path+file, filelock.Exclusive, 0o600)
	lab.RequireSetUp(t, err)
	l := lab.Lesson{
		Did:   "another program had the lock on locks.json" + file + "; " + method + " waited, and its context ended",
		Means: "the caller, who had no more time, waits for as long as others please", Read: contexts,
	}
	waiting := l
	if file == ".lock.next" {
		waiting.Means = "it overtakes a program that waits: while enough others come, that one never gets the lock"
	}
	p := lab.Start(t, "waiting", method, path)
	waits(t, p, waiting.Say("%s does not wait for the lock on PATH%s", method, file))
	p.Send("cancel")
	err = p.Wait(l.Say("%s goes on waiting when its context has ended", method))
	requireReason(t, context.Canceled, err, method, l)
	requireNamed(t, path, err, l.Say("%s returned an error that does not name the path", method))
	lab.RequireSetUp(t, held.Unlock())
	requireFree(t, path, l.Say("%s left something locked when its context ended", method))
	lab.RequireEqual(t, was, documents(t, path), l.Say("%s wrote although its context had ended", method))
}

// requireReason demands that the error matches ctx.Err().
func requireReason(t *testing.T, want, err error, method string, l lab.Lesson) {
	t.Helper()
	l.Means = "the caller cannot tell that its own time was over, and treats the document as broken"
	lab.RequireErrorIs(t, err, want, l.Say("%s returned, but with an error that does not match ctx.Err()", method))
}

func requireNamed(t *testing.T, path string, err error, l lab.Lesson) {
	t.Helper()
	l.Means, l.Found = "no one can tell which document could not be had", err.Error()
	lab.Require(t, strings.Contains(err.Error(), filepath.Base(path)), l)
}

// One Document, and many goroutines at once while another Update keeps them waiting: whatever they share, each has an answer of its own.
func TestEachUpdateHasItsOwnAnswer(t *testing.T) {
	t.Parallel()
	for _, last := range []string{"change panics", "change ends its goroutine"} {
		t.Run("when the last one in line is one of which "+last, func(t *testing.T) { lastInLine(t, last) })
	}
	t.Run("when nothing can be written", nothingIsWritten)
	for round := range lab.Rounds(4) {
		repairs := round%2 == 0 // the good changes put right what Validate refuses of another one
		path := shelf(t)
		d := open(path)
		l := lab.Lesson{
			Did:   "one goroutine was inside Update; some others called Update of the same Document, and some of their changes failed",
			Means: "callers are told of the errors of others, or lose their change to one", Read: grouped,
		}
		var all sync.WaitGroup
		let := occupy(t, d, &all, l)
		type answer struct {
			name string
			outcome
		}
		answers := make([]answer, 0, 10)
		var mutex sync.Mutex
		ask := func(name string, change func(*shop) error) {
			all.Go(func() {
				o := ended(func() error { return d.Update(context.Background(), change) })
				mutex.Lock()
				defer mutex.Unlock()
				answers = append(answers, answer{name, o})
			})
		}
		for name, change := range failures {
			switch name {
			case "JSON has no form for it", "it has a key twice", "Validate refuses what would be loaded of it":
				if repairs {
					continue // what the bytes would be is judged of all together
				}
			}
			ask(name, change)
		}
		lineUp()
		ctx, stop := context.WithCancel(t.Context())
		var late outcome
		left := make(chan struct{})
		all.Go(func() {
			defer close(left)
			late = ended(func() error { return d.Update(ctx, checkOut("late.step", "eve")) })
		})
		var given [4]string // whom the last call of each good change found at bracket.step
		for i := range given {
			ask("good", func(s *shop) error {
				given[i] = s.Checkouts["bracket.step"]
				if repairs {
					s.Checkouts["bracket.step"] = "alice"
				}
				return checkOut(fmt.Sprintf("%d.step", i), "bob")(s)
			})
		}
		stop()
		limit := process.Patience() / 2
		select {
		case <-left:
		case <-time.After(limit): // before those lose their patience who wait for the same
			l := l.Say("Update goes on waiting when its context has ended")
			l.Did += "; the context of one more ended"
			l.Expected, l.Found = "it returns", "it made no progress for "+limit.String()
			l.Means, l.Read = "the caller, who had no more time, waits for as long as others please", contexts
			lab.Fail(t, l)
		}
		requireReason(t, context.Canceled, late.err, "Update", l)
		requireNamed(t, path, late.err, l.Say("Update returned an error that does not name the path"))
		let()
		lab.Finishes(t, all.Wait, l.Say("Update does not come to its end among many"))
		for _, found := range given {
			lab.RequireEqual(t, "alice", found, l.Say("Update gave change what another change had spoiled"))
		}
		for _, a := range answers {
			l := l
			l.Did += "; this one: " + a.name
			switch a.name {
			case "good":
				lab.RequireNoError(t, a.err, l.Say("Update failed because of another one"))
				lab.Require(t, a.panicked == nil && !a.exited, l.Say("Update panicked because of another one"))
			case "change returns an error":
				lab.RequireErrorIs(t, a.err, errTest, l.Say("Update did not return the error of its own change"))
			case "change panics":
				requirePanic(t, a.outcome, l.Say("Update did not pass the panic on to its own caller"))
			case "change ends its goroutine":
				lab.Require(t, a.exited, l.Say("Update did not let change end its own goroutine"))
			case "Validate refuses the result", "Validate refuses what would be loaded of it":
				lab.RequireErrorIs(t, a.err, errInvalid, l.Say("Update did not return the error of its own change"))
			default:
				lab.RequireError(t, a.err, l.Say("Update returned nil although its change had failed"))
				lab.Require(t, !errors.Is(a.err, errTest) && !errors.Is(a.err, errInvalid), l.Say("Update returned the error of another one"))
			}
		}
		requireCheckouts(t, path, l.Say("Update lost a change, or wrote one that had failed"),
			"0.step=bob 1.step=bob 2.step=bob 3.step=bob bracket.step=alice")
		now, _ := read(t, path, l)
		was, _ := read(t, path+".bak", l)
		l.Means = "what Recover makes of the backup gets a number that the lost document had"
		lab.RequireEqual(t, was+1, now, l.Say("Update counted more generations than it wrote"))
	}
}

// occupy has one goroutine inside an Update of d, which fails, until let is called.
func occupy(t *testing.T, d *document.Document[shop], all *sync.WaitGroup, l lab.Lesson) (let func()) {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	let = sync.OnceFunc(func() { close(leave) })
	t.Cleanup(let) // or all tests wait that share something with this one
	enter := sync.OnceFunc(func() { close(entered) })
	all.Go(func() {
		_ = d.Update(context.Background(), func(*shop) error { enter(); <-leave; return errTest })
	})
	lab.Finishes(t, func() { <-entered }, l.Say("Update does not call change"))
	return let
}

// lineUp lets the other goroutines go on. Most of them are in line then; if one is not, the test is weaker, and not wrong.
func lineUp() {
	for range 100 {
		runtime.Gosched()
	}
}

// inLine calls Update with each change, in this order, while another Update of d keeps them waiting, and returns how they ended.
func inLine(t *testing.T, d *document.Document[shop], l lab.Lesson, changes ...func(*shop) error) []outcome {
	t.Helper()
	var all sync.WaitGroup
	let := occupy(t, d, &all, l)
	answers := make([]outcome, len(changes))
	for i, change := range changes {
		all.Go(func() { answers[i] = ended(func() error { return d.Update(context.Background(), change) }) })
		lineUp()
	}
	let()
	lab.Finishes(t, all.Wait, l.Say("Update does not come to its end among others"))
	return answers
}

func lastInLine(t *testing.T, last string) {
	t.Helper()
	t.Parallel()
	path := shelf(t)
	l := lab.Lesson{
		Did:   "two goroutines waited for Update of the same Document; " + last + ", of the second one",
		Means: "those who share a write with it wait for it for ever, or lose their change", Read: grouped,
	}
	answers := inLine(t, open(path), l, checkOut("hinge.step", "bob"), failures[last])
	lab.RequireNoError(t, answers[0].err, l.Say("Update failed because of another one"))
	if last == "change panics" {
		requirePanic(t, answers[1], l.Say("Update did not pass the panic on to its own caller"))
	} else {
		lab.Require(t, answers[1].exited, l.Say("Update did not let change end its own goroutine"))
	}
	requireCheckouts(t, path, l.Say("Update lost a change"), "bracket.step=alice hinge.step=bob")
	requireFree(t, path, l.Say("Update left the document locked"))
}

// Alice checks a part out, which cannot be written. Bob, who comes after her, must not be told that she has it.
func nothingIsWritten(t *testing.T) {
	t.Parallel()
	path := shelf(t)
	lab.RequireSetUp(t, os.MkdirAll(path+".bak/full", 0o755)) // no file can take its place
	l := lab.Lesson{
		Did: "alice's and bob's Update of one Document checked out the same part, one after the other; PATH.bak was a directory, so none " +
			"could be written",
		Means: "bob is told that alice has the part, and she is told that she has not got it", Read: grouped,
	}
	take := func(person string) func(*shop) error {
		return func(s *shop) error {
			if s.Checkouts["hinge.step"] != "" {
				return errTest
			}
			return checkOut("hinge.step", person)(s)
		}
	}
	for _, answer := range inLine(t, open(path), l, take("alice"), take("bob")) {
		lab.RequireError(t, answer.err, l.Say("Update returned nil although nothing could be written"))
		lab.Require(t, !errors.Is(answer.err, errTest), l.Say("Update returned what its change had made of a content that was never written"))
	}
	lab.RequireFile(t, path, good, l.Say("Update wrote although it returned an error"))
}

// crowd adds N to the count of the document at PATH in each of GOROUTINES goroutines, which share two Documents. Every fifth change
// fails, and is made again.
func crowd(w *lab.Worker) error {
	documents := []*document.Document[shop]{open(w.Arg(0)), open(w.Arg(0))}
	var mutex sync.Mutex
	var failed error
	var all sync.WaitGroup
	for number := range w.Int(1) {
		d := documents[number%len(documents)]
		all.Go(func() {
			for i := range w.Int(2) {
				var err error
				if i%5 == 4 {
					err = d.Update(context.Background(), func(s *shop) error { s.Count += 1000; s.Weight = math.Inf(1); return nil })
					if err == nil {
						err = errors.New("an Update whose content JSON has no form for returned nil")
					} else {
						err = nil
					}
				}
				err = errors.Join(err, d.Update(context.Background(), func(s *shop) error { s.Count++; return nil }))
				w.Progress()
				mutex.Lock()
				failed = errors.Join(failed, err)
				mutex.Unlock()
			}
		})
	}
	all.Wait()
	return failed
}

func TestNoUpdateIsLostInACrowd(t *testing.T) {
	t.Parallel()
	const processes, goroutines = 3, 4
	each := lab.Rounds(15)
	path := shelf(t)
	l := lab.Lesson{
		Did:   fmt.Sprintf("%d processes with %d goroutines each added 1 to a count %d times", processes, goroutines, each),
		Means: "changes that were acknowledged are gone", Read: fix,
	}
	var all []*lab.Process
	for range processes {
		all = append(all, lab.Launch(t, lab.Options{Hold: true}, "crowd", path, fmt.Sprint(goroutines), fmt.Sprint(each)))
	}
	for _, p := range all {
		p.Continue()
	}
	for _, p := range all {
		lab.RequireNoError(t, p.Wait(l.Say("Update does not come to its end in a crowd")), l.Say("Update failed in a crowd"))
	}
	_, content := read(t, path, l.Say("Update damaged the document in a crowd"))
	lab.RequireEqual(t, processes*goroutines*each, content.Count, l.Say("Update lost a change in a crowd"))
}

func TestNothingStaysOpen(t *testing.T) {
	t.Parallel()
	path := kept(t)
	p := lab.StartProgram(t, lab.Options{}, stuck, "desk", path)
	l := lab.Lesson{Read: failing, Means: "the program runs out of handles after some thousand calls"}
	orders := []string{"update", "view", "view panics", "create", "recover"}
	for name := range failures {
		orders = append(orders, name)
	}
	run := func(orders []string, what string) {
		for _, order := range orders {
			_ = p.Do(order, lab.Lesson{
				Says: "Update waits although no other call is at work", Did: order + what, Means: "an earlier call has left the document locked",
				Read: failing,
			})
		}
	}
	run(orders, "") // what is opened once may stay
	for _, c := range []struct{ what, content string }{{"", good}, {", of a damaged document", good[:40]}, {", of a missing document", ""}} {
		lab.RequireSetUp(t, os.Remove(path))
		if c.content != "" {
			lab.RequireSetUp(t, os.WriteFile(path, []byte(c.content), 0o644))
		}
		if c.what != "" {
			_ = os.Remove(path + ".bak")
		}
		open := p.Handles()
		for _, order := range orders {
			if c.what != "" && order == "create" {
				continue
			}
			run([]string{order, order}, c.what)
			now := p.Handles()
			l.Did = order + c.what
			lab.RequireEqual(t, open, now, l.Say("%s left a handle open", callOf(order)))
		}
	}
}

// callOf returns the function of an order of desk.
func callOf(order string) string {
	switch order {
	case "view", "view panics":
		return "View"
	case "create":
		return "Create"
	case "recover":
		return "Recover"
	}
	return "Update"
}
