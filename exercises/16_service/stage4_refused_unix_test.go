//go:build unix

package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	service "example/turnstile/exercises/16_service"
	"example/turnstile/internal/lab"
)

// refusals returns which of the calls that were made to refuse: those that change something on the disk, each close after a change that may
// be the one that decides, and a part of the others, which are many, and cost as much.
func refusals(names []string) (numbers []int) {
	others, renamed := 0, false
	for number, name := range names {
		others++
		switch {
		case slices.Contains([]string{"fsync", "renameat", "unlinkat", "linkat", "mkdirat", "fchmod"}, name):
			others--
			renamed = renamed || name == "renameat"
		case !(renamed && name == "close") && others%(64/lab.Rounds(8)) != 0:
			continue
		}
		numbers = append(numbers, number)
	}
	return numbers
}

// The kernel refuses one of CheckIn's system calls, and then another one.
func TestCheckInWhenACallIsRefused(t *testing.T) {
	t.Parallel()
	for call, published := range map[string]bool{"of the first CheckIn": false, "of a repeated one": true} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			template := found(t)
			hers, _ := checkOut(t, template.service(t), "alice", bracket)
			if published { // and its program was killed before it gave the part back
				template.publish(t, hers, "hers and more")
			}
			template.requireCheckInRefused(t, hers, published)
		})
	}
}

func (o shop) requireCheckInRefused(t *testing.T, hers service.Checkout, published bool) {
	t.Helper()
	called := "CheckIn"
	if published {
		called = "CheckIn was killed before it gave the part back; the same CheckIn again"
	}
	template := o
	refuse := func(number int, errno error) (o shop, v service.Version, names []string, err error) {
		o = template.copy(t)
		s := o.service(t)
		defer s.Close()
		names, refused := lab.RefuseOne(number, errno, func() {
			v, err = s.CheckIn(context.Background(), "alice", hers.ID, &midway{happens: func() {}})
		})
		lab.RequireRefuse(t, refused)
		return o, v, names, err
	}
	_, _, names, err := refuse(1<<20, syscall.EIO)
	lab.RequireNoError(t, err, lab.Lesson{Says: "CheckIn refused who has the part", Did: "CheckOut, CheckIn", Read: fix})
	for i, number := range refusals(names) {
		errno := []error{syscall.EIO, syscall.EMFILE}[i%2]
		o, v, names, err := refuse(number, errno) // which may differ from the first ones
		if number >= len(names) {
			continue
		}
		l := lab.Lesson{
			Did:   fmt.Sprintf("%s; the kernel refused system call %d of it, %s, with %v", called, number+1, names[number], errno),
			Means: "her program goes by an answer that is not true", Read: failures,
		}
		if err != nil {
			lab.RequireErrorIs(t, err, errno, l.Say("CheckIn hid the reason of its failure"))
		}
		if names[number] == "fsync" {
			passed := l.Say("CheckIn passed over a refused fsync, or repeated the step")
			passed.Means = "who runs the service does not learn that a step was refused"
			lab.RequireError(t, err, passed)
		}
		o.requireHonest(t, published, v, err, l.Say("CheckIn did not leave what it says"))
		o.requireOpenGate(t, "CheckIn", l)
		before := o.editions(t, "versions.json")
		again, failed := try(t, o.service(t), hers, &midway{happens: func() {}}, l)
		if errors.Is(err, service.ErrNotDurable) {
			after := o.editions(t, "versions.json")
			lab.Require(t, !maps.EqualFunc(before, after, bytes.Equal), l.Say("CheckIn did not write again what may not be durable"))
		}
		lab.RequireNoError(t, failed, l.Say("CheckIn refused its owner after a failure"))
		lab.RequireEqual(t, 1, again.Number, l.Say("CheckIn published a second version of one checkout"))
		o.requireState(t, done, l.Say("CheckIn did not make up for a failure when it was called again"))
	}
}

