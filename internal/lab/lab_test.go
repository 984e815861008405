package lab_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/verdict"
)

func TestMain(m *testing.M) { lab.Main(m, workers) }

// workers of files with build tags are added in their init.
var workers = lab.Workers{
	"steps":     func(w *lab.Worker) error { w.Reached("inside"); return nil },
	"handles":   handles,
	"fileSize":  fileSize,
	"writeable": func(w *lab.Worker) error { return os.WriteFile(w.Arg(0), []byte("mine"), 0o600) },
	"test":      oneTest,
	"relative":  func(w *lab.Worker) error { return os.WriteFile("locks.json", nil, 0o666) },
	"slow":      slow,
	"sleeps":    func(*lab.Worker) error { time.Sleep(time.Hour); return nil },
	"panics":    func(*lab.Worker) error { panic("the learner's mistake") },
	"exits":     func(*lab.Worker) error { println("goodbye"); os.Exit(3); return nil },
	"computes": func(*lab.Worker) error {
		for n := 0; ; n++ {
			_ = n
		}
	},
}

// slow takes longer than the patience and makes progress all the time.
func slow(w *lab.Worker) error {
	for range 25 {
		time.Sleep(100 * time.Millisecond)
		w.Progress()
	}
	return nil
}

// A recorder is a testing.TB that keeps what a failing check says. Each runs in a goroutine of its own, since FailNow ends it.
type recorder struct {
	testing.TB
	ctx      context.Context
	attr     string
	text     string
	failed   bool
	skipped  bool
	cleanups []func()
}

