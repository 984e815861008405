package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	Dispatch(Workers{
		"steps":      steps,
		"fails":      fails,
		"panics":     func(*Worker) error { panic("the learner's mistake") },
		"dies":       func(*Worker) error { go panic("in another goroutine"); select {} },
		"exits":      func(*Worker) error { os.Exit(3); return nil },
		"prints":     prints,
		"logs":       logs,
		"echoes":     echoes,
		"sleeps":     func(*Worker) error { time.Sleep(time.Hour); return nil },
		"computes":   computes,
		"progresses": progresses,
		"parent":     parent,
		"lock":       lockWorker,
		"lock crowd": lockCrowd,
		"user":       func(w *Worker) error { return w.Result(os.Geteuid()) },
		"refuses":    refuses,

		"leaves its output": leavesItsOutput,
		"hangs":             func(*Worker) error { waitInCodeUnderTest(make(chan struct{})); return nil },
		"stalls":            stalls,
		"crowded":           crowded,
		"spins":             spins,
	}, errTaken, errLost)
	m.Run()
}

// What a package under test calls its own.
var errTaken, errLost, errNobody = errors.New("it is taken"), errors.New("it is lost"), errors.New("nobody registered this")

// refuses sends what three calls returned and returns the last one's error.
func refuses(w *Worker) error {
	calls := []Returned{{nil}, {fmt.Errorf("take: %w", errTaken)}, {&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}}}
	return errors.Join(w.Result(calls), errors.Join(errLost, errNobody))
}

// What a learner's package may do before TestMain runs: print, and keep the standard output for later.
var earlyLog = log.New(os.Stdout, "early: ", 0)

func init() { fmt.Print(os.Getenv("TURNSTILE_TEST_EARLY_PRINT")) }

func logs(w *Worker) error {
	earlyLog.Print("inside")
	fmt.Fprint(earlyLog.Writer(), "without an end")
	w.Reached("logged")
	return w.Result("done")
}

func steps(w *Worker) error {
	w.Reached("first")
	w.Reached("second")
	return w.Result(w.Arg(0) + strconv.Itoa(w.Int(1)+1))
}

func fails(w *Worker) error {
	_, err := os.Open(w.Arg(0))
	return fmt.Errorf("the worker could not go on: %w", err)
}

func prints(w *Worker) error {
	fmt.Println(`{"kind":"done"}`) // a learner's debug print that looks like the protocol
	println("and one more")
	w.Reached("printed")
	return nil
}

func echoes(w *Worker) error {
	for {
		var text string
		if err := w.Receive(&text); err != nil {
			return err
		}
		if text == "" {
			return nil
		}
		if err := w.Result(text); err != nil {
			return err
		}
	}
}

// computes is busy without ever waiting.
func computes(w *Worker) error {
	w.Reached("busy")
	for n := 0; ; n++ {
		_ = n
	}
}

// leavesItsOutput starts a program that has the worker's own output, says which, and waits.
func leavesItsOutput(w *Worker) error {
	command := exec.Command("sleep", "600")
	command.Stdout = w.events // os.Stdout is not, in a worker
	if err := command.Start(); err != nil {
		return err
	}
	if err := w.Result(command.Process.Pid); err != nil {
		return err
	}
	time.Sleep(time.Hour)
	return nil
}

// parent starts workers of its own and says which, so that a test can kill it and look for them.
func parent(w *Worker) error {
	var pids []int
	for _, name := range []string{"sleeps", "computes", "sleeps"} {
		p, err := Start(context.Background(), Options{}, name)
		if err != nil {
			return err
		}
		if name == "computes" {
			if err := p.Reached(context.Background(), "busy"); err != nil {
				return err
			}
			if err := p.Continue(); err != nil {
				return err
			}
		}
		pids = append(pids, p.PID())
	}
	if err := w.Result(pids); err != nil {
		return err
	}
	w.Reached("parenthood")
	return nil
}

