package lockmanager_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"example/turnstile/exercises/06_atomic_replace/busy"
	document "example/turnstile/exercises/13_document"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/15_lock_manager/drawings"
	"example/turnstile/exercises/15_lock_manager/ledger"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) {
	lab.Main(m, workers, lockmanager.ErrHeld, lockmanager.ErrNotFound, lockmanager.ErrName, lockmanager.ErrOwner, lockmanager.ErrFenced,
		document.ErrNotDurable, document.ErrSaved)
}

// workers of files with build tags are added in their init.
var workers = lab.Workers{"desk": desk, "view": view, "crowd": crowd}

// Where the messages send the reader.
const (
	why      = `lessons/15_lock_manager, "Why it happens"`
	fix      = `lessons/15_lock_manager, "The fix"`
	once     = `lessons/15_lock_manager, "An ID is used once"`
	names    = `lessons/15_lock_manager, "One part, one name"`
	leases   = `lessons/15_lock_manager, "Leases"`
	fencing  = `lessons/15_lock_manager, "Fencing tokens"`
	failures = `lessons/15_lock_manager, "When the change fails"`
	unlocked = `lessons/15_lock_manager, "Giving back"`
)

// start is the time at which a test's clock begins: not at a full second, as usual, and never the system's time.
var start = time.Date(2100, 3, 2, 9, 0, 0, 123456789, time.FixedZone("CET", 3600))

const lease = time.Hour

// An office is a directory with locks.json and archive.json, and a clock that all programs see.
type office struct {
	dir   string
	local *atomic.Pointer[time.Time] // the test's own clock; nil in other programs, which read the file
}

// open makes an office without checkouts.
func open(t testing.TB) office {
	t.Helper()
	o := office{filepath.Dir(lab.Path(t, "x")), new(atomic.Pointer[time.Time])}
	o.setClock(t, start)
	m := o.manager(0)
	lab.RequireNoError(t, errors.Join(m.Create(t.Context()), o.archive(m).Create(t.Context())), lab.Lesson{
		Says: "Create of lesson 13's document failed", Did: "Create of locks.json and archive.json, which calls your Create of lesson 13",
		Means: "without its document this lesson cannot begin; finish lesson 13 first", Read: `lessons/13_document, "Your turn"`,
	})
	return o
}

func (o office) locks() string        { return filepath.Join(o.dir, "locks.json") }
func (o office) drawingsFile() string { return filepath.Join(o.dir, "archive.json") }
func (o office) clock() string        { return filepath.Join(o.dir, "clock") }

func (o office) setClock(t testing.TB, now time.Time) {
	t.Helper()
	if o.local != nil {
		o.local.Store(&now)
	}
	lab.RequireSetUp(t, os.WriteFile(o.clock(), []byte(now.Format(time.RFC3339Nano)), 0o600))
}

// now reads the clock.
func (o office) now() time.Time {
	if o.local != nil {
		return *o.local.Load()
	}
	text, err := os.ReadFile(o.clock())
	if err != nil {
		panic(err)
	}
	now, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		panic(err)
	}
	return now
}

// manager returns a new one, as a program that starts has it.
func (o office) manager(lease time.Duration) *lockmanager.Manager {
	return lockmanager.New(o.locks(), lockmanager.Options{Lease: lease, Now: o.now})
}

func (o office) archive(m *lockmanager.Manager) *lockmanager.Archive {
	return lockmanager.NewArchive(o.drawingsFile(), m)
}

// ledger returns the document as another program that knows the format has it.
func (o office) ledger() *document.Document[ledger.Ledger] {
	return document.New(o.locks(), document.Options[ledger.Ledger]{})
}

func (o office) drawings() *document.Document[drawings.Drawings] {
	return document.New(o.drawingsFile(), document.Options[drawings.Drawings]{})
}

// checkouts returns what the document holds.
func (o office) checkouts(t testing.TB) (all []lockmanager.Checkout) {
	t.Helper()
	lab.RequireSetUp(t, o.ledger().View(t.Context(), func(l *ledger.Ledger) error {
		all = slices.Clone(l.Checkouts)
		return nil
	}))
	return all
}

