package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// startPatience is how long a worker may take until its function runs. A virus scanner or an emulator can make the first start of a
// Windows executable slow.
func startPatience() time.Duration {
	if runtime.GOOS == "windows" {
		return 60 * time.Second
	}
	return 20 * time.Second
}

// settleTime is how long a process must have done nothing before it is called waiting, where the kernel does not say that it is.
const settleTime = 400 * time.Millisecond

// Options say how a worker is started.
type Options struct {
	// Env is added to the environment of this process.
	Env []string
	// Dir is the worker's working directory; empty means this process's.
	Dir string
	// Wrap is a command that is put before the worker's own, such as strace with its arguments.
	Wrap []string
	// Umask, an octal number such as "0027", is the worker's; empty means this process's. On Windows it changes nothing.
	Umask string
	// Hold keeps the worker's function from running until the first Continue.
	Hold bool
	// Unprivileged makes a worker of root run as the user nobody (65534), so that permissions mean something. For
	// any other user, and on Windows, it changes nothing.
	Unprivileged bool
}

// A Process is a worker process as its parent sees it.
//
// Its methods are for one goroutine. Every method that waits is bounded by its context, and by Patience: if the worker makes no
// progress for that long, the error is a *Stuck. None kills the worker: that is Kill's work, which the owner calls when all is done
// (Kill of a finished worker does nothing).
type Process struct {
	name     string
	command  *exec.Cmd
	pid      int
	stdin    io.WriteCloser
	events   chan event    // closed when the worker's output has ended
	progress chan struct{} // holds one: the worker has reported progress since the parent looked
	place    chan string   // holds one: what the worker has answered to the command Place
	pending  *event        // an event that was looked at and not yet consumed
	atStep   string        // the step that Reached has seen and no Continue has ended
	stderr   tail
	results  []json.RawMessage

	finished bool  // done was received, or the process is gone
	err      error // what the worker returned, or how it died
	exited   chan struct{}
	exitErr  error
	stdinEnd sync.Once
}

// ErrKilled is what Wait returns for a worker that Kill ended.
var ErrKilled = errors.New("the worker was killed")

// ErrFinished is returned by Reached and Blocked when the worker's function has returned instead.
var ErrFinished = errors.New("the worker has finished")

// Start runs the worker of that name in a copy of this program and returns once it has begun.
// The caller owns the process and must Kill it in the end.
func Start(ctx context.Context, o Options, name string, args ...string) (*Process, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program to start worker %q: %w", name, err)
	}
	options, err := json.Marshal(startup{Args: args, Umask: o.Umask, Hold: o.Hold, Unprivileged: o.Unprivileged})
	if err != nil {
		return nil, fmt.Errorf("arguments of worker %q: %w", name, err)
	}
	line := append(append([]string{}, o.Wrap...), executable)
	p := &Process{name: name, events: make(chan event, 64), exited: make(chan struct{})}
	p.progress, p.place = make(chan struct{}, 1), make(chan string, 1)
	p.command = exec.Command(line[0], line[1:]...) //nolint:noctx // the context bounds the start; Kill ends the process
	p.command.Dir = o.Dir
	p.command.Env = append(append(os.Environ(), noRaceExitDelay()), o.Env...)
	p.command.Env = append(p.command.Env, environmentName+"="+name, environmentOptions+"="+string(options))
	p.command.Stderr = &p.stderr
	p.command.WaitDelay = time.Second // a grandchild that keeps our pipes must not keep us
	isolate(p.command)
	stdout, err := p.pipes()
	if err != nil {
		return nil, fmt.Errorf("pipes of worker %q: %w", name, err)
	}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start worker %q: %w", name, err)
	}
	go p.collect(stdout)

	ready, err := p.receive(ctx, startPatience())
	switch {
	case err != nil:
		p.Kill()
		return nil, fmt.Errorf("worker %q did not begin: %w", name, err)
	case ready.Kind != eventReady:
		p.Kill()
		return nil, fmt.Errorf("worker %q did not begin: %w", name, p.death())
	}
	p.pid = ready.PID
	return p, nil
}

// noRaceExitDelay keeps a worker that was built with -race from sleeping for a second when it exits, which it does to let other
// goroutines report their races (Go, "Data Race Detector", GORACE atexit_sleep_ms).
func noRaceExitDelay() string {
	return "GORACE=" + strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0")
}

func (p *Process) pipes() (io.ReadCloser, error) {
	stdin, err := p.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	return p.command.StdoutPipe()
}

