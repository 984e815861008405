// Bench measures what locks, safe writes and the course's tools cost, side by side with what one would use instead.
//
//	go -C bench run .                         the full run: some ten minutes on two cores, tables on standard output
//	go -C bench run . -quick                  under a minute, too short for figures to quote
//	go -C bench run . -o FILE                 writes the results to FILE as JSON, and the plots beside it as SVG
//	go -C bench run . -dir DIR                measures in DIR instead of the temp directory; may be given more than once
//	go -C bench run . -only 'locks|update'    only the comparisons whose names match
//	go -C bench run . page                    makes tables and plots of docs/benchmarks.md from docs/bench/results.json
//	go -C bench run . page -check             fails unless the page is what the results make of it
//	go -C bench run . text FILE               prints results in the format of Go's benchmarks, for benchstat
//
// All contestants of a comparison take turns. What is shown are medians, with the least and the greatest, and the median of the ratios of
// rounds. Each workload checks what it has done: a row whose counts are wrong is broken, and not compared.
//
// The exit status is 1 if a row of the course's own code is broken, or a full run misses a goal in every round, and 3 if nothing can be
// measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"

	"example/turnstile/bench/api"
	"example/turnstile/bench/contention"
	"example/turnstile/bench/loop"
	"example/turnstile/bench/machine"
	"example/turnstile/bench/page"
	"example/turnstile/bench/primitives"
	"example/turnstile/bench/results"
	"example/turnstile/bench/rounds"
	"example/turnstile/bench/update"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/lab/process"
)

// workers are what copies of this program can run.
func workers() process.Workers {
	all := process.Workers{}
	for _, more := range []process.Workers{update.Workers, contention.Workers} {
		for name, work := range more {
			all[name] = work
		}
	}
	return all
}

var goals = slices.Concat(primitives.Goals, update.Goals, contention.Goals, api.Goals, loop.Goals)

func main() {
	process.Dispatch(workers())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	status, err := command(ctx, os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	os.Exit(status)
}

func command(ctx context.Context, arguments []string) (status int, err error) {
	book, err := curriculum.Open(".")
	if err != nil {
		return 3, err
	}
	if len(arguments) > 0 {
		switch arguments[0] {
		case "page":
			return pageCommand(book.Root, arguments[1:])
		case "text":
			return textCommand(arguments[1:])
		}
	}
	return measure(ctx, book.Root, arguments)
}

func pageCommand(root string, arguments []string) (status int, err error) {
	flags := flag.NewFlagSet("bench page", flag.ContinueOnError)
	check := flags.Bool("check", false, "change nothing; fail unless there is nothing to change")
	if err := flags.Parse(arguments); err != nil {
		return 3, err
	}
	if *check {
		err = page.Check(root, goals)
	} else {
		err = page.Write(root, goals)
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}

func textCommand(arguments []string) (status int, err error) {
	if len(arguments) != 1 {
		return 3, errors.New("text needs the results file")
	}
	f, err := results.Read(arguments[0])
	if err == nil {
		err = f.WriteBenchmarks(os.Stdout)
	}
	if err != nil {
		return 3, err
	}
	return 0, nil
}

type options struct {
	quick     bool
	dirs      []string
	only      *regexp.Regexp
	output    string
	root      string
	scratches map[string]string // the directories that are used, by the name of the place
}

func parse(root string, arguments []string) (o options, err error) {
	o.root, o.scratches = root, map[string]string{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&o.quick, "quick", false, "take under a minute")
	flags.StringVar(&o.output, "o", "", "write the results to this `file`, and the plots beside it")
	only := flags.String("only", "", "measure only comparisons whose names match this `pattern`")
	flags.Func("dir", "measure in this `directory`: one on a disk, one in memory, or both (default: the temp directory, and /dev/shm)",
		func(dir string) error { o.dirs = append(o.dirs, dir); return nil })
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is not a command; see -h", flags.Arg(0))
	}
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, err
	}
	if o.dirs == nil {
		o.dirs = []string{os.TempDir()}
		if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
			o.dirs = append(o.dirs, "/dev/shm")
		}
	}
	return o, nil
}

// scratch makes a directory of this run's own in each place. Of two directories in one kind of place, the first counts.
func (o *options) scratch() (places []results.Place, remove func() error, err error) {
	remove = func() (err error) {
		for _, dir := range o.scratches {
			err = errors.Join(err, os.RemoveAll(dir))
		}
		return err
	}
	for _, dir := range o.dirs {
		place, err := machine.Place(dir)
		if err != nil {
			return nil, remove, err
		}
		if o.scratches[place.Name] != "" {
			continue
		}
		made, err := os.MkdirTemp(dir, "turnstile-bench-")
		if err == nil {
			made, err = filepath.Abs(made) // a build cache must be named so
		}
		if err != nil {
			return nil, remove, err
		}
		o.scratches[place.Name] = made
		places = append(places, place)
	}
	return places, remove, nil
}

