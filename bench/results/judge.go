package results

import (
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"
)

// A Spread is the median of samples, with the least and the greatest.
type Spread struct{ Median, Min, Max float64 }

// Of returns the spread of samples; the zero Spread of none.
func Of(samples []float64) Spread {
	if len(samples) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(samples))
	return Spread{(sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2, sorted[0], sorted[len(sorted)-1]}
}

// Of returns the spread of the row's samples in that unit.
func (r Row) Of(unit string) Spread { return Of(r.Samples[unit]) }

// Times returns the spread of the ratios of two rows, round by round: what slows one round slows both. A round in which the second is 0
// does not count.
func Times(row, base *Row, unit string) Spread {
	if row == nil || base == nil || row.Broken != "" || base.Broken != "" {
		return Spread{}
	}
	var ratios []float64
	ours, theirs := row.Samples[unit], base.Samples[unit]
	for i := range min(len(ours), len(theirs)) {
		if theirs[i] > 0 {
			ratios = append(ratios, ours[i]/theirs[i])
		}
	}
	return Of(ratios)
}

// A Verdict says how a row did beside another one.
type Verdict int

// The verdicts. No difference is called real unless the rounds leave no doubt.
const (
	Undecided Verdict = iota // the spreads overlap, or there are too few rounds, or a row is broken
	Ahead
	Behind
)

// Judge compares two rows. One is ahead of the other only if each of its samples is better than each of the other's, so that the
// spreads have nothing in common, and if chance explains that in fewer than one of 20 cases (benchmath's Mann-Whitney U test, which
// needs four rounds for that).
func Judge(row, other *Row, unit string) Verdict {
	if row == nil || other == nil || row.Broken != "" || other.Broken != "" {
		return Undecided
	}
	ours, theirs := row.Samples[unit], other.Samples[unit]
	if len(ours) == 0 || len(theirs) == 0 {
		return Undecided
	}
	sample := func(values []float64) *benchmath.Sample {
		return benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds) // it sorts what it gets
	}
	if c := benchmath.AssumeNothing.Compare(sample(ours), sample(theirs)); math.IsNaN(c.P) || c.P >= c.Alpha {
		return Undecided
	}
	a, b := Of(ours), Of(theirs)
	switch less := !MoreIsBetter(unit); {
	case a.Max < b.Min && less, a.Min > b.Max && !less:
		return Ahead
	case a.Max < b.Min || a.Min > b.Max:
		return Behind
	}
	return Undecided
}

// MoreIsBetter reports whether a unit counts what was achieved and not what it took.
func MoreIsBetter(unit string) bool { return strings.HasSuffix(unit, "/s") || unit == "share" }

// IsTime reports whether a unit counts nanoseconds.
func IsTime(unit string) bool {
	return strings.HasSuffix(unit, "ns/op") || strings.HasSuffix(unit, "-ns")
}
