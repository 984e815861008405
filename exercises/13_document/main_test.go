package document_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example/turnstile/exercises/06_atomic_replace/place"
	"example/turnstile/exercises/11_locked_file/filelock"
	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/13_document/format"
	"example/turnstile/exercises/13_document/lockfile"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(-1)        // the collector closes what was forgotten, and with that ends a lock
	debug.SetMemoryLimit(2 << 30) // where it runs all the same: a hundred runs of the tests would need ten times as much
	lab.Main(m, workers, errTest, errInvalid, document.ErrNotDurable, document.ErrEmpty)
}

var workers = lab.Workers{
	"update": update, "view": view, "recover": recoverIt, "desk": desk, "crowd": crowd, "away": away, "waiting": waiting, "create": create,
	"refuse loudly": refuseLoudly, "polling": polling, "counting": counting,
}

// Where the messages send the reader.
const (
	why       = `lessons/13_document, "Why it happens"`
	fix       = `lessons/13_document, "The fix"`
	failing   = `lessons/13_document, "Ways out of a callback"`
	strict    = `lessons/13_document, "What may be loaded"`
	durable   = `lessons/13_document, "The order of a save"`
	recovery  = `lessons/13_document, "Damage"`
	copies    = `lessons/13_document, "The copy in memory"`
	grouped   = `lessons/13_document, "Group commit"`
	names     = `lessons/13_document, "Where the lock is"`
	contexts  = `lessons/13_document, "How long to wait"`
	firstTime = `lessons/13_document, "The first time"`
)

var (
	errTest    = errors.New("the test's own error")
	errInvalid = errors.New("a checkout has no person")
	// errOwn is an error of a change, which has used another document.
	errOwn = fmt.Errorf("%w: %w", errTest, document.ErrNotDurable)
)

// stranger is a person whom Validate does not find, in another document, which is newer: its error matches what View says of a document.
const stranger = "mallory"

// shop is the content of the tests' documents.
type shop struct {
	Checkouts map[string]string `json:"checkouts"`
	Count     int               `json:"count,omitempty"`
	Weight    float64           `json:"weight,omitempty"`
	Nobody    bool              `json:"-"` // in memory alone, Validate accepts a checkout without a person
}

func validate(s *shop) error {
	for part, person := range s.Checkouts {
		if person == "" && !s.Nobody {
			return fmt.Errorf("%w: %s", errInvalid, part)
		}
		if person == stranger {
			return fmt.Errorf("%s is not among the people: %w: %w", person, fs.ErrNotExist, &document.VersionError{Path: "people.json", Version: 2})
		}
	}
	return nil
}

func open(path string) *document.Document[shop] {
	return document.New(path, document.Options[shop]{Validate: validate})
}

const (
	before = `{"version":1,"generation":6,"content":{"checkouts":{}}}` + "\n"
	good   = `{"version":1,"generation":7,"content":{"checkouts":{"bracket.step":"alice"}}}` + "\n"
)

// shelf returns the path of a document of generation 7, in a directory of its own.
func shelf(t *testing.T) string {
	t.Helper()
	return lab.WriteFile(t, "locks.json", good)
}

// kept returns the path of a document that has a backup.
func kept(t *testing.T) string {
	t.Helper()
	path := shelf(t)
	lab.RequireSetUp(t, os.WriteFile(path+".bak", []byte(before), 0o644))
	return path
}

// torn is what is left of a document.
var torn = good[:40]

// A method is one of the four that use a document. What they have in common is asked of each.
type method func(ctx context.Context, d *document.Document[shop], use func(*shop) error) error

var methods = map[string]method{
	"View": func(ctx context.Context, d *document.Document[shop], use func(*shop) error) error {
		return d.View(ctx, use)
	},
	"Update": func(ctx context.Context, d *document.Document[shop], use func(*shop) error) error {
		return d.Update(ctx, use)
	},
	"Create": func(ctx context.Context, d *document.Document[shop], _ func(*shop) error) error {
		return d.Create(ctx, &shop{Checkouts: map[string]string{"hinge.step": "bob"}})
	},
	"Recover": func(ctx context.Context, d *document.Document[shop], _ func(*shop) error) error {
		_, err := d.Recover(ctx)
		return err
	},
}