func measure(ctx context.Context, root string, arguments []string) (status int, err error) {
	o, err := parse(root, arguments)
	if err != nil {
		return 3, err
	}
	began := time.Now()
	f := &results.File{
		Format: results.Format, Began: began.UTC().Truncate(time.Second), Quick: o.quick, Only: o.only.String(), Machine: machine.Describe(),
	}
	if version := contention.PythonVersion(); version != "" {
		f.Machine.Versions["Python filelock"] = version
	}
	places, remove, err := o.scratch()
	defer func() {
		if failed := remove(); failed != nil {
			status, err = 3, errors.Join(err, failed)
		}
	}()
	if err != nil {
		return 3, err
	}
	f.Machine.Places = places
	all, leftOut := o.steps(places)
	f.LeftOut = leftOut
	all = rounds.Only(all, o.only.MatchString)
	var failed error
	for i, step := range all {
		fmt.Fprintf(os.Stderr, "[%3d%% %4.0fs] %s\n", 100*i/len(all), time.Since(began).Seconds(), step.Name)
		done, err := step.Run(ctx)
		if ctx.Err() != nil {
			return 3, ctx.Err()
		}
		if err != nil { // the others are worth having
			failed = errors.Join(failed, fmt.Errorf("%s: %w", step.Name, err))
			f.LeftOut = append(f.LeftOut, step.Name+", which failed: "+err.Error())
		}
		f.Comparisons = append(f.Comparisons, done...)
	}
	f.Seconds, f.Machine.Load[1] = time.Since(began).Seconds(), machine.Load()
	fmt.Fprintf(os.Stderr, "[100%% %4.0fs] done\n", f.Seconds)
	fmt.Print(page.Text(f, goals))
	if err := errors.Join(failed, o.write(f)); err != nil {
		return 3, err
	}
	return verdict(f), nil
}

func verdict(f *results.File) (status int) {
	for _, broken := range f.Broken() {
		fmt.Fprintln(os.Stderr, "broken:", broken)
	}
	if f.OursBroken() {
		status = 1
	}
	for _, outcome := range f.Outcomes(goals) {
		if outcome.Status == results.Missed && !f.Quick {
			fmt.Fprintf(os.Stderr, "missed: %s: %s\n", outcome.Of, outcome)
			status = 1
		}
	}
	return status
}

func (o *options) write(f *results.File) error {
	if o.output == "" {
		return nil
	}
	text, err := f.JSON()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.output), 0o755); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(o.output, text, 0o644), page.WritePlots(filepath.Dir(o.output), f))
}

// steps plans the run. What one goroutine does is measured at each place, everything else at the first one.
func (o *options) steps(places []results.Place) (all []rounds.Step, leftOut []string) {
	batches := rounds.Settings{Quick: o.quick, Rounds: 9, Length: 30 * time.Millisecond}
	crowds := rounds.Settings{Quick: o.quick, Rounds: 5, Length: 300 * time.Millisecond}
	commands := rounds.Settings{Quick: o.quick, Rounds: 6}
	if o.quick {
		batches.Rounds, batches.Length = 4, 5*time.Millisecond
		crowds.Rounds, crowds.Length = 4, 60*time.Millisecond
		commands.Rounds = 1
		leftOut = append(leftOut, "a quick run leaves out half of the sizes, short holds, Python, and the guide with an empty build cache")
	}
	for _, place := range places {
		all = append(all, primitives.Steps(batches, place.Name, o.scratches[place.Name])...)
		all = append(all, update.Alone(batches, place.Name, o.scratches[place.Name])...)
	}
	if !slices.ContainsFunc(places, func(p results.Place) bool { return p.Name == "disk" }) {
		leftOut = append(leftOut, "a disk: no directory of one was given, so an fsync costs nothing in this run")
	}
	main := places[0].Name
	dir := o.scratches[main]
	all = append(all, update.Together(batches, main, dir)...)
	all = append(all, contention.Steps(crowds, main, dir)...)
	all = append(all, loop.Steps(commands, o.root, dir)...)
	if contention.PythonVersion() == "" {
		leftOut = append(leftOut, "Python's filelock, because it is not installed")
	}
	if api.Exists(o.root) {
		all = append(all, api.Steps(crowds, main, dir, o.root)...)
		leftOut = append(leftOut, "git-lfs/lfs-test-server, because the module proxy does not serve it")
	} else {
		leftOut = append(leftOut, "the API, because solutions/17_api does not exist")
	}
	return all, leftOut
}