// drawing returns what the archive holds for the part with this key.
func (o office) drawing(t testing.TB, key string) (content string) {
	t.Helper()
	lab.RequireSetUp(t, o.drawings().View(t.Context(), func(d *drawings.Drawings) error {
		content = d.Parts[key].Content
		return nil
	}))
	return content
}

// token returns the highest that has read or written the part with this key.
func (o office) token(t testing.TB, key string) (token uint64) {
	t.Helper()
	lab.RequireSetUp(t, o.drawings().View(t.Context(), func(d *drawings.Drawings) error {
		token = d.Parts[key].Token
		return nil
	}))
	return token
}

// summary is what a message shows of checkouts: the owner and the part of each.
func summary(all []lockmanager.Checkout) string {
	text := ""
	for _, c := range all {
		text += fmt.Sprintf("%s has %s; ", c.Owner, c.Path)
	}
	if text == "" {
		return "no checkout"
	}
	return text[:len(text)-2]
}

func (o office) requireCheckouts(t testing.TB, want string, l lab.Lesson) {
	t.Helper()
	lab.RequireEqual(t, want, summary(o.checkouts(t)), l)
}

// lock is a Lock that must succeed. It is for the beginning of a story.
func lock(t testing.TB, m *lockmanager.Manager, owner, path string) (c lockmanager.Checkout) {
	t.Helper()
	l := lab.Lesson{
		Says: "Lock failed although the part was free", Did: fmt.Sprintf("Lock of %s for %s; no one had it", path, owner),
		Means: "the program cannot work at all", Read: fix,
	}
	var err error
	lab.Finishes(t, func() { c, err = m.Lock(t.Context(), owner, path) }, l)
	lab.RequireNoError(t, err, l)
	return c
}

// unlock is an Unlock that must succeed.
func unlock(t testing.TB, m *lockmanager.Manager, c lockmanager.Checkout) {
	t.Helper()
	l := lab.Lesson{
		Says: "Unlock failed for its owner", Did: fmt.Sprintf("Lock of %s for %s, then Unlock with the ID", c.Path, c.Owner),
		Means: "no one gets the part any more", Read: unlocked,
	}
	var err error
	lab.Finishes(t, func() { _, err = m.Unlock(t.Context(), c.Owner, c.ID, false) }, l)
	lab.RequireNoError(t, err, l)
}

// requireHeld demands a *HeldError with the checkout that stands in the way.
func requireHeld(t testing.TB, want lockmanager.Checkout, err error, l lab.Lesson) {
	t.Helper()
	if l.Expected == "" {
		l.Expected = "a *HeldError with the checkout of " + want.Owner
	}
	lab.RequireErrorIs(t, err, lockmanager.ErrHeld, l)
	var held *lockmanager.HeldError
	l.Found = "an error that matches ErrHeld, without a *HeldError"
	lab.Require(t, errors.As(err, &held), l)
	l.Found = fmt.Sprintf("a *HeldError with %+v", held.Checkout)
	lab.Require(t, same(want, held.Checkout), l)
}

// same compares what is recorded; a time that went through JSON has another location.
func same(a, b lockmanager.Checkout) bool {
	one, err := json.Marshal(a)
	other, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(one) == string(other)
}

// desk is a program of the office at DIR. Its checkouts have a lease if the second argument says so. It obeys
//
//	Lock OWNER PATH NAME     and keeps the checkout under the name
//	Unlock OWNER ID, force OWNER ID
//	Write NAME CONTENT
//	limit N                  how many bytes its files may have
//	break-clock N            which panics when it is read for the N. time from now
func desk(w *lab.Worker) error {
	o := office{dir: w.Arg(0)}
	var left int64 // readings until the clock panics; 0 if it does not
	options := lockmanager.Options{Now: func() time.Time {
		if left > 0 {
			if left--; left == 0 {
				panic("the clock is broken")
			}
		}
		return o.now()
	}}
	if w.Arg(1) == "lease" {
		options.Lease = lease
	}
	m := lockmanager.New(o.locks(), options)
	archive := o.archive(m)
	kept := map[string]lockmanager.Checkout{}
	ctx := context.Background()
	return lab.Obey(w, func(words []string) (r lab.Reply) {
		var c lockmanager.Checkout
		var err error
		was := left
		defer func() {
			if was > 0 && left == 0 {
				if value := recover(); value != nil {
					r.Returned.Err = fmt.Errorf("it panicked: %v", value)
				}
			}
		}()
		switch words[0] {
		case "break-clock":
			left, err = strconv.ParseInt(words[1], 10, 64)
		case "Lock":
			c, err = m.Lock(ctx, words[1], words[2])
			kept[words[3]] = c
		case "Unlock", "force":
			c, err = m.Unlock(ctx, words[1], words[2], words[0] == "force")
		case "Write":
			err = archive.Write(ctx, kept[words[1]], words[2])
		case "limit":
			var n int64
			if n, err = strconv.ParseInt(words[1], 10, 64); err == nil {
				err = lab.LimitFileSize(n)
			}
		default:
			panic("no such order: " + words[0])
		}
		r.Returned.Err = err
		text, jsonErr := json.Marshal(c)
		r.Text = string(text)
		if jsonErr != nil {
			panic(jsonErr)
		}
		return r
	})
}

