package results_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"example/turnstile/bench/results"
)

func TestSpread(t *testing.T) {
	t.Parallel()
	values := []float64{9, 1, 4, 2}
	if got := results.Of(values); got != (results.Spread{Median: 3, Min: 1, Max: 9}) || values[0] != 9 {
		t.Errorf("9, 1, 4, 2 have the median 3 and lie between 1 and 9, and stay in their order: %v, %v", got, values)
	}
	if got := results.Of(nil); got != (results.Spread{}) {
		t.Errorf("no samples have no spread: %v", got)
	}
}

func row(values ...float64) *results.Row {
	return &results.Row{Name: "a row", Samples: map[string][]float64{"ns/op": values, "turns/s": values}}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	got := results.Times(row(2, 9, 8), row(1, 0, 2), "ns/op")
	if got != (results.Spread{Median: 3, Min: 2, Max: 4}) {
		t.Errorf("2/1 and 8/2 have the median 3, and a round of 0 does not count: %v", got)
	}
	broken := row(1, 1)
	broken.Broken = "lost a count"
	if got := results.Times(row(2, 2), broken, "ns/op"); got != (results.Spread{}) {
		t.Errorf("nothing is a multiple of a broken row: %v", got)
	}
}

func TestNoDifferenceIsRealUnlessTheRoundsLeaveNoDoubt(t *testing.T) {
	t.Parallel()
	broken := row(1, 1, 1, 1)
	broken.Broken = "lost a count"
	for _, c := range []struct {
		name     string
		one, two *results.Row
		unit     string
		verdict  results.Verdict
		mirrored results.Verdict
	}{
		{"all lower", row(1, 2, 3, 4), row(5, 6, 7, 8), "ns/op", results.Ahead, results.Behind},
		{"all lower, where more is better", row(1, 2, 3, 4), row(5, 6, 7, 8), "turns/s", results.Behind, results.Ahead},
		{"the spreads touch", row(1, 2, 3, 5), row(5, 6, 7, 8), "ns/op", results.Undecided, results.Undecided},
		{"one round of many overlaps", row(1, 1, 1, 1, 1, 1, 1, 9), row(5, 5, 5, 5, 5, 5, 5, 5), "ns/op", results.Undecided, results.Undecided},
		{"too few rounds", row(1, 2, 3), row(5, 6, 7), "ns/op", results.Undecided, results.Undecided},
		{"a broken row", broken, row(5, 6, 7, 8), "ns/op", results.Undecided, results.Undecided},
		{"no row", nil, row(5, 6, 7, 8), "ns/op", results.Undecided, results.Undecided},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := results.Judge(c.one, c.two, c.unit); got != c.verdict {
				t.Errorf("the first beside the second: %v, want %v", got, c.verdict)
			}
			if got := results.Judge(c.two, c.one, c.unit); got != c.mirrored {
				t.Errorf("the second beside the first: %v, want %v", got, c.mirrored)
			}
		})
	}
}

func file() *results.File {
	return &results.File{Format: results.Format, Comparisons: []results.Comparison{{
		Part: "update", Series: "single", By: "records", X: 10, Unit: "ns/op", Base: "by hand", Ours: "ours",
		Rows: []results.Row{
			{Name: "by hand", Samples: map[string][]float64{"ns/op": {100, 100, 100}}},
			{Name: "ours", Samples: map[string][]float64{"ns/op": {105, 110, 130}}},
			{Name: "worst", Samples: map[string][]float64{"ns/op": {200, 210, 230}}},
		},
	}}}
}

func TestAGoalIsMetOrMissedByTheWholeSpreadAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		goal   results.Goal
		status string
	}{
		{results.Goal{Row: "ours", Beside: "by hand", AtMost: 1.4}, results.Met},
		{results.Goal{Row: "ours", Beside: "by hand", AtMost: 1.2}, results.MetMostly},
		{results.Goal{Row: "ours", Beside: "by hand", AtMost: 1.06}, results.MissedMostly},
		{results.Goal{Row: "worst", Beside: "by hand", AtMost: 1.1}, results.Missed},
		{results.Goal{Row: "worst", AtLeast: 150}, results.Met},
		{results.Goal{Row: "worst", AtLeast: 250}, results.Missed},
	} {
		c.goal.Part, c.goal.Series, c.goal.Unit = "update", "single", "ns/op"
		got := file().Outcomes([]results.Goal{c.goal})
		if len(got) != 1 || got[0].Status != c.status {
			t.Errorf("%v: want %q, got %+v", c.goal, c.status, got)
		}
	}
	if got := file().Outcomes([]results.Goal{{Part: "update", Series: "single", X: 1000, Row: "ours", Unit: "ns/op"}}); len(got) != 0 {
		t.Errorf("a goal about what was not measured has no outcome: %+v", got)
	}
}

func TestResultsSurviveTheFile(t *testing.T) {
	t.Parallel()
	text, err := file().JSON()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "results.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := results.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Comparisons[0].Row("ours").Of("ns/op").Median; got != 110 {
		t.Errorf("the median of ours is 110, and after the file it is %v", got)
	}
	if err := os.WriteFile(path, []byte(`{"format":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := results.Read(path); err == nil || !strings.Contains(err.Error(), "measure again") {
		t.Errorf("a file of another format is refused: %v", err)
	}
}

func TestBenchstatReadsTheText(t *testing.T) {
	t.Parallel()
	f := file()
	f.Comparisons[0].Rows[2].Broken = "lost a count"
	var text strings.Builder
	if err := f.WriteBenchmarks(&text); err != nil {
		t.Fatal(err)
	}
	lines := map[string]int{}
	reader := benchfmt.NewReader(strings.NewReader(text.String()), "text")
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.Result:
			lines[string(record.Name)]++
		case *benchfmt.SyntaxError:
			t.Error(record)
		}
	}
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{"Update/single/records=10/by=by_hand": 3, "Update/single/records=10/by=ours": 3}; !maps.Equal(lines, want) {
		t.Errorf("each sample has a line, and a broken row has none: %v, want %v", lines, want)
	}
}
