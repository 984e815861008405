package lockedfile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	lockedfile "example/turnstile/exercises/11_locked_file"
	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) {
	lab.Main(m, workers, lockedfile.ErrLocked, errTest, errNothing, errUnnamed)
}

// workers of files with build tags are added in their init.
var workers = lab.Workers{"program": obey, "edit": edit, "limited": limited, "count": count, "ask": ask, "nested": nested}

// Where the messages send the reader.
const (
	why      = `lessons/11_locked_file, "Why it happens"`
	fix      = `lessons/11_locked_file, "The fix"`
	order    = `lessons/11_locked_file, "Open, lock, truncate"`
	readers  = `lessons/11_locked_file, "Shared for reading"`
	waiting  = `lessons/11_locked_file, "A wait that can be given up"`
	closing  = `lessons/11_locked_file, "Every way out"`
	children = `lessons/11_locked_file, "Children and duplicates"`
	refusals = `lessons/11_locked_file, "When the kernel refuses"`
	editing  = `lessons/11_locked_file, "Edit"`
	others   = `lessons/11_locked_file, "Programs in other languages"`
)

var (
	errTest    = errors.New("the test's own error")
	errNothing = errors.New("neither a file nor an error was returned")
	errUnnamed = errors.New("errors.As finds no *fs.PathError with the path in the error")
)

// A desk is a program at work with locked files. The files have names.
type desk struct {
	path    string
	worker  *lab.Worker
	mutex   sync.Mutex // guards files, which goroutines of the program add to
	files   map[string]*lockedfile.File
	cancels map[string]context.CancelCauseFunc
	ended   map[string]chan error
}

func newDesk(w *lab.Worker) *desk {
	return &desk{
		path: w.Arg(0), worker: w, files: map[string]*lockedfile.File{},
		cancels: map[string]context.CancelCauseFunc{}, ended: map[string]chan error{},
	}
}

// obey is a program that works with the file at PATH.
func obey(w *lab.Worker) error { return lab.Obey(w, newDesk(w).do) }

// do obeys "OpenFile NAME FLAGS" and "TryOpenFile NAME FLAGS", which keep the file under the name; "Close NAME"; "at PATH …" for
// another path; "go NAME FLAGS N", OpenFile in N goroutines, with a context that "cancel NAME" ends; "ended NAME", which waits for them;
// "content NAME", what the file holds, read through its handle; "write NAME TEXT", "tries FLAGS N", "fastest FLAGS N", the microseconds of
// the shortest of N tries, "timeouts FLAGS N" and "duplicate".
func (d *desk) do(order []string) (r lab.Reply) {
	switch order[0] {
	case "OpenFile", "TryOpenFile":
		r.Returned.Err = d.open(context.Background(), d.path, order)
	case "at":
		r.Returned.Err = d.open(context.Background(), order[1], order[2:])
	case "Close":
		r.Returned.Err = d.files[order[1]].Close()
	case "go":
		d.begin(order[1], order[2], number(order[3]))
	case "cancel":
		d.cancels[order[1]](errTest)
	case "ended":
		r.Returned.Err = d.end(order[1])
	case "content":
		text, err := io.ReadAll(io.NewSectionReader(d.files[order[1]], 0, 1<<20))
		r.Text, r.Returned.Err = string(text), err
	case "write":
		_, r.Returned.Err = d.files[order[1]].WriteAt([]byte(order[2]), 0)
	case "tries":
		r.N, r.Returned.Err = d.tries(order[1], number(order[2]))
	case "fastest":
		r.N, r.Returned.Err = d.fastest(order[1], number(order[2]))
	case "timeouts":
		r.Returned.Err = d.timeouts(order[1], number(order[2]))
	case "duplicate":
		r.N, r.Returned.Err = lab.DuplicateDescriptors(d.path)
	default:
		panic("no such order: " + strings.Join(order, " "))
	}
	return r
}

