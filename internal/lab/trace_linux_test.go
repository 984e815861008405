package lab_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/trace"
	"example/turnstile/internal/lab/verdict"
)

func init() {
	workers["replace"] = func(w *lab.Worker) error { return replace(w.Arg(0)) }
	workers["replace between marks"] = func(w *lab.Worker) error {
		defer lab.Mark("")
		err := replace(w.Arg(0))
		for n := range 2 {
			lab.Mark("round " + strconv.Itoa(n))
			err = errors.Join(err, replace(w.Arg(0)))
		}
		return err
	}
	workers["step"] = func(w *lab.Worker) error {
		return lab.Steps(w, func(path string) any {
			if path == "panic" {
				panic("the learner's mistake")
			}
			return lab.Returned{Err: replace(path)}
		})
	}
	workers["step lock"] = func(w *lab.Worker) error {
		return lab.Steps(w, func(path string) any { return lab.Returned{Err: lockOnce(path)} })
	}
	workers["lock twice"] = func(w *lab.Worker) error { return errors.Join(lockKept(w.Arg(0)), lockKept(w.Arg(0))) }
	workers["lock, then wait"] = func(w *lab.Worker) error {
		err := lockKept(w.Arg(0))
		w.Reached("held")
		return err
	}
}

// replace writes a file beside path and renames it. The calls that name something in the directory are open, fsync, the lstat that
// os.Rename makes first, and rename.
func replace(path string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString("new")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func lockKept(path string) error {
	descriptor, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Flock(descriptor, unix.LOCK_EX)
}

func lockOnce(path string) error {
	descriptor, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for err = unix.EINTR; err == unix.EINTR; { //nolint:errorlint // a bare error number
		err = unix.Flock(descriptor, unix.LOCK_EX)
	}
	return errors.Join(err, unix.Close(descriptor))
}

func TestATraceShowsTheCalls(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", "old")
	p := lab.Trace(t, lab.Rule{Calls: trace.Renames + "," + trace.Syncs}, lab.Options{}, "replace", path)
	require.NoError(t, p.Wait())
	calls := p.Calls()
	require.Len(t, calls, 2)
	require.Equal(t, []string{path + ".new"}, calls[0].Paths)
	require.Equal(t, []string{path + ".new", path}, calls[1].Paths)
	require.Empty(t, p.Injected())
}

func TestMarksTellCallsApart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	p := lab.Trace(t, lab.Rule{Calls: trace.Files}, lab.Options{}, "replace between marks", path)
	require.NoError(t, p.Wait())
	renames := map[string]int{}
	for text, calls := range p.Marked() {
		for _, call := range calls {
			if strings.HasPrefix(call.Name, "rename") {
				renames[text]++
			}
		}
	}
	require.Equal(t, map[string]int{"round 0": 1, "round 1": 1}, renames, "what comes before the first mark is under none")
}

func TestEachErrnoIsInjected(t *testing.T) {
	t.Parallel()
	lab.EachErrno(t, func(t *testing.T, errno error) {
		path := lab.WriteFile(t, "locks.json", "old")
		p := lab.Trace(t, lab.Rule{Calls: trace.Renames, Paths: []string{path}, Fail: errno, When: 1}, lab.Options{}, "replace", path)
		require.ErrorIs(t, p.Wait(), errno)
		require.Len(t, p.Injected(), 1)
		require.Equal(t, trace.ErrnoName(errno), p.Injected()[0].Errno)
		lab.RequireFile(t, path, "old", lab.Lesson{Says: "the rename took place"})
	}, syscall.EIO, syscall.EXDEV)
}

func TestAWorkerIsKilledAtACall(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", "old")
	p := lab.Trace(t, lab.Rule{Calls: trace.Renames, Kill: true, When: 1}, lab.Options{}, "replace", path)
	require.ErrorContains(t, p.Wait(), "died")
	require.FileExists(t, path+".new", "the calls before it took place")
	lab.RequireFile(t, path, "old", lab.Lesson{Says: "the rename took place"})
}

// Between two steps the test sees what a process that reads the directory would see.
func TestAWorkerIsStoppedAfterEachCall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := lab.Step(t, trace.Files+",fsync", dir, "step")
	for round := range 3 { // the same worker takes many orders
		path := filepath.Join(dir, strconv.Itoa(round))
		var seen []string
		var returned lab.Returned
		stops := s.Call(path, &returned, func(stop lab.Stop) {
			_, err := os.Stat(path)
			seen = append(seen, fmt.Sprintf("%d %s %v", stop.Number, stop.Call.Name, err == nil))
		})
		require.NoError(t, returned.Err)
		require.Equal(t, 4, stops)
		require.Equal(t, "1 openat false", seen[0])
		require.Equal(t, "2 fsync false", seen[1])
		require.Regexp(t, "3 .*stat.* false", seen[2])
		require.Regexp(t, "4 rename.* true", seen[3])
	}
	elsewhere := lab.Path(t, "elsewhere")
	require.Zero(t, s.Call(elsewhere, &lab.Returned{}, func(lab.Stop) {}), "calls about other directories are no stops")
}

