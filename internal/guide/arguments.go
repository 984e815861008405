package guide

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A verb is one thing that the guide can do.
type verb struct {
	name     string
	operands string // as the help shows them
	most     int    // how many operands it takes at most
	help     string
	run      func(context.Context, *session) error
}

// verbs returns all verbs, in the order of the help. The first is what an empty command line means.
func verbs() []verb {
	return []verb{
		{"next", "", 0, "your next exercise: what fails, what to edit, what to read (the same as no verb)", method((*session).next)},
		{"list", "", 0, "all exercises, and how far you are", method((*session).list)},
		{"check", "[N]", 1, "run the tests of exercise N on your code", onExercise((*session).check)},
		{"watch", "[N]", 1, "check N again each time you save, until Ctrl-C", onExercise((*session).watch)},
		{
			"hint", "[N] [F] [K]", 3, "one hint more for what fails first in N, or for its function F; with K, the first K hints",
			onExercise((*session).hint),
		},
		{"race", "[N]", 1, "run the race demo of N on your code", onExercise((*session).race)},
		{"solution", "N", 1, "your code against the reference, and why the reference works", method((*session).solution)},
		{"reset", "N", 1, "give N back as it was shipped; your code is kept in a dated copy", method((*session).reset)},
		{"catchup", "N", 1, "put the reference in place before N, where yours is not done; copies are kept", method((*session).catchup)},
		{"bring", "DIR", 1, "your answers from an older copy of the workbook in DIR; copies are kept", method((*session).bring)},
		{"report", "[N|DIR …]", 10_000, "the state of all exercises, or of those named, for graders; needs --json or --junit; with DIR, of " +
			"the answers in that learner's directory, by the tests of this copy", method((*session).report)},
		{"board", "FILE|DIR …", 10_000, "one page for a class: who stands where, and which test stops most people; FILE is what report " +
			"--json wrote, DIR a learner's directory or one that holds many", method((*session).board)},
		{"help", "", 1, "this text", method((*session).help)},
	}
}

// method turns a method into what a verb runs.
func method(do func(*session, context.Context) error) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error { return do(s, ctx) }
}

// options are what a command line says besides the verb.
type options struct {
	operands  []string
	reference bool // -solution: work on the reference instead of the learner's code
	yes       bool // --yes: answer the question before it is asked
	json      bool // --json
	junit     bool // --junit

	output string // -o FILE: where board and report write; "" is standard output
}

// flags returns the flags of the command line and where each is kept. One dash or two, before or after the verb.
func (o *options) flags() map[string]*bool {
	return map[string]*bool{"solution": &o.reference, "yes": &o.yes, "y": &o.yes, "json": &o.json, "junit": &o.junit}
}

// parse reads a command line. Its error is a *usageError that names what was nearly meant.
func parse(args []string) (verb, options, error) {
	var opts options
	var words []string
	help := false
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "-o" && i+1 < len(args) {
			i++
			opts.output = args[i]
			continue
		}
		if path, ok := strings.CutPrefix(arg, "-o="); ok {
			opts.output = path
			continue
		}
		name, isFlag := strings.CutPrefix(arg, "-")
		if !isFlag {
			words = append(words, arg)
			continue
		}
		name = strings.TrimPrefix(name, "-")
		if name == "h" || name == "help" {
			help = true
		} else if flag := opts.flags()[name]; flag != nil {
			*flag = true
		} else {
			return verb{}, opts, &usageError{fmt.Sprintf("There is no flag %s. The flags are -solution, --yes, --json, --junit, -o FILE "+
				"and --help.", arg)}
		}
	}
	if help {
		words = []string{"help"}
	}
	if len(words) == 0 {
		words = []string{"next"}
	}
	opts.operands = words[1:]
	if slices.Contains([]string{"test", "run", "verify"}, strings.ToLower(words[0])) { // what other workbooks call it
		words[0] = "check"
	}
	for _, v := range verbs() {
		if v.name != strings.ToLower(words[0]) {
			continue
		}
		if len(opts.operands) > v.most {
			return verb{}, opts, &usageError{fmt.Sprintf("Too many words: %s takes %s.", v.name, orNothing(v.operands))}
		}
		if opts.output != "" && v.name != "board" && v.name != "report" {
			return verb{}, opts, &usageError{fmt.Sprintf("%s writes to the terminal; -o FILE is for board and report.", v.name)}
		}
		return v, opts, nil
	}
	return verb{}, opts, &usageError{unknownVerb(words[0])}
}

