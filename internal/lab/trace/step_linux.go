package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab/process"
)

// The traced thread says by its name whether the call under test runs or has returned.
const (
	nameCalling  = "calling"
	nameReturned = "returned"
)

// answer runs call and turns a panic into a reply, so that a learner reads one line and not a dump of goroutines.
func answer(call func(order string) any, order string) (r reply) {
	defer func() {
		if value := recover(); value != nil {
			r = reply{Panicked: process.PanicText(value)}
		}
	}()
	return reply{Value: call(order)}
}

// serveThread runs the calls of Serve in one thread, which stops the process after each.
func serveThread(call func(string) any, thread chan<- int, orders <-chan string, replies chan<- reply) error {
	runtime.LockOSThread()
	// A kernel without Yama knows no such option, and needs none.
	if err := unix.Prctl(unix.PR_SET_PTRACER, unix.PR_SET_PTRACER_ANY, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("let strace trace this process: %w", err)
	}
	thread <- unix.Gettid()
	for order := range orders {
		if err := setThreadName(nameCalling); err != nil {
			return err
		}
		r := answer(call, order)
		if err := setThreadName(nameReturned); err != nil {
			return err
		}
		if err := unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP); err != nil {
			return fmt.Errorf("stop this process: %w", err)
		}
		replies <- r
	}
	return nil
}

func setThreadName(name string) error {
	text := append([]byte(name), 0)
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&text[0])), 0, 0, 0); err != nil {
		return fmt.Errorf("name this thread: %w", err)
	}
	return nil
}

// A Stepper stops a child process after each of one thread's system calls. It is for one goroutine.
type Stepper struct {
	pid    int
	thread string // its directory in /proc
	strace *exec.Cmd
	log    *os.File
	unread []byte
}

// ErrExited is returned by Next when the process is gone.
var ErrExited = errors.New("the process has exited")

// Attach has strace stop the process after each call of the thread. The process must be a child of this one, in Serve, and
// between two orders. The log is a file that Attach creates.
func Attach(ctx context.Context, pid, thread int, calls, log string) (*Stepper, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	s := &Stepper{pid: pid, thread: fmt.Sprintf("/proc/%d/task/%d", pid, thread), log: f}
	s.strace = exec.CommandContext(ctx, "strace", "-p", strconv.Itoa(thread), "-y", "-o", log,
		"-e", "trace="+calls, "-e", "inject="+calls+":signal=SIGSTOP")
	said, err := s.strace.StderrPipe()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := s.strace.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start strace: %w", err), f.Close())
	}
	text := make([]byte, 512)
	n, err := io.ReadAtLeast(said, text, 1)
	if err == nil && bytes.Contains(text[:n], []byte("attached")) {
		return s, nil
	}
	s.Close()
	return nil, fmt.Errorf("strace may not trace another process here: %s: %w", bytes.TrimSpace(text[:n]), errors.ErrUnsupported)
}

// Next waits for the next stop. The caller continues the process with Continue, or kills it. If the context ends first, the
// error is its cause, and the caller must kill the process in the end, because a goroutine goes on waiting for it.
func (s *Stepper) Next(ctx context.Context) (Stop, error) {
	stopped := make(chan error, 1)
	go func() { stopped <- waitStopped(s.pid) }()
	select {
	case err := <-stopped:
		if err != nil {
			return Stop{}, err
		}
	case <-ctx.Done():
		return Stop{}, context.Cause(ctx)
	}
	name, err := os.ReadFile(s.thread + "/comm")
	if err != nil {
		return Stop{}, fmt.Errorf("%w: %w", ErrExited, err)
	}
	call, err := s.lastCall()
	if strings.TrimSpace(string(name)) == nameReturned {
		return Stop{Returned: true}, err
	}
	return Stop{Call: call}, err
}

// waitStopped returns when every thread of the child stands still, or with ErrExited. WNOWAIT leaves the child's end to who started it.
func waitStopped(pid int) error {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ECHILD):
			return ErrExited
		case err != nil:
			return fmt.Errorf("wait for a stop of process %d: %w", pid, err)
		case info.Code == childStopped:
			return nil
		default:
			return ErrExited
		}
	}
}

// childStopped is CLD_STOPPED (sigaction(2)): the kernel sends it when the last thread has stopped.
const childStopped = 5

// lastCall returns the last call that strace has written down since the stop before. strace writes the line before the process stops.
func (s *Stepper) lastCall() (Call, error) {
	more, err := io.ReadAll(s.log)
	s.unread = append(s.unread, more...)
	calls := Parse(string(s.unread))
	s.unread = s.unread[bytes.LastIndexByte(s.unread, '\n')+1:]
	if len(calls) == 0 {
		return Call{}, err
	}
	return calls[len(calls)-1], err
}

// Continue lets the process run to its next stop.
func (s *Stepper) Continue() error {
	if err := unix.Kill(s.pid, unix.SIGCONT); err != nil {
		return fmt.Errorf("continue process %d: %w", s.pid, err)
	}
	return nil
}

// Close ends strace. The process, if it lives, goes on untraced once it is continued.
func (s *Stepper) Close() {
	_ = s.strace.Process.Kill()
	_ = s.strace.Wait()
	_ = s.log.Close()
}

func errnoName(err error) (string, error) {
	var errno syscall.Errno
	if !errors.As(err, &errno) || unix.ErrnoName(errno) == "" {
		return "", fmt.Errorf("%w has no error number: give a syscall.Errno", err)
	}
	return unix.ErrnoName(errno), nil
}
