package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	document "example/turnstile/exercises/13_document"
	repository "example/turnstile/exercises/14_repository"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/15_lock_manager/ledger"
	service "example/turnstile/exercises/16_service"
	"example/turnstile/exercises/16_service/books"
	"example/turnstile/exercises/16_service/gate"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{"check in": checkIn, "view": view, "crowd": crowd, "stoppable": stoppable},
		service.ErrEnded, service.ErrForbidden, service.ErrPublished, service.ErrUnfinished,
		service.ErrNotDurable, lockmanager.ErrHeld, lockmanager.ErrNotFound)
}

// Where the messages send the reader.
const (
	why      = `lessons/16_service, "Why it happens"`
	fix      = `lessons/16_service, "The fix"`
	twice    = `lessons/16_service, "The same request twice"`
	late     = `lessons/16_service, "A checkout that has ended"`
	garbage  = `lessons/16_service, "Objects without a home"`
	recovery = `lessons/16_service, "Recovery"`
	failures = `lessons/16_service, "When a step is refused"`
)

const bracket, axle = "bracket.step", "axle.step"

const lease = time.Hour

// A shop is a directory in which services work, and a clock.
type shop struct {
	dir   string
	clock *atomic.Int64 // in seconds
}

// found makes a shop without parts.
func found(t testing.TB) shop {
	t.Helper()
	o := shop{filepath.Dir(lab.Path(t, "x")), new(atomic.Int64)}
	s, err := service.Create(t.Context(), o.dir, o.options())
	lab.RequireSetUp(t, err)
	lab.RequireSetUp(t, s.Close())
	return o
}

func (o shop) options() service.Options {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	return service.Options{
		Lease: lease, Now: func() time.Time { return start.Add(time.Duration(o.clock.Load()) * time.Second) },
		MayForce: func(person string, _ service.Checkout) bool { return person == "admin" },
	}
}

