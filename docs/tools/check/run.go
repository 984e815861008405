package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// A check is one thing that must hold. run returns an error whose text says what is wrong, in as many lines as it takes; do says
// what the maintainer does about it.
type check struct {
	name string
	do   string
	run  func(ctx context.Context) error
	// alone: nothing else may run at the same time, since the check times processes.
	alone bool
}

type result struct {
	check   check
	err     error
	elapsed time.Duration
}

// runAll runs the checks, at most jobs at once, and prints a line for each as it ends. Those that must run alone come last.
// A failure stops nothing; the end of ctx makes what is left fail at once. The results are in the order of the checks.
func runAll(ctx context.Context, checks []check, jobs int, out io.Writer) []result {
	results := make([]result, len(checks))
	width := 0
	for _, c := range checks {
		width = max(width, len(c.name))
	}
	var printing sync.Mutex
	do := func(i int) {
		start := time.Now()
		err := ctx.Err()
		if err == nil {
			err = checks[i].run(ctx)
		}
		results[i] = result{checks[i], err, time.Since(start)}
		printing.Lock()
		defer printing.Unlock()
		printResult(out, results[i], width)
	}
	queue := make(chan int)
	var workers sync.WaitGroup
	for range jobs {
		workers.Go(func() {
			for i := range queue {
				do(i)
			}
		})
	}
	for i, c := range checks {
		if !c.alone {
			queue <- i
		}
	}
	close(queue)
	workers.Wait()
	for i, c := range checks {
		if c.alone {
			do(i)
		}
	}
	return results
}

func printResult(out io.Writer, r result, width int) {
	verdict := "ok  "
	if r.err != nil {
		verdict = "FAIL"
	}
	fmt.Fprintf(out, "%s  %-*s %7.1f s\n", verdict, width, r.check.name, r.elapsed.Seconds())
	if r.err == nil {
		return
	}
	for line := range strings.Lines(strings.TrimSpace(r.err.Error()) + "\n") {
		fmt.Fprintf(out, "        %s", line)
	}
	if r.check.do != "" {
		fmt.Fprintf(out, "      → %s\n", r.check.do)
	}
}
