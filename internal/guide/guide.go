// Package guide leads a learner through the workbook: it finds the next exercise, runs its tests on their code, and says
// what failed, what to edit, what to read and what to type next.
//
// It keeps no record of progress: an exercise is done when its tests pass, each time they are asked. What it does keep
// (hints shown, copies of code that it replaced) is in the folder .turnstile at the workbook's root.
//
// Nothing that it starts touches the network, and all that it needs is the go command and the modules in their cache.
package guide

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
	"example/turnstile/internal/lab/terminal"
)

// Exit statuses of every verb.
const (
	exitDone        = 0   // done, or shown
	exitUnfinished  = 1   // the tests do not pass, the race is there
	exitUsage       = 2   // the command line asks for something that is not there
	exitTrouble     = 3   // the machine is in the way: a folder that cannot be read, no go command, a module missing
	exitInterrupted = 130 // Ctrl-C
)

// Main runs the guide with the process's own arguments, folder and streams and returns its exit status.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	folder, err := os.Getwd()
	if err != nil {
		fmt.Fprintf(os.Stderr, "The current folder cannot be found (%v): change into the workbook and try again.\n", err)
		return exitTrouble
	}
	return Run(ctx, os.Args[1:], Console{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Folder: folder,
	})
}

// A Console is what the guide knows of the world: where it was started, and whom it talks to. Streams that are an
// *os.File on a terminal get colour, progress and questions; all others get plain text.
type Console struct {
	In       io.Reader
	Out, Err io.Writer
	Folder   string // the current folder, absolute
}

// Run runs one command line of the guide and returns its exit status: 0 done, 1 not finished, 2 a command line that
// makes no sense, 3 the machine is in the way, 130 interrupted. It returns when ctx ends, with nothing left running.
func Run(ctx context.Context, args []string, console Console) int {
	s := newSession(ctx, console)
	err := s.run(args)
	var status exitStatus
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &status):
		return int(status)
	case ctx.Err() != nil:
		return exitInterrupted
	}
	text, code := s.explain(err)
	fmt.Fprint(console.Err, wrap(text, "", s.paint.width)+"\n")
	return code
}

// exitStatus ends a verb that has said all there is to say.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// A usageError is a command line that makes no sense; its text says what would.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// A session is one run of the guide.
type session struct {
	ctx context.Context
	Console
	paint      palette
	lines      *bufio.Reader // In, by lines
	inTerminal bool          // somebody is there to answer a question

	book     *curriculum.Book
	notebook *notebook
	options  options
	now      func() time.Time
}

func newSession(ctx context.Context, console Console) *session {
	s := &session{ctx: ctx, Console: console, lines: bufio.NewReader(console.In), now: time.Now}
	_, s.inTerminal = columns(console.In)
	width, _ := columns(console.Out)
	s.paint = palette{width: clampWidth(width)}
	if out, ok := console.Out.(*os.File); ok {
		s.paint.colour = terminal.Colour(out)
	}
	return s
}

// columns returns how wide the terminal is, and whether stream is one. A stream that is no file is none.
func columns(stream any) (width int, isTerminal bool) {
	file, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	return terminal.Columns(file)
}

// run does what the command line asks for.
func (s *session) run(args []string) error {
	verb, opts, err := parse(args)
	if err != nil {
		return err
	}
	s.options = opts
	if verb.name == "help" {
		return s.help()
	}
	s.book, err = curriculum.Open(s.Folder)
	if err != nil {
		return err
	}
	// The book's paths have their links resolved: only so can they be shown relative to where the learner is.
	if resolved, err := filepath.EvalSymlinks(s.Folder); err == nil {
		s.Folder = resolved
	}
	if len(s.book.Exercises) == 0 {
		return fmt.Errorf("%w in %s", errNoExercises, filepath.Join(s.book.Root, "exercises"))
	}
	s.notebook = openNotebook(s.book.Root)
	return verb.run(s)
}

var errNoExercises = errors.New("no exercise was found")

