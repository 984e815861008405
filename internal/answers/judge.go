package answers

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// The flags are explained in doc.go.
var (
	race   = flag.Bool("race", false, "build with the race detector")
	count  = flag.Int("count", 1, "runs of each test of a right answer, and of the test that catches a wrong one")
	strict = flag.Bool("strict", false, "run right answers at full strength, demand that no test is idle and the exercise is as shipped")
	all    = flag.Bool("all", false, "run every test of every wrong answer, at full strength")
	goos   = flag.String("goos", runtime.GOOS, "system to build tests and demos for")
	start  = flag.String("exec", "", "program that starts tests and demos")
)

// Judge holds the lesson whose solution directory is the current one to docs/contributing.md: its files are complete, its tests
// accept every right answer and refuse every wrong one with the promised message, and its race demo distinguishes the code as
// shipped from the reference. It is the whole of a TestAnswers, which must not run in parallel with other tests: its own subtests do.
func Judge(t *testing.T) {
	if *goos != runtime.GOOS && *start == "" {
		t.Fatalf("-goos=%s needs -exec=PROGRAM, which starts programs of that system here", *goos)
	}
	e, problems := lessonHere(t)
	require.NoError(t, readInputs(e))
	t.Run("complete", func(t *testing.T) {
		for _, problem := range problems {
			t.Error(problem)
		}
		checkComplete(t, e)
	})
	t.Run("as_shipped", func(t *testing.T) { testAsShipped(t, e) })

	reference, err := answer.Reference(e)
	require.NoError(t, err)
	right, err := answer.Right(e)
	require.NoError(t, err)
	wrong, err := answer.Wrong(e)
	require.NoError(t, err)
	asShipped, every := wrong[0].Name, wrong
	switch {
	case testing.Short():
		right, wrong = nil, wrong[:min(2, len(wrong))]
	case *goos != runtime.GOOS && !*all:
		everywhere := func(p answer.Patch) bool { return p.Name != asShipped && len(p.OnlyOn) == 0 }
		right, wrong = slices.DeleteFunc(right, everywhere), slices.DeleteFunc(slices.Clone(wrong), everywhere)
	}
	d := &driver{e: e, bundle: newBundle(t, e)}
	d.bundle.add("reference", reference)
	for _, patch := range slices.Concat(right, wrong) {
		if code, err := patch.Apply(reference); err == nil && patch.RunsOn(*goos) { // what does not apply is reported in its place
			d.bundle.add(patch.Name, code)
		}
	}
	t.Run("reference", func(t *testing.T) { d.testRight(t, "reference", reference) })
	t.Run("right", func(t *testing.T) {
		for _, patch := range right {
			t.Run(answerName(patch), func(t *testing.T) { d.testRight(t, patch.Name, apply(t, patch, reference)) })
		}
	})
	t.Run("wrong", func(t *testing.T) {
		for _, patch := range wrong {
			t.Run(answerName(patch), func(t *testing.T) { d.testWrong(t, patch, apply(t, patch, reference)) })
		}
	})
	if *strict {
		t.Run("idle", func(t *testing.T) { d.testNoneIdle(t, every) })
	}
	t.Run("demo", func(t *testing.T) { testDemo(t, e, reference) })
}

// lessonHere reads the lesson whose solution directory the test runs in, and what is wrong with its directories.
func lessonHere(t *testing.T) (*curriculum.Exercise, []error) {
	t.Helper()
	here, err := os.Getwd()
	require.NoError(t, err)
	root, err := curriculum.Root(here)
	require.NoError(t, err)
	e, problems, err := curriculum.Lesson(root, filepath.Base(here))
	require.NoError(t, err)
	require.Equal(t, e.SolutionFolder(), resolved(here), "Judge runs in a lesson's solution directory")
	return e, problems
}

func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

func answerName(p answer.Patch) string {
	_, name, _ := strings.Cut(p.Name, "/")
	return name
}

func apply(t *testing.T, patch answer.Patch, reference answer.Answer) answer.Answer {
	t.Helper()
	if !patch.RunsOn(*goos) {
		t.Skipf("only on %s", strings.Join(patch.OnlyOn, ", "))
	}
	code, err := patch.Apply(reference)
	require.NoError(t, err)
	return code
}

