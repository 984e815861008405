package page

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example/turnstile/bench/results"
)

// measured is a small run: at ten records the document is ahead of bbolt, at a thousand it is behind.
func measured() *results.File {
	update := func(records float64, document, bolt []float64) results.Comparison {
		return results.Comparison{
			Part: "update", Series: "single/durable", Title: "One durable update", Place: "disk", By: "records", X: records, Unit: "ns/op",
			Base: "by hand", Ours: "Document", Rows: []results.Row{
				{Name: "by hand", How: "a loop", Guarantee: results.Durable, Samples: map[string][]float64{"ns/op": {1e6, 1e6, 1e6, 1e6}}},
				{Name: "Document", How: "the reference", Guarantee: results.Durable, Samples: map[string][]float64{"ns/op": document}},
				{Name: "bbolt", How: "DB.Update", Guarantee: results.Durable, Samples: map[string][]float64{"ns/op": bolt}},
				{Name: "in place", How: "os.WriteFile", Guarantee: results.Unsafe, Samples: map[string][]float64{"ns/op": {1, 1, 1, 1}}},
				{Name: "lossy", How: "no lock", Guarantee: results.Durable, Broken: "2 updates were acknowledged, the store has 1"},
			},
		}
	}
	return &results.File{
		Format: results.Format, Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seconds: 61,
		Machine: results.Machine{Processor: "a processor", Cores: 2, Places: []results.Place{{Name: "disk", FileSystem: "ext4"}}},
		LeftOut: []string{"a peer, because it is not installed"},
		Comparisons: []results.Comparison{
			update(10, []float64{2e6, 2.1e6, 2.2e6, 2.3e6}, []float64{4e6, 4.1e6, 4.2e6, 4.3e6}),
			update(100, []float64{2e6, 2.1e6, 2.2e6, 4.05e6}, []float64{4e6, 4.1e6, 4.2e6, 4.3e6}),
			update(1000, []float64{20e6, 21e6, 22e6, 23e6}, []float64{4e6, 4.1e6, 4.2e6, 4.3e6}),
		},
	}
}

func TestTheSentencesFollowFromTheFigures(t *testing.T) {
	t.Parallel()
	text, err := Block(measured(), nil, "update")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Document is ahead of bbolt (1.93× with 10 records).",
		"Document is **behind** by hand (2.15× to 21.5× with 10, 100, 1,000 records); bbolt (5.18× with 1,000 records).",
		"shows no difference, because the spreads overlap, from bbolt (with 100 records).",
		"| **Document** | **2.15 ms** (2.00 ms to 2.30 ms) 2.15× |",
		"| lossy | **broken**: 2 updates were acknowledged, the store has 1 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the block lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "behind** in place") || strings.Contains(text, "; in place") {
		t.Errorf("what is not crash-safe is no equal of what survives a power cut:\n%s", text)
	}
}

func TestTheCrossingPointIsTheFirstSizeFromWhichADatabaseIsAhead(t *testing.T) {
	t.Parallel()
	text, err := Block(measured(), nil, "crossing")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "beside bbolt, Document is slower from 1,000 records on: 5.18× its time there") {
		t.Error(text)
	}
}

func TestWhereTheReferenceIsBehindIsListedWithTheReason(t *testing.T) {
	t.Parallel()
	text, err := Block(measured(), nil, "behind")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "Document is behind bbolt (5.18× with 1,000 records). A database writes the pages that have changed") {
		t.Error(text)
	}
	f := measured()
	f.Comparisons = f.Comparisons[:1]
	f.Comparisons[0].Rows[0].Broken = "no floor"
	if text, err = Block(f, nil, "behind"); err != nil || !strings.HasPrefix(text, "Nowhere in this run") {
		t.Errorf("%v: %s", err, text)
	}
}

// workbook returns a directory with a page that has all blocks, and results.
func workbook(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "docs", "bench"), 0o755); err != nil {
		t.Fatal(err)
	}
	text, err := measured().JSON()
	if err != nil {
		t.Fatal(err)
	}
	page := "# Costs\n\nProse.\n"
	for _, name := range blocks {
		page += "\n<!-- bench: " + name + " -->\n<!-- /bench -->\n"
	}
	write(t, filepath.Join(root, "docs", "bench", "results.json"), string(text))
	write(t, filepath.Join(root, "docs", "benchmarks.md"), page)
	return root
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestThePageIsWhatTheResultsMakeOfIt(t *testing.T) {
	t.Parallel()
	root := workbook(t)
	if err := Check(root, nil); err == nil || !strings.Contains(err.Error(), "update-single-durable-disk.svg is missing") {
		t.Errorf("a page without its figures is refused: %v", err)
	}
	if err := Write(root, nil); err != nil {
		t.Fatal(err)
	}
	if err := Check(root, nil); err != nil {
		t.Errorf("a page that was just made is accepted: %v", err)
	}
	path := filepath.Join(root, "docs", "benchmarks.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(text), "2.15 ms", "1.15 ms", 1))
	if err := Check(root, nil); err == nil || !strings.Contains(err.Error(), "benchmarks.md is not what the results make of it") {
		t.Errorf("a figure that was changed by hand is refused: %v", err)
	}
	write(t, path, strings.Replace(string(text), "Prose.", "Better prose.", 1))
	if err := Check(root, nil); err != nil {
		t.Errorf("the words around the blocks are free: %v", err)
	}
	write(t, filepath.Join(root, "docs", "bench", "old.svg"), "<svg/>")
	if err := Check(root, nil); err == nil || !strings.Contains(err.Error(), "old.svg belongs to no result") {
		t.Errorf("a plot of nothing is refused: %v", err)
	}
}

func TestAPageWithoutABlockIsRefused(t *testing.T) {
	t.Parallel()
	root := workbook(t)
	write(t, filepath.Join(root, "docs", "benchmarks.md"), "# Costs\n")
	if err := Write(root, nil); err == nil || !strings.Contains(err.Error(), "bench: machine") {
		t.Errorf("%v", err)
	}
}

func TestFiguresHaveThreeDigits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value float64
		unit  string
		want  string
	}{
		{1234567, "ns/op", "1.23 ms"},
		{999999, "ns/op", "1.00 ms"},
		{200, "ns/op", "200 ns"},
		{2e9, "ns/op", "2.00 s"},
		{45678, "turns/s", "45.7 k"},
		{0.5, "share", "0.50"},
		{0, "turns/s", "0"},
		{100, "turns/s", "100"},
		{20, "turns/s", "20.0"},
	} {
		if got := value(c.value, c.unit); got != c.want {
			t.Errorf("%v %s is shown as %q, want %q", c.value, c.unit, got, c.want)
		}
	}
}
