//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package flock_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	flock "example/turnstile/exercises/08_flock"
	"example/turnstile/exercises/08_flock/bins"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func stockFile(t *testing.T, content string) (path string) {
	t.Helper()
	return lab.WriteFile(t, "stock.json", content)
}

// oldLock makes a lock file for the stock at path: see old.
func oldLock(t *testing.T, path string) (untouched func(call string, l lab.Lesson)) {
	t.Helper()
	lab.RequireSetUp(t, os.WriteFile(path+".lock", []byte("office"), 0o600))
	return old(t, path+".lock")
}

// takeOne takes a bracket first, and then looks whether one was left: if it returns false, the stock that it was given is spoilt.
func takeOne(stock bins.Stock) (bool, error) {
	stock["bracket"]--
	return stock["bracket"] >= 0, nil
}

// take takes a bracket from the stock at PATH. When change is first called, it stands at "inside", and then collects garbage. It sends
// whether it has the bracket.
func take(w *lab.Worker) error {
	debug.SetGCPercent(-1)
	asked, got := false, false
	err := flock.Update(w.Arg(0), func(stock bins.Stock) (write bool, err error) {
		if !asked {
			asked = true
			w.Reached("inside")
			lab.CollectGarbage()
		}
		got, err = takeOne(stock)
		return got, err
	})
	return errors.Join(err, w.Result(got && err == nil))
}

// again takes a bracket from the stock at PATH, and stands at "inside" whenever change is called. change counts its calls in the stock that
// it is given, writes there how many hinges it saw, and fails if the stock has a part that is broken. It sends whether the lock is open at
// the end.
func again(w *lab.Worker) error {
	err := flock.Update(w.Arg(0), func(stock bins.Stock) (bool, error) {
		w.Reached("inside")
		stock["calls"]++
		stock["seen"] = stock["hinge"]
		if stock["broken"] > 0 {
			return true, errTest
		}
		return takeOne(stock)
	})
	open, failed := lab.IsOpen(w.Arg(0) + ".lock")
	return errors.Join(err, failed, w.Result(open))
}

// calls run View and Update, with a function that is called inside, and whose error use and change return.
var calls = map[string]func(path string, inside func() error) error{
	"View": func(path string, inside func() error) error {
		return flock.View(path, func(bins.Stock) error { return inside() })
	},
	"Update": func(path string, inside func() error) error {
		return flock.Update(path, func(stock bins.Stock) (bool, error) {
			write, err := takeOne(stock)
			if failed := inside(); failed != nil {
				return false, failed
			}
			return write, err
		})
	},
}

// view stands at "inside" while it views PATH, and sends how many brackets it saw.
func view(w *lab.Worker) error {
	return flock.View(w.Arg(0), func(stock bins.Stock) error {
		w.Reached("inside")
		return w.Result(stock["bracket"])
	})
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	change := func(do func(bins.Stock)) func(bins.Stock) (bool, error) {
		return func(stock bins.Stock) (bool, error) { do(stock); return true, nil }
	}
	for _, c := range []struct {
		name, before, after string
		change              func(bins.Stock) (bool, error)
		err                 error
	}{
		{"writes what change made of the stock", `{"bracket":10,"hinge":4}`, `{"bracket":9,"hinge":4}`, takeOne, nil},
		{"adds and removes parts", `{"bracket":0}`, `{"hinge":4}`, change(func(s bins.Stock) { delete(s, "bracket"); s["hinge"] = 4 }), nil},
		{"removes a part", `{"bracket":1,"hinge":4}`, `{"hinge":4}`, change(func(s bins.Stock) { delete(s, "bracket") }), nil},
		{
			"gives each call of change what the file holds, and nothing else", `{"bracket":1}`, `{"bracket":1,"calls":1}`,
			change(func(s bins.Stock) { s["calls"]++ }), nil,
		},
		{"removes all parts", `{"bracket":1}`, `{}`, change(func(s bins.Stock) { clear(s) }), nil},
		{"adds none of a part", `{"bracket":1}`, `{"bracket":1,"hinge":0}`, change(func(s bins.Stock) { s["hinge"] = 0 }), nil},
		{
			"removes a part of which there were none", `{"bracket":1,"hinge":0}`, `{"bracket":1}`,
			change(func(s bins.Stock) { delete(s, "hinge") }), nil,
		},
		{"of fewer than none", `{"bracket":-1}`, `{"bracket":-2}`, change(func(s bins.Stock) { s["bracket"]-- }), nil},
		{"of an empty stock", `{}`, `{"hinge":4}`, change(func(s bins.Stock) { s["hinge"] = 4 }), nil},
		{"writes nothing if change returns false", ` { "bracket": 0 } `, ` { "bracket": 0 } `, takeOne, nil},
		{
			"writes nothing if change fails", `{"bracket":1}`, `{"bracket":1}`,
			func(s bins.Stock) (bool, error) { s["bracket"] = 0; return true, errTest }, errTest,
		},
		{"leaves a damaged file as it is", `{"bracket":1`, `{"bracket":1`, takeOne, errAny},
		{"leaves an empty file as it is", ``, ``, takeOne, errAny},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := stockFile(t, c.before)
			untouched := oldLock(t, path)
			l := lab.Lesson{
				Says: "Update did not leave in the file what it should", Did: "the file held " + lab.Show([]byte(c.before)) + "; Update",
				Means: "the stock is not what the callers were told", Read: fix,
			}
			var err error
			made, refused := 0, false
			lab.Finishes(t, func() {
				err = flock.Update(path, func(stock bins.Stock) (write bool, err error) {
					made++
					write, err = c.change(stock)
					refused = refused || !write || err != nil
					return write, err
				})
			}, l)
			again := l.Say("Update called change again after it had returned false, or an error")
			again.Expected, again.Found = "1 call", fmt.Sprintf("%d calls", made)
			lab.Require(t, made <= 1 || !refused, again)
			lab.RequireFile(t, path, c.after, l)
			requireOutcome(t, err, c.err, l.Say("Update did not return the error that it should"))
			start(t, path+".lock").Succeed("TryLock it", l.Say("Update kept its lock"))
			untouched("Update", l)
		})
	}
	t.Run("gives its lock back after a panic", panicInside)
	t.Run("gives its lock back when its goroutine ends", goexitInside)
	t.Run("of a file that does not exist", missingStock)
	t.Run("does not mistake an error of change for its own", foreignError)
	t.Run("inside an Update of another file", anotherFile)
	t.Run("while others wait for other files", besideOthers)
	t.Run("of the path as it is written", asWritten)
	t.Run("of a file that looks unchanged", looksUnchanged)
	t.Run("is alone when it writes", aloneWhenItWrites)
	t.Run("decides anew if others may have come first", overtaken)
}

