package lockedfile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	lockedfile "example/turnstile/exercises/11_locked_file"
	"example/turnstile/internal/lab"
)

// edit calls Edit for the counter in PATH: "set N" or "add N", and stands at "inside" when change is called; "create by CALL PERM" is
// OpenFile or With with O_CREATE.
func edit(w *lab.Worker) error {
	if strings.HasPrefix(w.Arg(1), "create by ") {
		return create(w.Arg(0), w.Arg(1), fs.FileMode(number("0o"+w.Arg(2))))
	}
	return lockedfile.Edit(context.Background(), w.Arg(0), func(old []byte) ([]byte, error) {
		w.Reached("inside")
		if w.Arg(1) == "set" {
			return counter(w.Int(2)), nil
		}
		n, err := read(old)
		return counter(n + w.Int(2)), err
	})
}

func create(path, how string, perm fs.FileMode) error {
	if how == "create by With" {
		return lockedfile.With(context.Background(), path, os.O_RDWR|os.O_CREATE, perm, func(*lockedfile.File) error { return nil })
	}
	file, err := lockedfile.OpenFile(context.Background(), path, os.O_RDWR|os.O_CREATE, perm)
	if err != nil {
		return err
	}
	return file.Close()
}

// limited calls Edit for PATH with a document that is longer than the system lets this process write, after it has changed the old one
// in memory.
func limited(w *lab.Worker) error {
	if err := lab.LimitFileSize(int64(len(document) + 7)); err != nil { // a part of the new content gets behind the old end
		return err
	}
	return lockedfile.Edit(context.Background(), w.Arg(0), func(old []byte) ([]byte, error) {
		for i := range old {
			old[i] = 'x' // the slice is change's own
		}
		return append(old, strings.Repeat("y", 2*len(document))...), nil // and so is what lies behind it
	})
}

func bringsTheOldContentBack(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no limit for the size of files")
	}
	path := lab.WriteFile(t, "checkouts.json", document)
	l := lab.Lesson{
		Says:  "Edit did not report that there was no room",
		Did:   "Edit; change altered the slice that it got, and appended more to it than the kernel lets the process write",
		Means: "the program tells the user that all is saved", Read: editing,
	}
	lab.RequireErrorIs(t, lab.Run(t, "limited", path), tooBig, l)
	l.Says = "Edit did not bring the old content back when there was no room for the new one"
	l.Means = "the old document is damaged (x and y are what change wrote into its own slice), and the new one is nowhere"
	lab.RequireFile(t, path, document, l)
}

func counter(n int) []byte { return fmt.Appendf(nil, `{"counter":%d}`, n) }

func read(text []byte) (n int, err error) {
	var document struct{ Counter *int }
	if err := json.Unmarshal(text, &document); err != nil {
		return 0, fmt.Errorf("%q is damaged: %w", text, err)
	}
	if document.Counter == nil {
		return 0, fmt.Errorf("%q has no counter", text)
	}
	return *document.Counter, nil
}

func TestEdit(t *testing.T) {
	t.Parallel()
	t.Run("reads inside the lock", func(t *testing.T) { t.Parallel(); readsInsideTheLock(t, false) })
	t.Run("of the file, and not of its name", func(t *testing.T) { t.Parallel(); readsInsideTheLock(t, true) })
	t.Run("keeps readers out until it has written", keepsReadersOutUntilItHasWritten)
	t.Run("writes what change returns", func(t *testing.T) { t.Parallel(); writesWhatChangeReturns(t, false) })
	t.Run("writes what change returns in the slice that it got", func(t *testing.T) { t.Parallel(); writesWhatChangeReturns(t, true) })
	t.Run("makes no other file", makesNoOtherFile)
	t.Run("leaves the file alone if change returns no content", leavesTheFileAlone)
	t.Run("needs a file", needsAFile)
	t.Run("obeys its context", obeysItsContext)
	t.Run("may be called inside change", mayBeCalledInsideChange)
	t.Run("reports what the kernel refuses", reportsWhatTheKernelRefuses)
	t.Run("brings the old content back if there is no room", bringsTheOldContentBack)
}

