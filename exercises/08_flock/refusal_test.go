//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package flock_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	flock "example/turnstile/exercises/08_flock"
	"example/turnstile/internal/lab"
)

// refused calls with words = CALL NAME while the kernel refuses every lock with the error number.
func (d *desk) refused(errno string, words []string) (r lab.Reply) {
	var number syscall.Errno
	for _, reason := range reasons {
		if reason.name == errno {
			number = reason.errno
		}
	}
	if err := lab.Refuse("flock", number, func() { r = d.do(words) }); err != nil {
		r.Returned.Err, r.N = err, cannotRefuse
	}
	return r
}

const cannotRefuse = -1

// notRefused is why a test is skipped that sees a lock where it expected none: lab.Refuse refuses only the calls of one thread.
const notRefused = "flock(2) was called in another thread than its caller's, which the kernel cannot be made to refuse"

// A reason is what the kernel gives for a refused lock.
type reason struct {
	name  string
	errno syscall.Errno
}

// reasons are what flock(2) and fcntl(2) name, and whatever else may be mistaken for another owner, or for a lock.
var reasons = []reason{
	{"ENOLCK", syscall.ENOLCK},
	{"ENOSYS", syscall.ENOSYS},         // matches errors.ErrUnsupported
	{"EOPNOTSUPP", syscall.EOPNOTSUPP}, // and so does this
	{"EIO", syscall.EIO},
	{"EACCES", syscall.EACCES},           // what fcntl(2) may give for another owner
	{"EWOULDBLOCK", syscall.EWOULDBLOCK}, // of a call that waits
	{"ETIMEDOUT", syscall.ETIMEDOUT},     // its Timeout and Temporary are true, as those of EWOULDBLOCK are
	{"EBUSY", syscall.EBUSY},
	{"EDEADLK", syscall.EDEADLK},
	{"ETXTBSY", syscall.ETXTBSY},
	{"EALREADY", syscall.EALREADY},
	{"EINPROGRESS", syscall.EINPROGRESS},
	{"EPERM", syscall.EPERM},
	{"EEXIST", syscall.EEXIST},
	{"EMFILE", syscall.EMFILE}, // its Temporary is true
	{"EINVAL", syscall.EINVAL},
	{"ESTALE", syscall.ESTALE},
}

// errnos are the numbers of the reasons, and others.
func errnos(others ...error) (all []error) {
	for _, reason := range reasons {
		all = append(all, reason.errno)
	}
	return append(all, others...)
}

// misread is what an error must not match, unless the kernel's reason does.
var misread = []struct {
	target            error
	name, says, means string
}{
	{
		flock.ErrLocked, "ErrLocked", "%s reported another owner, and there is none",
		"the program waits for another owner, who does not exist, and never says what is wrong",
	},
	{
		errors.ErrUnsupported, "errors.ErrUnsupported", "%s reported that there are no locks here, and there are",
		"a caller that goes on without a lock where there are none does so beside programs that have one",
	},
}

// requireReason demands that the error of the call is the kernel's reason, and nothing that the reason is not.
func requireReason(t *testing.T, err, reason error, call string, l lab.Lesson) {
	t.Helper()
	for _, m := range misread {
		l := l.Say(m.says, call)
		l.Means, l.Expected, l.Found = m.means, "an error that does not match "+m.name, fmt.Sprint(err)
		lab.Require(t, !errors.Is(err, m.target) || errors.Is(reason, m.target), l)
	}
	lab.RequireErrorIs(t, err, reason, l)
}

func TestARefusedLockIsNotALockedFile(t *testing.T) {
	t.Parallel()
	path := lab.Path(t, "stock.json.lock")
	p := start(t, path)
	before := p.Handles()
	missed := false
	for _, call := range []string{"Lock", "RLock", "TryLock", "TryRLock", "Upgrade", "TryUpgrade"} {
		for _, reason := range reasons {
			if reason.errno == syscall.EWOULDBLOCK && strings.HasPrefix(call, "Try") {
				continue
			}
			l := lab.Lesson{
				Says: call + " returned no error although the kernel had refused the lock", Read: refusals,
				Did:   call + "; no other owner had a lock; flock(2) failed with " + reason.name,
				Means: "the program goes on without a lock, beside every other one that does the same",
			}
			upgrades := call == "Upgrade" || call == "TryUpgrade"
			if upgrades {
				p.get("RLock it")
			} else if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) { // so that each call creates it
				lab.RequireSetUp(t, err)
			}
			r := p.Ask("refused "+reason.name+" "+call+" it", l)
			if r.N == cannotRefuse {
				t.Skip(r.Returned.Err)
			}
			err := r.Returned.Err
			if err == nil && p.holds(call, l) {
				missed = true
				p.Succeed("Unlock it", l)
				continue
			}
			lab.RequireError(t, err, l)
			l.Means = "no one can find out why the program does not work"
			requireReason(t, err, reason.errno, call, l.Say("%s did not report why it failed", call))
			if upgrades {
				l.Means = "the program goes on as if it had the lock that it has lost"
				requireClosed(t, p.Do("Unlock it", l), l.Say("%s failed, and Unlock behaves as if there still were a lock", call))
			}
			l.Means = "a program that tries again and again runs out of handles"
			lab.RequireEqual(t, before, p.Handles(), l.Say("%s left the file open when it failed", call))
			_, err = os.Lstat(path)
			lab.RequireNoError(t, err, removed(l, call))
			l.Did += "; then TryLock, and nothing was refused any more"
			l.Means = "the file stays locked, or counts as unusable, until the program ends"
			err = p.Do("TryLock it", l)
			lab.Require(t, !errors.Is(err, flock.ErrLocked), l.Say("%s failed and kept a lock", call))
			lab.RequireNoError(t, err, l.Say("TryLock fails for ever, once the kernel has refused a lock to %s", call))
			p.Succeed("Unlock it", l)
		}
	}
	if missed {
		t.Skip(notRefused)
	}
}