func orNothing(operands string) string {
	if operands == "" {
		return "nothing more"
	}
	return operands
}

// unknownVerb suggests what a learner who typed word may have meant.
func unknownVerb(word string) string {
	if word[0] >= '0' && word[0] <= '9' {
		return fmt.Sprintf("%q is not a verb. Did you mean `check %s`? `help` shows all verbs.", word, word)
	}
	var names []string
	for _, v := range verbs() {
		names = append(names, v.name)
	}
	if near := nearNames(strings.ToLower(word), names); len(near) > 0 {
		return fmt.Sprintf("There is no verb %q. Did you mean %s? `help` shows all verbs.", word, alternatives(near, 3))
	}
	return fmt.Sprintf("There is no verb %q. The verbs are %s.", word, strings.Join(names, ", "))
}

// nearNames returns the names that a learner who typed word may have meant, the likeliest first: those that begin with it,
// and those at most two slips away (one for a word of up to three letters).
func nearNames(word string, names []string) []string {
	slips := 2
	if len(word) <= 3 {
		slips = 1
	}
	distance := make(map[string]int)
	var near []string
	for _, name := range names {
		d := editDistance(word, name)
		if len(word) > 1 && strings.HasPrefix(name, word) {
			d = 0
		}
		if d <= slips {
			distance[name] = d
			near = append(near, name)
		}
	}
	slices.SortStableFunc(near, func(a, b string) int { return distance[a] - distance[b] })
	return near
}

// editDistance counts the characters to insert, delete, replace or swap with a neighbour to get from a to b (optimal
// string alignment).
func editDistance(a, b string) int {
	from, to := []rune(a), []rune(b)
	table := make([][]int, len(from)+1)
	for i := range table {
		table[i] = make([]int, len(to)+1)
		table[i][0] = i
	}
	for j := range table[0] {
		table[0][j] = j
	}
	for i := 1; i <= len(from); i++ {
		for j := 1; j <= len(to); j++ {
			replace := 1
			if from[i-1] == to[j-1] {
				replace = 0
			}
			table[i][j] = min(table[i-1][j]+1, table[i][j-1]+1, table[i-1][j-1]+replace)
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				table[i][j] = min(table[i][j], table[i-2][j-2]+1)
			}
		}
	}
	return table[len(from)][len(to)]
}

// help prints what the guide can do. It needs no gotest.
func (s *session) help(context.Context) error {
	var b strings.Builder
	b.WriteString("Usage: go run ./exercises [-solution] [verb] [N]\n\n")
	const column = 20
	for _, v := range verbs() {
		text := wrap(v.help, strings.Repeat(" ", column), s.paint.width)
		b.WriteString("  " + padded(v.name+" "+v.operands, column-2) + text + "\n")
	}
	b.WriteString("\n" + wrap("N is a number (3), a name (03_seek_truncate), a part of one (seek) or a path. Without N it is your next "+
		"exercise.",
		"", s.paint.width) + "\n\n")
	for _, r := range [][2]string{
		{"-solution", "work on the reference instead of your code"},
		{"--yes", "do not ask (solution)"},
		{"--json", "print JSON (report); docs/report.md describes it"},
		{"--junit", "print JUnit's XML (report)"},
		{"-o FILE", "write to FILE (report, board), in one step"},
	} {
		b.WriteString("  " + padded(r[0], column-2) + r[1] + "\n")
	}
	b.WriteString("\n" + wrap("Exit status: 0 done or shown, 1 the tests do not pass (check) or a race was seen (race), 2 wrong usage, 3 "+
		"trouble with the machine, 130 interrupted. `go run` turns each but 0 into 1 and prints the number; `go build -buildvcs=false -o "+
		"guide ./exercises` makes a program that keeps it.", "", s.paint.width) + "\n")
	_, err := fmt.Fprint(s.Out, b.String())
	return err
}
