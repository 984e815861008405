package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example/turnstile/exercises/11_locked_file/filelock"
	document "example/turnstile/exercises/13_document"
	service "example/turnstile/exercises/16_service"
	"example/turnstile/exercises/16_service/books"
	"example/turnstile/exercises/16_service/gate"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

// A cut is a content that fails in the middle.
type cut struct {
	io.Reader
	err error
}

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err == io.EOF {
		err = c.err
	}
	return n, err
}

func TestCheckInOfAContentThatFails(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "a connection broke, and with it her right to try once more", Read: failures}
	lab.EachErrno(t, func(t *testing.T, cause error) {
		o, l := found(t), l
		s := o.service(t)
		hers, _ := checkOut(t, s, "alice", bracket)
		l.Did = fmt.Sprintf("CheckIn of a content that failed in the middle with %v", cause)
		v, err := try(t, s, hers, cut{strings.NewReader("hers"), cause}, l)
		o.requireState(t, still, l.Say("CheckIn failed, and the part is not its owner's any more"))
		lab.RequireErrorIs(t, err, cause, l.Say("CheckIn hid why it had failed"))
		lab.RequireEqual(t, service.Version{}, v, l.Say("CheckIn returned a version beside its error"))
		o.requireOpenGate(t, "CheckIn", l)
		checkInAs(t, s, hers, "hers and more")
		o.requireState(t, done, l.Say("CheckIn did not make up for a failure when it was called again"))
		l.Did += "; CheckIn of it all; then the first CheckIn again"
		_, err = try(t, s, hers, cut{strings.NewReader("hers"), cause}, l)
		lab.RequireErrorIs(t, err, cause, l.Say("CheckIn hid why it had failed"))
		l.Expected, l.Found = "an error that does not match ErrEnded", err.Error()
		lab.Require(t, !errors.Is(err, service.ErrEnded), l.Say("CheckIn took a content that failed for another one"))
		o.requireState(t, done, l.Say("CheckIn changed something when it was called a second time"))
	}, syscall.EIO, io.ErrUnexpectedEOF, document.ErrSaved)
	t.Run("while another one's comes", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		other := o.service(t)
		hers, _ := checkOut(t, other, "alice", bracket)
		his, _ := checkOut(t, other, "bob", axle)
		l.Did = "while the content of alice's CheckIn came, bob's CheckIn failed because of its content"
		var failed error
		_, err := try(t, o.service(t), hers, &midway{happens: func() {
			_, failed = other.CheckIn(t.Context(), "bob", his.ID, cut{strings.NewReader("his"), io.ErrUnexpectedEOF})
		}}, l)
		lab.RequireErrorIs(t, failed, io.ErrUnexpectedEOF, l.Say("CheckIn hid why it had failed"))
		lab.RequireNoError(t, err, l.Say("CheckIn failed because another one had failed"))
		o.requireState(t, "bob has axle.step; "+done, l.Say("CheckIn failed, and another one was not left alone"))
	})
	for name, fails := range map[string]func(){
		"with a panic": func() { panic("a content panics, in the goroutine that reads it") }, "with runtime.Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, l := found(t), l
			s := o.service(t)
			hers, _ := checkOut(t, s, "alice", bracket)
			l.Did = "CheckIn of a content whose Read ends " + name
			l.Means = "content is read in another goroutine, where its owner does not expect that"
			returned := false
			lab.Finishes(t, func() {
				defer func() { _ = recover() }()
				_, _ = s.CheckIn(t.Context(), "alice", hers.ID, &midway{happens: fails})
				returned = true
			}, l.Say("CheckIn does not come to its end"))
			l.Expected, l.Found = "the goroutine that called CheckIn ends", "CheckIn returned"
			lab.Require(t, !returned || name == "with a panic", l.Say("CheckIn does not read content in its caller's goroutine"))
			l.Expected, l.Found, l.Means = "", "", "a mistake in a content takes the part from its owner"
			o.requireOpenGate(t, "CheckIn", l)
			o.requireState(t, still, l.Say("CheckIn did not return, and the part is not its owner's any more"))
		})
	}
}

// A gate that cannot be entered is not an open one.
func TestAGateThatCannotBeEntered(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(s *service.Service, hers service.Checkout) error{
		"CheckIn": func(s *service.Service, hers service.Checkout) error {
			_, err := s.CheckIn(context.Background(), "alice", hers.ID, strings.NewReader("hers"))
			return err
		},
		"Recover": func(s *service.Service, _ service.Checkout) error {
			_, err := s.Recover(context.Background())
			return err
		},
	} {
		t.Run("by "+name, func(t *testing.T) {
			t.Parallel()
			o := found(t)
			s := o.service(t)
			hers, _ := checkOut(t, s, "alice", bracket)
			o.orphan(t, "of no version")
			lab.RequireSetUp(t, os.Mkdir(o.path("uploads.lock"), 0o700))
			l := lab.Lesson{
				Did:   "uploads.lock was a directory, so that it cannot be opened; " + name,
				Means: "an upload and a collection meet, and a version loses its content", Read: garbage,
			}
			before := o.state(t)
			var err error
			lab.Finishes(t, func() { err = call(s, hers) }, l.Say("%s does not come to its end", name))
			o.requireState(t, before, l.Say("%s went on without the gate", name))
			var cause *fs.PathError
			l.Expected, l.Found = "an error that wraps the *fs.PathError of uploads.lock", fmt.Sprint(err)
			lab.Require(t, errors.As(err, &cause) && filepath.Base(cause.Path) == "uploads.lock",
				l.Say("%s hid why it could not enter the gate", name))
		})
	}
}