func start(t *testing.T, o Options, name string, args ...string) *Process {
	t.Helper()
	p, err := Start(t.Context(), o, name, args...)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	return p
}

func TestAWorkerIsDrivenStepByStep(t *testing.T) {
	t.Parallel()
	p := start(t, Options{}, "steps", "bracket", "41")
	require.NoError(t, p.Reached(t.Context(), "first"))
	require.NoError(t, p.Continue())
	require.NoError(t, p.Reached(t.Context(), "second"))
	require.NoError(t, p.Continue())
	var result string
	require.NoError(t, p.NextResult(t.Context(), &result))
	require.Equal(t, "bracket42", result)
	require.NoError(t, p.Wait(t.Context()))
	require.True(t, p.Finished())
	p.Kill() // of a finished worker: nothing
	require.NoError(t, p.Wait(t.Context()), "the result of a finished worker stays what it was")
}

func TestHoldKeepsTheWorkerAtTheStartLine(t *testing.T) {
	t.Parallel()
	p := start(t, Options{Hold: true}, "steps", "x", "1")
	require.NoError(t, p.StillWaiting(t.Context()))
	require.NoError(t, p.Continue())
	require.NoError(t, p.Reached(t.Context(), "first"))
}

func TestAnErrorCrossesTheProcessBorder(t *testing.T) {
	t.Parallel()
	p := start(t, Options{}, "fails", filepath.Join(t.TempDir(), "missing"))
	err := p.Wait(t.Context())
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotErrorIs(t, err, fs.ErrExist)
	require.ErrorContains(t, err, "the worker could not go on: open ")
}

func TestAPackagesOwnErrorsCrossTheProcessBorder(t *testing.T) {
	t.Parallel()
	p := start(t, Options{}, "refuses")
	var calls []Returned
	require.NoError(t, p.NextResult(t.Context(), &calls))
	require.Len(t, calls, 3)
	require.NoError(t, calls[0].Err)
	require.ErrorIs(t, calls[1].Err, errTaken)
	require.NotErrorIs(t, calls[1].Err, errLost)
	require.EqualError(t, calls[1].Err, "take: it is taken")
	require.ErrorIs(t, calls[2].Err, syscall.ENOSPC)
	require.NotErrorIs(t, calls[2].Err, syscall.EIO)

	err := p.Wait(t.Context())
	require.ErrorIs(t, err, errLost)
	require.NotErrorIs(t, err, errTaken)
	require.NotErrorIs(t, err, errNobody, "an error that was not registered is a text")
}

func TestAWorkerThatDoesNotSayGoodbye(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ worker, says string }{
		{"panics", "panic: the learner's mistake"},
		{"dies", "panic: in another goroutine"},
		{"exits", "exit status 3"},
	} {
		t.Run(c.worker, func(t *testing.T) {
			t.Parallel()
			require.ErrorContains(t, start(t, Options{}, c.worker).Wait(t.Context()), c.says)
		})
	}
}

func TestAnUnknownWorkerIsNamed(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Options{}, "nobody")
	require.ErrorContains(t, err, `no worker is named "nobody"`)
}

func TestWhatTheWorkerPrintsDoesNotBreakTheProtocol(t *testing.T) {
	t.Parallel()
	p := start(t, Options{}, "prints")
	require.NoError(t, p.Reached(t.Context(), "printed"))
	require.NoError(t, p.Continue())
	require.NoError(t, p.Wait(t.Context()))
	require.Contains(t, p.stderr.String(), `{"kind":"done"}`)
	require.Contains(t, p.stderr.String(), "and one more")
}

