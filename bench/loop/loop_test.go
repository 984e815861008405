package loop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example/turnstile/bench/results"
	"example/turnstile/internal/curriculum"
)

func TestAnEditChangesTheCopyAlone(t *testing.T) {
	t.Parallel()
	book, err := curriculum.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	w, err := copyWorkbook(book.Root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	before := answers(t, book.Root, w.e.ID)
	if answers(t, w.dir, w.e.ID) != before {
		t.Fatal("the copy differs from the workbook")
	}
	if err := w.edit(); err != nil {
		t.Fatal(err)
	}
	if got := answers(t, w.dir, w.e.ID); !strings.Contains(got, "// edit 1") {
		t.Error("the edit is not in the copy")
	}
	if answers(t, book.Root, w.e.ID) != before {
		t.Error("the edit is in the workbook")
	}
	if err := w.remove(); err != nil {
		t.Error(err)
	}
}

func answers(t *testing.T, root, exercise string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "exercises", exercise, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files: %v", len(paths), err)
	}
	var all strings.Builder
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func TestACommandThatDidNotDoItsWorkIsNotMeasured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		command, output string
		good            bool
	}{
		{"test", "--- FAIL: TestX\nFAIL\n", true},
		{"test", "FAIL example/turnstile/exercises/01_open_modes [build failed]\n", false},
		{"test", "ok  example/turnstile/exercises/01_open_modes\n", false}, // as shipped, the exercise fails
		{"run", "exercise 1 …\n", true},
		{"run", "", false},
	} {
		if err := saw(c.command, c.output); (err == nil) != c.good {
			t.Errorf("%s that says %q: %v", c.command, c.output, err)
		}
	}
}

func TestWhatGoRunTakesIsSubtractedRoundByRound(t *testing.T) {
	t.Parallel()
	row := func(values ...float64) results.Row {
		return results.Row{Samples: map[string][]float64{"ns/op": values}}
	}
	if got := without(row(10, 30), row(1, 10)).Of("ns/op"); got != (results.Spread{Median: 14.5, Min: 9, Max: 20}) {
		t.Errorf("10 less 1 and 30 less 10 are 9 and 20: %+v", got)
	}
}