// prepared returns a path at which the method has something to do: no document for Create, a damaged one for Recover, with its backup,
// and a good one for View and Update.
func prepared(t *testing.T, name string) (path string) {
	t.Helper()
	switch name {
	case "Create":
		return lab.Path(t, "locks.json")
	case "Recover":
		path = kept(t)
		lab.RequireSetUp(t, os.WriteFile(path, []byte(torn), 0o644))
		return path
	}
	return kept(t)
}

// checkOut is the change of most tests.
func checkOut(part, person string) func(*shop) error {
	return func(content *shop) error {
		if content.Checkouts == nil {
			return errors.New("the content that change was given has no map of checkouts")
		}
		content.Checkouts[part] = person
		return nil
	}
}

// changes that come to nothing, by what is wrong with them.
var failures = map[string]func(*shop) error{
	"change returns an error":     func(s *shop) error { s.Checkouts["bracket.step"] = "eve"; return errOwn },
	"change panics":               func(s *shop) error { s.Checkouts["bracket.step"] = "eve"; panic(errTest) },
	"change ends its goroutine":   func(s *shop) error { s.Checkouts["bracket.step"] = "eve"; runtime.Goexit(); return nil },
	"Validate refuses the result": func(s *shop) error { s.Checkouts["bracket.step"] = ""; return nil },
	"JSON has no form for it":     func(s *shop) error { s.Weight = math.NaN(); return nil },
	"it has a key twice":          func(s *shop) error { s.Checkouts["Bracket.step"] = "eve"; return nil },
	"Validate refuses what would be loaded of it": func(s *shop) error {
		s.Checkouts["bracket.step"], s.Nobody = "", true
		return nil
	},
}

// An outcome is how a call ended.
type outcome struct {
	err      error
	panicked any
	exited   bool
}

// end runs call, which may panic or end its goroutine, and fails the test if it does not come to its end.
func end(t *testing.T, l lab.Lesson, call func() error) (o outcome) {
	t.Helper()
	lab.Finishes(t, func() { o = ended(call) }, l)
	return o
}

// ended runs call in a goroutine of its own.
func ended(call func() error) (o outcome) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.exited = true
		defer func() {
			if value := recover(); value != nil {
				o.panicked, o.exited = value, false
			}
		}()
		o.err = call()
		o.exited = false
	}()
	<-done
	return o
}

// requirePanic demands that the caller has got the panic with the value errTest.
func requirePanic(t *testing.T, o outcome, l lab.Lesson) {
	t.Helper()
	l.Expected, l.Found = fmt.Sprintf("a panic with the value %q", errTest), "no panic"
	if o.panicked != nil {
		l.Found = fmt.Sprintf("a panic with the value %q", fmt.Sprint(o.panicked))
	}
	l.Means = "a bug is hidden from the caller, who may know this panic and recover it"
	lab.Require(t, o.panicked == any(errTest), l)
}

// succeed demands that the call returns nil.
func succeed(t *testing.T, l lab.Lesson, call func() error) {
	t.Helper()
	o := end(t, l, call)
	if o.panicked != nil || o.exited {
		lab.Fail(t, l.Say("%s: it panicked or ended its goroutine", l.Says))
	}
	lab.RequireNoError(t, o.err, l)
}

// fail demands that the call returns an error, and returns it.
func fail(t *testing.T, l lab.Lesson, call func() error) error {
	t.Helper()
	o := end(t, l, call)
	lab.Require(t, o.panicked == nil && !o.exited, l.Say("%s: it panicked or ended its goroutine", l.Says))
	lab.RequireError(t, o.err, l)
	return o.err
}