// foreignError has a function that finds another file locked, and whose error matches what the package's own code may look for as well.
func foreignError(t *testing.T) {
	t.Helper()
	t.Parallel()
	foreign := errors.Join(errTest, flock.ErrLocked, fs.ErrClosed, fs.ErrNotExist, errors.ErrUnsupported, syscall.EINTR)
	for call, do := range calls {
		path := stockFile(t, `{"bracket":1}`)
		untouched := oldLock(t, path)
		l := lab.Lesson{
			Says: call + " did not return the error of the function that it called", Read: refusals,
			Did:   call + "; the function failed with an error of another file, which matches ErrLocked, fs.ErrClosed, fs.ErrNotExist and others",
			Means: "it mistakes the error for one of its own lock: it tries again for ever, or the caller never learns what failed",
		}
		var err error
		tries := 0
		lab.Finishes(t, func() {
			err = do(path, func() error {
				if tries++; tries > 100 {
					return nil // so that a call which tries again comes to an end
				}
				return foreign
			})
		}, l.Say("%s does not return", call))
		lab.RequireErrorIs(t, err, errTest, l)
		l.Expected, l.Found = "1 call", fmt.Sprintf("%d calls", tries)
		lab.Require(t, tries == 1, l.Say("%s called its function again after an error", call))
		l.Expected, l.Found = "", ""
		lab.RequireFile(t, path, `{"bracket":1}`, l.Say("%s wrote although its function had failed", call))
		untouched(call, l)
	}
}

func anotherFile(t *testing.T) {
	t.Helper()
	t.Parallel()
	path, other := stockFile(t, `{"bracket":1}`), stockFile(t, `{"bracket":1}`)
	l := lab.Lesson{
		Says: "Update waits for an Update of another file", Did: "inside Update of one file, change called View and Update of another one",
		Means: "a lock for all files of the process: change waits for the Update that called it, for ever", Read: whoOwns,
	}
	p := lab.Start(t, "nested", path, other)
	lab.RequireNoError(t, p.Wait(l), l)
	for _, path := range []string{path, other} {
		lab.RequireFile(t, path, `{"bracket":0}`, l.Say("Update inside an Update of another file did not write"))
	}
}

// nested takes a bracket from OTHER inside an Update of PATH.
func nested(w *lab.Worker) error {
	return flock.Update(w.Arg(0), func(stock bins.Stock) (bool, error) {
		look := flock.View(w.Arg(1), func(bins.Stock) error { return nil })
		if err := errors.Join(look, flock.Update(w.Arg(1), takeOne)); err != nil {
			return false, err
		}
		return takeOne(stock)
	})
}

