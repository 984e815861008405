package lockfiles_test

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

func init() {
	workers["small files"], workers["end by a signal"] = smallFiles, endBySignal
	addCase("TestAcquireLeavesWhatItDoesNotKnow", "pipes", leavesPipes)
	addCase("TestAcquireReportsWhatTheSystemRefuses", "each call once", refusedCalls)
	addCase("TestAcquireReportsWhatTheSystemRefuses", "a lock that cannot be opened", lockThatCannotBeOpened)
	addCase("TestAcquireRefusesALockThatIsHeld", "by a process that a signal has ended", survivesSignals)
}

func addCase(test, name string, run func(t *testing.T)) {
	if casesHere[test] == nil {
		casesHere[test] = map[string]func(t *testing.T){}
	}
	casesHere[test][name] = run
}

// smallFiles is try in a process for which the kernel refuses to write a single byte into a file.
func smallFiles(w *lab.Worker) error {
	if err := lab.LimitFileSize(0); err != nil {
		return err
	}
	return try(w)
}

// An owner that cannot be written down cannot be judged by others.
func TestAcquireReportsAnOwnerThatItCannotWrite(t *testing.T) {
	t.Parallel()
	const means = "the lock says nothing about its owner: every other process refuses it, and none can break it"
	t.Run("EFBIG", func(t *testing.T) {
		t.Parallel()
		l := lab.Lesson{Did: "the kernel refused to write into a file; Acquire was called", Means: means, Read: refusals}
		path := newPath(t)
		requireNothingHalfMade(t, lab.Start(t, "small files", path), path, syscall.EFBIG, l)
	})
	t.Run("ENOSPC", func(t *testing.T) {
		t.Parallel()
		dir, kind := lab.SmallDisk(t, 64<<10)
		fill(t, filepath.Join(dir, "full"))
		lab.RequireSetUp(t, os.Mkdir(filepath.Join(dir, "shop"), 0o700))
		l := lab.Lesson{Did: "the disk was full (" + kind + "); Acquire was called", Means: means, Read: refusals}
		path := filepath.Join(dir, "shop", "locks.json.lock")
		requireNothingHalfMade(t, lab.Start(t, "try", path), path, syscall.ENOSPC, l)
	})
	t.Run("EIO from Close", func(t *testing.T) {
		t.Parallel()
		needStatic(t)
		l := lab.Lesson{Did: "the kernel reported EIO whenever a file was closed; Acquire was called", Means: means, Read: refusals}
		path := newPath(t)
		other := lab.Trace(t, lab.Rule{Calls: "close", Fail: syscall.EIO}, lab.Options{}, "try", path)
		requireNothingHalfMade(t, other.Process, path, syscall.EIO, l)
	})
	t.Run("an owner without a host", func(t *testing.T) {
		t.Parallel()
		l := lab.Lesson{Did: "the kernel refused to tell which boot this is (EIO); Acquire was called", Means: means, Read: refusals}
		path := newPath(t)
		rule := lab.Rule{Calls: "openat", Paths: []string{"/proc/sys/kernel/random/boot_id"}, Fail: syscall.EIO}
		requireNothingHalfMade(t, lab.Trace(t, rule, lab.Options{}, "try", path).Process, path, syscall.EIO, l)
	})
}

// putsInPlace are the calls by which a lock may come into its place.
const putsInPlace = trace.Renames + ",?link,linkat,?symlink,symlinkat"

// A lock comes into place in one step, and there is no second way if the kernel refuses that step.
func TestAcquireReportsALockThatItCannotPutInPlace(t *testing.T) {
	t.Parallel()
	lab.EachErrno(t, func(t *testing.T, errno error) {
		t.Parallel()
		path := newPath(t)
		l := lab.Lesson{
			Did: fmt.Sprintf("the kernel refused to rename and to link (%v); Acquire was called", errno), Read: refusals,
		}
		process := lab.Trace(t, lab.Rule{Calls: putsInPlace, Fail: errno}, lab.Options{}, "try", path)
		var o outcome
		process.Result(&o, l.Say("Acquire does not return"))
		lab.RequireSetUp(t, process.Wait())
		if len(process.Injected()) == 0 {
			return // this answer puts its lock in place by another call
		}
		if o.Got {
			l.Expected, l.Found = "an error", "a lock"
			lab.Fail(t, means(l, "Acquire went on where the kernel refused to put the lock in place",
				"what it does in its place takes two steps, and others see the half of it"))
		}
		requireRefused(t, o.Call.Err, errno, l)
		lab.RequireEqual(t, "", listing(t, filepath.Dir(path)), means(l, "Acquire left a part of a lock behind although it failed",
			"each attempt leaves one more, until the disk is full or a person looks"))
	}, syscall.EACCES, syscall.EIO)
}