func TestAWorkerIsKilledAfterEachCall(t *testing.T) {
	t.Parallel()
	var left []bool
	for number, killed := 1, true; killed; number++ {
		path := lab.Path(t, "locks.json")
		s := lab.Step(t, trace.Files, filepath.Dir(path), "step")
		var stop lab.Stop
		if stop, killed = s.KillAt(path, number); killed {
			require.Equal(t, number, stop.Number)
			_, err := os.Stat(path + ".new")
			left = append(left, err == nil)
		}
	}
	require.Equal(t, []bool{true, true, false}, left)
}

// A call that waits for a lock stops again and again, and counts once.
func TestAStepThatWaits(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "lock", "")
	holder := lab.Start(t, "lock, then wait", path)
	holder.Reached("held")
	s := lab.Step(t, "openat,open,flock", filepath.Dir(path), "step lock")
	waits := 0
	var returned lab.Returned
	stops := s.Call(path, &returned, func(stop lab.Stop) {
		if stop.Waits {
			require.Equal(t, 2, stop.Number)
			if waits++; waits == 3 {
				holder.Continue()
				require.NoError(t, holder.Wait())
			}
		}
	})
	require.NoError(t, returned.Err)
	require.GreaterOrEqual(t, waits, 3)
	require.Equal(t, 2, stops)
}

func TestAPanicInAStep(t *testing.T) {
	t.Parallel()
	r := record(t, func(tb testing.TB) {
		other := lab.Step(tb, trace.Files, tb.TempDir(), "step")
		other.Call("panic", &lab.Returned{}, func(lab.Stop) {}, story)
	})
	require.True(t, r.failed)
	got, err := verdict.Decode(r.attr)
	require.NoError(t, err)
	require.Contains(t, got.Says, "panicked")
	require.Contains(t, got.Found, "the learner's mistake")
}

func TestWaitersAreRequired(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "lock", "")
	holder := lab.Start(t, "lock, then wait", path)
	holder.Reached("held")
	crew := []*lab.Process{lab.Start(t, "lock, then wait", path), lab.Start(t, "lock, then wait", path)}
	lab.RequireWaiters(t, path, 2, story, crew...)
	require.Equal(t, 1, crew[0].BlockedOn(path))
	require.Zero(t, holder.BlockedOn(path))
	require.Zero(t, crew[0].BlockedOn(lab.WriteFile(t, "another", "")))
}

// A lock inside a lock, and a lock that another process keeps, have words of their own, and nothing of the lesson's case is left.
func TestAHangHasWordsOfItsOwn(t *testing.T) {
	path := lab.WriteFile(t, "lock", "")
	stale := story
	stale.Found, stale.Expected = "what another case found", "what another case expected"
	for _, c := range []struct {
		name, found, means string
		check              func(tb testing.TB, impatient func())
	}{
		{"a lock inside a lock", "a file lock that its own process holds", "a lock inside a lock", func(tb testing.TB, impatient func()) {
			p := lab.Start(tb, "lock twice", lab.WriteFile(t, "own", ""))
			p.WaitBlocked()
			impatient()
			_ = p.Wait(stale)
		}},
		{"a kept lock", "a file lock that process", "kept its lock", func(tb testing.TB, impatient func()) {
			lab.Start(tb, "lock, then wait", path).Reached("held")
			p := lab.Start(tb, "lock, then wait", path)
			p.WaitBlocked()
			impatient()
			_ = p.Wait(stale)
		}},
		{"a loop without an end", "busy", "loop without an end", func(tb testing.TB, impatient func()) {
			p := lab.Start(tb, "computes")
			impatient()
			_ = p.Wait(stale)
		}},
		{"a mutex", "it sleeps, and waits for no file lock", "a mutex", func(tb testing.TB, impatient func()) {
			p := lab.Start(tb, "sleeps")
			p.Settle()
			impatient()
			_ = p.Wait(stale)
		}},
		{"a call in this process", "no progress for 300ms", "hangs", func(tb testing.TB, impatient func()) {
			impatient()
			lab.Finishes(tb, func() { <-t.Context().Done() }, stale)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := record(t, func(tb testing.TB) { c.check(tb, func() { t.Setenv(process.EnvironmentPatience, "300ms") }) })
			require.True(t, r.failed)
			got, err := verdict.Decode(r.attr)
			require.NoError(t, err)
			require.Contains(t, got.Found, c.found)
			require.Contains(t, got.Found, "no progress for 300ms")
			require.Contains(t, got.Means, c.means)
			require.Equal(t, "The code under test does not return", got.Says)
			require.Equal(t, "it returns", got.Expected)
			require.Equal(t, story.Did, got.Did)
			require.Equal(t, story.Read, got.Read)
		})
	}
}

// process.Renewed takes a second to judge a call that computes. A call that returns in that second has not hung.
func TestACallMayReturnWhileItIsJudged(t *testing.T) {
	t.Setenv(process.EnvironmentPatience, "100ms")
	lab.Finishes(t, func() {
		for end := time.Now().Add(600 * time.Millisecond); time.Now().Before(end); {
		}
	}, story)
}