// besideOthers has Views and Updates of many files wait in one process, and calls View and Update of as many others there.
func besideOthers(t *testing.T) {
	t.Helper()
	t.Parallel()
	const files = 40
	dir := t.TempDir()
	busy, free := filepath.Join(dir, "busy"), filepath.Join(dir, "free")
	for number := range files {
		for _, name := range []string{busy, free} {
			lab.RequireSetUp(t, os.WriteFile(fmt.Sprint(name, number), []byte(`{"bracket":1}`), 0o600))
		}
		lock, err := os.OpenFile(fmt.Sprint(busy, number, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
		lab.RequireSetUp(t, err)
		defer lock.Close()
		lab.RequireSetUp(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	}
	l := lab.Lesson{
		Says: "View and Update of many files do not each wait for their own lock, in the kernel", Read: whoOwns,
		Did:   fmt.Sprintf("other programs had the locks of %d files; one process called View or Update of each, in goroutines", files),
		Means: "one file waits for another: for a lock or a limit inside the process, or for a call that holds up all its goroutines",
	}
	p := lab.Start(t, "beside", busy, free, fmt.Sprint(files))
	p.Reached("waiting", l)
	for number := range files {
		lab.RequireWaiters(t, fmt.Sprint(busy, number, ".lock"), 1, l, p)
	}
	p.Continue()
	l.Did += "; then View and Update of other files, which no other program used"
	l.Says, l.Means = "View waits for another file", "a lock inside the process is held while View or Update waits in the kernel"
	lab.RequireNoError(t, p.Wait(l), l)
	for number := range files {
		lab.RequireFile(t, fmt.Sprint(free, number), `{"bracket":0}`, l.Say("Update beside an Update of another file did not write"))
	}
}

// beside takes a bracket from each of FILES stocks called FREE, while a View or an Update of each stock called BUSY waits.
func beside(w *lab.Worker) error {
	look := func(bins.Stock) error { return nil }
	for number := range w.Int(2) {
		go func() {
			if path := fmt.Sprint(w.Arg(0), number); number%2 == 0 {
				_ = flock.View(path, look)
			} else {
				_ = flock.Update(path, takeOne)
			}
		}()
	}
	w.Reached("waiting")
	for number := range w.Int(2) {
		path := fmt.Sprint(w.Arg(1), number)
		if err := errors.Join(flock.View(path, look), flock.Update(path, takeOne)); err != nil {
			return err
		}
		w.Progress()
	}
	return nil
}

// asWritten reaches a file by paths that have another form when they are resolved or shortened.
func asWritten(t *testing.T) {
	t.Helper()
	t.Parallel()
	for _, c := range []struct{ name, what, other string }{
		{"link", "link, a symbolic link to stock.json in another directory", "inner/../stock.json.lock"},
		{"inner/../stock.json", "inner/../stock.json; inner is a symbolic link to a directory elsewhere", "stock.json.lock"},
	} {
		for call, do := range calls {
			path := stockFile(t, `{"bracket":1}`)
			dir := links(t, path) + "/"
			lab.RequireSetUp(t, os.Chmod(path, 0o640))
			before, err := os.Stat(path)
			lab.RequireSetUp(t, err)
			l := lab.Lesson{
				Says: call + " did not work with the file to which the path leads", Did: call + " of " + c.what, Read: fix,
				Means: "a program that knows the file by another name does not see the change",
			}
			lab.RequireNoError(t, do(dir+c.name, func() error { return nil }), l)
			if call == "Update" {
				lab.RequireFile(t, path, `{"bracket":0}`, l)
			}
			after, err := os.Stat(dir + c.name)
			lab.RequireSetUp(t, err)
			lab.Require(t, os.SameFile(before, after), l.Say("%s replaced the file", call))
			l.Means = "other users may read or write the stock than before"
			lab.RequireEqual(t, before.Mode().String(), after.Mode().String(), l.Say("%s changed the file's mode", call))
			l.Means = "a program that locks PATH.lock by the path that both were given is not kept out"
			lock, err := os.Stat(dir + c.name + ".lock")
			lab.RequireNoError(t, err, l.Say("%s did not lock the file beside the path that it was given", call))
			open := l.Say("%s created the lock file with another mode than 0600 less the umask", call)
			open.Means = "any user who may open the lock file can keep the others out"
			open.Expected, open.Found = "-rw-------", lock.Mode().String()
			lab.Require(t, lock.Mode()&^0o600 == 0, open)
			lab.RequireNoFile(t, dir+c.other, l.Say("%s locked a file beside another path than it was given", call))
		}
	}
}

// aloneWhenItWrites asks for a shared lock before each system call with which bins.Write changes the file.
func aloneWhenItWrites(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := stockFile(t, `{"bracket":10}`)
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	lab.RequireSetUp(t, err)
	defer lock.Close()
	l := lab.Lesson{
		Says: "Update wrote without an exclusive lock", Read: conversion, Expected: "EWOULDBLOCK",
		Means: "a View gets in while the file is half written",
	}
	var failed error
	watched := lab.Watch(func() { failed = flock.Update(path, takeOne) }, func(name string) {
		if name == "pwrite64" || name == "ftruncate" {
			l.Did = "Update; before its call of " + name + ", another program called flock(2) with LOCK_SH|LOCK_NB for the lock file"
			lab.RequireErrorIs(t, unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK, l)
		}
	})
	if errors.Is(watched, errors.ErrUnsupported) {
		t.Skip(watched)
	}
	lab.RequireNoError(t, errors.Join(watched, failed), l.Say("Update failed"))
	lab.RequireFile(t, path, `{"bracket":9}`, l)
}

// rewrite writes what is as long, and gives the file the time that it had.
func rewrite(t *testing.T, path, content string) {
	t.Helper()
	before, err := os.Stat(path)
	lab.RequireSetUp(t, err)
	lab.RequireSetUp(t, os.WriteFile(path, []byte(content), 0o600))
	lab.RequireSetUp(t, os.Chtimes(path, before.ModTime(), before.ModTime()))
}

func looksUnchanged(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := stockFile(t, `{"bracket":1}`)
	l := lab.Lesson{
		Did: "View and Update, which changed their stock and did not write it; another program wrote a stock of the same length, " +
			"and the file's time is as before; View and Update again",
		Means: "it used the stock of an earlier call: that a file has the same length and time does not prove that it has the same content",
		Read:  why,
	}
	for _, brackets := range []int{1, 1, 2} {
		rewrite(t, path, fmt.Sprintf(`{"bracket":%d}`, brackets))
		for call, do := range map[string]func(*int) error{
			"View": func(seen *int) error {
				return flock.View(path, func(s bins.Stock) error { *seen = s["bracket"]; s["bracket"] = 9; return nil })
			},
			"Update": func(seen *int) error {
				return flock.Update(path, func(s bins.Stock) (bool, error) { *seen = s["bracket"]; s["bracket"] = 9; return false, nil })
			},
		} {
			seen := 0
			lab.RequireNoError(t, do(&seen), l.Say("%s failed", call))
			lab.RequireEqual(t, brackets, seen, l.Say("%s did not read the file", call))
		}
	}
}

// overtakings are what another program writes while Update waits for an exclusive lock.
var overtakings = []struct {
	name, before, written string
	after                 string // what Update makes of it; empty: nothing, because change refuses it
	err                   error
}{
	{"which adds a part", `{"bracket":9}`, `{"bracket":9,"hinge":4}`, `{"bracket":8,"calls":1,"hinge":4,"seen":4}`, nil},
	{"which removes a part", `{"bracket":9,"hinge":4}`, `{"bracket":9}`, `{"bracket":8,"calls":1,"seen":0}`, nil},
	{"which adds none of a part", `{"bracket":9}`, `{"bracket":9,"door":0}`, `{"bracket":8,"calls":1,"door":0,"seen":0}`, nil},
	{"which takes one", `{"bracket":9}`, `{"bracket":8}`, `{"bracket":7,"calls":1,"seen":0}`, nil},
	{
		"which changes what change only reads", `{"bracket":9,"hinge":4}`, `{"bracket":9,"hinge":5}`,
		`{"bracket":8,"calls":1,"hinge":5,"seen":5}`, nil,
	},
	{"which changes nothing", `{"bracket":9}`, `{"bracket":9}`, `{"bracket":8,"calls":1,"seen":0}`, nil},
	{"which leaves nothing to take", `{"bracket":1}`, ` { "bracket": 0 } `, "", nil},
	{"after which change fails", `{"bracket":9}`, ` { "bracket": 9, "broken": 1 } `, "", errTest},
	{"which cannot be read", `{"bracket":9}`, `{"bracket":`, "", errAny},
}

// overtaken has another program share the lock before Update begins, and write as soon as Update waits for it, at the beginning or later.
func overtaken(t *testing.T) {
	t.Helper()
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells when a process waits for a lock")
	}
	for _, c := range overtakings {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := stockFile(t, c.before)
			lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
			lab.RequireSetUp(t, err)
			defer lock.Close()
			ask := func(how int) (ok bool) { return unix.Flock(int(lock.Fd()), how|unix.LOCK_NB) == nil }
			lab.RequireSetUp(t, unix.Flock(int(lock.Fd()), unix.LOCK_SH))
			l := lab.Lesson{
				Read: why, Means: "the decision is one about an old stock, or parts come back that others had removed",
				Did: "another program had a shared lock; Update of " + lab.Show([]byte(c.before)),
			}
			p := lab.Start(t, "again", path)
			written, calls := false, map[bool]int{} // under an exclusive lock, or not
			exclusive := false                      // the last one
			for end := time.Now().Add(process.Patience()); time.Now().Before(end); {
				state := p.Settle()
				switch {
				case state == process.AtStep:
					p.Reached("inside", l.Say("Update does not return"))
					exclusive = written && !ask(unix.LOCK_SH)
					calls[exclusive]++
					if written {
						lab.RequireSetUp(t, unix.Flock(int(lock.Fd()), unix.LOCK_UN))
					}
					p.Continue()
				case state == process.Blocked && !written:
					lab.Require(t, ask(unix.LOCK_EX), l.Say("Update waits, and keeps its shared lock"))
					written = true
					rewrite(t, path, c.written)
					lab.RequireSetUp(t, unix.Flock(int(lock.Fd()), unix.LOCK_UN))
					l.Did += "; when Update waited for an exclusive lock, the other program made its own exclusive, wrote " +
						lab.Show([]byte(c.written)) + " and unlocked"
				case state != process.Blocked && state != process.Waiting: // Waiting only means that the machine is slow
					end = time.Now()
				}
			}
			lab.Require(t, written, l.Say("Update does not wait in the kernel for an exclusive lock"))
			var open bool
			p.Result(&open, l.Say("Update does not return"))
			err = p.Wait(l.Say("Update does not return"))
			if c.after == "" {
				lab.RequireFile(t, path, c.written, l.Say("Update wrote although change refuses what the file held by then"))
				requireOutcome(t, err, c.err, l.Say("Update did not return the error of its last call of change, or of its last read"))
			} else {
				lab.RequireNoError(t, err, l.Say("Update failed"))
				lab.RequireFile(t, path, c.after, l.Say("Update did not begin again with what the file held by then, and nothing else"))
				lab.Require(t, exclusive, l.Say("Update wrote what change had decided under a shared lock"))
			}
			l.Means = "every other program waits for one that is no longer inside"
			lab.Require(t, !open, l.Say("Update did not give its lock back"))
			l.Means = "what change does beside its stock, such as to print a label, happens too often"
			l.Expected = "at most one call under a shared lock, and then at most one under the exclusive lock"
			l.Found = fmt.Sprintf("%d and %d", calls[false], calls[true])
			lab.Require(t, calls[false] <= 1 && calls[true] <= 1, l.Say("Update called change too often"))
		})
	}
}