// open obeys CALL NAME FLAGS.
func (d *desk) open(ctx context.Context, path string, order []string) error {
	open := func(flag int) (*lockedfile.File, error) { return lockedfile.OpenFile(ctx, path, flag, 0o600) }
	if order[0] == "TryOpenFile" {
		open = func(flag int) (*lockedfile.File, error) { return lockedfile.TryOpenFile(path, flag, 0o600) }
	}
	file, err := open(flagsOf(order[2]))
	if err != nil {
		return named(err, path)
	}
	if file == nil {
		return errNothing
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.files[order[1]] = file
	return nil
}

// begin calls OpenFile in n goroutines, which close the file again at once.
func (d *desk) begin(name, flags string, n int) {
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan error, n)
	d.cancels[name], d.ended[name] = cancel, ended
	for range n {
		go func() {
			file, err := lockedfile.OpenFile(ctx, d.path, flagsOf(flags), 0o600)
			if err == nil {
				err = file.Close()
			} else {
				err = named(err, d.path)
			}
			ended <- err
		}()
	}
}

// end waits for those goroutines, and returns the error of one that differs from the last one's.
func (d *desk) end(name string) error {
	err := <-d.ended[name]
	for range cap(d.ended[name]) - 1 {
		if next := <-d.ended[name]; err == nil || next == nil {
			err = errors.Join(err, next)
		}
	}
	return err
}

// tries counts the calls of TryOpenFile that found another owner, and returns any other error.
func (d *desk) tries(flags string, n int) (locked int, err error) {
	for range n {
		file, err := lockedfile.TryOpenFile(d.path, flagsOf(flags), 0o600)
		switch {
		case errors.Is(err, lockedfile.ErrLocked):
			locked++
		case err != nil:
			return locked, err
		default:
			return locked, errors.Join(errNothing, file.Close())
		}
	}
	return locked, nil
}

// aMoment is, in microseconds, what a try that does not wait takes at most, if no other program has the processor.
const aMoment = 5000

// fastest returns how many microseconds the shortest of n tries took, all of which find another owner. A try that took less than a moment
// is enough.
func (d *desk) fastest(flags string, n int) (shortest int, err error) {
	shortest = math.MaxInt
	for i := 0; i < n && shortest >= aMoment; i++ {
		begun := time.Now()
		if locked, err := d.tries(flags, 1); err != nil || locked != 1 {
			return 0, errors.Join(errNothing, err)
		}
		shortest = min(shortest, int(time.Since(begun).Microseconds()))
		d.worker.Progress()
	}
	return shortest, nil
}

// timeouts calls OpenFile with contexts that end while it waits.
func (d *desk) timeouts(flags string, n int) error {
	for range n {
		ctx, cancel := context.WithTimeout(context.Background(), 1e6)
		file, err := lockedfile.OpenFile(ctx, d.path, flagsOf(flags), 0o600)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			if err == nil {
				err = errors.Join(errNothing, file.Close())
			}
			return err
		}
		d.worker.Progress()
	}
	return nil
}

// flagsOf returns the flags that Python calls r, r+ and w, and more.
func flagsOf(name string) int {
	flags := map[string]int{
		"r": os.O_RDONLY, "r+": os.O_RDWR, "w": os.O_WRONLY | os.O_CREATE | os.O_TRUNC, "w+": os.O_RDWR | os.O_CREATE | os.O_TRUNC,
		"c+": os.O_RDWR | os.O_CREATE, "wronly": os.O_WRONLY, "a": os.O_WRONLY | os.O_CREATE | os.O_APPEND, "rc": os.O_RDONLY | os.O_CREATE,
		"x": os.O_RDWR | os.O_CREATE | os.O_EXCL | os.O_TRUNC,
	}
	flag, ok := flags[name]
	if !ok {
		panic("no such flags: " + name)
	}
	return flag
}

// named returns the error, to which it adds errUnnamed if errors.As finds no *fs.PathError with the path in it.
func named(err error, path string) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); !ok || pathError.Path != path {
		return errors.Join(err, errUnnamed)
	}
	return err
}

