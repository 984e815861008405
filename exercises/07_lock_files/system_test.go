package lockfiles_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/internal/lab"
)

// A refusal is a path on which the system refuses to do what Acquire or Release want.
type refusal struct {
	name, did string
	reason    error // nil: not asked on this system
	// prepare changes a directory in which the lock's directory is, and returns the path.
	prepare func(t *testing.T, dir string) string
}

func onUnix(reason error) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return reason
}

func TestAcquireReportsWhatTheSystemRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []refusal{
		{"a directory that is missing", "the directory of the path does not exist", fs.ErrNotExist, func(_ *testing.T, dir string) string {
			return filepath.Join(dir, "missing", "locks.json.lock")
		}},
		{"a file in the place of the directory", "the directory is a file", onUnix(syscall.ENOTDIR), func(t *testing.T, dir string) string {
			t.Helper()
			lab.RequireSetUp(t, os.WriteFile(filepath.Join(dir, "shop"), nil, 0o600))
			return filepath.Join(dir, "shop", "locks.json.lock")
		}},
		{"a name of 300 bytes", "the name is too long", onUnix(syscall.ENAMETOOLONG), func(_ *testing.T, dir string) string {
			return filepath.Join(dir, strings.Repeat("x", 300))
		}},
		{
			"a name of 254 bytes", "the lock's name leaves no room for a dot and a letter after it", onUnix(syscall.ENAMETOOLONG),
			func(_ *testing.T, dir string) string { return filepath.Join(dir, strings.Repeat("x", 254)) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.reason == nil {
				t.Skip("Windows has other errors for this")
			}
			dir := t.TempDir()
			path := c.prepare(t, dir)
			before := listing(t, dir)
			l := lab.Lesson{Did: c.did + "; Acquire was called", Read: refusals}
			_, err := acquire(t, path, lockfiles.Options{}, l)
			requireRefused(t, err, c.reason, l)
			lab.RequireEqual(t, before, listing(t, dir), means(l, "Acquire left something behind although it failed",
				"a mistyped path becomes a new directory, or files pile up"))
		})
	}
	runCasesHere(t)
	t.Run("a directory in which this user may not write", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no permission bits for directories")
		}
		dir := filepath.Join(lab.SharedDir(t), "shop")
		lab.RequireSetUp(t, os.Mkdir(dir, 0o555))
		l := lab.Lesson{Did: "an ordinary user, who may not write in the directory of the lock's path, called Acquire", Read: refusals}
		other := lab.Launch(t, lab.Options{Unprivileged: true}, "try", filepath.Join(dir, "locks.json.lock"))
		var theirs outcome
		other.Result(&theirs, l.Say("Acquire does not return"))
		requireRefused(t, theirs.Call.Err, fs.ErrPermission, l)
	})
}