// A program runs desk in a process of its own.
type program struct {
	lab.Program
	t *testing.T
}

func begin(t *testing.T, o office, args ...string) program {
	t.Helper()
	return program{lab.StartProgram(t, lab.Options{}, stuck, "desk", append([]string{o.dir}, args...)...), t}
}

// stuck is what a test says if an order waits that should not.
func stuck(order string, l lab.Lesson) lab.Lesson {
	l.Expected, l.Found = order+" returns", "the kernel says that it waits for a file lock"
	return l
}

// lock is a Lock that must succeed; it keeps the checkout under the name.
func (p program) lock(owner, path, name string) lockmanager.Checkout {
	p.t.Helper()
	l := lab.Lesson{
		Says: "Lock failed although the part was free", Did: fmt.Sprintf("Lock of %s for %s; no one had it", path, owner),
		Means: "the program cannot work at all", Read: fix,
	}
	r := p.Ask(fmt.Sprintf("Lock %s %s %s", owner, path, name), l)
	lab.RequireNoError(p.t, r.Returned.Err, l)
	return checkoutOf(p.t, r)
}

func checkoutOf(t *testing.T, r lab.Reply) (c lockmanager.Checkout) {
	t.Helper()
	lab.RequireSetUp(t, json.Unmarshal([]byte(r.Text), &c))
	return c
}

// view is a program that has the document at PATH open in a View, and stands at "inside".
func view(w *lab.Worker) error {
	return document.New(w.Arg(0), document.Options[any]{}).View(context.Background(), func(*any) error {
		w.Reached("inside")
		return nil
	})
}

// An edition is what a file holds at one time.
type edition []byte

func read(t *testing.T, path string) edition {
	t.Helper()
	text, err := os.ReadFile(path)
	lab.RequireSetUp(t, err)
	return text
}

// put makes an earlier or later edition the file's content, while the test holds the document's lock, or no one is at work. It replaces
// the file.
func (e edition) put(t *testing.T, path string) {
	t.Helper()
	temporary := path + ".edition"
	lab.RequireSetUp(t, os.WriteFile(temporary, e, 0o600))
	lab.RequireSetUp(t, busy.Rename(temporary, path))
}

// waits demands that the program waits for a lock. Where the system does not tell, a slow one needs more time than others to get there.
func waits(p *lab.Process, l lab.Lesson) {
	for range map[bool]int{true: 4, false: 1}[runtime.GOOS == "windows"] {
		p.WaitBlocked(l)
	}
}

// between has the program obey the order, which decides on what the document at path holds and then changes it. What the document holds
// becomes another edition after the first moment at which the decision can have been made, and before the first at which the change can be.
//
// For that, the test has a shared lock: a program that only reads goes past it, one that will change the document waits.
func between(t *testing.T, p program, order, path string, meanwhile func(), l lab.Lesson) lab.Reply {
	t.Helper()
	reader := lab.Start(t, "view", path)
	reader.Reached("inside")
	p.Send(order)
	waits(p.Process, lab.Lesson{
		Says: l.Says + ", or it did not wait for the document's lock", Did: l.Did, Expected: "it waits for the lock, in the kernel",
		Found: "it does not", Means: l.Means, Read: l.Read,
	})
	meanwhile()
	reader.Continue()
	lab.RequireSetUp(t, reader.Wait())
	return p.Reply(l)
}
