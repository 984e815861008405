// Package guide leads a learner through the workbook: it finds the next exercise, runs its tests on their code, and says
// what failed, what to edit, what to read and what to type next.
//
// It keeps no record of progress: an exercise is done when its tests pass, each time they are run. What it does keep
// (hints shown, copies of code that it replaced) is in the directory .turnstile at the workbook's root.
//
// It needs the go command, and the modules of the workbook in their cache: it fetches missing ones, once. Nothing
// else that it starts uses the network.
package guide

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/lab/terminal"
)

// Exit statuses of every verb.
const (
	exitDone        = 0   // done, or shown
	exitUnfinished  = 1   // the tests do not pass, or a race was seen
	exitUsage       = 2   // the command line names something that does not exist
	exitTrouble     = 3   // trouble with the machine: a directory that cannot be read, no go command, a module missing
	exitInterrupted = 130 // Ctrl-C
)

// Main runs the guide with the process's own arguments, directory and streams and returns its exit status.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	folder, err := os.Getwd()
	if err != nil {
		fmt.Fprintf(os.Stderr, "The current directory cannot be found (%v): change into the workbook and try again.\n", err)
		return exitTrouble
	}
	return Run(ctx, os.Args[1:], Console{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Folder: folder,
	})
}

// A Console is the guide's surroundings: where it was started, and its streams. Streams that are an
// *os.File on a terminal get colour, progress and questions; all others get plain text.
type Console struct {
	In       io.Reader
	Out, Err io.Writer
	Folder   string // the current directory, absolute

	// runner runs the tests; nil is the go command. For tests of the guide.
	runner runner
	// silence is how long the guide prints nothing if there is no terminal; 0 is a fraction of a second. For tests.
	silence time.Duration
}

// Run runs one command line of the guide and returns its exit status: 0 done, 1 not finished, 2 a command line that
// makes no sense, 3 trouble with the machine, 130 interrupted. It returns when ctx ends, with nothing left running.
func Run(ctx context.Context, args []string, console Console) int {
	s := newSession(console)
	err := s.run(ctx, args)
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
	s.remark("%s", text)
	return code
}

// exitStatus ends a verb that has said all there is to say.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// A usageError is a command line that makes no sense; its text says what to type.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// A session is one run of the guide.
type session struct {
	Console
	paint      palette
	lines      *bufio.Reader // In, by lines
	inTerminal bool          // a person can answer a question

	book     *curriculum.Book
	notebook *notebook
	options  options
	now      func() time.Time
	seen     map[*curriculum.Exercise]*files // what was read of the learner's files in this session
	fetched  bool                            // the modules were looked for
}

func newSession(console Console) *session {
	s := &session{Console: console, lines: bufio.NewReader(console.In), now: time.Now, seen: map[*curriculum.Exercise]*files{}}
	if s.runner == nil {
		s.runner = goCommand{}
	}
	if s.silence == 0 {
		s.silence = 700 * time.Millisecond
	}
	_, s.inTerminal = columns(console.In)
	width, _ := columns(console.Out)
	s.paint = palette{width: clampWidth(width)}
	if out, ok := console.Out.(*os.File); ok {
		s.paint.colour = terminal.Colour(out)
	}
	return s
}

// columns returns how wide the terminal is, and whether stream is one. A stream that is not a file is not a terminal.
func columns(stream any) (width int, isTerminal bool) {
	file, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	return terminal.Columns(file)
}

// run runs the verb of the command line.
func (s *session) run(ctx context.Context, args []string) error {
	verb, opts, err := parse(args)
	if err != nil {
		return err
	}
	s.options = opts
	if verb.name == "help" {
		return s.help(ctx)
	}
	if err := s.open(); err != nil {
		return err
	}
	return verb.run(ctx, s)
}

// open reads the workbook's directories.
func (s *session) open() (err error) {
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
	return nil
}

var errNoExercises = errors.New("no exercise was found")

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

// command returns what to type for a verb: the short form at the root, the import path from a directory below it.
func (s *session) command(verb string) string {
	program := "go run ./exercises"
	if s.book != nil && s.Folder != s.book.Root {
		program = "go run " + curriculum.ModulePath + "/exercises"
	}
	return strings.TrimSpace(program + " " + verb)
}