func TestAcquireReportsALockOfAnotherUser(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" || os.Getuid() != 0 {
		t.Skip("a second user takes root on Unix, which may run a worker as another user")
	}
	for _, c := range []struct{ name, umask, may string }{
		{"that this user may not read", "0077", "read"},
		{"that this user may not break", "0022", "change"},
		{"that this user may break", "0000", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(lab.SharedDir(t), "locks.json.lock")
			l := lab.Lesson{Read: refusals, Did: fmt.Sprintf("root's process had the lock, with the umask %s, and was killed; "+
				"an ordinary user, who may not %s what root has made, called Acquire, and Alive returned false", c.umask, c.may)}
			if c.may == "" {
				l.Did = strings.Replace(l.Did, "may not ", "may change", 1)
			}
			owner := lab.Launch(t, lab.Options{Umask: c.umask}, "hold", path)
			owner.Reached("holding", freeLock)
			owner.Kill()
			before := listing(t, filepath.Dir(path))
			var theirs outcome
			if c.may == "read" {
				l.Did = strings.Replace(l.Did, ", and Alive returned false", "", 1)
				other := lab.Launch(t, lab.Options{Unprivileged: true}, "try", path)
				other.Result(&theirs, l.Say("Acquire does not return"))
				var asked []lockfiles.Owner
				other.Result(&asked)
				l.Expected, l.Found = "this user cannot read who has the lock", fmt.Sprint("Acquire found process ", owner.PID())
				lab.Require(t, len(asked) == 0, means(l, "Acquire chose permissions of its own for the lock",
					"a user whom the umask keeps out reads the lock, and may break it"))
				l.Expected, l.Found = "", ""
			} else {
				other := lab.Launch(t, lab.Options{Unprivileged: true}, "break", path, strconv.Itoa(owner.PID()))
				other.Reached("judging", means(l, "Acquire did not ask Alive about the owner of a lock", "no process can break the lock"))
				other.Continue()
				other.Result(&theirs, l.Say("Acquire does not return"))
			}
			if c.may == "" {
				lab.RequireNoError(t, theirs.Call.Err, means(l, "Acquire did not break a lock that Alive judged dead",
					"the umask lets everyone break the lock, and it stays taken until its own user comes"))
				return
			}
			if theirs.Got && c.may == "change" {
				return // a lock that is a plain file may be removed by anyone who may write in its directory
			}
			requireRefused(t, theirs.Call.Err, fs.ErrPermission, l)
			lab.RequireEqual(t, before, listing(t, filepath.Dir(path)), means(l, "Acquire left something behind although it failed",
				"each attempt leaves one more, until the disk is full or a person looks"))
		})
	}
	t.Run("that is taken, where this user may only read", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(lab.SharedDir(t), "locks.json.lock")
		owner := lab.Launch(t, lab.Options{Umask: "0022"}, "hold", path)
		owner.Reached("holding", freeLock)
		lab.RequireSetUp(t, os.Chmod(filepath.Dir(path), 0o755)) //nolint:gosec // that is the purpose
		other := lab.Launch(t, lab.Options{Unprivileged: true}, "try", path)
		var theirs outcome
		l := lab.Lesson{Read: notYours, Did: "root's process has the lock; an ordinary user, who may only read there, called Acquire"}
		other.Result(&theirs, l.Say("Acquire does not return"))
		requireIs(t, theirs.Call.Err, lockfiles.ErrLocked, means(l, "Acquire did not report a lock that is held",
			"the program complains of the disk, where it should say who has the lock"))
	})
}

// requireRefused demands that an Acquire failed, and for that reason.
func requireRefused(t *testing.T, err, reason error, l lab.Lesson) {
	t.Helper()
	lab.RequireError(t, err, means(l, "Acquire gave a lock that it could not make",
		"the program works without a lock, or with one that others have seen half made"))
	for _, sentinel := range []error{lockfiles.ErrLocked, lockfiles.ErrUnknown} {
		l.Expected, l.Found = fmt.Sprintf("an error that does not match %q", sentinel), err.Error()
		lab.Require(t, !errors.Is(err, sentinel), means(l, "Acquire gave a reason that is not the system's",
			"the program waits for an owner that does not exist, or sends a person to look at nothing"))
	}
	l.Expected, l.Found = "", ""
	lab.RequireErrorIs(t, err, reason, means(l, "Acquire did not report why it failed",
		"the reader of the message does not know what to repair"))
}

// releaseWhenClosed acquires PATH, changes the permissions of its own directory to MODE, with WHOLE those of each directory below it too,
// and calls Release; then it makes them writable and calls Release again. It stands at "refused" after each Release.
func releaseWhenClosed(w *lab.Worker) error {
	dir := filepath.Dir(w.Arg(0))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	lock, err := lockfiles.Acquire(w.Arg(0), lockfiles.Options{})
	if err != nil {
		return err
	}
	if lock == nil {
		return errNothing
	}
	closed, err := strconv.ParseUint(w.Arg(1), 8, 32)
	if err != nil {
		return err
	}
	for _, mode := range []fs.FileMode{fs.FileMode(closed), 0o755} {
		if err := changeModes(dir, mode, w.Arg(2) == "whole"); err != nil {
			return err
		}
		if err := w.Result(lab.Returned{Err: lock.Release()}); err != nil {
			return err
		}
		w.Reached("refused")
	}
	return nil
}