func removed(l lab.Lesson, call string) lab.Lesson {
	l.Says, l.Expected = call+" removed the file when it failed", "the file is there, as after every other call"
	l.Means = "another program may have opened and locked it meanwhile: the next one creates a new file, and both have a lock"
	return l
}

// holds reports whether the program has the lock that the call should have brought.
func (p program) holds(call string, l lab.Lesson) bool {
	p.t.Helper()
	probe := "TryRLock"
	if strings.HasSuffix(call, "RLock") {
		probe = "TryLock"
	}
	if err := p.Do(probe+" probe", l); err != nil {
		return errors.Is(err, flock.ErrLocked)
	}
	p.Succeed("Unlock probe", l)
	return false
}

func TestLockReportsAFileThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	t.Run("whatever the reason", noOpenNoLock)
	dir := lab.SharedDir(t)
	lab.RequireSetUp(t, os.Mkdir(filepath.Join(dir, "directory"), 0o755))
	lab.RequireSetUp(t, os.WriteFile(filepath.Join(dir, "private"), nil, 0o600))
	lab.RequireSetUp(t, os.Chmod(filepath.Join(dir, "private"), 0))
	lab.RequireSetUp(t, os.WriteFile(filepath.Join(dir, "read-only"), nil, 0o600))
	lab.RequireSetUp(t, os.Chmod(filepath.Join(dir, "read-only"), 0o444))
	lab.RequireSetUp(t, os.WriteFile(filepath.Join(dir, "write-only"), nil, 0o600))
	lab.RequireSetUp(t, os.Chmod(filepath.Join(dir, "write-only"), 0o222))
	lab.RequireSetUp(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	for _, c := range []struct {
		name, did string
		reason    error
	}{
		{"missing/stock.json.lock", "a path whose directory does not exist", fs.ErrNotExist},
		{"directory", "a path at which a directory is", syscall.EISDIR},
		{"private", "a file that this user may not open", fs.ErrPermission},
		{"read-only", "a file that this user may only read", fs.ErrPermission},
		{"write-only", "a file that this user may only write", fs.ErrPermission},
		{"loop", "a symbolic link to itself", syscall.ELOOP},
	} {
		p := launch(t, lab.Options{Unprivileged: true}, filepath.Join(dir, filepath.FromSlash(c.name)))
		for _, call := range []string{"Lock", "TryRLock"} {
			l := lab.Lesson{
				Says: call + " did not report why it could not open the file", Did: call + " of " + c.did,
				Means: "the program goes on without a lock, or waits for an owner who does not exist", Read: refusals,
			}
			err := p.Do(call+" it", l)
			requireReason(t, err, c.reason, call, l)
		}
	}
	lab.RequireNoFile(t, filepath.Join(dir, "missing"), lab.Lesson{
		Says: "Lock made a directory", Did: "Lock of a path whose directory does not exist",
		Means: "a mistyped path becomes a lock of its own, which keeps no one out", Read: refusals,
	})
}

// noOpenNoLock demands that a file which cannot be opened for writing is not locked by other means, and that no call goes on without.
func noOpenNoLock(t *testing.T) {
	t.Helper()
	lock := func(call func(string) (*flock.Held, error)) func(string, func() error) error {
		return func(path string, inside func() error) error {
			held, err := call(path + ".lock")
			if err != nil {
				return err
			}
			return errors.Join(inside(), held.Unlock())
		}
	}
	all := map[string]func(string, func() error) error{
		"Lock": lock(flock.Lock), "RLock": lock(flock.RLock), "TryLock": lock(flock.TryLock), "TryRLock": lock(flock.TryRLock),
	}
	maps.Copy(all, calls)
	for call, do := range all {
		t.Run(call, func(t *testing.T) {
			lab.EachErrno(t, func(t *testing.T, errno error) {
				path := stockFile(t, `{"bracket":1}`)
				untouched := oldLock(t, path)
				l := lab.Lesson{
					Says: call + " went on although the lock file could not be opened for writing", Read: refusals,
					Did:      call + "; the kernel refused with " + errno.Error() + " to open files for writing",
					Expected: "an error", Found: "it went on",
					Means: "on NFS a lock needs the right to write, so the program has no lock there, or one that excludes no other program",
				}
				if calls[call] != nil {
					l.Means = "it reads and writes beside every other program, without the lock that they have"
				}
				inside := false
				var err, failed error
				lab.Finishes(t, func() {
					failed = lab.Refuse("open for writing", errno, func() { err = do(path, func() error { inside = true; return nil }) })
				}, l.Say("%s does not return when its lock file cannot be opened", call))
				lab.RequireRefuse(t, failed)
				lab.Require(t, !inside, l)
				l.Expected, l.Found = "", ""
				requireReason(t, err, errno, call, l.Say("%s did not report why it could not open the lock file", call))
				lab.RequireFile(t, path, `{"bracket":1}`, l)
				untouched(call, l)
			}, errnos(syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT, syscall.ENFILE, syscall.ENOENT, syscall.ENODEV, syscall.ENXIO)...)
		})
	}
}
