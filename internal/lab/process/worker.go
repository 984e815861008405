package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
)

// Exit statuses of a worker. A worker whose function returned, with or without an error, exits with 0: the error
// travels in the protocol.
const (
	exitProtocol = 86 // the worker could not speak with its parent
	exitOrphaned = 87 // the parent is gone
)

// Workers are the functions that copies of this program can run, by name.
type Workers map[string]func(w *Worker) error

// A Worker is the inside of a worker process: its arguments, and the line to its parent. Its methods are for the one
// goroutine that runs the worker's function, except Progress, which any goroutine may call, and Reached, one goroutine at a time.
type Worker struct {
	name     string
	args     []string
	commands chan command

	sending sync.Mutex
	events  io.Writer
}

// Dispatch runs the worker that this process was started as, and exits. In any other process it returns at once.
//
// sentinels are the program's own error values for which errors.Is shall hold on both sides; see Error.
//
// Call it before anything else: in TestMain ahead of m.Run, in a demo on main's first line. While a worker runs,
// os.Stdout is os.Stderr. What the program's init functions, or a logger made by them, print to the real standard output reaches
// the parent among the messages and ends up in the same place.
func Dispatch(workers Workers, sentinels ...error) {
	register(sentinels)
	name, isWorker := os.LookupEnv(environmentName)
	if !isWorker {
		return
	}
	protocol := os.Stdout
	os.Stdout = os.Stderr

	var start startup
	if err := json.Unmarshal([]byte(os.Getenv(environmentOptions)), &start); err != nil {
		abort("worker %q has no readable arguments: %v", name, err)
	}
	// The worker's own children are ordinary programs, not workers.
	_ = os.Unsetenv(environmentName)
	_ = os.Unsetenv(environmentOptions)

	run, known := workers[name]
	if !known {
		abort("no worker is named %q: register it where Dispatch (lab.Main, race.Main) is called", name)
	}
	if start.Umask != "" {
		mask, err := strconv.ParseUint(start.Umask, 8, 9)
		if err != nil {
			abort("worker %q: the umask must be an octal number: %v", name, err)
		}
		setUmask(int(mask))
	}
	if start.Unprivileged {
		if err := dropPrivileges(); err != nil {
			abort("worker %q cannot give up its privileges: %v", name, err)
		}
	}
	w := &Worker{name: name, args: start.Args, commands: make(chan command, 16), events: protocol}
	go w.listen(os.Stdin)
	w.send(event{Kind: eventReady, PID: ownID()})
	if start.Hold {
		w.await()
	}
	w.send(event{Kind: eventDone, Error: guarded(run, w)})
	os.Exit(0)
}

// guarded turns a panic of run into an Error, so that a learner reads one line and not a dump of goroutines.
func guarded(run func(*Worker) error, w *Worker) (result *Error) {
	defer func() {
		if value := recover(); value != nil {
			result = &Error{Text: PanicText(value), Panicked: true}
		}
	}()
	return newError(run(w))
}

// ownID is the process id of this process. A test may make getpid(2) return another number (strace's inject), and the parent, which kills
// the worker by its number, must not kill another process.
func ownID() int {
	if runtime.GOOS != "linux" {
		return os.Getpid()
	}
	self, _ := os.Readlink("/proc/self") // proc(5)
	if pid, err := strconv.Atoi(self); err == nil {
		return pid
	}
	return os.Getpid()
}

// listen passes the parent's commands on until the parent is gone.
func (w *Worker) listen(from io.Reader) {
	decoder := json.NewDecoder(from)
	for {
		var c command
		if err := decoder.Decode(&c); err != nil {
			if errors.Is(err, io.EOF) {
				os.Exit(exitOrphaned)
			}
			abort("worker %q cannot read its parent's command: %v", w.name, err)
		}
		if c.Place {
			w.send(event{Kind: eventPlace, Place: Place("")})
			continue
		}
		w.commands <- c
	}
}

func (w *Worker) send(e event) {
	message, err := json.Marshal(e)
	if err != nil {
		abort("worker %q has a message that is not JSON: %v", w.name, err)
	}
	w.sending.Lock()
	defer w.sending.Unlock()
	if _, err := fmt.Fprintf(w.events, "%s%s\n", messageMark, message); err != nil {
		os.Exit(exitOrphaned) // the parent does not listen any more
	}
}

func (w *Worker) await() command {
	for c := range w.commands {
		return c
	}
	panic("unreachable: listen never closes the channel")
}

// Arg returns argument i as it was given to Start, or "" if there are fewer.
func (w *Worker) Arg(i int) string {
	if i >= len(w.args) {
		return ""
	}
	return w.args[i]
}

// Int returns argument i as a number. An argument that is none ends the worker with a message: the test is wrong, not the code.
func (w *Worker) Int(i int) int {
	n, err := strconv.Atoi(w.Arg(i))
	if err != nil {
		abort("argument %d of worker %q must be a number, is %q", i, w.name, w.Arg(i))
	}
	return n
}

// Reached tells the parent that the worker stands at the named step, and waits until the parent lets it go on.
func (w *Worker) Reached(step string) {
	w.send(event{Kind: eventReached, Step: step})
	w.await()
}

// Progress tells the parent that the worker is at work, which renews the parent's patience. A worker that makes many calls in a loop
// says so after each: a slow machine is no hang.
func (w *Worker) Progress() { w.send(event{Kind: eventProgress}) }

// Result sends v, as JSON, to the parent. It does not wait.
func (w *Worker) Result(v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("result of worker %q: %w", w.name, err)
	}
	w.send(event{Kind: eventResult, Value: value})
	return nil
}

// Receive waits for the next value that the parent sends, and decodes it into v.
func (w *Worker) Receive(v any) error {
	c := w.await()
	if err := json.Unmarshal(c.Value, v); err != nil {
		return fmt.Errorf("worker %q expected a value from its parent: %w", w.name, err)
	}
	return nil
}

// abort ends the worker for a mistake in the test or the demo, not in the code under test.
func abort(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(exitProtocol)
}