// readsInsideTheLock lets two programs edit a file, which may be renamed while the second one waits.
func readsInsideTheLock(t *testing.T, renamed bool) {
	requireLocks(t)
	if renamed && runtime.GOOS == "windows" {
		t.Skip("Windows does not rename an open file")
	}
	path := lab.WriteFile(t, "counter.json", `{"counter":41}`)
	l := lab.Lesson{
		Says: "Edit lost another process's change", Read: editing,
		Did:   "one process was inside Edit, about to set 12345; a second process called Edit(+1)",
		Means: "the second process had read the file before it had the lock, so it overwrote the first one's change",
	}
	first := lab.Start(t, "edit", path, "set", "12345")
	first.Reached("inside", l.Say("Edit did not call change"))
	second := lab.Start(t, "edit", path, "add", "1")
	if second.Settle() == "at a step" {
		second.Reached("inside", l)
		second.Continue()
		second.Settle()
		first.Continue()
	} else {
		if renamed {
			l.Says, l.Did = "Edit did not edit the file that it had locked", l.Did+"; while it waited, the file was renamed, and another one created"
			l.Means = "it has a lock on one file, and reads or writes another one, which has another owner"
			lab.RequireSetUp(t, os.Rename(path, path+".moved"))
			lab.RequireSetUp(t, os.WriteFile(path, []byte(`{"counter":7}`), 0o600))
		}
		first.Continue()
		second.Reached("inside", l)
		second.Continue()
	}
	lab.RequireNoError(t, first.Wait(l), l.Say("Edit failed although nothing stood in its way"))
	lab.RequireNoError(t, second.Wait(l), l.Say("Edit failed although it had only to wait"))
	if renamed {
		lab.RequireFile(t, path, `{"counter":7}`, l)
		path += ".moved"
	}
	lab.RequireFile(t, path, `{"counter":12346}`, l)
}

func keepsReadersOutUntilItHasWritten(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "counter.json", `{"counter":41}`)
	other := start(t, path)
	l := lab.Lesson{
		Says: "Edit let a reader in before it had written", Did: "one process was inside Edit; another one called TryOpenFile to read",
		Means: "the reader sees a document that is half written, or that is out of date", Read: editing,
	}
	first := lab.Start(t, "edit", path, "set", "99")
	first.Reached("inside", l.Say("Edit did not call change"))
	other.refused("TryOpenFile it r", l)
	first.Continue()
	lab.RequireNoError(t, first.Wait(l), l.Say("Edit failed although nothing stood in its way"))
	other.Succeed("TryOpenFile it r+", l.Say("Edit kept the lock"))
	other.requireContent("it", `{"counter":99}`, l.Say("Edit did not write what change returned"))
}

// writesWhatChangeReturns lets change return a slice of its own, or the altered one that it got.
func writesWhatChangeReturns(t *testing.T, sameSlice bool) {
	requireLocks(t)
	long := strings.Repeat(document, 50_000) // 1.2 MB
	for _, c := range []struct{ name, old, content string }{
		{"longer", document, document + document},
		{"shorter", document, "{}"},
		{"of the same length", document, strings.ToUpper(document)},
		{"nothing (nil, or no bytes)", document, ""},
		{"the first bytes of an empty file", "", document},
		{"much longer", "{}", long},
		{"much shorter", long, "{}"},
		{"the same", document, document},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "checkouts.json", c.old)
			lab.RequireSetUp(t, os.Chmod(path, 0o640))
			before, err := os.Stat(path)
			lab.RequireSetUp(t, err)
			l := lab.Lesson{
				Says: "Edit did not give change what the file held", Did: "Edit; change returned what is " + c.name,
				Means: "change decides by something else", Read: editing,
			}
			if sameSlice {
				l.Did += ", in the slice that it got"
			}
			var got string
			var kept []byte
			err = lockedfile.Edit(t.Context(), path, func(old []byte) ([]byte, error) {
				got, kept = string(old), old
				for i := range old {
					old[i] = 'x' // the slice is change's own
				}
				if sameSlice {
					kept = append(old[:0], c.content...)
					return kept, nil
				}
				if c.content == "" {
					return nil, nil
				}
				return []byte(c.content), nil
			})
			lab.RequireNoError(t, err, l.Say("Edit failed although nothing stood in its way"))
			lab.RequireEqual(t, c.old, got, l)
			l.Says = "Edit did not write what change returned"
			l.Means = "the document is as it was, or is damaged: it has a tail of the old one, or a hole, or is cut off"
			lab.RequireFile(t, path, c.content, l)
			after, err := os.Stat(path)
			lab.RequireSetUp(t, err)
			l.Says = "Edit replaced the file, or changed its mode"
			l.Means = "other names of the file, and programs that wait for its lock, stay with the old one"
			lab.Require(t, os.SameFile(before, after), l)
			lab.RequireEqual(t, before.Mode().String(), after.Mode().String(), l)
			entries, err := os.ReadDir(filepath.Dir(path))
			lab.RequireSetUp(t, err)
			lab.RequireEqual(t, 1, len(entries), l.Say("Edit left another file beside the document"))
			readsAgain(t, path, len(c.content), after)
			l.Says, l.Means = "Edit changed the slice that it had given change", "what the caller has kept is another document now"
			want := strings.Repeat("x", len(c.old))
			if sameSlice {
				want = c.content
			}
			lab.RequireEqual(t, want, string(kept), l)
		})
	}
}