func TestAPrintBeforeTheWorkerBeginsDoesNotBreakTheProtocol(t *testing.T) {
	t.Parallel()
	for name, printed := range map[string]string{
		"a line":                        "debug\n",
		"text without a newline":        "debug",
		"what looks like a message":     `{"kind":"done"}` + "\n",
		"a mark without a message":      messageMark + "no JSON\n",
		"many lines":                    strings.Repeat("debug\n", 10_000),
		"a long line without a newline": strings.Repeat("debug ", 50_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, Options{Env: []string{"TURNSTILE_TEST_EARLY_PRINT=" + printed[:min(len(printed), 100_000)]}}, "logs")
			require.NoError(t, p.Reached(t.Context(), "logged"))
			require.NoError(t, p.Continue())
			var result string
			require.NoError(t, p.NextResult(t.Context(), &result))
			require.NoError(t, p.Wait(t.Context()))
			require.Contains(t, p.stderr.String(), strings.TrimSpace(printed)[max(0, len(printed)-1000):], "what was printed is kept")
			require.Contains(t, p.stderr.String(), "early: inside\nwithout an end")
		})
	}
}

func TestValuesTravelBothWays(t *testing.T) {
	t.Parallel()
	p := start(t, Options{}, "echoes")
	for _, sent := range []string{"a", "two\nlines", strings.Repeat("long ", 50_000)} {
		require.NoError(t, p.Send(sent))
		var got string
		require.NoError(t, p.NextResult(t.Context(), &got))
		require.Equal(t, sent, got)
	}
	require.NoError(t, p.Send(""))
	require.NoError(t, p.Wait(t.Context()))
	var got string
	require.ErrorIs(t, p.NextResult(t.Context(), &got), ErrFinished)
}

func TestAStepThatIsNotReached(t *testing.T) {
	t.Parallel()
	p := start(t, Options{}, "steps", "x", "1")
	require.ErrorContains(t, p.Reached(t.Context(), "third"), `stands at "first", not at "third"`)
	require.NoError(t, p.Reached(t.Context(), "first"), "the step is still there to be seen")
	require.ErrorContains(t, p.Wait(t.Context()), "a Continue")

	finished := start(t, Options{}, "fails", filepath.Join(t.TempDir(), "missing"))
	err := finished.Reached(t.Context(), "first")
	require.ErrorIs(t, err, ErrFinished)
	require.ErrorIs(t, err, fs.ErrNotExist, "and why it finished is said too")
}

func TestEveryWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := start(t, Options{}, "sleeps")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var value any
	require.ErrorIs(t, p.Reached(ctx, "x"), context.DeadlineExceeded)
	require.ErrorIs(t, p.NextResult(ctx, &value), context.DeadlineExceeded)
	require.ErrorIs(t, p.Wait(ctx), context.DeadlineExceeded)
	require.ErrorIs(t, p.StillWaiting(ctx), context.DeadlineExceeded)
	_, err := p.Settle(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	p.Kill()
	require.ErrorIs(t, p.Wait(t.Context()), ErrKilled)
}

func TestPatienceCanBeSet(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"4s": 4 * time.Second, "": defaultPatience, "soon": defaultPatience, "-1s": defaultPatience,
	} {
		t.Setenv(EnvironmentPatience, value)
		require.Equal(t, want, Patience(), "%q", value)
	}
}

func TestPatienceIsShorterOnceItHasRunOut(t *testing.T) {
	defer ranOut.Store(false)
	t.Setenv(EnvironmentPatience, "4s")
	RanOut()
	t.Setenv(EnvironmentPatience, "")
	require.Equal(t, defaultPatience, Patience(), "a limit that was set has run out")
	RanOut()
	require.Equal(t, laterPatience, Patience())
	t.Setenv(EnvironmentPatience, "4s")
	require.Equal(t, 4*time.Second, Patience(), "what is set counts")
}

// progresses reports more progress than any pipe holds.
func progresses(w *Worker) error {
	for range 100_000 {
		w.Progress()
	}
	return nil
}

func TestProgressDoesNotHoldUpAWorkerWhoseParentDoesNotLook(t *testing.T) {
	t.Parallel()
	p, err := Start(t.Context(), Options{}, "progresses")
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	select {
	case <-p.exited:
	case <-time.After(4 * Patience()):
		t.Fatal("the worker waits for its parent to read its progress")
	}
	require.NoError(t, p.Wait(t.Context()))
}

