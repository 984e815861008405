// Command check runs what a maintainer owes before a change is handed on: text checks, the exercises as shipped, linters, builds
// for every system, and the house rules of the repository. `make check` calls it.
//
//	go -C docs/tools run ./check              all checks
//	go -C docs/tools run ./check -list        their names
//	go -C docs/tools run ./check -only vet    those whose name contains "vet"
//	go -C docs/tools run ./check -tree        a hash of the repository's files, for $TURNSTILE_TREE (package tree)
//
// It prints one line a check, in the order in which they end, continues after a failure, and says at the end what failed. Exit
// status: 0 all passed, 1 a check failed, 2 wrong use or no workbook.
//
// It changes no file. It needs go and, for a clone, git; the linters are built from the versions that docs/tools/go.mod fixes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"

	"example/turnstile/docs/tools/tree"
	"example/turnstile/internal/curriculum"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

func run(ctx context.Context, arguments []string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(errOut)
	list := flags.Bool("list", false, "print the names of the checks and stop")
	hash := flags.Bool("tree", false, "print the hash of the repository's files and stop")
	only := flags.String("only", "", "run only the checks whose name contains `text`")
	jobs := flags.Int("jobs", min(2, runtime.NumCPU()), "how many checks run at once")
	if err := flags.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	book, err := curriculum.Open(".")
	if err != nil {
		fmt.Fprintln(errOut, err)
		return 2
	}
	if *hash {
		return printHash(ctx, book.Root, out, errOut)
	}
	checks, err := allChecks(ctx, book.Root)
	if err != nil {
		fmt.Fprintln(errOut, err)
		return 2
	}
	checks = choose(checks, *only)
	if len(checks) == 0 {
		fmt.Fprintf(errOut, "no check's name contains %q: -list prints them\n", *only)
		return 2
	}
	if *list {
		for _, c := range checks {
			fmt.Fprintln(out, c.name)
		}
		return 0
	}
	return report(out, runAll(ctx, checks, max(1, *jobs), out))
}

func printHash(ctx context.Context, root string, out, errOut io.Writer) int {
	hash, err := tree.Hash(ctx, root)
	if err != nil {
		fmt.Fprintln(errOut, err)
		return 2
	}
	fmt.Fprintln(out, hash)
	return 0
}

func choose(checks []check, part string) []check {
	var chosen []check
	for _, c := range checks {
		if strings.Contains(c.name, part) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

func report(out io.Writer, results []result) int {
	var failed []string
	for _, r := range results {
		if r.err != nil {
			failed = append(failed, r.check.name)
		}
	}
	if len(failed) == 0 {
		fmt.Fprintf(out, "\nall %d checks passed\n", len(results))
		return 0
	}
	fmt.Fprintf(out, "\n%d of %d checks failed:\n", len(failed), len(results))
	for _, name := range failed {
		fmt.Fprintf(out, "  %s\n", name)
	}
	fmt.Fprintf(out, "Each says above what is wrong and what to do. Run one again with: go -C docs/tools run ./check -only %q\n", failed[0])
	return 1
}