func TestViewReturnsEveryError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		content, seen string // by use; empty: it is not called
		want          error
	}{
		{`{"bracket":1}`, "map[bracket:1]", errTest},
		{`{"bracket":0,"hinge":-1}`, "map[bracket:0 hinge:-1]", errTest},
		{`{}`, "map[]", errTest},
		{`{"bracket":1`, "", errAny},
		{``, "", errAny},
		{`null`, "", errAny},
	} {
		seen := ""
		path := stockFile(t, c.content)
		untouched := oldLock(t, path)
		err := flock.View(path, func(stock bins.Stock) error { seen += fmt.Sprint(stock); return errTest })
		l := lab.Lesson{
			Says:  "View did not return the error that it should",
			Did:   "the file held " + lab.Show([]byte(c.content)) + "; View; use returned an error",
			Means: "the caller works with a stock that does not exist", Read: fix,
		}
		lab.Require(t, c.seen != "" || seen == "", l.Say("View called use with a damaged stock"))
		lab.RequireEqual(t, c.seen, seen, l.Say("View did not call use once, with the stock in the file"))
		requireOutcome(t, err, c.want, l)
		other := start(t, path+".lock")
		other.Succeed("TryLock it", l.Say("View kept its lock when it failed"))
		untouched("View", l)
	}
}

