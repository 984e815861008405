//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package flock_test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func init() { workers["agent"] = agent }

// agent obeys orders about the file at PATH, and answers with "ok" or the name of the error.
//
//	open NAME, read NAME         opens the file for reading and writing, or for reading
//	duplicate NAME AS            dup(2)
//	SH, EX, UN, SH|NB, EX|NB     flock(2), with a NAME
//	close NAME                   closes it
//	forget NAME                  keeps the descriptor's number, and lets the os.File go
//	collect                      collects garbage
//	child, child NAME            starts a program that runs on, and gives it that file
func agent(w *lab.Worker) error {
	files := map[string]*os.File{}
	numbers := map[string]int{}
	w.Reached("ready")
	for {
		var order string
		if err := w.Receive(&order); err != nil {
			return err
		}
		if err := w.Result(name(obey(strings.Fields(order), w.Arg(0), files, numbers))); err != nil {
			return err
		}
		w.Reached("ready")
	}
}

var operations = map[string]int{
	"SH": syscall.LOCK_SH, "EX": syscall.LOCK_EX, "UN": syscall.LOCK_UN,
	"SH|NB": syscall.LOCK_SH | syscall.LOCK_NB, "EX|NB": syscall.LOCK_EX | syscall.LOCK_NB,
}

func obey(words []string, path string, files map[string]*os.File, numbers map[string]int) (err error) {
	file := ""
	if len(words) > 1 {
		file = words[1]
	}
	switch words[0] {
	case "open":
		files[file], err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	case "read":
		files[file], err = os.Open(path)
	case "duplicate":
		descriptor, err := syscall.Dup(int(files[file].Fd()))
		files[words[2]] = os.NewFile(uintptr(descriptor), path)
		return err
	case "close":
		err = files[file].Close()
	case "forget":
		numbers[file] = int(files[file].Fd())
		delete(files, file)
	case "collect":
		lab.CollectGarbage()
	case "child":
		child := exec.Command("sleep", "60") // longer than the test needs
		if file != "" {
			child.ExtraFiles = []*os.File{files[file]}
		}
		err = child.Start()
	default:
		descriptor, known := numbers[file]
		if !known {
			descriptor = int(files[file].Fd())
		}
		err = syscall.Flock(descriptor, operations[words[0]])
	}
	return err
}

func name(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, syscall.EWOULDBLOCK):
		return "EWOULDBLOCK"
	default:
		return err.Error()
	}
}

// A program runs agent in a process of its own.
type program struct {
	*lab.Process
	t *testing.T
}

// programs starts some that work with one file, which each has opened as f.
func programs(t *testing.T, n int) (path string, all []program) {
	t.Helper()
	path = lab.WriteFile(t, "stock.json.lock", "")
	for range n {
		p := program{lab.Start(t, "agent", path), t}
		p.Reached("ready")
		p.Continue()
		p.must("open f")
		all = append(all, p)
	}
	return path, all
}

func (p program) do(order string) (result string) {
	p.t.Helper()
	p.Send(order)
	return p.end()
}

func (p program) end() (result string) {
	p.t.Helper()
	p.Reached("ready")
	p.Result(&result)
	p.Continue()
	return result
}

func (p program) must(orders ...string) {
	p.t.Helper()
	for _, order := range orders {
		require.Equal(p.t, "ok", p.do(order), order)
	}
}

// waits demands that the order waits for a lock.
func (p program) waits(order string) {
	p.t.Helper()
	p.Send(order)
	require.NotEqual(p.t, process.AtStep, p.Settle(), order)
}