// service returns a new one, as a program that starts has it.
func (o shop) service(t testing.TB) *service.Service {
	t.Helper()
	s, err := service.Open(o.dir, o.options())
	lab.RequireSetUp(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// manager returns the lock manager alone, as a server has it that knows of no versions.
func (o shop) manager() *lockmanager.Manager {
	return lockmanager.New(o.path("locks.json"), lockmanager.Options{Now: o.options().Now})
}

func (o shop) path(name string) string { return filepath.Join(o.dir, name) }

// locks and versions return the documents as another program that knows the format has them.
func (o shop) locks() *document.Document[ledger.Ledger] {
	return document.New(o.path("locks.json"), document.Options[ledger.Ledger]{})
}

func (o shop) versions() *document.Document[books.Books] {
	return document.New(o.path("versions.json"), document.Options[books.Books]{})
}

// state says what the directory holds: who has which part, each version with its content, and what has no home.
func (o shop) state(t testing.TB) string {
	t.Helper()
	var lines []string
	lab.RequireSetUp(t, o.locks().View(t.Context(), func(l *ledger.Ledger) error {
		for _, c := range l.Checkouts {
			lines = append(lines, fmt.Sprintf("%s has %s", c.Owner, c.Path))
		}
		return nil
	}))
	objects, err := repository.Open(o.dir, repository.Options{})
	lab.RequireSetUp(t, err)
	defer objects.Close()
	home := map[repository.ID]bool{}
	lab.RequireSetUp(t, o.versions().View(t.Context(), func(b *books.Books) error {
		for _, v := range b.Versions {
			home[v.Object] = true
			lines = append(lines, fmt.Sprintf("version %d of %s is %s, by %s", v.Number, v.Path, contentOf(objects, v.Object), v.Owner))
		}
		return nil
	}))
	lost := 0
	for object, err := range objects.List(t.Context()) {
		lab.RequireSetUp(t, err)
		if !home[object.ID] {
			lost++
		}
	}
	if lost > 0 {
		lines = append(lines, fmt.Sprint("objects without a version: ", lost))
	}
	temporary, err := os.ReadDir(o.path("tmp"))
	lab.RequireSetUp(t, err)
	if len(temporary) > 0 {
		lines = append(lines, fmt.Sprint("temporary files: ", len(temporary)))
	}
	if len(lines) == 0 {
		return "nothing"
	}
	return strings.Join(lines, "; ")
}

func contentOf(objects *repository.Repository, id repository.ID) string {
	content, err := objects.Get(context.Background(), id)
	if errors.Is(err, fs.ErrNotExist) {
		return "without content"
	}
	if err != nil {
		return err.Error()
	}
	defer content.Close()
	text, err := io.ReadAll(content)
	if err != nil {
		return err.Error()
	}
	if len(text) > 40 {
		return fmt.Sprintf("%d bytes", len(text))
	}
	return fmt.Sprintf("%q", text)
}

func (o shop) requireState(t testing.TB, want string, l lab.Lesson) {
	t.Helper()
	lab.RequireEqual(t, want, o.state(t), l)
}

// checkOut is a CheckOut that must succeed, and returns what was handed over. It is for the beginning of a story.
func checkOut(t testing.TB, s *service.Service, person, path string) (service.Checkout, string) {
	t.Helper()
	c, content, err := s.CheckOut(t.Context(), person, path)
	lab.RequireSetUp(t, err)
	text, err := io.ReadAll(content)
	lab.RequireSetUp(t, errors.Join(err, content.Close()))
	return c, string(text)
}

// checkInAs is a CheckIn that must succeed.
func checkInAs(t testing.TB, s *service.Service, c service.Checkout, content string) service.Version {
	t.Helper()
	l := lab.Lesson{
		Says: "CheckIn refused who has the part", Did: fmt.Sprintf("CheckOut of %s for %s, then CheckIn with its ID", c.Path, c.Owner),
		Means: "no one can hand in what they have done", Read: fix,
	}
	v, err := try(t, s, c, strings.NewReader(content), l)
	lab.RequireNoError(t, err, l)
	return v
}

// try is a CheckIn that must come to its end.
func try(t testing.TB, s *service.Service, c service.Checkout, content io.Reader, l lab.Lesson) (v service.Version, err error) {
	t.Helper()
	waits := l.Say("CheckIn does not come to its end")
	waits.Expected, waits.Found = "it returns", "it waits: for a lock that it holds itself, or that it keeps from others while content comes"
	lab.Finishes(t, func() { v, err = s.CheckIn(t.Context(), c.Owner, c.ID, content) }, waits)
	if t.Failed() { // while the content came
		t.FailNow()
	}
	return v, err
}

// recoverAll is a Recover, by a program that starts now, that must succeed.
func (o shop) recoverAll(t testing.TB, l lab.Lesson) (done service.Recovery) {
	t.Helper()
	l = l.Say("Recover failed")
	var err error
	s := o.service(t)
	lab.Finishes(t, func() { done, err = s.Recover(t.Context()) }, l)
	lab.RequireNoError(t, err, l)
	return done
}

// recoverAfterAKill is recoverAll, again and again until it collects: not every system gives a killed program's locks back at once.
func (o shop) recoverAfterAKill(t testing.TB, l lab.Lesson) (done service.Recovery) {
	t.Helper()
	for end := time.Now().Add(process.Patience()); ; time.Sleep(time.Millisecond) {
		if done = o.recoverAll(t, l); done.Collected || time.Now().After(end) {
			return done
		}
	}
}

// A midway is the content "hers and more", and something happens when half of it has been read.
type midway struct {
	happens func()
	read    int
}

func (m *midway) Read(p []byte) (int, error) {
	m.read++
	switch m.read {
	case 1:
		return copy(p, "hers"), nil
	case 2:
		m.happens()
		return copy(p, " and more"), nil
	}
	return 0, io.EOF
}

// ended demands an error that matches ErrEnded.
func requireEnded(t testing.TB, err error, l lab.Lesson) {
	t.Helper()
	if l.Expected == "" {
		l.Expected = "an error that matches ErrEnded"
	}
	lab.RequireErrorIs(t, err, service.ErrEnded, l)
}

// requireOpenGate demands that no one is inside the gate.
func (o shop) requireOpenGate(t testing.TB, who string, l lab.Lesson) {
	t.Helper()
	pass, err := gate.New(o.path("uploads.lock")).Collect()
	l.Means = map[string]string{
		"CheckIn": "as long as this program runs, nothing is collected, and the disk fills up",
		"Recover": "as long as this program runs, every upload waits",
	}[who]
	if errors.Is(err, gate.ErrBusy) {
		l.Expected, l.Found = "no one is inside the gate", who+" has come to its end, and is inside still"
		lab.Fail(t, l.Say("%s has not left the gate", who))
	}
	lab.RequireSetUp(t, err)
	lab.RequireSetUp(t, pass.Leave())
}

// checkIn is a program that checks in at DIR, for PERSON, with the ID, the content "hers and more". It stops at "halfway" if the fourth
// argument says so, and at "done".
func checkIn(w *lab.Worker) error {
	s, err := service.Open(w.Arg(0), shop{clock: new(atomic.Int64)}.options())
	if err != nil {
		return err
	}
	content := &midway{happens: func() {
		if w.Arg(3) == "halfway" {
			w.Reached("halfway")
		}
	}}
	_, err = s.CheckIn(context.Background(), w.Arg(1), w.Arg(2), content)
	if err == nil {
		w.Reached("done")
	}
	return err
}

// view is a program that has the document at PATH open in a View, and stands at "inside".
func view(w *lab.Worker) error {
	return document.New(w.Arg(0), document.Options[any]{}).View(context.Background(), func(*any) error {
		w.Reached("inside")
		return nil
	})
}