// In a directory that may not be written no other file can be made: no copy for safety, no new document, no lock file.
func makesNoOtherFile(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no read-only directories")
	}
	dir := lab.SharedDir(t)
	path := filepath.Join(dir, "counter.json")
	lab.RequireSetUp(t, os.WriteFile(path, []byte(`{"counter":41}`), 0o600))
	lab.RequireSetUp(t, os.Chmod(path, 0o666)) //nolint:gosec // for a worker without privileges
	lab.RequireSetUp(t, os.Chmod(dir, 0o555))  //nolint:gosec // likewise
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	l := lab.Lesson{
		Says: "Edit needs another file beside the document", Did: "Edit of a file with mode 0666 in a directory with mode 0555",
		Means: "it fails in such a directory; in others it may overwrite or remove a file that is the user's own", Read: editing,
	}
	p := lab.Launch(t, lab.Options{Unprivileged: true}, "edit", path, "set", "99")
	p.Reached("inside", l)
	p.Continue()
	lab.RequireNoError(t, p.Wait(l), l)
	lab.RequireFile(t, path, `{"counter":99}`, l.Say("Edit did not write what change returned"))
}

// readsAgain calls Edit once more, after another program has written as many bytes as the file held, in the same moment.
func readsAgain(t *testing.T, path string, size int, info fs.FileInfo) {
	t.Helper()
	theirs := strings.Repeat("y", size)
	lab.RequireSetUp(t, os.WriteFile(path, []byte(theirs), 0))
	lab.RequireSetUp(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	l := lab.Lesson{
		Says: "Edit did not give change what the file held", Read: editing,
		Did:   "Edit; another program wrote as many bytes, and the file's time did not change; Edit again",
		Means: "it relies on what it knew: the other program's update is lost",
	}
	var got string
	err := lockedfile.Edit(t.Context(), path, func(old []byte) ([]byte, error) { got = string(old); return []byte("{}"), nil })
	lab.RequireNoError(t, err, l.Say("Edit failed although nothing stood in its way"))
	lab.RequireEqual(t, theirs, got, l)
}

func leavesTheFileAlone(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"an error", "a panic", "runtime.Goexit"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "checkouts.json", document)
			other := start(t, path)
			l := lab.Lesson{
				Says: "Edit changed the file although change ended with " + way, Did: "Edit; change ended with " + way,
				Means: "the document is lost, because of a request that was refused", Read: editing,
			}
			var err error
			var panicked any
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				defer func() { panicked = recover() }()
				err = lockedfile.Edit(t.Context(), path, func(old []byte) ([]byte, error) {
					clear(old)
					switch way {
					case "a panic":
						panic("the test's own panic")
					case "runtime.Goexit":
						runtime.Goexit()
					}
					return []byte("{}"), errTest
				})
			}()
			<-ended
			switch way {
			case "an error":
				lab.RequireErrorIs(t, err, errTest, l.Say("Edit did not return the error of change"))
			case "a panic":
				stopped := l.Say("Edit did not pass the panic on")
				stopped.Means = "a mistake in the program looks like a request that was refused, or done"
				stopped.Expected, stopped.Found = "a panic with the test's own value", fmt.Sprint("no such panic; Edit returned: ", err)
				lab.Require(t, panicked == "the test's own panic", stopped)
			}
			other.Succeed("TryOpenFile it r+", l.Say("Edit kept the lock when change ended with %s", way))
			other.requireContent("it", document, l)
		})
	}
}

func needsAFile(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	path := lab.Path(t, "checkouts.json")
	l := lab.Lesson{
		Says: "Edit did not report that there was no file", Did: "Edit of a path where no file was",
		Means: "a mistyped path is taken for a new document", Read: editing,
	}
	err := lockedfile.Edit(t.Context(), path, func([]byte) ([]byte, error) { return []byte("{}"), nil })
	lab.RequireErrorIs(t, err, fs.ErrNotExist, l)
	lab.RequireNoFile(t, path, l.Say("Edit created a file"))
	requireNamed(t, named(err, path), "Edit", l)
}