// requireNamed demands that an error of the call tells the path.
func requireNamed(t *testing.T, err error, call string, l lab.Lesson) {
	t.Helper()
	l.Says, l.Means = call+" returned an error that does not tell the path", "of a hundred files, no one knows which one it was"
	l.Expected = "an error in which errors.As finds a *fs.PathError with the path"
	l.Found = strings.TrimSuffix(fmt.Sprint(err), "\n"+errUnnamed.Error())
	lab.Require(t, !errors.Is(err, errUnnamed), l)
}

// hold lets use work with a file that has been opened, and closes it.
func hold(file *lockedfile.File, err error) func(use func(*lockedfile.File) error) error {
	return func(use func(*lockedfile.File) error) error {
		if err != nil {
			return err
		}
		if file == nil {
			return errNothing
		}
		return errors.Join(use(file), file.Close())
	}
}

func number(text string) (n int) {
	if _, err := fmt.Sscan(text, &n); err != nil {
		panic(err)
	}
	return n
}

// A program runs obey in a process of its own.
type program struct {
	lab.Program
	t *testing.T
}

func start(t *testing.T, path string) program { t.Helper(); return launch(t, lab.Options{}, path) }

func launch(t *testing.T, o lab.Options, path string) program {
	t.Helper()
	requireLocks(t)
	return program{lab.StartProgram(t, o, stuck, "program", path), t}
}

// stuck is what a test says if an order waits that should not.
func stuck(order string, l lab.Lesson) lab.Lesson {
	return lab.Lesson{
		Says: callOf(order) + " waits for a lock, and should not", Did: l.Did,
		Expected: "it returns", Found: "the kernel says that it waits for a file lock",
		Means: "either a Try waits, or an earlier lock was not given back: everyone who needs it waits for ever", Read: closing,
	}
}

// tell is for an order that must succeed while goroutines of the program wait for a lock.
func (p program) tell(order string, l lab.Lesson) lab.Reply {
	p.t.Helper()
	r := p.Tell(order, l)
	lab.RequireNoError(p.t, r.Returned.Err, l)
	return r
}

// get opens a file that no other owner has locked, or closes one. It is for the beginning of a story.
func (p program) get(order string) {
	p.t.Helper()
	call := callOf(order)
	p.Succeed(order, lab.Lesson{
		Says: call + " failed although nothing stood in its way", Did: order + "; no other owner had a lock that stands in its way",
		Means: "the program cannot work at all", Read: fix,
	})
}

// refused demands that the order, a TryOpenFile, finds another owner.
func (p program) refused(order string, l lab.Lesson) {
	p.t.Helper()
	requireLocked(p.t, p.Do(order, l), l)
}

// requireContent demands what the file holds, as its owner reads it: on Windows no other can.
func (p program) requireContent(name, want string, l lab.Lesson) {
	p.t.Helper()
	r := p.Ask("content "+name, l)
	lab.RequireSetUp(p.t, r.Returned.Err)
	lab.RequireEqual(p.t, want, r.Text, l)
}

func requireLocked(t *testing.T, err error, l lab.Lesson) {
	t.Helper()
	l.Expected = "an error that matches ErrLocked"
	lab.RequireErrorIs(t, err, lockedfile.ErrLocked, l)
}

func requireClosed(t *testing.T, err error, l lab.Lesson) {
	t.Helper()
	l.Expected = "an error that matches fs.ErrClosed"
	lab.RequireErrorIs(t, err, fs.ErrClosed, l)
}

// callOf returns the function or the method of an order.
func callOf(order string) string {
	for _, word := range strings.Fields(order) {
		switch word {
		case "OpenFile", "TryOpenFile", "Close":
			return word
		case "go":
			return "OpenFile"
		}
	}
	return order
}

// hasLocks asks the package that is given, and not the code under test.
var hasLocks = sync.OnceValue(func() error {
	file, err := os.CreateTemp("", "locks-")
	if err != nil {
		return nil
	}
	defer func() { _ = errors.Join(file.Close(), os.Remove(file.Name())) }()
	handle, err := filelock.New(file)
	if err != nil {
		return err
	}
	return handle.TryLock(filelock.Exclusive)
})

func requireLocks(t *testing.T) {
	t.Helper()
	if err := hasLocks(); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(runtime.GOOS, " has no file locks that this lesson knows: ", err)
	}
}
