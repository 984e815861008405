package update

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"example/turnstile/bench/crew"
	"example/turnstile/bench/results"
	"example/turnstile/internal/lab/process"
)

func TestMain(m *testing.M) {
	process.Dispatch(Workers)
	os.Exit(m.Run())
}

// all are all ways, each with those who use it.
func all() map[string][]kind {
	return map[string][]kind{
		"durable/alone": durable(alone), "durable/together": durable(together), "durable/processes": durable(processes),
		"not-durable/alone": notDurable(),
	}
}

func TestNoUpdateOfGoroutinesIsLost(t *testing.T) {
	t.Parallel()
	for group, kinds := range all() {
		for _, k := range kinds {
			t.Run(group+"/"+k.name, func(t *testing.T) {
				t.Parallel()
				path, err := k.prepared(t.TempDir(), 10)
				if err != nil {
					t.Fatal(err)
				}
				opened, err := k.open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := opened.close(); err != nil {
						t.Error(err)
					}
				}()
				updates := 0
				_, err = crowd(opened, 4, func(n int) error { updates = n; return exact(opened, n, 10) })(t.Context(), 20*time.Millisecond)
				if err != nil || updates < 4 {
					t.Errorf("%d updates: %v", updates, err)
				}
			})
		}
	}
}

func TestNoUpdateOfProcessesIsLost(t *testing.T) {
	t.Parallel()
	for i, k := range durable(processes) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			path, err := k.prepared(t.TempDir(), recordsOfSeveral)
			if err != nil {
				t.Fatal(err)
			}
			both := crew.New("update")
			defer both.Kill()
			n, samples, err := inProcesses(t.Context(), both, 2, order{i, path, 20 * time.Millisecond})
			if err != nil || n < 2 || samples["updates/s"] <= 0 {
				t.Fatalf("%d updates, %v: %v", n, samples, err)
			}
			if err := k.exact(path, n); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAStoreThatLosesUpdatesIsBroken(t *testing.T) {
	t.Parallel()
	forgets := onJSON("forgets", "", results.Unsafe, func(string) error { return nil })
	path, err := forgets.prepared(t.TempDir(), 10)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := forgets.open(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = crowd(opened, 2, func(n int) error { return exact(opened, n, 10) })(t.Context(), 0)
	if err == nil || !strings.Contains(err.Error(), "2 updates of 10 records were acknowledged, the store has 0 of 10") {
		t.Errorf("two updates were forgotten, and the round says: %v", err)
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, group := range []string{"durable/alone", "not-durable/alone"} {
		for _, records := range []int{10, 1000} {
			for _, k := range all()[group] {
				name := fmt.Sprintf("%s/records=%d/by=%s", strings.TrimSuffix(group, "/alone"), records, strings.ReplaceAll(k.name, "/", "_"))
				b.Run(name, func(b *testing.B) { benchmark(b, k, records) })
			}
		}
	}
}

func benchmark(b *testing.B, k kind, records int) {
	path, err := k.prepared(b.TempDir(), records)
	if err != nil {
		b.Fatal(err)
	}
	opened, err := k.open(path)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		if err := opened.update(); err != nil {
			b.Fatal(err)
		}
		n++
	}
	if err := exact(opened, n, records); err != nil {
		b.Fatal(err)
	}
	if err := opened.close(); err != nil {
		b.Fatal(err)
	}
}