func TestCheckInObeysItsContext(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "a client that has hung up is served for hours, or only in part", Read: failures}
	t.Run("before and while the content comes", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		s := o.service(t)
		hers, _ := checkOut(t, s, "alice", bracket)
		ctx, stop := context.WithCancel(t.Context())
		l.Did = "CheckIn; while the content came, its context ended"
		_, err := s.CheckIn(ctx, "alice", hers.ID, &midway{happens: stop})
		o.requireState(t, still, l.Say("CheckIn did not obey its context"))
		lab.RequireErrorIs(t, err, context.Canceled, l.Say("CheckIn did not obey its context"))
		l.Did = "CheckIn with a context that had ended"
		_, err = s.CheckIn(ctx, "alice", hers.ID, strings.NewReader("hers"))
		lab.RequireErrorIs(t, err, context.Canceled, l.Say("CheckIn did not obey its context"))
		o.requireState(t, still, l.Say("CheckIn did not obey its context"))
		o.requireOpenGate(t, "CheckIn", l)
	})
	for what, holds := range map[string]func(t *testing.T, o shop) (release func() error){
		"a collection": func(t *testing.T, o shop) func() error {
			pass, err := gate.New(o.path("uploads.lock")).Collect()
			lab.RequireSetUp(t, err)
			return pass.Leave
		},
		"locks.json": func(t *testing.T, o shop) func() error {
			file, err := os.OpenFile(o.path("locks.json.lock"), os.O_RDWR|os.O_CREATE, 0o600)
			lab.RequireSetUp(t, err)
			handle, err := filelock.New(file)
			lab.RequireSetUp(t, err)
			lab.RequireSetUp(t, handle.TryLock(filelock.Exclusive))
			return func() error { return errors.Join(handle.Unlock(), file.Close()) }
		},
	} {
		t.Run("while it waits for "+what, func(t *testing.T) {
			t.Parallel()
			o, l := found(t), l
			l.Did = "CheckIn had to wait for " + what + " of another program, and its context ended"
			hers, _ := checkOut(t, o.service(t), "alice", bracket)
			release := holds(t, o)
			p := lab.Start(t, "stoppable", o.dir, hers.ID)
			p.Settle()
			lab.RequireSetUp(t, os.WriteFile(o.path("stop"), nil, 0o600))
			var got outcome
			p.Result(&got, l.Say("CheckIn did not obey its context"))
			lab.RequireErrorIs(t, got.Returned.Err, context.Canceled, l.Say("CheckIn did not obey its context"))
			lab.RequireSetUp(t, p.Wait())
			lab.RequireSetUp(t, release())
			for end := time.Now().Add(process.Patience()); !o.isFree("uploads") && time.Now().Before(end); { // not every system is as fast
				time.Sleep(time.Millisecond)
			}
			o.requireState(t, still, l.Say("CheckIn did not obey its context"))
			o.requireOpenGate(t, "CheckIn", l)
		})
	}
	t.Run("while it waits for versions.json", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "another program read versions.json; CheckIn with a context that ended when it had stored its object"
		hers, _ := checkOut(t, o.service(t), "alice", bracket)
		holder := lab.Start(t, "view", o.path("versions.json"))
		holder.Reached("inside")
		ctx, stop := context.WithCancel(t.Context())
		s := o.service(t)
		finished := make(chan error, 1)
		go func() {
			_, err := s.CheckIn(ctx, "alice", hers.ID, &midway{happens: func() {}})
			finished <- err
		}()
		lab.Finishes(t, func() {
			for !strings.Contains(o.files(t), "objects/") && len(finished) == 0 {
				time.Sleep(time.Millisecond)
			}
		}, l.Say("CheckIn stores no object while another program reads versions.json"))
		stop()
		var err error
		lab.Finishes(t, func() { err = <-finished }, l.Say("CheckIn did not obey its context"))
		lab.RequireErrorIs(t, err, context.Canceled, l.Say("CheckIn did not obey its context"))
		holder.Continue()
		lab.RequireSetUp(t, holder.Wait())
		o.recoverAll(t, l)
		o.requireState(t, still, l.Say("CheckIn did not obey its context"))
	})
	t.Run("until the version is published, and not longer", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "CheckIn had published, and its context ended while another program kept it from locks.json"
		hers, _ := checkOut(t, o.service(t), "alice", bracket)
		_, err := o.checkInHeldUp(t, hers, func() {
			lab.RequireSetUp(t, os.WriteFile(o.path("stop"), nil, 0o600))
			lab.Finishes(t, func() {
				for !exists(o.path("stopped")) {
					time.Sleep(time.Millisecond)
				}
			}, l.Say("CheckIn keeps its program from anything else"))
		}, l)
		lab.RequireNoError(t, err, l.Say("CheckIn stopped half way when its context ended"))
		o.requireState(t, done, l.Say("CheckIn stopped half way when its context ended"))
	})
}