// collect reads the worker's events to their end and reaps the process.
func (p *Process) collect(stdout io.Reader) {
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		stray, message, isMessage := bytes.Cut(line, []byte(messageMark))
		var e event
		switch {
		case !isMessage || json.Unmarshal(message, &e) != nil:
			stray = line
		case e.Kind == eventProgress:
			select {
			case p.progress <- struct{}{}:
			default: // the parent has not looked since the last one
			}
		case e.Kind == eventPlace:
			select {
			case p.place <- e.Place:
			default:
			}
		default:
			p.events <- e
		}
		_, _ = p.stderr.Write(stray)
		if err != nil {
			break // end of output
		}
	}
	p.exitErr = p.command.Wait()
	close(p.exited)
	close(p.events)
}

// next returns the next event without consuming what peek left. A process that is gone yields a done event.
func (p *Process) next(ctx context.Context) (event, error) {
	if p.pending != nil {
		e := *p.pending
		p.pending = nil
		return e, nil
	}
	for {
		e, err := p.receive(ctx, Patience())
		if err != nil || e.Kind != eventResult {
			return e, err
		}
	}
}

// receive waits for one event of the worker and notes what it says. It gives up when the worker has made no progress for limit, or longer
// if the machine keeps it waiting.
func (p *Process) receive(ctx context.Context, limit time.Duration) (event, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	renewals := 0
	for {
		select {
		case e, open := <-p.events:
			return p.took(e, open), nil
		case <-p.progress:
			renewals = 0
		case <-timer.C:
			if !Renewed(p.pid, &renewals) {
				select { // the worker may have sent something while Renewed judged it
				case e, open := <-p.events:
					return p.took(e, open), nil
				case <-p.progress:
					renewals = 0
				default:
					return event{}, p.NewStuck("go on", limit)
				}
			}
		case <-ctx.Done():
			return event{}, context.Cause(ctx)
		}
		timer.Reset(limit)
	}
}

// took notes an event, or that there will be no more.
func (p *Process) took(e event, open bool) event {
	if !open {
		p.finish(p.death())
		return event{Kind: eventDone}
	}
	p.note(e)
	return e
}

// note keeps what an event brings: a result until somebody asks for it, the end for good.
func (p *Process) note(e event) {
	switch e.Kind {
	case eventResult:
		p.results = append(p.results, e.Value)
	case eventDone:
		p.finish(asError(e.Error))
	}
}

func asError(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}

func (p *Process) finish(err error) {
	if !p.finished {
		p.finished, p.err = true, err
	}
}

// peek reports the event that has come or comes before ctx ends, and leaves it for next.
func (p *Process) peek(ctx context.Context) (event, error) {
	e, err := p.next(ctx)
	if err == nil {
		p.pending = &e
	}
	return e, err
}

// A Died is the error of a worker whose process ended before its function had returned: by os.Exit, a fatal error, a panic in another
// goroutine, or a signal.
type Died struct {
	Worker string
	// How is the exit status or the signal, what the process printed first and, of a panic, where in the code under test it was.
	How string
}

func (d *Died) Error() string { return fmt.Sprintf("worker %q died: %s", d.Worker, d.How) }

// death says how a process ended that did not say goodbye.
func (p *Process) death() error {
	<-p.exited
	how := "it exited before its function had returned"
	if p.exitErr != nil {
		how = p.exitErr.Error()
	}
	if text := p.stderr.firstLine(); text != "" {
		how += ": " + text
	}
	if place := placeIn(p.stderr.String()); place != "" {
		how += " (" + place + ")"
	}
	return &Died{Worker: p.name, How: how}
}

// PID returns the worker's process id, also when another program is wrapped around it.
func (p *Process) PID() int { return p.pid }

// Name returns the worker's name.
func (p *Process) Name() string { return p.name }

// Finished reports whether the worker is known to have come to its end: its function has returned, or its process is gone.
func (p *Process) Finished() bool { return p.finished }

// Reached waits until the worker stands at the named step.
//
// If the worker finishes instead, the error matches ErrFinished and wraps what the worker returned.
func (p *Process) Reached(ctx context.Context, step string) error {
	if p.finished {
		return p.finishedInsteadOf(step)
	}
	e, err := p.next(ctx)
	switch {
	case err != nil:
		return waitingFor(fmt.Sprintf("reach %q", step), err)
	case e.Kind == eventReached && e.Step == step:
		p.atStep = step
		return nil
	case e.Kind == eventReached:
		p.pending = &e
		return fmt.Errorf("worker %q stands at %q, not at %q", p.name, e.Step, step)
	default:
		return p.finishedInsteadOf(step)
	}
}

func (p *Process) finishedInsteadOf(step string) error {
	if p.err == nil {
		return fmt.Errorf("worker %q did not reach %q: %w", p.name, step, ErrFinished)
	}
	return fmt.Errorf("worker %q did not reach %q: %w: %w", p.name, step, ErrFinished, p.err)
}

