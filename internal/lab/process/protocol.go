// Package process starts copies of the running program as worker processes and drives them step by step.
//
// A test binary or a demo registers workers by name and calls Dispatch first thing. Start then runs the same executable
// again; the copy finds its worker's name in the environment, runs that function and exits. Parent and worker talk in
// lines of JSON over the worker's standard input and output, so that the parent can hold a worker at a named step, let
// it continue, see what the kernel reports about it, or kill it. What the code under test prints does not disturb them: the
// parent keeps it with the end of the worker's standard error.
//
// Workers are orphan-safe: a worker whose parent is gone sees the end of its standard input and exits at once, on every
// system. On Unix a worker leads a process group of its own, so that even a stopped one is woken and ended by the kernel
// (setpgid(2), _exit(2): an orphaned process group with a stopped member receives SIGHUP and SIGCONT).
package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// environmentName carries the worker's name to the copy of the program, environmentOptions its Options.
const (
	environmentName    = "TURNSTILE_WORKER"
	environmentOptions = "TURNSTILE_WORKER_OPTIONS"
)

// messageMark begins each message of a worker. It is RFC 7464's record separator, which occurs in no JSON text, so a message is found
// even after a line that the code under test has printed and not ended.
const messageMark = "\x1e"

// startup is what a worker must know before its function runs.
type startup struct {
	Args         []string `json:"args"`
	Umask        string   `json:"umask,omitempty"`
	Hold         bool     `json:"hold,omitempty"`
	Unprivileged bool     `json:"unprivileged,omitempty"`
}

// An event is one line from a worker to its parent.
type event struct {
	Kind  eventKind       `json:"kind"`
	PID   int             `json:"pid,omitempty"`
	Step  string          `json:"step,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
	Error *Error          `json:"error,omitempty"`
	Place string          `json:"place,omitempty"`
}

type eventKind string

const (
	eventReady    eventKind = "ready"    // the worker runs; PID is its own, whatever program was wrapped around it
	eventReached  eventKind = "reached"  // it stands at Step and waits for a command
	eventResult   eventKind = "result"   // Value is what it found
	eventProgress eventKind = "progress" // it is at work and not stuck
	eventPlace    eventKind = "place"    // Place is where the code under test is; see Place
	eventDone     eventKind = "done"     // its function returned; Error is what it returned
)

// A command is one line from the parent to a worker.
type command struct {
	Continue bool            `json:"continue,omitempty"`
	Place    bool            `json:"place,omitempty"` // the worker answers at once, whatever its function does
	Value    json.RawMessage `json:"value,omitempty"`
}

// An Error is what a worker's function returned, carried across the process border.
//
// errors.Is holds for the sentinels and the error number (syscall.Errno) that it held for in the worker, if both sides know the
// sentinel: those of io, io/fs and context, errors.ErrUnsupported, and those that were given to Dispatch. The error's type and other
// sentinels do not survive the journey.
type Error struct {
	Text    string   `json:"text"`
	Matches []string `json:"matches,omitempty"`
	Errno   int      `json:"errno,omitempty"`
	// Panicked is set when the worker's function panicked; Text is then the panic's value.
	Panicked bool `json:"panicked,omitempty"`
}

func (e *Error) Error() string { return e.Text }

// Is reports whether the error matched target in the worker.
func (e *Error) Is(target error) bool {
	for _, name := range e.Matches {
		if sentinels[name] == target { //nolint:errorlint // identity with a sentinel is the question
			return true
		}
	}
	return e.Errno != 0 && isErrno(target, e.Errno)
}

// sentinels are the errors that both sides know, by a name that means the same to both.
var sentinels = map[string]error{
	"fs.ErrExist":              fs.ErrExist,
	"fs.ErrNotExist":           fs.ErrNotExist,
	"fs.ErrPermission":         fs.ErrPermission,
	"fs.ErrInvalid":            fs.ErrInvalid,
	"fs.ErrClosed":             fs.ErrClosed,
	"io.EOF":                   io.EOF,
	"io.ErrUnexpectedEOF":      io.ErrUnexpectedEOF,
	"io.ErrShortWrite":         io.ErrShortWrite,
	"errors.ErrUnsupported":    errors.ErrUnsupported,
	"context.Canceled":         context.Canceled,
	"context.DeadlineExceeded": context.DeadlineExceeded,
}

// register adds a program's own sentinels. Both sides run the same program, so the position names the error.
func register(own []error) {
	for i, sentinel := range own {
		sentinels[fmt.Sprint("own ", i)] = sentinel
	}
}

func newError(err error) *Error {
	if err == nil {
		return nil
	}
	e := &Error{Text: err.Error(), Errno: errnoOf(err)}
	for name, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			e.Matches = append(e.Matches, name)
		}
	}
	return e
}

// A Returned carries an error, or nil, inside a value that a worker sends with Result. Err has the contract of Error on the other
// side.
type Returned struct{ Err error }

// MarshalJSON implements json.Marshaler.
func (r Returned) MarshalJSON() ([]byte, error) { return json.Marshal(newError(r.Err)) }

// UnmarshalJSON implements json.Unmarshaler.
func (r *Returned) UnmarshalJSON(text []byte) error {
	var e *Error
	if err := json.Unmarshal(text, &e); err != nil {
		return err
	}
	r.Err = asError(e)
	return nil
}