var errAny = errors.New("any error")

func requireOutcome(t *testing.T, err, want error, l lab.Lesson) {
	t.Helper()
	switch want { //nolint:errorlint // which of the test's own
	case nil:
		lab.RequireNoError(t, err, l)
	case errAny:
		lab.RequireError(t, err, l)
	default:
		lab.RequireErrorIs(t, err, want, l)
	}
}

// laterCall returns an inside for calls that runs end in the call number at, and how often it has been called.
func laterCall(at int, end func()) (inside func() error, made func() int) {
	n := 0
	return func() error {
		if n++; n == at {
			end()
		}
		return nil
	}, func() int { return n }
}

var nth = []string{1: "call", 2: "second call"}

func panicInside(t *testing.T) {
	t.Helper()
	t.Parallel()
	for call, do := range calls {
		for _, thrown := range []any{"no more brackets", errTest} {
			for at := 1; at <= 2; at++ {
				panicAt(t, call, do, thrown, at)
			}
		}
	}
}

func panicAt(t *testing.T, call string, do func(path string, inside func() error) error, thrown any, at int) {
	t.Helper()
	path := stockFile(t, `{"bracket":1}`)
	inside, made := laterCall(at, func() { panic(thrown) })
	l := lab.Lesson{
		Says: call + " swallowed a panic", Read: givingBack,
		Did:   fmt.Sprintf("the function that %s was given panicked in its %s, with the %T %[3]q", call, nth[at], thrown),
		Means: "the caller goes on as if nothing had happened", Expected: fmt.Sprintf("a panic with the value %q", thrown),
	}
	var value any
	lab.Finishes(t, func() { value = recovered(func() error { return do(path, inside) }) }, l.Say("%s does not return after a panic", call))
	requireNotOpen(t, path+".lock", l.Say("%s kept its lock after a panic", call))
	if made() < at {
		return
	}
	if l.Found = fmt.Sprint(value); value != nil {
		l = l.Say("%s did not pass the panic on as it was", call)
		l.Means = "a caller that recovers from its own panic does not know it again"
		l.Found = fmt.Sprintf("the %T %[1]q", value)
	}
	lab.RequireEqual(t, thrown, value, l)
	lab.RequireFile(t, path, `{"bracket":1}`, l.Say("Update wrote although change had panicked"))
}

// requireNotOpen demands that the lock was given back, at once: a file that nothing refers to is closed with the next garbage.
func requireNotOpen(t *testing.T, lock string, l lab.Lesson) {
	t.Helper()
	open, err := lab.IsOpen(lock)
	lab.RequireSetUp(t, err)
	l.Expected, l.Found = "the lock file is closed", "it is open"
	l.Means = "every other program waits for one that is no longer inside"
	lab.Require(t, !open, l)
}