func changeModes(dir string, mode fs.FileMode, whole bool) error {
	if !whole {
		return os.Chmod(dir, mode)
	}
	return filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return os.Chmod(path, mode)
	})
}

func TestReleaseReportsWhatTheSystemRefuses(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits for directories")
	}
	const stuck = "the program believes that it has given the lock back, and every other one finds it taken"
	for _, c := range []struct{ name, did, mode, whole string }{
		{"a directory that is read-only", "the directory, with what is in it, was made read-only", "0555", "whole"},
		{"a directory that is read-only around the lock", "only the directory around the lock was made read-only", "0555", ""},
		{"a directory that cannot be reached", "the directory was closed to every ordinary user", "0000", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(lab.SharedDir(t), "shop", "locks.json.lock")
			l := lab.Lesson{Did: "a process had the lock; " + c.did + "; the process called Release", Means: stuck, Read: refusals}
			owner := lab.Launch(t, lab.Options{Unprivileged: true, Umask: "0022"}, "release when closed", path, c.mode, c.whole)
			var released lab.Returned
			owner.Result(&released, l)
			if c.whole == "" && c.mode == "0555" && released.Err == nil {
				owner.Reached("refused")
				return // a lock that is a directory of its own can be given back here
			}
			requireNotReleased(t, released.Err, fs.ErrPermission, l)
			if c.mode != "0000" { // where this process cannot reach it either
				l := l
				l.Did += ", which failed; then another process called Acquire"
				requireLocked(t, path, means(l, "Release took a lock away although it reported a failure",
					"the program warns of a lock that stays taken, and another owner may have it by now"))
			}
			owner.Reached("refused")
			owner.Continue()
			l.Did += "; then the directory was opened again, and the process called Release again"
			owner.Result(&released, l)
			lab.RequireNoError(t, released.Err, l.Say("Release failed although nothing stands in its way any more"))
		})
	}
}

func requireNotReleased(t *testing.T, err, reason error, l lab.Lesson) {
	t.Helper()
	lab.RequireErrorIs(t, err, reason, l.Say("Release did not report that the lock was not given back"))
	l.Expected, l.Found = "an error that does not match ErrLost", err.Error()
	lab.Require(t, !errors.Is(err, lockfiles.ErrLost), means(l, "Release reported a lock as lost that it could not give back",
		"a person looks for damage where there is none, and the lock stays taken"))
}

// The lock's files are as readable as any other, so that a process of another user can judge the owner.
func TestALockHasThePermissionsOfAnyNewFile(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has neither umask nor permission bits")
	}
	for _, umask := range []string{"0000", "0027"} {
		t.Run("umask "+umask, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			l := lab.Lesson{
				Did: "a process with the umask " + umask + " acquired a lock", Read: madeAside,
				Means: "a user whom the umask lets cannot read who has the lock, or one whom it does not let can",
			}
			owner := lab.Launch(t, lab.Options{Umask: umask}, "hold", path)
			owner.Reached("holding", freeLock)
			mask, err := strconv.ParseUint(umask, 8, 32)
			lab.RequireSetUp(t, err)
			lab.RequireSetUp(t, filepath.WalkDir(filepath.Dir(path), func(name string, entry os.DirEntry, err error) error {
				if err != nil || name == filepath.Dir(path) {
					return err
				}
				info, err := entry.Info()
				if err != nil {
					return err
				}
				permissions := fs.FileMode(0o666)
				switch {
				case entry.IsDir():
					permissions = 0o777
				case !entry.Type().IsRegular():
					return nil // a link has none
				}
				what := "the file "
				if entry.IsDir() {
					what = "the directory "
				}
				lab.RequireEqual(t, what+(permissions&^fs.FileMode(mask)).String(), what+info.Mode().Perm().String(),
					l.Say("Acquire chose permissions of its own for the lock"))
				return nil
			}))
		})
	}
}