// Continue lets a worker that stands at a step, or that was started with Hold, go on. It does not wait.
func (p *Process) Continue() error {
	p.atStep = ""
	return p.write(command{Continue: true})
}

// Send gives v, as JSON, to a worker that waits in Receive.
func (p *Process) Send(v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("value for worker %q: %w", p.name, err)
	}
	return p.write(command{Value: value})
}

func (p *Process) write(c command) error {
	line, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("command for worker %q: %w", p.name, err)
	}
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("worker %q does not listen any more: %w", p.name, err)
	}
	return nil
}

// Wait waits until the worker's function has returned and its process is gone, and returns the function's error, an
// *Error, or how the process died.
// A worker that stands at a step is not let go on, and not waited for: the error says so and matches ErrNotBlocked.
func (p *Process) Wait(ctx context.Context) error {
	for !p.finished {
		if err := p.standsAtStep(); err != nil {
			return err
		}
		e, err := p.next(ctx)
		if err != nil {
			return waitingFor("return", err)
		}
		if e.Kind == eventReached {
			p.pending = &e
		}
	}
	limit := Patience()
	select {
	case <-p.exited: // so that its handles are closed and its locks are free
		return p.err
	case <-time.After(limit):
		return p.NewStuck("exit", limit)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// standsAtStep returns an error for a worker that does nothing until the next Continue: to wait for it would be in vain.
func (p *Process) standsAtStep() error {
	step := p.atStep
	if p.pending != nil && p.pending.Kind == eventReached {
		step = p.pending.Step
	}
	if step == "" || p.finished {
		return nil
	}
	return fmt.Errorf("worker %q stands at %q and waits for a Continue: %w", p.name, step, ErrNotBlocked)
}

// NextResult waits for the next value that the worker sends with Result and decodes it into v.
func (p *Process) NextResult(ctx context.Context, v any) error {
	for len(p.results) == 0 {
		if p.finished {
			return fmt.Errorf("worker %q sent no result: %w", p.name, errors.Join(ErrFinished, p.err))
		}
		if err := p.standsAtStep(); err != nil {
			return err
		}
		e, err := p.receive(ctx, Patience())
		if err != nil {
			return waitingFor("send a result", err)
		}
		if e.Kind == eventReached {
			p.pending = &e
		}
	}
	value := p.results[0]
	p.results = p.results[1:]
	if err := json.Unmarshal(value, v); err != nil {
		return fmt.Errorf("result of worker %q: %w", p.name, err)
	}
	return nil
}

// Kill ends the worker as a crash would (SIGKILL, TerminateProcess) and returns when it is gone: its handles are closed
// and its kernel locks are free, as far as the system frees them at once. It may be called more than once. It gives up after Patience if
// the end of the worker's output does not come: a program that the worker has started may keep it open, and code under test that closes
// a descriptor twice may have closed the parent's end of it.
func (p *Process) Kill() {
	switch {
	case p.isGone(): // its number may be another process's by now
	case p.pid != 0 && p.pid != p.command.Process.Pid:
		if inner, err := os.FindProcess(p.pid); err == nil {
			_ = inner.Kill() // the program wrapped around it ends when its child is gone
		}
	default:
		_ = p.command.Process.Kill()
	}
	p.closeInput()
	p.reap()
	if !p.finished {
		p.finish(ErrKilled)
	}
}

func (p *Process) isGone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *Process) closeInput() {
	p.stdinEnd.Do(func() { _ = p.stdin.Close() })
}

// reap drains the worker's last events and returns when the process is gone, or after Patience.
func (p *Process) reap() {
	limit := time.After(Patience())
	for {
		select {
		case e, open := <-p.events:
			if !open { // so exited is closed as well
				return
			}
			p.note(e)
		case <-limit:
			return
		}
	}
}

// Stop freezes the worker (SIGSTOP) and returns when it stands still. Resume lets it run again.
// On a system without that the error matches errors.ErrUnsupported.
func (p *Process) Stop(ctx context.Context) error { return stop(ctx, p.pid) }

// Resume lets a stopped worker run again.
func (p *Process) Resume() error { return resume(p.pid) }

// tail keeps the last bytes that were written to it.
type tail struct {
	mutex sync.Mutex
	bytes []byte
	first []byte
}

const tailLength = 16 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if len(t.first) < 512 {
		t.first = append(t.first, b[:min(len(b), 512)]...)
	}
	t.bytes = append(t.bytes, b...)
	if excess := len(t.bytes) - tailLength; excess > 0 {
		t.bytes = t.bytes[excess:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return string(t.bytes)
}

// firstLine returns the first line that says something: of a crashed Go program that is the panic.
func (t *tail) firstLine() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for line := range strings.Lines(string(t.first)) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}