func TestSettleSaysWhyNothingMoves(t *testing.T) {
	t.Parallel()
	p := start(t, Options{}, "steps", "x", "1")
	require.Equal(t, AtStep, settle(t, p))
	require.NoError(t, p.Reached(t.Context(), "first"), "Settle leaves the step to be seen")
	require.NoError(t, p.Continue())
	require.NoError(t, p.Reached(t.Context(), "second"))
	require.NoError(t, p.Continue())
	require.Equal(t, Finished, settle(t, p))
	require.NoError(t, p.Wait(t.Context()))
	require.Equal(t, Waiting, settle(t, start(t, Options{}, "sleeps")))
}

func settle(t *testing.T, p *Process) State {
	t.Helper()
	state, err := p.Settle(t.Context())
	require.NoError(t, err)
	return state
}

func TestAKilledParentLeavesNoWorkerBehind(t *testing.T) {
	t.Parallel()
	p := start(t, Options{}, "parent")
	var pids []int
	require.NoError(t, p.NextResult(t.Context(), &pids))
	require.Len(t, pids, 3)
	if err := stop(t.Context(), pids[2]); err != nil { // even a frozen one
		require.ErrorIs(t, err, errors.ErrUnsupported)
	}
	p.Kill()
	for _, pid := range pids {
		requireGone(t, pid)
	}
}

// requireGone waits until no process of that number is left, or only one that nobody has reaped yet.
func requireGone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return !alive(pid) }, Patience(), time.Millisecond, "process %d is still there", pid)
}

func TestAWorkerIsGoneWhenWaitReturns(t *testing.T) {
	t.Parallel()
	p := start(t, Options{}, "echoes")
	require.NoError(t, p.Send(""))
	require.NoError(t, p.Wait(t.Context()))
	require.False(t, alive(p.PID()))
}

func TestAnUnprivilegedWorkerIsNotRoot(t *testing.T) {
	t.Parallel()
	p := start(t, Options{Unprivileged: true}, "user")
	var user int
	require.NoError(t, p.NextResult(t.Context(), &user))
	require.NotZero(t, user, "permissions mean nothing to root")
}

func TestAWrappedWorkerIsKilledItself(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the wrapper of this test is sh")
	}
	shell, err := exec.LookPath("sh")
	require.NoError(t, err)
	// The shell stays the worker's parent, as strace would.
	p := start(t, Options{Wrap: []string{shell, "-c", `"$0" "$@"; exit $?`}}, "sleeps")
	require.NotEqual(t, p.command.Process.Pid, p.PID())
	p.Kill()
	require.False(t, alive(p.PID()))
}

func TestKillDoesNotWaitForAnOutputThatDoesNotEnd(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the program that keeps the output open is sleep")
	}
	t.Setenv(EnvironmentPatience, "2s")
	p := start(t, Options{}, "leaves its output")
	var pid int
	require.NoError(t, p.NextResult(t.Context(), &pid))
	keeper, err := os.FindProcess(pid)
	require.NoError(t, err)
	defer func() { _ = keeper.Kill() }()
	killed := make(chan bool)
	go func() { p.Kill(); close(killed) }()
	select {
	case <-killed:
		require.ErrorIs(t, p.err, ErrKilled)
	case <-time.After(10 * Patience()):
		t.Fatal("Kill waits for a program that the worker has started")
	}
}

func TestTheTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var captured tail
	w := bufio.NewWriter(&captured)
	for n := range 10_000 {
		_, err := fmt.Fprintf(w, "line %d\n", n)
		require.NoError(t, err)
	}
	require.NoError(t, w.Flush())
	require.Len(t, captured.String(), tailLength)
	require.True(t, strings.HasSuffix(captured.String(), "line 9999\n"))
	require.Equal(t, "line 0", captured.firstLine())
}
