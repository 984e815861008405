package service_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	service "example/turnstile/exercises/16_service"
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
		o.requireState(t, still, says(l, "CheckIn failed, and the part is not its owner's any more"))
		lab.RequireErrorIs(t, err, cause, says(l, "CheckIn hid why it had failed"))
		lab.RequireEqual(t, service.Version{}, v, says(l, "CheckIn returned a version beside its error"))
		o.requireOpenGate(t, l)
		checkInAs(t, s, hers, "hers and more")
		o.requireState(t, done, says(l, "CheckIn did not make up for a failure when it was called again"))
	}, syscall.EIO, io.ErrUnexpectedEOF)
	t.Run("with a panic", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		s := o.service(t)
		hers, _ := checkOut(t, s, "alice", bracket)
		l.Did = "CheckIn of a content whose Read panics"
		func() {
			defer func() { _ = recover() }()
			_, _ = s.CheckIn(t.Context(), "alice", hers.ID, &midway{happens: func() { panic("out of order") }})
		}()
		o.requireOpenGate(t, l)
		o.requireState(t, still, says(l, "CheckIn panicked, and the part is not its owner's any more"))
	})
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
		o.requireState(t, still, says(l, "CheckIn did not obey its context"))
		lab.RequireErrorIs(t, err, context.Canceled, says(l, "CheckIn did not obey its context"))
		l.Did = "CheckIn with a context that had ended"
		_, err = s.CheckIn(ctx, "alice", hers.ID, strings.NewReader("hers"))
		lab.RequireErrorIs(t, err, context.Canceled, says(l, "CheckIn did not obey its context"))
		o.requireState(t, still, says(l, "CheckIn did not obey its context"))
		o.requireOpenGate(t, l)
	})
	t.Run("while it waits for a collection", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "another program collected; CheckIn with a context that ended meanwhile"
		hers, _ := checkOut(t, o.service(t), "alice", bracket)
		pass, err := gate.New(o.path("uploads.lock")).Collect()
		lab.RequireSetUp(t, err)
		ctx, stop := context.WithCancel(t.Context())
		finished := make(chan error, 1)
		content := &midway{happens: func() {}}
		s := o.service(t)
		go func() {
			_, err := s.CheckIn(ctx, "alice", hers.ID, content)
			finished <- err
		}()
		stop()
		lab.Finishes(t, func() { err = <-finished }, says(l, "CheckIn did not obey its context"))
		lab.RequireErrorIs(t, err, context.Canceled, says(l, "CheckIn did not obey its context"))
		lab.RequireSetUp(t, pass.Leave())
		for end := time.Now().Add(process.Patience()); !o.isFree("uploads") && time.Now().Before(end); { // the kernel's wait has to end first
			time.Sleep(time.Millisecond)
		}
		o.requireState(t, still, says(l, "CheckIn did not obey its context"))
		o.requireOpenGate(t, l)
	})
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
		}, says(l, "CheckIn stores no object while another program reads versions.json"))
		stop()
		var err error
		lab.Finishes(t, func() { err = <-finished }, says(l, "CheckIn did not obey its context"))
		lab.RequireErrorIs(t, err, context.Canceled, says(l, "CheckIn did not obey its context"))
		holder.Continue()
		lab.RequireSetUp(t, holder.Wait())
		o.recoverAll(t, l)
		o.requireState(t, still, says(l, "CheckIn did not obey its context"))
	})
	t.Run("until the version is published, and not longer", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "CheckIn had published, and its context ended while another program kept it from locks.json"
		hers, _ := checkOut(t, o.service(t), "alice", bracket)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		_, err := o.checkInHeldUp(ctx, t, hers, stop, l)
		lab.RequireNoError(t, err, says(l, "CheckIn stopped half way when its context ended"))
		o.requireState(t, done, says(l, "CheckIn stopped half way when its context ended"))
	})
}

// checkInHeldUp is a CheckIn that another program keeps from changing locks.json, by reading it, until the version is published, and
// something else has happened.
func (o shop) checkInHeldUp(ctx context.Context, t *testing.T, hers service.Checkout, happens func(), l lab.Lesson) (v service.Version, err error) {
	t.Helper()
	holder := lab.Start(t, "view", o.path("locks.json"))
	holder.Reached("inside")
	s := o.service(t)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		v, err = s.CheckIn(ctx, "alice", hers.ID, &midway{happens: func() {}})
	}()
	lab.Finishes(t, func() {
		for {
			if history, failed := s.History(context.WithoutCancel(t.Context()), bracket); failed != nil || len(history) > 0 {
				return
			}
			select {
			case <-finished:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}, says(l, "CheckIn neither publishes nor returns while another program reads locks.json"))
	happens()
	holder.Continue()
	lab.RequireSetUp(t, holder.Wait())
	lab.Finishes(t, func() { <-finished }, says(l, "CheckIn does not come to its end"))
	return v, err
}

// The version is there, and locks.json cannot be changed.
func TestCheckInThatCannotGiveBack(t *testing.T) {
	t.Parallel()
	o := found(t)
	s := o.service(t)
	hers, _ := checkOut(t, s, "alice", bracket)
	l := lab.Lesson{Did: "CheckIn had published, and locks.json was damaged before it could give the part back", Means: "her program believes that nothing is published", Read: failures}
	before := o.editions(t, "locks.json")
	v, err := o.checkInHeldUp(t.Context(), t, hers, func() {
		edition{o.path("locks.json"): before[o.path("locks.json")][:20]}.put(t)
	}, l)
	lab.RequireErrorIs(t, err, service.ErrUnfinished, says(l, "CheckIn did not report that it could not give the part back"))
	lab.RequireEqual(t, 1, v.Number, says(l, "CheckIn kept the version to itself that it had published"))
	before.put(t)
	l.Did += "; then it was brought back, and CheckIn called again"
	again, err := try(t, s, hers, &midway{happens: func() {}}, l)
	lab.RequireNoError(t, err, says(l, "CheckIn refused its owner after a failure"))
	lab.RequireEqual(t, v, again, says(l, "CheckIn returned another version than the first time"))
	o.requireState(t, done, says(l, "CheckIn did not make up for a failure when it was called again"))
}