func goexitInside(t *testing.T) {
	t.Helper()
	t.Parallel()
	for call, do := range calls {
		for at := 1; at <= 2; at++ {
			path := stockFile(t, `{"bracket":1}`)
			inside, _ := laterCall(at, runtime.Goexit)
			l := lab.Lesson{
				Says: call + " kept its lock when its goroutine ended", Read: givingBack,
				Did: "the function that " + call + " was given ended its goroutine, as t.FailNow does, in its " + nth[at],
			}
			lab.Finishes(t, func() { _ = do(path, inside) }, l)
			requireNotOpen(t, path+".lock", l)
		}
	}
}

func recovered(call func() error) (value any) {
	defer func() { value = recover() }()
	return call()
}

func missingStock(t *testing.T) {
	t.Helper()
	t.Parallel()
	for call, do := range calls {
		path := lab.Path(t, "stock.json")
		l := lab.Lesson{
			Says: call + " did not report that there is no stock", Did: call + " of a file that does not exist", Read: fix,
			Means: "a mistyped path becomes an empty workshop",
		}
		missing := func() {
			t.Helper()
			var err error
			lab.Finishes(t, func() { err = do(path, func() error { return nil }) }, l.Say("%s does not return", call))
			lab.RequireErrorIs(t, err, fs.ErrNotExist, l)
			lab.RequireNoFile(t, path, l.Say("%s made a stock up", call))
		}
		missing()
		_, err := os.Stat(path + ".lock")
		none := l.Say("%s of a stock that does not exist left no lock file", call)
		none.Means = "it looked for the stock before it had the lock, or removed the file on which others may wait (lesson 07)"
		lab.RequireNoError(t, err, none)
		untouched := oldLock(t, path)
		missing()
		untouched(call, l)
	}
}

func TestUpdateDecidesByWhatItsWriteReplaces(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{
		Says:  "Update gave one bracket to two callers",
		Did:   `the stock was {"bracket":1}; two processes called Update; when change returned true for both, both went on`,
		Means: "the second one decided by what it had read before the first one wrote: two people go for one bracket",
		Read:  why,
	}
	path := stockFile(t, `{"bracket":1}`)
	alice := lab.Start(t, "take", path)
	alice.Reached("inside", l.Say("Update does not call change"))
	bob := lab.Start(t, "take", path)       // who comes second: of two that start together, either may be
	waits := bob.Settle() != process.AtStep // an Update may wait at once, or share the lock until it knows that there is something to write
	if !waits {
		bob.Reached("inside", l)
		bob.Continue()
		bob.Settle()
	}
	alice.Continue()
	if waits {
		bob.Reached("inside", l.Say("Update does not call change"))
		bob.Continue()
	}
	var one, other bool
	alice.Result(&one, l)
	bob.Result(&other, l)
	lab.RequireNoError(t, alice.Wait(l), l.Say("Update failed"))
	lab.RequireNoError(t, bob.Wait(l), l.Say("Update failed"))
	l.Expected, l.Found = "one of the two has it", fmt.Sprintf("the first has it: %t; the second has it: %t", one, other)
	lab.Require(t, one != other, l)
	l.Expected, l.Found = "", ""
	l.Means = "the stock is not what the callers were told"
	lab.RequireFile(t, path, `{"bracket":0}`, l.Say("Update wrote for a caller whose change returned false, or did not write for the other"))
}

func TestViewAndUpdateUseTheLockFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		worker, held string
		waits, first bool
		when         string
	}{
		{"view", "Lock", true, false, ""},
		{"view", "RLock", false, false, ""},
		{"take", "Lock", true, false, ""},
		{"view", "Lock", true, true, ", who makes the first stock"},
		{"take", "Lock", true, true, ", who makes the first stock"},
	} {
		call := map[string]string{"view": "View", "take": "Update"}[c.worker]
		t.Run(call+" beside "+c.held+c.when, func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "stock.json")
			lab.RequireSetUp(t, os.Symlink(stockFile(t, `{"bracket":1}`), path))
			l := lab.Lesson{
				Says:  call + " does not wait for the lock stock.json.lock",
				Did:   "a program had a lock on stock.json.lock from " + c.held + "; another called " + call,
				Means: "programs that lock the same stock do not see each other", Read: fix,
			}
			other := start(t, path+".lock")
			other.get(c.held + " it")
			if c.first {
				lab.RequireSetUp(t, os.Remove(path))
				l.Did += "; there was no stock yet"
				l.Says = call + " looked for the stock before it had the lock"
				l.Means = "it reports that there is no stock, and the owner of the lock makes one"
			}
			// A relative name, from the directory of the stock.
			p := lab.Launch(t, lab.Options{Dir: filepath.Dir(path)}, c.worker, "stock.json")
			if c.waits {
				p.WaitBlocked(l)
				lab.RequireSetUp(t, os.RemoveAll(path))
				lab.RequireSetUp(t, os.WriteFile(path, []byte(`{"bracket":7}`), 0o600))
				other.get("Unlock it")
			} else {
				l.Says, l.Means = call+" waits for a shared lock", "readers wait for one another, although none of them changes anything"
			}
			p.Reached("inside", l)
			p.Continue()
			if c.worker == "view" && c.waits {
				var seen int
				p.Result(&seen, l)
				lab.RequireEqual(t, 7, seen, readBefore(l, call))
			}
			lab.RequireNoError(t, p.Wait(l), l.Say("%s failed", call))
			if c.worker == "take" {
				lab.RequireFile(t, path, `{"bracket":6}`, readBefore(l, call))
			}
			info, err := os.Stat(path + ".lock")
			lab.RequireNoError(t, err, l.Say("%s removed the lock file", call))
			lab.RequireEqual(t, int64(0), info.Size(), l.Say("%s wrote into the lock file", call))
		})
	}
}

