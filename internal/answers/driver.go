package answers

import (
	"context"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// A driver runs the answers of one exercise.
type driver struct {
	e      *curriculum.Exercise
	bundle *bundle
}

// The tests of one answer may be silent for as long as stall, and may take limit for each of their runs: a machine with much else to do
// slows them down tenfold.
const (
	stall = 3 * time.Minute
	limit = 15 * time.Minute
)

// testRight demands that every test passes. A right answer that fails is not run twice: it must never fail.
func (d *driver) testRight(t *testing.T, name string, code answer.Answer) {
	t.Parallel()
	ctx, cancel := within(t)
	defer cancel()
	effort := full
	if name != "reference" && !*strict && *count == 1 {
		effort = light
	}
	result, ran, err := d.bundle.run(ctx, name, effort, "", *count)
	if !ran && err == nil {
		result, err = d.alone(ctx, code, *race, "", *count)
	}
	require.NoError(t, err)
	if result.Status == gotest.Skipped {
		t.Skip(result.Reason)
	}
	if problem := judgeRight(result); problem != "" {
		t.Fatal("\n" + problem)
	}
	if skipped := shown(result); skipped != "" {
		t.Log(skipped)
	}
}

// testWrong demands that the named test fails with the promised message.
func (d *driver) testWrong(t *testing.T, patch answer.Patch, code answer.Answer) {
	t.Parallel()
	ctx, cancel := within(t)
	defer cancel()
	result, err := d.wrong(ctx, t, patch, code)
	require.NoError(t, err)
	if reason := cannotTell(patch, result); reason != "" {
		t.Skip(reason)
	}
	if problem := judgeWrong(d.e.ID, patch, result); problem != "" {
		t.Fatal("\n" + problem)
	}
	named, _ := result.Test(patch.CaughtBy)
	t.Logf("caught by %s in %d of %d runs: %s", patch.CaughtBy, named.Failures, named.Runs, patch.Sentence)
}

// wrong runs the tests of a wrong answer: by the bundle first, only the one that must catch it unless -all, and alone if that does not
// give the expected verdict. A wrong answer never runs with the race detector, which must not be the only judge.
func (d *driver) wrong(ctx context.Context, t *testing.T, patch answer.Patch, code answer.Answer) (*gotest.Result, error) {
	effort, only, onlyAlone := fullButHasty, exactly(patch.CaughtBy), ""
	switch {
	case *count > 1:
		effort, onlyAlone = full, only
	case *all:
		effort, only = full, ""
	}
	result, ran, err := d.bundle.run(ctx, patch.Name, effort, only, *count)
	if err != nil || (ran && (judgeWrong(d.e.ID, patch, result) == "" || *count > 1)) {
		return result, err // a wrong answer that survives one of many runs has survived
	}
	if ran {
		t.Logf("not the expected verdict; it is run again, with all tests and by go test:\n%s", judgeWrong(d.e.ID, patch, result))
	}
	return d.alone(ctx, code, false, onlyAlone, *count)
}

// alone runs the answer by a go test of its own, without go vet: `go vet ./...` sees the same files once and not once an answer.
func (d *driver) alone(ctx context.Context, code answer.Answer, race bool, only string, count int) (*gotest.Result, error) {
	run := gotest.Tests{Exercise: d.e, Answer: code, Race: race, Run: only, Count: count, NoVet: true, GOOS: *goos, Exec: *start}
	run.Stall, run.Timeout = stall, time.Duration(max(1, count))*limit
	return run.Do(ctx)
}

// exactly is the -run pattern for one test or subtest.
func exactly(test string) string {
	names := strings.Split(strings.ReplaceAll(test, " ", "_"), "/")
	for i, name := range names {
		names[i] = "^" + regexp.QuoteMeta(name) + "$"
	}
	return strings.Join(names, "/")
}

// testNoneIdle demands that each of the exercise's tests fails for some wrong answer. Those that a patch names are judged there; the
// others run on one wrong answer after another until each has failed.
func (d *driver) testNoneIdle(t *testing.T, patches []answer.Patch) {
	if *race || *goos != runtime.GOOS || *start != "" {
		t.Skip("which tests have failed is asked natively")
	}
	ctx, cancel := within(t)
	defer cancel()
	files, err := testFiles(d.e)
	require.NoError(t, err)
	left := map[string]bool{}
	for _, file := range files {
		for _, test := range file.tests {
			left[test] = true
		}
	}
	for _, patch := range patches {
		delete(left, topLevel(patch.CaughtBy))
	}
	for _, patch := range patches {
		if len(left) == 0 || !patch.RunsOn(*goos) {
			continue
		}
		only := "^(" + strings.Join(slices.Sorted(maps.Keys(left)), "|") + ")$"
		result, _, err := d.bundle.run(ctx, patch.Name, fullButHasty, only, 1)
		require.NoError(t, err)
		if result == nil {
			continue
		}
		for _, name := range settled(result) {
			delete(left, name)
		}
	}
	for _, test := range slices.Sorted(maps.Keys(left)) {
		t.Errorf("%s: no wrong answer makes %s fail, so it guards against nothing; add the wrong answer that it is for", d.e.ID, test)
	}
}

func topLevel(test string) string {
	name, _, _ := strings.Cut(test, "/")
	return name
}