// refusedCalls has the kernel refuse each call of an Acquire once.
func refusedCalls(t *testing.T) {
	t.Parallel()
	for made := 0; ; made++ {
		path := newPath(t)
		l := lab.Lesson{
			Means: "the caller believes that it has no lock, and every other process is sent away because of it", Read: refusals,
		}
		var lock *lockfiles.Lock
		var err error
		names, refuse := lab.RefuseOne(made, syscall.EIO, func() { lock, err = lockfiles.Acquire(path, lockfiles.Options{}) })
		lab.RequireRefuse(t, refuse)
		if made >= len(names) {
			return
		}
		l.Did = fmt.Sprintf("the lock was free; Acquire was called, and the kernel refused its call %d, %s (EIO)", made+1, names[made])
		if err == nil {
			lab.RequireNoError(t, release(t, lock, l), l.Say("Release failed although the lock was held"))
			continue
		}
		lab.RequireErrorIs(t, err, syscall.EIO, l.Say("Acquire did not report why it failed"))
		_, err = acquire(t, path, lockfiles.Options{}, l)
		lab.RequireNoError(t, err, l.Say("Acquire failed and left a lock behind"))
	}
}

// lockThatCannotBeOpened is neither damaged nor free.
func lockThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	_, _ = lab.Strace(t) // skips the test where it cannot be asked, before it starts processes
	lab.EachErrno(t, func(t *testing.T, errno error) {
		t.Parallel()
		path, gone := stale(t)
		rule := lab.Rule{Calls: "?open,openat", Fail: errno}
		lab.RequireSetUp(t, filepath.WalkDir(path, func(name string, _ os.DirEntry, err error) error {
			rule.Paths = append(rule.Paths, name)
			return err
		}))
		l := lab.Lesson{Read: refusals, Did: fmt.Sprintf("a process had the lock and was killed; Acquire was called, and the kernel refused "+
			"to open what is at the path (%v)", errno)}
		before := standing(t, path)
		process := lab.Trace(t, rule, lab.Options{}, "try", path, strconv.Itoa(gone))
		var o outcome
		process.Result(&o, l.Say("Acquire does not return"))
		lab.RequireSetUp(t, process.Wait())
		if len(process.Injected()) == 0 {
			return // this answer reads its lock by another call
		}
		requireRefused(t, o.Call.Err, errno, l)
		lab.RequireEqual(t, before, standing(t, path), l.Say("Acquire changed a lock whose owner it could not read"))
	}, syscall.EMFILE, syscall.EIO)
}

// endBySignal acquires PATH and sends SIGTERM to its own process.
func endBySignal(w *lab.Worker) error {
	if _, err := lockfiles.Acquire(w.Arg(0), lockfiles.Options{}); err != nil {
		return err
	}
	w.Reached("holding")
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		return err
	}
	select {}
}

// survivesSignals is about a signal that can be caught, unlike a kill -9: it is no reason to give a lock back.
func survivesSignals(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	l := lab.Lesson{
		Did:   "a process acquired a lock, and was ended by SIGTERM",
		Means: "the lock is free while other goroutines of the process are still at work", Read: isItAlive,
	}
	owner := lab.Start(t, "end by a signal", path)
	owner.Reached("holding", freeLock)
	owner.Continue()
	_ = owner.Wait(l.Say("Acquire keeps its process from being ended"))
	l.Did += "; another process called Acquire, and its Alive returned true"
	_, err := acquire(t, path, lockfiles.Options{Alive: func(lockfiles.Owner) bool { return true }}, l)
	requireIs(t, err, lockfiles.ErrLocked, l.Say("Acquire had its lock given back when a signal ended the process"))
}

