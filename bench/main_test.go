package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example/turnstile/bench/page"
	"example/turnstile/bench/results"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/lab/process"
)

func TestMain(m *testing.M) {
	process.Dispatch(workers())
	os.Exit(m.Run())
}

func TestThePageInTheDocsIsWhatItsResultsMakeOfIt(t *testing.T) {
	t.Parallel()
	book, err := curriculum.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := page.Check(book.Root, goals); err != nil {
		t.Error(err)
	}
}

func TestARunWritesResultsAndPlots(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out", "results.json")
	status, err := command(t.Context(), []string{"-quick", "-only", "primitives/handle", "-dir", t.TempDir(), "-o", out})
	if status != 0 || err != nil {
		t.Fatalf("status %d: %v", status, err)
	}
	f, err := results.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Comparisons) != 1 || !f.Quick || f.Machine.Go == "" || len(f.Machine.Places) != 1 || len(f.LeftOut) == 0 {
		t.Errorf("the file does not say what was measured, and where: %+v", f)
	}
	plots, err := filepath.Glob(filepath.Join(filepath.Dir(out), "primitives-handle-*.svg"))
	if err != nil || len(plots) != 1 {
		t.Fatalf("%d plots: %v", len(plots), err)
	}
	text, err := os.ReadFile(plots[0])
	if err != nil || !strings.Contains(string(text), "filelock.Handle") {
		t.Errorf("the plot names no contestant: %v", err)
	}
}

func TestWrongArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	for _, arguments := range [][]string{{"measure"}, {"-only", "("}, {"-dir", missing, "-only", "none"}, {"text"}} {
		if status, err := command(t.Context(), arguments); status != 3 || err == nil {
			t.Errorf("%v: status %d, %v", arguments, status, err)
		}
	}
}

func TestABrokenRowOfTheReferenceAndAMissedGoalAreFailures(t *testing.T) {
	t.Parallel()
	row := func(name string, values ...float64) results.Row {
		return results.Row{Name: name, Samples: map[string][]float64{"ns/op": values}}
	}
	c := results.Comparison{Part: "loop", Series: "edited", Unit: "ns/op", Ours: "check, without what go run takes"}
	c.Rows = []results.Row{row("go test", 100, 100), row(c.Ours, 105, 105)}
	f := &results.File{Comparisons: []results.Comparison{c}}
	if status := verdict(f); status != 0 {
		t.Errorf("1.05 times is within the goal: status %d", status)
	}
	c.Rows[1] = row(c.Ours, 150, 160)
	if status := verdict(f); status != 1 {
		t.Errorf("1.5 times in every round misses it: status %d", status)
	}
	f.Quick = true
	if status := verdict(f); status != 0 {
		t.Errorf("a quick run judges no goal: status %d", status)
	}
	c.Rows[1].Broken = "lost a count"
	if status := verdict(f); status != 1 {
		t.Errorf("a broken row of the reference is a failure: status %d", status)
	}
}
