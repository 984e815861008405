package primitives

import (
	"strings"
	"testing"

	"example/turnstile/bench/results"
	"example/turnstile/bench/rounds"
)

// groups are the three groups of operations, by the name of their series.
var groups = map[string]func(dir string) ([]op, func() error, error){"handle": onHandle, "path": onPath, "replace": onFile}

func TestEveryPrimitiveDoesWhatItSays(t *testing.T) {
	t.Parallel()
	for _, step := range Steps(rounds.Settings{Quick: true, Rounds: 2}, "disk", t.TempDir()) {
		t.Run(step.Name, func(t *testing.T) {
			t.Parallel()
			comparisons, err := step.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			f := results.File{Comparisons: comparisons}
			for _, broken := range f.Broken() {
				t.Error(broken)
			}
			if c := comparisons[0]; c.Row(c.Ours) == nil || c.Row(c.Base) == nil {
				t.Errorf("the comparison has no row %q or no row %q", c.Ours, c.Base)
			}
		})
	}
}

func BenchmarkPrimitives(b *testing.B) {
	for series, group := range groups {
		ops, closing, err := group(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		for _, o := range ops {
			b.Run(series+"/by="+strings.ReplaceAll(o.name, "/", "_"), func(b *testing.B) {
				for b.Loop() {
					if err := o.call(); err != nil {
						b.Fatal(err)
					}
				}
				if o.check != nil {
					if err := o.check(b.N); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		if err := closing(); err != nil {
			b.Fatal(err)
		}
	}
}