func readBefore(l lab.Lesson, call string) lab.Lesson {
	l.Says, l.Read = call+" worked with the stock that was at its path before it had the lock", why
	l.Did += "; the other put a stock with 7 brackets in the place of the old one, a symbolic link, and called Unlock"
	l.Means = "it works with a stock that is out of date, although it has waited for its turn"
	return l
}

func TestViewsShareAndKeepUpdateOut(t *testing.T) {
	t.Parallel()
	const content = `{"bracket":1}`
	path := stockFile(t, content)
	l := lab.Lesson{
		Says: "View kept another View out", Did: "two processes called View", Read: modes,
		Means: "readers wait for one another, although none of them changes anything",
	}
	one, other := lab.Start(t, "view", path), lab.Start(t, "view", path)
	one.Reached("inside", l)
	other.Reached("inside", l)
	other.Continue()
	lab.RequireNoError(t, other.Wait(l), l.Say("View failed"))
	l = lab.Lesson{
		Says: "Update wrote while a View was at work", Did: "a process was inside View; another one called Update", Read: modes,
		Means: "the reader works with a stock that is out of date, or half written",
	}
	writer := lab.Start(t, "take", path)
	if writer.Settle() == process.AtStep {
		writer.Reached("inside", l)
		writer.Continue()
		writer.Settle()
		lab.RequireFile(t, path, content, l)
		one.Continue()
	} else {
		lab.RequireFile(t, path, content, l)
		one.Continue()
		writer.Reached("inside", l)
		writer.Continue()
	}
	var seen int
	one.Result(&seen, l)
	lab.RequireNoError(t, one.Wait(l), l.Say("View failed"))
	lab.RequireNoError(t, writer.Wait(l), l.Say("Update failed"))
	lab.RequireFile(t, path, `{"bracket":0}`, l.Say("Update did not write after the View"))
	t.Run("and a View inside a View in, while an Update waits", viewInView)
	t.Run("by the file, not by the name that the path had in another directory", sameName)
	t.Run("and each has a stock of its own", ownStock)
	t.Run("and each has a lock of its own", ownLock)
}

// sameName has a View of stock.json in one directory, and then one of stock.json in another one.
func sameName(t *testing.T) {
	t.Helper()
	t.Parallel()
	path, other := stockFile(t, `{"bracket":1}`), stockFile(t, `{"bracket":1}`)
	p := lab.Launch(t, lab.Options{Dir: filepath.Dir(path)}, "moved", filepath.Dir(other))
	l := lab.Lesson{
		Says:  "View did not lock the file that it read",
		Did:   "View of stock.json; the program changed its directory; View of stock.json, another file; in it, TryLock of its lock",
		Means: "a table of paths says that the file is locked, and the kernel knows nothing of it: an Update writes while the View is at work",
		Read:  whoOwns,
	}
	p.Reached("inside", l.Say("View does not return"))
	start(t, other+".lock").refused("TryLock it", l)
	p.Continue()
	lab.RequireNoError(t, p.Wait(l), l.Say("View failed"))
}

// moved views stock.json here, and then stock.json in DIRECTORY, and stands at "inside" there.
func moved(w *lab.Worker) error {
	return errors.Join(
		flock.View("stock.json", func(bins.Stock) error { return nil }),
		os.Chdir(w.Arg(0)),
		flock.View("stock.json", func(bins.Stock) error { w.Reached("inside"); return nil }),
	)
}

// ownStock has two Views at work that each remove a part from the stock that they were given.
func ownStock(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := stockFile(t, `{"bracket":1,"hinge":4}`)
	var first, second string
	view := func(part string, inside func() error, seen *string) error {
		return flock.View(path, func(stock bins.Stock) error {
			delete(stock, part)
			err := inside()
			*seen = fmt.Sprint(stock)
			return err
		})
	}
	l := lab.Lesson{
		Says: "Two Views of a file share one stock", Read: fix,
		Did:   `the file held {"bracket":1,"hinge":4}; View, which deleted "bracket" from its stock; in it another View, which deleted "hinge"`,
		Means: "what one function does with the stock that it was given shows in another's, which takes it for what the file holds",
	}
	var err error
	lab.Finishes(t, func() {
		err = view("bracket", func() error { return view("hinge", func() error { return nil }, &second) }, &first)
	}, l.Say("View inside a View does not return"))
	lab.RequireNoError(t, err, l.Say("View inside a View failed"))
	lab.RequireEqual(t, "map[hinge:4] map[bracket:1]", first+" "+second, l)
}

