package service_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	service "example/turnstile/exercises/16_service"
	"example/turnstile/exercises/16_service/gate"
	"example/turnstile/internal/lab"
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
		o.requireState(t, still, says(l, "CheckIn did not obey its context"))
		o.requireOpenGate(t, l)
	})
	t.Run("until the version is published, and not longer", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "CheckIn had published, and its context ended while another program kept it from locks.json"
		hers, _ := checkOut(t, o.service(t), "alice", bracket)
		holder := lab.Start(t, "view", o.path("locks.json"))
		holder.Reached("inside")
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		s := o.service(t)
		finished := make(chan error, 1)
		go func() {
			_, err := s.CheckIn(ctx, "alice", hers.ID, &midway{happens: func() {}})
			finished <- err
		}()
		var err error
		returned := false
		lab.Finishes(t, func() {
			for !returned {
				history, failed := s.History(context.WithoutCancel(t.Context()), bracket)
				if failed != nil || len(history) > 0 {
					return
				}
				select {
				case err = <-finished:
					returned = true
				default:
				}
			}
		}, says(l, "CheckIn neither publishes nor returns while another program reads locks.json"))
		stop()
		holder.Continue()
		lab.RequireSetUp(t, holder.Wait())
		if !returned {
			lab.Finishes(t, func() { err = <-finished }, says(l, "CheckIn does not come to its end"))
		}
		lab.RequireNoError(t, err, says(l, "CheckIn stopped half way when its context ended"))
		o.requireState(t, done, says(l, "CheckIn stopped half way when its context ended"))
	})
}

// The version is there, and locks.json cannot be changed.
func TestCheckInThatCannotGiveBack(t *testing.T) {
	t.Parallel()
	o := found(t)
	s := o.service(t)
	hers, _ := checkOut(t, s, "alice", bracket)
	l := lab.Lesson{Did: "while the content of a CheckIn came, locks.json was damaged", Means: "her program believes that nothing is published", Read: failures}
	before := o.editions(t, "locks.json")
	v, err := try(t, s, hers, &midway{happens: func() { _ = os.Truncate(o.path("locks.json"), 20) }}, l)
	lab.RequireErrorIs(t, err, service.ErrUnfinished, says(l, "CheckIn did not report that it could not give the part back"))
	lab.RequireEqual(t, 1, v.Number, says(l, "CheckIn kept the version to itself that it had published"))
	before.put(t)
	l.Did += "; then it was brought back, and CheckIn called again"
	again, err := try(t, s, hers, &midway{happens: func() {}}, l)
	lab.RequireNoError(t, err, says(l, "CheckIn refused its owner after a failure"))
	lab.RequireEqual(t, v, again, says(l, "CheckIn returned another version than the first time"))
	o.requireState(t, done, says(l, "CheckIn did not make up for a failure when it was called again"))
}