// explain turns an error into what a learner can do about it.
func (s *session) explain(err error) (text string, code int) {
	var usage *usageError
	var unknown *curriculum.UnknownError
	var noCopy *copyError
	var path *fs.PathError
	switch {
	case errors.As(err, &usage):
		return usage.text, exitUsage
	case errors.As(err, &noCopy):
		return fmt.Sprintf("Your code of %s is unchanged, since no copy of it could be made (%s). Make the folder %s writable, then try again.",
			title(noCopy.exercise), s.reason(noCopy.cause), s.path(s.notebook.folder)), exitTrouble
	case errors.As(err, &unknown):
		return unknownExercise(unknown), exitUsage
	case errors.Is(err, curriculum.ErrNoWorkbook):
		return fmt.Sprintf("%s is not inside the workbook: change into the folder that holds its go.mod, then type `go run ./exercises`.",
			s.Folder), exitTrouble
	case errors.Is(err, errNoExercises):
		return fmt.Sprintf("The workbook is not whole: %v. Get a fresh copy of the gotest.", err), exitTrouble
	case errors.Is(err, exec.ErrNotFound):
		return "The go command was not found: install Go (https://go.dev/dl) or add its bin folder to PATH, then try again.", exitTrouble
	case errors.Is(err, gotest.ErrModulesMissing):
		return "The modules that the workbook needs are not on this machine yet: type `go mod download` once while you " +
			"have a network; after that everything works without one.", exitTrouble
	case errors.Is(err, fs.ErrPermission) && errors.As(err, &path):
		return fmt.Sprintf("%s cannot be used: permission denied (%s). Give yourself the right to read and write it, then try again.",
			s.path(path.Path), path.Op), exitTrouble
	case errors.Is(err, fs.ErrNotExist) && errors.As(err, &path):
		return fmt.Sprintf("%s is missing. Get it back from a fresh copy of the workbook (answer files also come back with `%s`), then try again.",
			s.path(path.Path), s.command("reset N")), exitTrouble
	}
	return fmt.Sprintf("The guide could not go on: %v.", err), exitTrouble
}

// unknownExercise says which exercises a name may have meant.
func unknownExercise(unknown *curriculum.UnknownError) string {
	verbs := "There is no exercise"
	if unknown.Ambiguous {
		verbs = "Several exercises fit"
	}
	if len(unknown.Near) == 0 {
		return fmt.Sprintf("%s %q.", verbs, unknown.Query)
	}
	return fmt.Sprintf("%s %q. Did you mean %s?", verbs, unknown.Query, alternatives(unknown.Near, 5))
}

// alternatives joins at most n names: "a, b or c".
func alternatives(names []string, n int) string {
	if len(names) > n {
		return strings.Join(names[:n], ", ") + ", …"
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// path returns how the terminal's user finds an absolute path: relative to where they are, with forward slashes, which
// every system's editors and go itself accept.
func (s *session) path(absolute string) string {
	if !filepath.IsAbs(absolute) {
		return filepath.ToSlash(absolute)
	}
	relative, err := filepath.Rel(s.Folder, absolute)
	if err != nil {
		return filepath.ToSlash(absolute)
	}
	return filepath.ToSlash(relative)
}

// command returns what to type for a verb: the short form at the root, the import path from a folder below it.
func (s *session) command(verb string) string {
	program := "go run ./exercises"
	if s.book != nil && s.Folder != s.book.Root {
		program = "go run " + curriculum.ModulePath + "/exercises"
	}
	return strings.TrimSpace(program + " " + verb)
}

// working tells a terminal what the guide is doing, and returns a function that wipes it away again. Where escape codes
// are unwelcome nothing could wipe it away, so nothing is said.
func (s *session) working(format string, values ...any) (done func()) {
	if !s.paint.colour {
		return func() {}
	}
	fmt.Fprintf(s.Out, "\r%s", s.paint.dim(fmt.Sprintf(format, values...)+" …"))
	return func() { fmt.Fprint(s.Out, "\r\x1b[K") }
}
