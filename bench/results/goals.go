package results

import "fmt"

// A Goal is a promise that a lesson makes about cost, and that a run can break.
type Goal struct {
	Part, Series, Place string  // Place "" means any
	X                   float64 // 0 means any
	Row, Beside, Unit   string  // Beside "" means that the value itself is held to the limit
	AtMost, AtLeast     float64 // 0 means no limit
}

// An Outcome is what a run says about a goal.
type Outcome struct {
	Goal
	Of     string // the comparison
	Spread Spread // of the ratios
	Status string
}

// The statuses. Only the whole spread decides.
const (
	Met          = "met"
	Missed       = "missed"
	MetMostly    = "met by the median, not by every round"
	MissedMostly = "missed by the median, met by some rounds"
)

// Outcomes judges the goals. Those that nothing was measured for are not in it.
func (f *File) Outcomes(goals []Goal) []Outcome {
	var all []Outcome
	for _, g := range goals {
		for _, c := range f.Comparisons {
			if c.Part != g.Part || c.Series != g.Series || g.Place != "" && c.Place != g.Place || g.X != 0 && c.X != g.X {
				continue
			}
			row := c.Row(g.Row)
			if row == nil || row.Broken != "" || len(row.Samples[g.Unit]) == 0 {
				continue
			}
			o := Outcome{Goal: g, Of: c.Name(), Spread: row.Of(g.Unit)}
			if g.Beside != "" {
				o.Spread = Times(row, c.Row(g.Beside), g.Unit)
			}
			if o.Spread != (Spread{}) {
				o.Status = g.judge(o.Spread)
				all = append(all, o)
			}
		}
	}
	return all
}

func (g Goal) judge(s Spread) string {
	good := func(value float64) bool {
		return (g.AtMost == 0 || value <= g.AtMost) && (g.AtLeast == 0 || value >= g.AtLeast)
	}
	switch {
	case good(s.Min) && good(s.Max):
		return Met
	case good(s.Median):
		return MetMostly
	case good(s.Min) || good(s.Max):
		return MissedMostly
	}
	return Missed
}

// String says what the goal asks for.
func (g Goal) String() string {
	limit := fmt.Sprintf("at most %g", g.AtMost)
	if g.AtLeast != 0 {
		limit = fmt.Sprintf("at least %g", g.AtLeast)
	}
	if g.Beside == "" {
		return fmt.Sprintf("%s: a %s of %s", g.Row, g.Unit, limit)
	}
	return fmt.Sprintf("%s: %s times the %s of %s", g.Row, limit, g.Unit, g.Beside)
}