// The kernel refuses one of Recover's system calls, and then another one.
func TestRecoverWhenACallIsRefused(t *testing.T) {
	t.Parallel()
	template := found(t)
	hers, _ := checkOut(t, template.service(t), "alice", bracket)
	template.publish(t, hers, "hers and more")
	template.orphan(t, "of no version")
	template.orphan(t, "nor this one")
	template.leftover(t)
	refuse := func(number int, errno error) (o shop, recovered service.Recovery, names []string, err error) {
		o = template.copy(t)
		o.ageTemporary(t)
		s := o.service(t)
		defer s.Close()
		names, refused := lab.RefuseOne(number, errno, func() { recovered, err = s.Recover(context.Background()) })
		lab.RequireRefuse(t, refused)
		return o, recovered, names, err
	}
	_, _, names, err := refuse(1<<20, syscall.EIO)
	lab.RequireNoError(t, err, lab.Lesson{Says: "Recover failed", Did: "Recover", Read: failures})
	t.Run("that lists a directory, which is not an empty one", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			o := found(t)
			o.orphan(t, "of no version")
			s := o.service(t)
			var err error
			refused := lab.Refuse("list", errno, func() { _, err = s.Recover(context.Background()) })
			lab.RequireRefuse(t, refused)
			l := lab.Lesson{
				Did:   fmt.Sprintf("Recover; the kernel refused to list directories, with %v", errno),
				Means: "an administrator believes that all is in order", Read: failures,
			}
			lab.RequireErrorIs(t, err, errno, l.Say("Recover hid that it could not list the objects"))
			o.requireOpenGate(t, "Recover", l)
		}, syscall.EIO, syscall.EACCES)
	})
	for i, number := range refusals(names) {
		errno := []error{syscall.EIO, syscall.EACCES}[i%2]
		o, recovered, names, err := refuse(number, errno) // which may differ from the first ones
		if number >= len(names) {
			continue
		}
		l := lab.Lesson{
			Did:   fmt.Sprintf("Recover; the kernel refused system call %d of it, %s, with %v", number+1, names[number], errno),
			Means: "an administrator believes that all is in order", Read: failures,
		}
		if err == nil {
			o.requireState(t, done, l.Say("Recover reported success, and has not put everything in order"))
		} else {
			lab.RequireErrorIs(t, err, errno, l.Say("Recover hid the reason of its failure"))
		}
		o.requireTold(t, recovered, l)
		o.requireOpenGate(t, "Recover", l)
		o.recoverAll(t, l)
		o.requireState(t, done, l.Say("Recover did not make up for a failure when it was called again"))
	}
}

// requireTold demands that the Recovery says what is gone of one checkout that has a version, two objects that have none, and one temporary
// file.
func (o shop) requireTold(t testing.TB, recovered service.Recovery, l lab.Lesson) {
	t.Helper()
	state := o.state(t)
	given := 1 - strings.Count(state, still)
	removed := 3 - strings.Count(state, "temporary files: 1") -
		strings.Count(state, "objects without a version: 1") - 2*strings.Count(state, "objects without a version: 2")
	l.Expected = fmt.Sprintf("%d given back, %d removed; what is left: %s", given, removed, state)
	l.Found = fmt.Sprintf("%d given back, %d removed", len(recovered.GivenBack), recovered.Removed)
	lab.Require(t, len(recovered.GivenBack) == given && recovered.Removed == removed, l.Say("Recover did not say what it has done"))
}

// requireHonest demands that the directory holds what the results of a CheckIn say, of a checkout that had a version before or not.
func (o shop) requireHonest(t testing.TB, before bool, v service.Version, err error, l lab.Lesson) {
	t.Helper()
	state := o.state(t)
	published, out := strings.Contains(state, done), strings.Contains(state, still)
	l.Expected = "without an error, a version and a free part; with ErrUnfinished, a version; with ErrNotDurable, a version, and she has " +
		"the part; with another error, no new version, she has the part, and no version is returned"
	l.Found = fmt.Sprintf("%s; returned version %d and the error: %v", state, v.Number, err)
	switch {
	case err == nil:
		lab.Require(t, published && !out && v.Number == 1, l)
	case errors.Is(err, service.ErrUnfinished):
		lab.Require(t, published && v.Number == 1, l)
	case errors.Is(err, service.ErrNotDurable):
		lab.Require(t, published && out && v.Number == 1, l)
	default:
		lab.Require(t, out && published == before && v.Number == 0, l)
	}
}
