package race

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab/process"
)

func TestMain(m *testing.M) {
	process.Dispatch(process.Workers{
		"number": func(w *process.Worker) error { return w.Result(w.Int(0)) },
		"fails":  func(*process.Worker) error { return errors.New("the learner's code failed") },
		"dies":   func(*process.Worker) error { os.Exit(3); return nil },
	})
	m.Run()
}

// run runs a demo as Main would and returns its exit status and what it printed.
func run(demo func(ctx context.Context, r *Report) error, colour bool) (status int, stdout, stderr string) {
	var out, trouble strings.Builder
	status = Demo{Run: demo}.run(&out, &trouble, colour)
	return status, out.String(), trouble.String()
}

func TestTheFrameOfADemo(t *testing.T) {
	t.Parallel()
	status, out, trouble := run(func(_ context.Context, r *Report) error {
		r.Title("%d processes × %d Update(+1) on one file", 2, 250)
		r.Table([]string{"process", "succeeded", "it was told"}, [][]any{{1, 250, "ünlocked"}, {2, 9, "x"}})
		r.Facts("updates that returned no error", 259, "lost", 9)
		r.Facts("the file", "{}⏎", "bytes", 3)
		r.Story("where the first one went", "both read 118", "one write is gone")
		r.Race("%d updates are gone", 9)
		return nil
	}, false)
	require.Empty(t, trouble)
	require.Equal(t, 1, status)
	require.Equal(t, `2 processes × 250 Update(+1) on one file

  process   succeeded   it was told
  1               250   ünlocked
  2                 9   x

  updates that returned no error   259
  lost                               9

  the file   {}⏎
  bytes      3

  where the first one went
    both read 118
    one write is gone

  the race is there: 9 updates are gone
`, out)
}

func TestADemoWithoutARaceExitsWithZero(t *testing.T) {
	t.Parallel()
	status, out, _ := run(func(_ context.Context, r *Report) error { r.Clean("300 of 300 are there"); return nil }, false)
	require.Zero(t, status)
	require.Contains(t, out, "no race: 300 of 300 are there")
	require.NotContains(t, out, "\x1b", "no escape codes unless asked for")
}

func TestTheVerdictIsColouredOnATerminal(t *testing.T) {
	t.Parallel()
	_, red, _ := run(func(_ context.Context, r *Report) error { r.Race("gone"); return nil }, true)
	require.Contains(t, red, "\x1b[31mthe race is there: gone\x1b[0m")
	_, green, _ := run(func(_ context.Context, r *Report) error { r.Clean("all there"); return nil }, true)
	require.Contains(t, green, "\x1b[32mno race: all there\x1b[0m")
}

func TestADemoThatCannotBeRunIsNoVerdict(t *testing.T) {
	t.Parallel()
	status, out, trouble := run(func(_ context.Context, r *Report) error {
		r.Title("what ran so far")
		return errors.New("no such worker")
	}, false)
	require.Equal(t, 2, status)
	require.Equal(t, "what ran so far\n", out)
	require.Contains(t, trouble, "the demo could not be run to its end: no such worker")

	status, _, trouble = run(func(context.Context, *Report) error { return nil }, false)
	require.Equal(t, 2, status)
	require.Contains(t, trouble, "no verdict")
}

func TestACrew(t *testing.T) {
	t.Parallel()
	var dir string
	status, _, trouble := run(func(ctx context.Context, r *Report) error {
		dir = r.Dir()
		crew, err := r.Crew(ctx, 3, "number", func(number int) []string { return []string{strings.Repeat("7", number)} })
		require.NoError(t, err)
		require.NoError(t, crew.Go())
		numbers, err := Results[int](ctx, crew)
		require.NoError(t, err)
		require.Equal(t, []int{7, 77, 777}, numbers)
		returned, err := crew.Wait(ctx)
		require.NoError(t, err)
		require.Equal(t, []error{nil, nil, nil}, returned)

		failing, err := r.Crew(ctx, 1, "fails", nil)
		require.NoError(t, err)
		require.NoError(t, failing.Go())
		returned, err = failing.Wait(ctx)
		require.NoError(t, err, "an error of the learner's code is a result")
		require.EqualError(t, returned[0], "the learner's code failed")

		dying, err := r.Crew(ctx, 1, "dies", nil)
		require.NoError(t, err)
		require.NoError(t, dying.Go())
		_, err = dying.Wait(ctx)
		require.ErrorContains(t, err, "exit status 3", "a process that dies is not")
		r.Clean("done")
		return nil
	}, false)
	require.Empty(t, trouble)
	require.Zero(t, status)
	require.NoDirExists(t, dir, "the demo's folder is removed")
}

func TestADemoThatThisSystemCannotShowGivesNoVerdict(t *testing.T) {
	t.Parallel()
	status, out, trouble := run(func(context.Context, *Report) error {
		return fmt.Errorf("%w: it appends in two steps itself", ErrSystem)
	}, false)
	require.Equal(t, 3, status)
	require.Empty(t, out)
	require.Equal(t, "no verdict: this system cannot show the race: it appends in two steps itself\n", trouble)
}