// leavesPipes lets go on who opens a pipe from which nothing comes: it would wait for ever.
func leavesPipes(t *testing.T) {
	t.Parallel()
	path, inside := newPath(t), newPath(t)
	lab.RequireSetUp(t, os.Mkdir(inside, 0o700))
	for _, c := range []struct{ path, pipe, what string }{
		{path, path, "a named pipe, from which nothing comes"},
		{inside, filepath.Join(inside, "pipe"), "a directory with a named pipe in it, from which nothing comes"},
	} {
		lab.RequireSetUp(t, unix.Mkfifo(c.pipe, 0o600))
		var opened atomic.Bool
		done, watching := make(chan struct{}), sync.WaitGroup{}
		watching.Go(func() {
			for tick := time.NewTicker(time.Millisecond); ; { // the kernel sends no message when a pipe is opened
				select {
				case <-done:
					return
				case <-tick.C:
				}
				if writer, err := unix.Open(c.pipe, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil { // the pipe is read
					opened.Store(true)
					_ = unix.Close(writer)
				}
			}
		})
		l := lab.Lesson{
			Did: "at the lock's path was " + c.what + "; Acquire was called", Expected: "it is not opened", Found: "Acquire opened it",
			Means: "the program waits, perhaps for ever, for what another one writes into the pipe, although Acquire never waits", Read: notYours,
		}
		_, _ = acquire(t, c.path, allDead, l)
		close(done)
		watching.Wait()
		lab.Require(t, !opened.Load(), l.Say("Acquire reads from a pipe that is not its lock"))
		requireUntouched(t, c.path, c.what)
	}
}

func TestATokenIsNeverGivenTwice(t *testing.T) {
	t.Parallel()
	t.Run("at the same time by the clock", tokensAtTheSameTime)
	t.Run("with the same process id", tokensWithTheSameNumber)
	t.Run("with the process id of one that was killed in the middle", leftByTheSameNumber)
}

func tokensAtTheSameTime(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{
		Says: "Acquire gave two locks the same token", Read: theFix,
		Did:   "two locks were acquired, and the clock showed the same time for both, as it may after it was set back",
		Means: "a slow breaker that judged the first one takes the second one away",
	}
	seen := map[string]bool{}
	for range 2 {
		path := newPath(t)
		var lock *lockfiles.Lock
		var err error
		inABubble(t, func() { lock, err = lockfiles.Acquire(path, lockfiles.Options{}) })
		lab.RequireNoError(t, err, freeLock)
		lab.RequireNotNil(t, lock, "Acquire", l)
		token := lock.Owner().Token
		l.Expected, l.Found = "another token for each lock", "again "+token
		lab.Require(t, !seen[token], l)
		seen[token] = true
	}
}

// tokensWithTheSameNumber has two processes run with one process id, as after a restart, in two containers, or when the kernel gives a
// number again.
func tokensWithTheSameNumber(t *testing.T) {
	t.Parallel()
	wrap, _ := lab.Strace(t, "-e", "trace=getpid", "-e", "inject=getpid:retval=4711")
	l := lab.Lesson{
		Did:  "a process acquired two locks; later another process had the same process id, 4711, and acquired two others",
		Says: "Acquire gave two locks the same token", Read: theFix,
		Means: "a slow breaker that judged the first one takes the second one away",
	}
	seen := map[string]bool{}
	for range 2 {
		process := lab.Launch(t, lab.Options{Wrap: wrap}, "hold", newPath(t), newPath(t))
		var owners []lockfiles.Owner
		process.Result(&owners, freeLock)
		for _, owner := range owners {
			if owner.PID != 4711 {
				t.Skip("this process learns its id in another way than from getpid(2)")
			}
			l.Expected, l.Found = "another token for each lock", "again "+owner.Token
			lab.Require(t, !seen[owner.Token], l)
			seen[owner.Token] = true
		}
		process.Kill()
	}
}

// leftByTheSameNumber has a process be killed before it puts its lock in place; what it leaves is in no other's way.
func leftByTheSameNumber(t *testing.T) {
	t.Parallel()
	same := []string{"-e", "inject=getpid:retval=4711", "-e", "trace=getpid," + putsInPlace}
	dying, _ := lab.Strace(t, append(same, "-e", "inject="+putsInPlace+":signal=SIGKILL:error=EIO")...)
	path := newPath(t)
	if err := lab.Launch(t, lab.Options{Wrap: dying}, "try", path).Wait(); err == nil {
		t.Skip("this answer puts its lock in place by another call")
	}
	wrap, _ := lab.Strace(t, same...)
	var o outcome
	l := lab.Lesson{
		Did: "process 4711 was killed in the middle of an Acquire; later, as in a container that was started again, another process with " +
			"the same process id called Acquire for the same path",
		Means: "the program cannot take the lock at any further start, until a person finds out which file to remove", Read: theFix,
	}
	lab.Launch(t, lab.Options{Wrap: wrap}, "try", path).Result(&o, l.Say("Acquire does not return"))
	lab.RequireNoError(t, o.Call.Err, l.Say("Acquire cannot get a free lock after a crash in the middle of another Acquire"))
}

// needStatic skips a test whose workers could not start where every close fails: a program that is loaded with its libraries, as -race
// makes it, closes files before it begins.
func needStatic(t *testing.T) {
	t.Helper()
	program, err := os.Executable()
	lab.RequireSetUp(t, err)
	file, err := elf.Open(program)
	lab.RequireSetUp(t, err)
	defer func() { lab.RequireSetUp(t, file.Close()) }()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			t.Skip("this test program is loaded with its libraries (-race does that), and loading them needs a close that succeeds")
		}
	}
}