// ownLock has two Views at work in one process, of which the first ends.
func ownLock(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := stockFile(t, `{"bracket":1}`)
	l := lab.Lesson{
		Says: "View lost its lock when another View ended", Read: whoOwns,
		Did:   "two goroutines of one process were inside View; the first left; TryLock of the lock",
		Means: "an Update writes while the second View is at work",
	}
	var views [2]struct{ inside, leave, left chan struct{} }
	for n := range views {
		v := &views[n]
		v.inside, v.leave, v.left = make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(v.left)
			_ = flock.View(path, func(bins.Stock) error { close(v.inside); <-v.leave; return nil })
		}()
		lab.Finishes(t, func() { <-v.inside }, l.Say("View does not call use beside another View"))
	}
	close(views[0].leave)
	lab.Finishes(t, func() { <-views[0].left }, l.Say("View does not return"))
	held, err := flock.TryLock(path + ".lock")
	if err == nil {
		err = held.Unlock()
	}
	requireLocked(t, err, l)
	close(views[1].leave)
}

func viewInView(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := stockFile(t, `{"bracket":1}`)
	l := lab.Lesson{
		Says: "Update does not wait in the kernel for a View", Read: whoOwns,
		Did:   "a goroutine was inside View; another one of the same process called Update",
		Means: "it waits for something inside the process, where no other program sees it, or asks again and again and comes too late",
	}
	p := lab.Start(t, "inner", path)
	p.Reached("waiting", l)
	lab.RequireWaiters(t, path+".lock", 1, l, p)
	p.Continue()
	l.Did += "; then the first called View once more"
	l.Means = "the View waits for the Update, which waits for the View that called it, for ever"
	lab.RequireNoError(t, p.Wait(l), l.Say("View inside a View failed"))
}

// inner calls View inside a View of PATH, while an Update of PATH waits in a goroutine.
func inner(w *lab.Worker) error {
	return flock.View(w.Arg(0), func(bins.Stock) error {
		go func() { _ = flock.Update(w.Arg(0), takeOne) }()
		w.Reached("waiting")
		return flock.View(w.Arg(0), func(bins.Stock) error { return nil })
	})
}

// crowd takes brackets from PATH in GOROUTINES goroutines, N each, with a View after each, and sends how many it got.
func crowd(w *lab.Worker) error {
	var mutex sync.Mutex
	var failures error
	taken := 0
	var all sync.WaitGroup
	for range w.Int(1) {
		all.Go(func() {
			for range w.Int(2) {
				got := false
				err := flock.Update(w.Arg(0), func(stock bins.Stock) (write bool, err error) {
					got, err = takeOne(stock)
					stock["taken"] = stock["taken"] + 1
					time.Sleep(20 * time.Microsecond) // a person decides
					return got, err
				})
				err = errors.Join(err, flock.View(w.Arg(0), func(stock bins.Stock) error {
					if stock["bracket"]+stock["taken"] != w.Int(3) {
						return fmt.Errorf("View saw %v", stock)
					}
					return nil
				}))
				w.Progress()
				mutex.Lock()
				failures = errors.Join(failures, err)
				if got {
					taken++
				}
				mutex.Unlock()
			}
		})
	}
	all.Wait()
	return errors.Join(failures, w.Result(taken))
}

func TestThreeProcessesTakeEachBracketOnce(t *testing.T) {
	t.Parallel()
	const processes, goroutines = 3, 2
	each := lab.Rounds(20)
	want := processes * goroutines * each
	brackets := want + 5
	path := stockFile(t, fmt.Sprintf(`{"bracket":%d,"taken":0}`, brackets))
	l := lab.Lesson{
		Says: "Update lost a bracket, or gave one out twice, in a crowd",
		Did: fmt.Sprintf("%d processes with %d goroutines took %d brackets each and looked at the stock after each",
			processes, goroutines, each),
		Means: "what the callers were told is not what the file says", Read: why,
	}
	var all []*lab.Process
	for range processes {
		all = append(all, lab.Launch(t, lab.Options{Hold: true, Dir: filepath.Dir(path)},
			"crowd", "stock.json", fmt.Sprint(goroutines), fmt.Sprint(each), fmt.Sprint(brackets)))
	}
	for _, p := range all {
		p.Continue()
	}
	taken := 0
	for _, p := range all {
		var n int
		p.Result(&n, l)
		lab.RequireNoError(t, p.Wait(l), l.Say("Update or View failed in a crowd"))
		taken += n
	}
	l.Expected, l.Found = fmt.Sprintf("%d taken", want), fmt.Sprintf("%d taken", taken)
	lab.Require(t, taken == want, l)
	l.Expected, l.Found = "", ""
	lab.RequireFile(t, path, fmt.Sprintf(`{"bracket":%d,"taken":%d}`, brackets-want, want), l)
}