// read returns what the file at path holds.
func read(t *testing.T, path string, l lab.Lesson) (generation int64, content *shop) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		generation, content, err = format.Decode(path, data, validate)
	}
	if err != nil {
		l.Expected, l.Found = "exactly one valid document at "+filepath.Base(path), err.Error()
		if corrupt, is := errors.AsType[*document.CorruptError](err); is { // what it advises is for those who know whether there is a backup
			l.Found = fmt.Sprintf("%s is damaged: %v", filepath.Base(path), corrupt.Err)
		}
		lab.Fail(t, l)
	}
	return generation, content
}

// requireCheckouts demands that the document holds exactly these checkouts.
func requireCheckouts(t *testing.T, path string, l lab.Lesson, want string) {
	t.Helper()
	_, content := read(t, path, l)
	lab.RequireEqual(t, want, list(content), l)
}

// list shows checkouts in one order.
func list(content *shop) string {
	all := make([]string, 0, len(content.Checkouts))
	for part, person := range content.Checkouts {
		all = append(all, part+"="+person)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// entries lists the directory of path, without the files of the lock.
func entries(t *testing.T, path string) string {
	t.Helper()
	found, err := os.ReadDir(filepath.Dir(path))
	lab.RequireSetUp(t, err)
	var all []string
	for _, entry := range found {
		if !strings.Contains(entry.Name(), ".lock") || strings.HasPrefix(entry.Name(), ".") {
			all = append(all, entry.Name())
		}
	}
	return strings.Join(all, " ")
}

// requireFree demands that an Update of another owner need not wait.
func requireFree(t *testing.T, path string, l lab.Lesson) {
	t.Helper()
	l.Means = "every program that needs the document waits for a call that is over"
	ctx, stop := context.WithTimeout(context.Background(), process.Patience()/2)
	defer stop()
	var err error
	lab.Finishes(t, func() { err = open(path).Update(ctx, func(*shop) error { return errTest }) }, l)
	lab.Require(t, err != nil && !errors.Is(err, context.DeadlineExceeded), l)
}

var polls struct {
	once sync.Once
	yes  bool
}

// waits demands that the worker waits for a lock. The kernel tells only of those that wait there: one that polls would be taken for one
// that does not wait, and after all the patience that a slow one has. So the first caller finds out.
func waits(t *testing.T, p *lab.Process, l lab.Lesson) {
	t.Helper()
	polls.once.Do(func() {
		path := shelf(t)
		held, err := lockfile.Lock(t.Context(), path+".lock", filelock.Exclusive, 0o600)
		lab.RequireSetUp(t, err)
		asks, began, limit := lab.Start(t, "polling", path), time.Now(), process.Patience()
		state := asks.Settle()
		for state != process.AtStep && state != process.Finished && time.Since(began) < limit {
			state = asks.Settle()
		}
		polls.yes = state == process.AtStep
		asks.Kill()
		lab.RequireSetUp(t, held.Unlock())
	})
	lab.Require(t, !polls.yes, lab.Lesson{
		Says: "Update polls for the lock", Did: "another program had the lock on locks.json.lock; Update's calls of flock(2) were counted",
		Expected: "it waits in the kernel", Found: "it asked ten times, and would ask again",
		Means: "programs that wait in the kernel come first, whenever they come", Read: contexts,
	})
	p.WaitBlocked(l)
}

// update adds PERSON's checkout of PART to the document at PATH, and stands at "inside" while it does.
func update(w *lab.Worker) error {
	return open(w.Arg(0)).Update(context.Background(), func(content *shop) error {
		w.Reached("inside")
		return checkOut(w.Arg(1), w.Arg(2))(content)
	})
}

// view sends the checkouts of the document at PATH, and stands at "inside" before.
func view(w *lab.Worker) error {
	return open(w.Arg(0)).View(context.Background(), func(content *shop) error {
		w.Reached("inside")
		return w.Result(list(content))
	})
}

func create(w *lab.Worker) error {
	return open(w.Arg(0)).Create(context.Background(), &shop{Checkouts: map[string]string{}})
}

// refuseLoudly calls METHOD for the document at PATH, whose Validate panics when it is called the NUMBER-th time. It returns what its
// caller has recovered, nil if Validate is not called so often, and context.DeadlineExceeded if that has left the document locked.
func refuseLoudly(w *lab.Worker) error {
	called := 0
	d := document.New(w.Arg(1), document.Options[shop]{Validate: func(*shop) error {
		if called++; called == w.Int(2) {
			panic(errTest)
		}
		return nil
	}})
	o := ended(func() error { return methods[w.Arg(0)](context.Background(), d, func(*shop) error { return nil }) })
	if called < w.Int(2) {
		return o.err
	}
	err, is := o.panicked.(error)
	if !is {
		err = fmt.Errorf("the caller got no panic with the value of Validate's: %v", o.panicked)
	}
	ctx, stop := context.WithTimeout(context.Background(), process.Patience()/2)
	defer stop()
	if free := open(w.Arg(1)).Update(ctx, func(*shop) error { return errTest }); errors.Is(free, context.DeadlineExceeded) {
		return errors.Join(err, context.DeadlineExceeded)
	}
	return err
}

// polling calls Update for the document at PATH, whose lock another program has. It stands at "polls" when Update has asked for locks too
// often for one that waits, and returns when the kernel says that it waits.
func polling(w *lab.Worker) error {
	var asked atomic.Int64
	done := make(chan error, 1)
	go func() {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		done <- lab.WatchLocks(func() { _ = open(w.Arg(0)).Update(ctx, func(*shop) error { return errTest }) }, func() { asked.Add(1) })
	}()
	for mine := fmt.Sprintf(" %d ", os.Getpid()); ; time.Sleep(time.Millisecond) { // decides only how soon it is seen
		locks, err := os.ReadFile("/proc/locks")
		for line := range strings.Lines(string(locks)) {
			if strings.Contains(line, "-> FLOCK") && strings.Contains(line, mine) {
				return nil
			}
		}
		if asked.Load() >= 10 { // two locks, each of which may be tried first and then waited for
			w.Reached("polls")
		}
		if err != nil || len(done) > 0 {
			return err
		}
	}
}

func recoverIt(w *lab.Worker) error {
	done, err := open(w.Arg(0)).Recover(context.Background())
	return errors.Join(err, w.Result(done))
}

// desk is a program with one Document for PATH.
func desk(w *lab.Worker) error {
	d := open(w.Arg(0))
	return lab.Obey(w, func(words []string) (r lab.Reply) {
		o := ended(func() error { return obey(d, words) })
		r.Returned.Err = o.err
		if o.panicked != nil {
			r.Returned.Err = errTest
		}
		return r
	})
}

// obey obeys "update", "view", "create", "recover" and "late"; or it is an Update with a change that comes to nothing.
func obey(d *document.Document[shop], words []string) error {
	ctx := context.Background()
	order := strings.Join(words, " ")
	if change := failures[order]; change != nil {
		return d.Update(ctx, change)
	}
	switch order {
	case "update":
		return d.Update(ctx, checkOut("hinge.step", "bob"))
	case "view":
		return d.View(ctx, func(*shop) error { return nil })
	case "view panics":
		return d.View(ctx, func(*shop) error { panic(errTest) })
	case "create":
		return d.Create(ctx, &shop{Checkouts: map[string]string{}})
	case "recover":
		_, err := d.Recover(ctx)
		return err
	}
	return fmt.Errorf("no such order: %s", order)
}

// leftover creates a temporary file as a process crash leaves it, and returns its path.
func leftover(t *testing.T, path string) string {
	t.Helper()
	at, err := place.Find(path)
	lab.RequireSetUp(t, err)
	temp := at.TempName()
	lab.RequireSetUp(t, os.WriteFile(temp, []byte(`{"version":1,"gen`), 0o600))
	return temp
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