func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	lab.RequireSetUp(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	lab.RequireSetUp(t, f.Close())
	if !errors.Is(err, syscall.ENOSPC) {
		lab.RequireSetUp(t, err)
	}
}

// requireNothingHalfMade demands that an Acquire failed for that reason and left nothing. An answer that keeps the owner in no file has
// nothing to write, and may succeed.
func requireNothingHalfMade(t *testing.T, process *lab.Process, path string, reason error, l lab.Lesson) {
	t.Helper()
	var o outcome
	process.Result(&o, l.Say("Acquire does not return"))
	left := listing(t, filepath.Dir(path))
	if o.Got && !hasFiles(t, path) {
		// Its process may have ended by now, so that the package's own Alive would call it dead.
		_, err := acquire(t, path, lockfiles.Options{Alive: func(lockfiles.Owner) bool { return true }}, l)
		requireIs(t, err, lockfiles.ErrLocked, l.Say("Acquire gave a lock that other processes do not see"))
		return
	}
	lab.RequireErrorIs(t, o.Call.Err, reason, l.Say("Acquire did not report that it could not write down its owner"))
	lab.RequireEqual(t, "", left, l.Say("Acquire left a part of a lock behind although it failed"))
}

func hasFiles(t *testing.T, path string) (some bool) {
	t.Helper()
	lab.RequireSetUp(t, filepath.WalkDir(filepath.Dir(path), func(_ string, entry fs.DirEntry, err error) error {
		some = some || err == nil && entry.Type().IsRegular()
		return err
	}))
	return some
}

func TestReleaseOnADiskThatBecameReadOnly(t *testing.T) {
	t.Parallel()
	dir, _ := lab.SmallDisk(t, 1<<20)
	path := filepath.Join(dir, "locks.json.lock")
	lock := requireAcquired(t, path, lockfiles.Options{}, freeLock)
	l := lab.Lesson{
		Did:   "a process had the lock; the kernel made the disk read-only, as after an error of the disk; the process called Release",
		Means: "the program believes that it has given the lock back, and every other one finds it taken", Read: refusals,
	}
	lab.RequireSetUp(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	requireNotReleased(t, release(t, lock, l), syscall.EROFS, l)
	l.Did = strings.Replace(l.Did, "; the process called Release", "; another one called Acquire", 1)
	requireLocked(t, path, means(l, "Acquire did not report a lock that is held",
		"the program complains of the disk, where it should say who has the lock"))
	l.Did += ", and its Alive returned false"
	_, err := acquire(t, path, allDead, l)
	requireRefused(t, err, syscall.EROFS, l)
	l.Did += "; it was called again, and Alive, which knew better by then, returned true"
	_, err = acquire(t, path, lockfiles.Options{Alive: func(lockfiles.Owner) bool { return true }}, l)
	requireIs(t, err, lockfiles.ErrLocked, means(l, "Acquire remembered what Alive had returned before", robbed))
}
