package contention

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"example/turnstile/bench/crew"
	"example/turnstile/bench/results"
	"example/turnstile/bench/rounds"
	"example/turnstile/internal/lab/process"
)

// noLock lets everyone in.
var noLock = kind{"no lock", "", results.None, func(string) taker {
	return func(context.Context) (func() error, error) { return func() error { return nil }, nil }
}}

func TestMain(m *testing.M) {
	kinds = append(kinds, noLock) // in the workers as well
	process.Dispatch(Workers)
	os.Exit(m.Run())
}

func TestEveryLockExcludesAndItsCounterIsExact(t *testing.T) {
	t.Parallel()
	for _, k := range append(slices.Clone(kinds[:len(kinds)-1]), python) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			if k.name == python.name && PythonVersion() == "" {
				t.Skip("Python's filelock module is not installed")
			}
			all := crew.New("contend")
			defer all.Kill()
			python, _ := interpreter()
			o := order{Kind: k.name, Python: python, Dir: t.TempDir(), Hold: time.Millisecond, Length: 50 * time.Millisecond}
			samples, err := round(t.Context(), all, 4, o)
			if err != nil {
				t.Fatal(err)
			}
			if samples["turns/s"] <= 0 || samples["worst-ns"] < samples["p99-ns"] || samples["p99-ns"] < samples["p50-ns"] || samples["share"] > 1 {
				t.Errorf("these figures cannot be: %v", samples)
			}
		})
	}
}

func TestALockThatDoesNotExcludeIsMarkedAsBroken(t *testing.T) {
	t.Parallel()
	c := results.Comparison{Part: "locks", Unit: "turns/s"}
	s := rounds.Settings{Rounds: 1, Length: 400 * time.Millisecond}
	done, err := compare(t.Context(), s, c, []kind{noLock}, t.TempDir(), order{Hold: 5 * time.Millisecond}, 4)
	if err != nil {
		t.Fatal(err)
	}
	if row := done[0].Rows[0]; !strings.Contains(row.Broken, "it does not exclude") {
		t.Errorf("four processes counted without a lock, and the row is %+v", row)
	}
}

func TestTheCrewStartsAnewAfterAFailure(t *testing.T) {
	t.Parallel()
	all := crew.New("contend")
	defer all.Kill()
	_, err := round(t.Context(), all, 2, order{Kind: "unheard of", Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "no lock") {
		t.Fatalf("a lock that does not exist is an error: %v", err)
	}
	if _, err := round(t.Context(), all, 2, order{Kind: Fair, Dir: t.TempDir(), Length: time.Millisecond}); err != nil {
		t.Errorf("the next round works: %v", err)
	}
}