// interrupted ends with Ctrl-C and SIGTERM: what runs then ends too, and the temporary directories are removed.
var interrupted = sync.OnceValue(func() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	return ctx
})

// within ends when the driver is interrupted, and before go test's own time limit kills this process, which would leave its children
// running.
func within(t *testing.T) (context.Context, context.CancelFunc) {
	if deadline, ok := t.Deadline(); ok {
		return context.WithDeadline(interrupted(), deadline.Add(-15*time.Second))
	}
	return context.WithCancel(interrupted())
}

// testAsShipped demands that the exercise in the repository is the reference with 00_as_shipped.patch applied.
func testAsShipped(t *testing.T, e *curriculum.Exercise) {
	want, err := answer.AsShipped(e)
	require.NoError(t, err)
	for _, name := range want.Names() {
		assert.NotContains(t, string(want[name]), curriculum.ModulePath+"/solutions/",
			"exercises/%s/%s imports an answer: import the package from exercises/", e.ID, name)
	}
	if !*strict {
		t.Skip("the exercise may hold a learner's work; run with -args -strict before you publish a change")
	}
	got, err := answer.Learner(e)
	require.NoError(t, err)
	if !got.Equal(want) {
		t.Errorf("exercises/%s is not the code as shipped; `go run ./internal/cmd/patch shipped -force %02d` writes it, "+
			"`go run ./internal/cmd/patch save %02d wrong/00_as_shipped exercises/%s` takes it over:\n%s",
			e.ID, e.Number, e.Number, e.ID, answer.Diff("exercises", "shipped", got, want))
	}
	entries, err := os.ReadDir(e.Folder())
	require.NoError(t, err)
	for _, entry := range entries {
		if name := entry.Name(); !entry.IsDir() && name != "hints.md" && filepath.Ext(name) != ".go" {
			t.Errorf("exercises/%s/%s is no part of an exercise: remove it; an answer that was tried may have left it there", e.ID, name)
		}
	}
}

// testDemo demands that the race demo shows the race on the code as shipped (exit status 1), and none on the reference.
func testDemo(t *testing.T, e *curriculum.Exercise, reference answer.Answer) {
	if testing.Short() {
		t.Skip("-short runs a sample")
	}
	t.Run("as_shipped", func(t *testing.T) {
		t.Parallel()
		asShipped, err := answer.AsShipped(e)
		require.NoError(t, err)
		requireDemo(t, e, asShipped, 1)
	})
	t.Run("reference", func(t *testing.T) {
		t.Parallel()
		requireDemo(t, e, reference, 0)
	})
}

func requireDemo(t *testing.T, e *curriculum.Exercise, code answer.Answer, status int) {
	t.Helper()
	ctx, cancel := within(t)
	defer cancel()
	demo := gotest.Demo{Exercise: e, Answer: code, GOOS: *goos, Exec: *start, Race: *race}
	command, remove, err := demo.Command(ctx)
	require.NoError(t, err)
	defer remove()
	printed := &bytes.Buffer{}
	command.Stdout, command.Stderr = printed, printed
	err = command.Run()
	require.NoError(t, ctx.Err(), "the demo of %s did not end in time; it printed:\n%s", e.ID, printed)
	require.NotNil(t, command.ProcessState, "start the demo of %s: %v", e.ID, err)
	if command.ProcessState.ExitCode() == demoNotOnThisSystem {
		t.Skip(strings.TrimSpace(printed.String()))
	}
	if got := command.ProcessState.ExitCode(); got != status || crashed.MatchString(printed.String()) {
		t.Fatalf("the race demo of %s ended with exit status %d instead of %d; it printed:\n%s", e.ID, got, status, printed)
	}
}

// demoNotOnThisSystem is the exit status of a demo that returned race.ErrSystem.
const demoNotOnThisSystem = 3

var crashed = regexp.MustCompile(`(?m)^goroutine [0-9]+ .*:$`)

// shown is a list of skipped tests with their reasons, for the log.
func shown(result *gotest.Result) string {
	var lines []string
	for _, test := range result.Tests {
		if test.Status == gotest.Skipped {
			lines = append(lines, fmt.Sprintf("%s is skipped: %s", test.Name, test.SkipReason))
		}
	}
	return strings.Join(lines, "\n")
}
