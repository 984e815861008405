// Package rounds has what the measurements of this module share. They let their contestants take turns, round by round, so that a machine
// that is busy for a while slows all of them, and compare medians.
package rounds

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

// Main runs measure with the flag -n, which is n if it is not given, in a new directory inside the one that the first argument names, or
// inside the temp directory. It exits with status 1 if measure has missed a goal, and with 3 if it has failed.
func Main(name string, n int, measure func(dir string, rounds int) (missed bool, err error)) {
	rounds := flag.Int("n", n, "rounds, each with a batch of every contestant")
	flag.Parse()
	missed, err := inDirectory(flag.Arg(0), name, func(dir string) (bool, error) { return measure(dir, *rounds) })
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	if missed {
		os.Exit(1)
	}
}

func inDirectory(parent, name string, measure func(dir string) (bool, error)) (missed bool, err error) {
	dir, err := os.MkdirTemp(parent, "turnstile-"+name+"-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return measure(dir)
}

// Ratio returns the median of the rounds' ratios. A round in which theirs is 0 does not count.
func Ratio(ours, theirs []float64) float64 {
	var all []float64
	for i := range ours {
		if theirs[i] > 0 {
			all = append(all, ours[i]/theirs[i])
		}
	}
	return Median(all)
}

// Median returns the value in the middle, or what is half way between the two in the middle; 0 of none.
func Median[T float64 | time.Duration](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