func obeysItsContext(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	path := lab.WriteFile(t, "checkouts.json", document)
	l := lab.Lesson{
		Says:  "Edit went on although its context had ended before it had the lock",
		Did:   "Edit, of a file that another owner had locked; its context was cancelled",
		Means: "a request that its client has given up waits on, and is carried out at last", Read: waiting,
	}
	held, err := lockedfile.OpenFile(t.Context(), path, os.O_RDWR, 0)
	lab.RequireNoError(t, err, l.Say("OpenFile failed although nothing stood in its way"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ran := false
	lab.Finishes(t, func() {
		err = lockedfile.Edit(ctx, path, func([]byte) ([]byte, error) { ran = true; return []byte("{}"), nil })
	}, l)
	lab.RequireErrorIs(t, err, context.Canceled, l)
	lab.Require(t, !ran, l)
	lab.RequireNoError(t, held.Close(), l)
	l.Says, l.Did = "Edit did not write although it had the lock", "Edit; its context was cancelled while change ran"
	l.Means = "half of the work is done: change has run, and its result is lost"
	ctx, cancel = context.WithCancel(t.Context())
	err = lockedfile.Edit(ctx, path, func([]byte) ([]byte, error) { cancel(); return []byte("{}"), nil })
	lab.RequireNoError(t, err, l)
	lab.RequireFile(t, path, "{}", l)
}

// nested calls Edit for PATH; change calls it for FREE, which is free, and for PATH, with a time limit. It sends what came of the two.
func nested(w *lab.Worker) error {
	empty := func([]byte) ([]byte, error) { return []byte("{}"), nil }
	return lockedfile.Edit(context.Background(), w.Arg(0), func(old []byte) ([]byte, error) {
		free := lockedfile.Edit(context.Background(), w.Arg(1), empty)
		w.Progress()
		ctx, cancel := context.WithTimeout(context.Background(), 1e6)
		defer cancel()
		same := lockedfile.Edit(ctx, w.Arg(0), empty)
		return old, w.Result([]bool{free == nil, errors.Is(same, context.DeadlineExceeded)})
	})
}

func mayBeCalledInsideChange(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	path, free := lab.WriteFile(t, "checkouts.json", document), lab.WriteFile(t, "free.json", document)
	l := lab.Lesson{
		Did:      "Edit; change called Edit for a free file, and for the same one with a time limit of 1 ms",
		Expected: "the free file is edited, and the limit ends the other wait",
		Means:    "one slow request stops all others of its program, and two that need each other's file never end", Read: waiting,
	}
	p := lab.Start(t, "nested", path, free)
	var ended []bool
	p.Result(&ended, l.Say("Edit waits for the owner of another file, or although its context has ended"))
	lab.RequireNoError(t, p.Wait(l), l.Say("Edit failed although nothing stood in its way"))
	lab.Require(t, ended[0], l.Say("Edit failed for a free file while another one was locked"))
	lab.RequireFile(t, free, "{}", l.Say("Edit did not write what change returned"))
	lab.Require(t, ended[1], l.Say("Edit did not report that its context had ended"))
	lab.RequireFile(t, path, document, l.Say("Edit went in beside the owner"))
}

func reportsWhatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	for _, c := range []struct{ what, content string }{
		{"write", document + document}, {"write", "{}"}, {"truncate", "{}"},
	} {
		lab.EachErrno(t, func(t *testing.T, errno error) {
			path := lab.WriteFile(t, "checkouts.json", document)
			l := lab.Lesson{
				Says:  "Edit did not report what the kernel had refused",
				Did:   fmt.Sprintf("Edit, with %d bytes; each %s of a file failed with %v", len(c.content), c.what, errno),
				Means: "the program tells the user that all is saved", Read: refusals,
			}
			var err error
			lab.RequireRefuse(t, lab.Refuse(c.what, errno, func() {
				err = lockedfile.Edit(context.Background(), path, func([]byte) ([]byte, error) { return []byte(c.content), nil })
			}))
			lab.RequireErrorIs(t, err, errno, l)
			if c.what == "write" {
				lab.RequireFile(t, path, document, l.Say("Edit lost the old content when the kernel refused to write the new one"))
			}
			again, err := lockedfile.TryOpenFile(path, os.O_RDWR, 0)
			lab.RequireNoError(t, err, l.Say("Edit kept its lock when it failed"))
			lab.RequireNoError(t, again.Close(), l)
		}, refusedWith...)
	}
}