// An outcome is what CheckIn returned.
type outcome struct {
	Version  service.Version
	Returned lab.Returned
}

// stoppable is a program that checks in at DIR, for alice, with the ID. Its context ends when there is a file "stop", and then it makes a
// file "stopped", even if CheckIn returns at once.
func stoppable(w *lab.Worker) (err error) {
	s, err := service.Open(w.Arg(0), shop{clock: new(atomic.Int64)}.options())
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	stopped := make(chan error, 1)
	go func() {
		for !exists(filepath.Join(w.Arg(0), "stop")) {
			time.Sleep(time.Millisecond)
		}
		stop()
		stopped <- os.WriteFile(filepath.Join(w.Arg(0), "stopped"), nil, 0o600)
	}()
	var o outcome
	o.Version, o.Returned.Err = s.CheckIn(ctx, "alice", w.Arg(1), &midway{happens: func() {}})
	if ctx.Err() != nil {
		if err := <-stopped; err != nil {
			return err
		}
	}
	return w.Result(o)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// checkInHeldUp is a CheckIn that another program keeps from changing locks.json, by reading it. When the version is published, something
// else happens. However slow the machine is, that is not before: a CheckIn that is only about to begin would be another story.
func (o shop) checkInHeldUp(t *testing.T, hers service.Checkout, happens func(), l lab.Lesson) (service.Version, error) {
	t.Helper()
	holder := lab.Start(t, "view", o.path("locks.json"))
	holder.Reached("inside")
	p := lab.Start(t, "stoppable", o.dir, hers.ID)
	o.awaitVersion(t, p, hers, l)
	happens()
	holder.Continue()
	lab.RequireSetUp(t, holder.Wait())
	var got outcome
	p.Result(&got, l.Say("CheckIn does not come to its end"))
	lab.RequireSetUp(t, p.Wait())
	return got.Version, got.Returned.Err
}

// awaitVersion waits until the stoppable program has published its version, which it must do while another program reads locks.json. It is
// patient as long as new files appear.
func (o shop) awaitVersion(t *testing.T, p *lab.Process, hers service.Checkout, l lab.Lesson) {
	t.Helper()
	l = l.Say("CheckIn does not publish before it gives the part back")
	l.Did = "another program read locks.json, so that CheckIn could not change it"
	l.Expected = "CheckIn publishes the version, and waits"
	files, since, limit := "", time.Now(), process.Patience()
	for ; !o.published(t, hers); time.Sleep(time.Millisecond) {
		if p.Settle() == process.Finished {
			var got outcome
			p.Result(&got, l)
			l.Found = fmt.Sprintf("it publishes nothing, and returns the error: %v", got.Returned.Err)
			lab.Fail(t, l)
		}
		if now := o.files(t); now != files {
			files, since = now, time.Now()
		}
		l.Found = fmt.Sprintf("no version after %v, and nothing new in the directory", limit)
		lab.Require(t, time.Since(since) < limit, l)
	}
	p.Settle() // and then, as far as the system tells, it waits for locks.json
}

// published reports whether there is a version of the checkout. It asks under the lock of versions.json: where a file that is open cannot
// be replaced, a look without the lock would disturb the program that publishes.
func (o shop) published(t testing.TB, c service.Checkout) (yes bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), process.Patience())
	defer stop()
	err := o.versions().View(ctx, func(b *books.Books) error {
		_, yes = b.Of(c.ID)
		return nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return false // it has the lock of versions.json while it waits for locks.json
	}
	lab.RequireSetUp(t, err)
	return yes
}

// The version is there, and locks.json cannot be changed.
func TestCheckInThatCannotGiveBack(t *testing.T) {
	t.Parallel()
	o := found(t)
	s := o.service(t)
	hers, _ := checkOut(t, s, "alice", bracket)
	l := lab.Lesson{
		Did:   "CheckIn had published, and locks.json was damaged before it could give the part back",
		Means: "her program believes that nothing is published", Read: failures,
	}
	before := o.editions(t, "locks.json")
	v, err := o.checkInHeldUp(t, hers, func() {
		edition{o.path("locks.json"): before[o.path("locks.json")][:20]}.put(t)
	}, l)
	lab.RequireErrorIs(t, err, service.ErrUnfinished, l.Say("CheckIn did not report that it could not give the part back"))
	lab.RequireEqual(t, 1, v.Number, l.Say("CheckIn kept the version to itself that it had published"))
	before.put(t)
	l.Did += "; then it was brought back, and CheckIn called again"
	again, err := try(t, s, hers, &midway{happens: func() {}}, l)
	lab.RequireNoError(t, err, l.Say("CheckIn refused its owner after a failure"))
	lab.RequireEqual(t, v, again, l.Say("CheckIn returned another version than the first time"))
	o.requireState(t, done, l.Say("CheckIn did not make up for a failure when it was called again"))
}