func TestOwner(t *testing.T) {
	t.Parallel()

	// flock(2): "If a process uses open(2) (or similar) to obtain more than one file descriptor for the same file, these file
	// descriptors are treated independently by flock()."
	t.Run("two opens of one file are two owners, in one process too", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 1)
		p[0].must("EX f", "open g")
		require.Equal(t, "EWOULDBLOCK", p[0].do("EX|NB g"))
		p[0].waits("EX g") // for itself, for ever
	})

	// flock(2): "duplicate file descriptors (created by, for example, fork(2) or dup(2)) refer to the same lock, and this lock may be
	// modified or released using any of these file descriptors."
	t.Run("a duplicate of a descriptor is the same owner", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 1)
		p[0].must("EX f", "duplicate f g", "EX|NB g")
	})
	t.Run("the lock stays until the last duplicate is closed", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("EX f", "duplicate f g", "close f")
		require.Equal(t, "EWOULDBLOCK", p[1].do("EX|NB f"))
		p[0].must("close g")
		p[1].must("EX|NB f")
	})
	t.Run("LOCK_UN through one duplicate gives the lock back for all", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("EX f", "duplicate f g", "UN g")
		p[1].must("EX|NB f")
	})

	// os.File, Fd: "If f is closed, the descriptor becomes invalid", and a garbage os.File is closed by its finalizer.
	t.Run("a file whose number alone is kept is closed by the garbage collector, and the lock ends", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("EX f", "forget f", "collect")
		p[1].must("EX|NB f")
		require.Equal(t, syscall.EBADF.Error(), p[0].do("UN f"))
	})
	t.Run("a file that is kept keeps its lock when garbage is collected", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("EX f", "collect")
		require.Equal(t, "EWOULDBLOCK", p[1].do("EX|NB f"))
	})
	t.Run("opening and closing the file once more leaves the lock alone", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("EX f", "open g", "close g")
		require.Equal(t, "EWOULDBLOCK", p[1].do("EX|NB f"))
	})
	t.Run("an owner that is killed has no lock any more", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("EX f")
		p[0].Kill()
		p[1].must("EX|NB f")
	})
	t.Run("the lock is on the file, by whichever of its names it was opened", func(t *testing.T) {
		t.Parallel()
		path, p := programs(t, 1)
		p[0].must("EX f")
		require.NoError(t, os.Link(path, path+".link"))
		link, err := os.OpenFile(path+".link", os.O_RDWR, 0)
		require.NoError(t, err)
		defer link.Close()
		require.ErrorIs(t, syscall.Flock(int(link.Fd()), operations["EX|NB"]), syscall.EWOULDBLOCK)
	})

	// flock(2): "A shared or exclusive lock can be placed on a file regardless of the mode in which the file was opened."
	t.Run("a handle for reading alone gets an exclusive lock", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("read g", "EX g")
		require.Equal(t, "EWOULDBLOCK", p[1].do("SH|NB f"))
	})
	t.Run("a program that does not ask for the lock reads and writes as it likes", func(t *testing.T) {
		t.Parallel()
		path, p := programs(t, 1)
		p[0].must("EX f")
		require.NoError(t, os.WriteFile(path, []byte("not asked"), 0o600))
	})
}

// close(2): a call that waits goes on with the open file description, and nothing says that the descriptor is gone.
func TestCloseBesideAWait(t *testing.T) {
	t.Parallel()
	t.Run("a call that waits while its file is closed returns nil in the end, and nothing is locked", func(t *testing.T) {
		t.Parallel()
		path, p := programs(t, 2)
		p[0].must("EX f")
		waiter := lab.Start(t, "close beside a wait", path)
		waiter.Reached("waiting")
		for waiter.BlockedOn(path) == 0 {
			runtime.Gosched()
		}
		waiter.Continue()
		waiter.Reached("closed")
		p[0].must("UN f")
		waiter.Continue()
		var result string
		waiter.Result(&result)
		require.Equal(t, "ok", result)
		waiter.Reached("returned")
		p[1].must("EX|NB f")
	})
}

func init() { workers["close beside a wait"] = closeBesideAWait }

// closeBesideAWait waits for the lock of PATH in a goroutine, and closes the file meanwhile.
func closeBesideAWait(w *lab.Worker) error {
	file, err := os.OpenFile(w.Arg(0), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	result := make(chan error)
	go func() { result <- syscall.Flock(int(file.Fd()), syscall.LOCK_EX) }()
	w.Reached("waiting")
	if err := file.Close(); err != nil {
		return err
	}
	w.Reached("closed")
	if err := w.Result(name(<-result)); err != nil {
		return err
	}
	w.Reached("returned")
	return nil
}

func TestChildren(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sleep"); err != nil {
		t.Skip("there is no sleep command here")
	}

	// flock(2): "Locks created by flock() are preserved across an execve(2)."
	t.Run("a child that was given the file keeps the lock when its parent is killed", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("EX f", "child f")
		p[0].Kill()
		require.Equal(t, "EWOULDBLOCK", p[1].do("EX|NB f"))
	})

	// open(2), O_CLOEXEC, which os.OpenFile sets.
	t.Run("a child that was not given the file does not have it", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("EX f", "child")
		p[0].Kill()
		p[1].must("EX|NB f")
	})

	t.Run("a program does not start while another goroutine holds ForkLock", func(t *testing.T) {
		started := make(chan error, 1)
		syscall.ForkLock.RLock()
		go func() { started <- exec.Command("true").Run() }()
		waits := false // a writer that waits keeps the next reader out
		for end := time.Now().Add(process.Patience()); !waits && time.Now().Before(end); {
			if waits = !syscall.ForkLock.TryRLock(); !waits {
				syscall.ForkLock.RUnlock()
			}
		}
		done := len(started)
		syscall.ForkLock.RUnlock()
		require.NoError(t, <-started)
		require.True(t, waits)
		require.Zero(t, done)
	})
	t.Run("LOCK_UN takes effect although a child has the file", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("EX f", "child f", "UN f")
		p[1].must("EX|NB f")
	})
	t.Run("a child that was given the file can take the lock from its parent", func(t *testing.T) {
		t.Parallel()
		command, err := exec.LookPath("flock")
		if err != nil {
			t.Skip("there is no flock command here")
		}
		path, p := programs(t, 1)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		defer file.Close()
		require.NoError(t, syscall.Flock(int(file.Fd()), syscall.LOCK_EX))
		require.Equal(t, "EWOULDBLOCK", p[0].do("EX|NB f"))
		child := exec.Command(command, "--unlock", "3")
		child.ExtraFiles = []*os.File{file}
		require.NoError(t, child.Run())
		p[0].must("EX|NB f")
	})
}