func (r *recorder) Helper()                   {}
func (r *recorder) Name() string              { return "TestRecorded" }
func (r *recorder) Attr(_, value string)      { r.attr = value }
func (r *recorder) Error(a ...any)            { r.text = strings.Join(toStrings(a), "") }
func (r *recorder) Errorf(_ string, a ...any) { r.text = strings.Join(toStrings(a), "") }
func (r *recorder) FailNow()                  { r.failed = true; runtime.Goexit() }
func (r *recorder) Context() context.Context  { return r.ctx }
func (r *recorder) Cleanup(f func())          { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Skip(...any)               { r.skipped = true; runtime.Goexit() }
func (r *recorder) Skipf(string, ...any)      { r.skipped = true; runtime.Goexit() }

func toStrings(values []any) []string {
	texts := make([]string, 0, len(values))
	for _, v := range values {
		if s, ok := v.(string); ok {
			texts = append(texts, s)
		}
	}
	return texts
}

// record runs check against a recorder and returns what it said.
func record(t *testing.T, check func(tb testing.TB)) *recorder {
	t.Helper()
	r := &recorder{TB: t, ctx: t.Context()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		check(r)
	}()
	<-done
	for _, cleanup := range r.cleanups {
		cleanup()
	}
	return r
}

var story = lab.Lesson{
	Says:  "Rewrite left the old tail behind the new document",
	Did:   "the file held 24 bytes; Rewrite replaced them by 2",
	Means: "the file is no JSON any more",
	Read:  `lessons/03_seek_truncate, "Why it happens"`,
}

func TestAFailingFileSaysFiveThings(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", `{}bracket.step":"alice"}`)
	r := record(t, func(tb testing.TB) { lab.RequireFile(tb, path, "{}\n", story) })
	require.True(t, r.failed)
	got, err := verdict.Decode(r.attr)
	require.NoError(t, err)
	require.Equal(t, `Rewrite left the old tail behind the new document
  did       the file held 24 bytes; Rewrite replaced them by 2
  expected  {}⏎
  found     {}bracket.step":"alice"}
  means     the file is no JSON any more
  read      lessons/03_seek_truncate, "Why it happens"`, got.String())
	require.Contains(t, r.text, "Rewrite left the old tail")
}

func TestChecksThatHoldSayNothing(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", "{}")
	lab.RequireFile(t, path, "{}", story)
	lab.RequireNoFile(t, path+".tmp", story)
	lab.RequireEqual(t, 3, 3, story)
	lab.RequireNoError(t, nil, story)
	lab.RequireError(t, fs.ErrExist, story)
	lab.RequireErrorIs(t, &fs.PathError{Op: "open", Path: "x", Err: fs.ErrExist}, fs.ErrExist, story)
	lab.Require(t, true, story)
	lab.Finishes(t, func() {}, story)
}

func TestChecksThatFailSayWhatTheyFound(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", "{}")
	for name, c := range map[string]struct {
		check                 func(tb testing.TB)
		expected, found, says string
	}{
		"a file that is missing": {
			func(tb testing.TB) { lab.RequireFile(tb, path+".gone", "{}", story) }, "{}", ".gone", "",
		},
		"a file that should not be there": {
			func(tb testing.TB) { lab.RequireNoFile(tb, path, story) }, "nothing at that path", "a file, 2 bytes", "",
		},
		"a directory that should not be there": {
			func(tb testing.TB) { lab.RequireNoFile(tb, filepath.Dir(path), story) }, "nothing at that path", "a directory", "",
		},
		"another number": {func(tb testing.TB) { lab.RequireEqual(tb, 300, 212, story) }, "300", "212", ""},
		"another text":   {func(tb testing.TB) { lab.RequireEqual(tb, "a\n", "a", story) }, "a⏎", "a", ""},
		"an error":       {func(tb testing.TB) { lab.RequireNoError(tb, fs.ErrClosed, story) }, "no error", "file already closed", ""},
		"no error":       {func(tb testing.TB) { lab.RequireError(tb, nil, story) }, "an error", "no error", ""},
		"another error": {
			func(tb testing.TB) { lab.RequireErrorIs(tb, fs.ErrClosed, fs.ErrExist, story) },
			"file already exists", "file already closed", "",
		},
		"the text of the error": {
			func(tb testing.TB) {
				lab.RequireErrorIs(tb, fmt.Errorf("open x: %v", fs.ErrExist), fs.ErrExist, story) //nolint:errorlint // the mistake
			},
			"file already exists", "wrap an error with %w", "",
		},
		"an error for it": {func(tb testing.TB) { lab.RequireErrorIs(tb, nil, fs.ErrExist, story) }, "file already exists", "no error", ""},
		"a panic": {
			func(tb testing.TB) { lab.Finishes(tb, func() { panic("nil map") }, story) },
			"returns", "panic: nil map", "The code under test panicked",
		},
		"a step that is not reached": {
			func(tb testing.TB) { lab.Start(tb, "steps").Reached("outside", story) }, `reach the step "outside"`, `stands at "inside"`, "",
		},
		"a worker that does not wait": {
			func(tb testing.TB) { lab.Start(tb, "steps").WaitBlocked(story) }, "wait for the lock", "inside", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := record(t, c.check)
			require.True(t, r.failed)
			got, err := verdict.Decode(r.attr)
			require.NoError(t, err)
			require.Contains(t, got.Expected, c.expected)
			require.Contains(t, got.Found, c.found)
			require.Contains(t, r.text, got.Says)
			if c.says == "" {
				c.says = story.Says
			}
			require.Equal(t, c.says, got.Says)
		})
	}
}

func TestALimitCountsSinceTheLastProgress(t *testing.T) {
	t.Setenv(process.EnvironmentPatience, "2s")
	require.NoError(t, lab.Start(t, "slow").Wait(story))
	lab.FinishesInSteps(t, func(progress func()) {
		for range 25 {
			time.Sleep(100 * time.Millisecond)
			progress()
		}
	}, story)
}

// A panic and an exit are no error that a caller can handle: they are told as what they are, whatever the test was about to judge.
func TestAPanicAndAnExitHaveWordsOfTheirOwn(t *testing.T) {
	t.Parallel()
	stale := story
	stale.Found = "what another case found"
	for name, check := range map[string]func(tb testing.TB, err error){
		"RequireError":   func(tb testing.TB, err error) { lab.RequireError(tb, err, stale) },
		"RequireNoError": func(tb testing.TB, err error) { lab.RequireNoError(tb, err, stale) },
		"RequireErrorIs": func(tb testing.TB, err error) { lab.RequireErrorIs(tb, err, fs.ErrExist, stale) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for worker, want := range map[string]lab.Lesson{
				"panics": {Says: "The code under test panicked", Found: "panic: the learner's mistake"},
				"exits":  {Says: "The code under test ended the whole process", Found: "exit status 3: goodbye"},
			} {
				r := record(t, func(tb testing.TB) { check(tb, lab.Run(tb, worker)) })
				require.True(t, r.failed)
				got, err := verdict.Decode(r.attr)
				require.NoError(t, err)
				require.Equal(t, want.Says, got.Says)
				require.Equal(t, want.Found, got.Found)
			}
		})
	}
}

func TestNeitherAResultNorAnError(t *testing.T) {
	t.Parallel()
	r := record(t, func(tb testing.TB) { lab.RequireNotNil[os.File](tb, nil, "Acquire", story) })
	require.True(t, r.failed)
	require.Contains(t, r.text, "Acquire returned neither a result nor an error")
	lab.RequireNotNil(t, os.Stdout, "Acquire", story)
}

func TestADirectoryOfTheTestsOwnIsShortened(t *testing.T) {
	t.Parallel()
	path := lab.Path(t, "locks.json")
	l := story
	l.Did, l.Found = "Load of "+path, "open "+path+": no such file; "+filepath.Dir(path)
	r := record(t, func(tb testing.TB) { lab.Fail(tb, l) })
	got, err := verdict.Decode(r.attr)
	require.NoError(t, err)
	require.Equal(t, "Load of …"+string(filepath.Separator)+"locks.json", got.Did)
	require.Equal(t, "open …"+string(filepath.Separator)+"locks.json: no such file; …", got.Found)
}

func TestAWorkerHasAUmaskAndADirectoryOfItsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, lab.Launch(t, lab.Options{Dir: dir, Umask: "0027"}, "relative").Wait())
	info, err := os.Stat(filepath.Join(dir, "locks.json"))
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		require.Equal(t, fs.FileMode(0o640), info.Mode().Perm())
	}
}

func TestAReallyFullDisk(t *testing.T) {
	t.Parallel()
	dir, kind := lab.SmallDisk(t, 64<<10)
	require.NotEmpty(t, kind)
	path := filepath.Join(dir, "locks.json")
	require.NoError(t, os.WriteFile(path, []byte("{}"), 0o600))
	err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, 128<<10), 0o600)
	require.ErrorIs(t, err, syscall.ENOSPC)
	lab.RequireFile(t, path, "{}", story)
}

func TestAge(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", "{}")
	lab.Age(t, filepath.Dir(path), 24*time.Hour)
	for _, old := range []string{path, filepath.Dir(path)} {
		info, err := os.Stat(old)
		require.NoError(t, err)
		require.InDelta(t, 24, time.Since(info.ModTime()).Hours(), 0.5)
	}
}

func TestShow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, content, want string }{
		{"nothing", "", "nothing (0 bytes)"},
		{"text", "{}", "{}"},
		{"a newline", "a\r\nb\n", "a␍⏎b⏎"},
		{"a tab", "a\tb", "a⇥b"},
		{"a hole", strings.Repeat("\x00", 24) + "{}", "␀×24{}"},
		{"two zero bytes", "\x00\x00", "␀␀"},
		{"letters beyond ASCII", "Ünïcode 日本", "Ünïcode 日本"},
		{"no UTF-8", "a\xffb\x80", `a\xffb\x80`},
		{"a control character", "\x1b[31m", `\x1b[31m`},
		{"a run of line ends", "\n\n\n\n\n", "⏎×5"},
		{"a long hole", strings.Repeat("\x00", 1<<20) + "x", "␀×1048576x"},
		{
			"a long text", strings.Repeat("abcdefghij", 100),
			strings.Repeat("abcdefghij", 6) + " … (1000 bytes in all) … " + strings.Repeat("abcdefghij", 6),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, lab.Show([]byte(c.content)))
		})
	}
}

func handles(w *lab.Worker) error {
	before, err := lab.OpenHandles()
	if err != nil {
		return err
	}
	f, err := os.Open(w.Arg(0))
	if err != nil {
		return err
	}
	during, err := lab.OpenHandles()
	if err != nil {
		return err
	}
	openNow, err := lab.IsOpen(w.Arg(0))
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	openLater, err := lab.IsOpen(w.Arg(0))
	if err != nil {
		return err
	}
	return w.Result([]any{during - before, openNow, openLater})
}

func TestOpenHandlesAreSeen(t *testing.T) {
	t.Parallel()
	p := lab.Start(t, "handles", lab.WriteFile(t, "locks.json", "{}"))
	var result []any
	p.Result(&result)
	require.NoError(t, p.Wait())
	require.Equal(t, []any{true, false}, result[1:])
	if lab.Wine() {
		t.Skip("Wine counts no handles: GetProcessHandleCount says 0; that the file is open was seen")
	}
	require.GreaterOrEqual(t, result[0], 1.0, "the poller may add a handle of its own")
}

func fileSize(w *lab.Worker) error {
	if err := lab.LimitFileSize(10); err != nil {
		return err
	}
	return os.WriteFile(w.Arg(0), []byte("a text that is longer"), 0o600)
}

func TestAFullDiskWithoutAFullDisk(t *testing.T) {
	t.Parallel()
	path := lab.Path(t, "locks.json")
	err := lab.Run(t, "fileSize", path)
	require.Error(t, err)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system has no RLIMIT_FSIZE: ", err)
	}
	content, readErr := os.ReadFile(path)
	require.NoError(t, readErr)
	require.Equal(t, "a text tha", string(content), "what fits is written, the rest fails")
}

func TestPermissionsMeanSomethingToAnUnprivilegedWorker(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits of this kind")
	}
	dir := lab.SharedDir(t)
	free, guarded := filepath.Join(dir, "free"), filepath.Join(dir, "guarded")
	require.NoError(t, os.WriteFile(guarded, []byte("theirs"), 0o400))
	require.NoError(t, lab.Launch(t, lab.Options{Unprivileged: true}, "writeable", free).Wait())
	require.ErrorIs(t, lab.Launch(t, lab.Options{Unprivileged: true}, "writeable", guarded).Wait(), fs.ErrPermission)
}

func TestStraceInjectsAFailure(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", "old")
	wrap, log := lab.Strace(t, "-P", path, "-e", "trace=write", "-e", "inject=write:error=ENOSPC")
	err := lab.Launch(t, lab.Options{Wrap: wrap}, "writeable", path).Wait()
	require.ErrorContains(t, err, "no space left on device")
	calls, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile(`write\(\d+, "mine", 4\) += -1 ENOSPC .*\(INJECTED\)`), string(calls))
}

// oneTest runs the named test of this binary in a process of its own and reports what it printed.
func oneTest(w *lab.Worker) error {
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	command := exec.Command(executable, "-test.run=^"+w.Arg(0)+"$", "-test.v")
	command.Env = append(os.Environ(), "TURNSTILE_LAB_FAILS=1")
	out, err := command.CombinedOutput()
	if sent := w.Result(string(out)); sent != nil {
		return sent
	}
	return err
}

// TestThatFails fails on purpose, with workers still running, when TestAFailedTestLeavesNothingRunning asks for it.
func TestThatFails(t *testing.T) {
	if os.Getenv("TURNSTILE_LAB_FAILS") == "" {
		t.Skip("fails on purpose, only when another test starts it")
	}
	p := lab.Start(t, "steps")
	p.Reached("inside")
	t.Logf("worker=%d", p.PID())
	lab.RequireEqual(t, 2, 1, story)
}

func TestAFailedTestLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	p := lab.Start(t, "test", "TestThatFails")
	var out string
	p.Result(&out)
	require.Error(t, p.Wait())
	require.Contains(t, out, "Rewrite left the old tail behind the new document")
	require.Contains(t, out, "=== ATTR  TestThatFails "+verdict.AttributeKey)
	match := regexp.MustCompile(`worker=(\d+)`).FindStringSubmatch(out)
	require.NotNil(t, match, out)
	requireNoProcess(t, match[1])
	require.LessOrEqual(t, linesOfMessage(out), 12)
}

// linesOfMessage counts the lines that go test shows of one failed check.
func linesOfMessage(out string) int {
	_, message, _ := strings.Cut(out, "turnstile.failure")
	message, _, _ = strings.Cut(message, "--- FAIL")
	return strings.Count(strings.TrimRight(message, "\n \t"), "\n") + 1
}

func TestTheDriverMayAskForLessEffort(t *testing.T) {
	for _, c := range []struct {
		effort     string
		full, want int
	}{
		{"", 300, 300},
		{"full", 300, 300},
		{"no such word", 300, 300},
		{"light", 300, 30},
		{"light", 15, 2},
		{"light", 1, 1},
		{"light", 0, 0},
	} {
		t.Setenv(lab.EnvironmentEffort, c.effort)
		require.Equal(t, c.want, lab.Rounds(c.full), "%q of %d", c.effort, c.full)
	}
}

// The laboratory is linked into each learner's test binary, so what it imports costs everybody's first build.
func TestTheLaboratoryLinksNoTestFramework(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not in PATH: ", err)
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "example/turnstile/internal/lab/...")
	list.Dir = lab.PackageDir()
	out, err := list.Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "example/turnstile/internal/lab/process")
	require.NotContains(t, string(out), "net/http")
	require.NotContains(t, string(out), "testify")
}

func TestSettleIsTheProcessState(t *testing.T) {
	t.Parallel()
	p := lab.Start(t, "steps")
	require.Equal(t, process.AtStep, p.Settle())
	p.Reached("inside")
	p.Continue()
	require.NoError(t, p.Wait())
	require.Equal(t, process.Finished, p.Settle())
}

func TestAFileInTheWrongPlaceIsNotAmongTheLearners(t *testing.T) {
	t.Parallel()
	const name = "locks.json.lock"
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	require.NoFileExists(t, filepath.Join(lab.PackageDir(), name))
	require.FileExists(t, filepath.Join(lab.PackageDir(), "lab_test.go"))
}
