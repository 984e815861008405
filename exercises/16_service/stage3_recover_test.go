package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	repository "example/turnstile/exercises/14_repository"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/15_lock_manager/ledger"
	service "example/turnstile/exercises/16_service"
	"example/turnstile/internal/lab"
)

// orphan puts an object that no version has.
func (o shop) orphan(t testing.TB, content string) repository.Object {
	t.Helper()
	objects, err := repository.Open(o.dir, repository.Options{})
	lab.RequireSetUp(t, err)
	defer objects.Close()
	object, err := objects.Put(t.Context(), strings.NewReader(content))
	lab.RequireSetUp(t, err)
	return object
}

// leftover makes a temporary file, as a killed program leaves it.
func (o shop) leftover(t testing.TB) (path string) {
	t.Helper()
	path = o.path("tmp/ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	lab.RequireSetUp(t, os.WriteFile(path, []byte("half of it"), 0o600))
	lab.Age(t, path, time.Hour)
	return path
}

func TestRecoverGivesBackWhatIsCheckedIn(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "the part is taken for ever by a person who has handed it in, or someone who works on it loses it", Read: recovery}
	t.Run("and nothing else", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "alice has three parts, bob has one, carol has one from the lock manager; " +
			"the CheckIn of alice's second was killed before it gave the part back; Recover"
		s := o.service(t)
		checkOut(t, s, "alice", "a.step")
		hers, _ := checkOut(t, s, "alice", bracket)
		checkOut(t, s, "alice", "c.step")
		checkOut(t, s, "bob", axle)
		_, err := o.manager().Lock(t.Context(), "carol", "lid.step")
		lab.RequireSetUp(t, err)
		o.publish(t, hers, "hers")
		recovered := o.recoverAll(t, l)
		o.requireState(t, "alice has a.step; alice has c.step; bob has axle.step; carol has lid.step; "+
			`version 1 of bracket.step is "hers", by alice`, l.Say("Recover did not give back exactly what is checked in"))
		l.Expected, l.Found = "her checkout of bracket.step", fmt.Sprintf("%+v", recovered.GivenBack)
		lab.Require(t, len(recovered.GivenBack) == 1 && recovered.GivenBack[0].ID == hers.ID,
			l.Say("Recover did not say what it has given back"))
		again := o.recoverAll(t, l)
		lab.RequireEqual(t, 0, len(again.GivenBack), l.Say("Recover gave a part back a second time"))
	})
	t.Run("and not the part of its next owner", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "alice checks bracket.step out and in; bob checks it out, and so does alice with axle.step; Recover"
		s := o.service(t)
		hers, _ := checkOut(t, s, "alice", bracket)
		checkInAs(t, s, hers, "hers")
		checkOut(t, s, "bob", bracket)
		checkOut(t, s, "alice", axle)
		before := o.state(t)
		o.recoverAll(t, l)
		o.requireState(t, before, l.Say("Recover took a part from who works on it"))
		l.Did = "alice checks bracket.step out and in, and out again; Recover"
		hers, _ = checkOut(t, s, "alice", "lid.step")
		checkInAs(t, s, hers, "lid")
		checkOut(t, s, "alice", "lid.step")
		before = o.state(t)
		o.recoverAll(t, l)
		o.requireState(t, before, l.Say("Recover took a part from who works on it"))
	})
	t.Run("however many there are", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "more parts are out than the lock manager lists at once; the last one's CheckIn was killed before it gave the part back; Recover"
		s := o.service(t)
		var last service.Checkout
		lab.RequireSetUp(t, o.locks().Update(t.Context(), func(l *ledger.Ledger) error {
			for i := range lockmanager.MaxLimit + 1 {
				l.LastToken++
				last = service.Checkout{
					ID: ledger.NewID(), Path: fmt.Sprintf("part-%d.step", i), Owner: "alice",
					LockedAt: o.options().Now(), Token: l.LastToken,
				}
				l.Checkouts = append(l.Checkouts, last)
			}
			return nil
		}))
		o.publish(t, last, "hers")
		o.recoverAll(t, l)
		all, err := s.Checkouts(t.Context())
		lab.RequireSetUp(t, err)
		lab.RequireEqual(t, lockmanager.MaxLimit, len(all), l.Say("Recover did not give back exactly what is checked in"))
	})
	t.Run("without a program that does it at the same time", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "another program read locks.json, so CheckIn could not give the part back; Recover was called; then both could go on"
		hers, _ := checkOut(t, o.service(t), "alice", bracket)
		holder := lab.Start(t, "view", o.path("locks.json"))
		holder.Reached("inside")
		p := lab.Start(t, "check in", o.dir, "alice", hers.ID)
		p.Settle()
		finished := make(chan error, 1)
		s := o.service(t)
		go func() {
			_, err := s.Recover(context.WithoutCancel(t.Context()))
			finished <- err
		}()
		holder.Continue()
		lab.RequireSetUp(t, holder.Wait())
		var err error
		lab.Finishes(t, func() { err = <-finished }, l.Say("Recover does not come to its end"))
		lab.RequireNoError(t, err, l.Say("Recover failed"))
		p.Reached("done", l.Say("CheckIn failed because Recover had given the part back"))
		p.Continue()
		lab.RequireNoError(t, p.Wait(), l)
		o.requireState(t, done, l.Say("Recover and CheckIn got in each other's way"))
	})
}

func TestRecoverCollectsWhatHasNoHome(t *testing.T) {
	t.Parallel()
	o := found(t)
	s := o.service(t)
	for _, content := range []string{"rough", "first", "second"} {
		c, _ := checkOut(t, s, "alice", bracket)
		checkInAs(t, s, c, content)
	}
	c, _ := checkOut(t, s, "alice", axle)
	checkInAs(t, s, c, "first") // the same object
	want := o.state(t)
	l := lab.Lesson{
		Did: "there were three versions of bracket.step, one of axle.step with the content of the second, two objects and a temporary file " +
			"of killed programs; Recover",
		Means: "the disk fills up with what no one can reach, or a version has lost its content", Read: garbage,
	}
	o.orphan(t, "third")
	o.orphan(t, "")
	o.leftover(t)
	recovered := o.recoverAll(t, l)
	o.requireState(t, want, l.Say("Recover did not remove exactly what has no home"))
	l.Expected, l.Found = "Collected, and 3 removed", fmt.Sprintf("Collected is %v, Removed is %d", recovered.Collected, recovered.Removed)
	lab.Require(t, recovered.Collected && recovered.Removed == 3, l.Say("Recover did not say what it has removed"))
	again := o.recoverAll(t, l)
	lab.RequireEqual(t, 0, again.Removed, l.Say("Recover counted what it has not removed"))
}

// ageTemporary makes the temporary files two days old, as those of an upload are that has stood still since.
func (o shop) ageTemporary(t testing.TB) {
	t.Helper()
	temporary, err := os.ReadDir(o.path("tmp"))
	lab.RequireSetUp(t, err)
	for _, entry := range temporary {
		lab.Age(t, o.path("tmp/"+entry.Name()), 48*time.Hour)
	}
}

// An upload takes hours, and meanwhile another program starts, and recovers.
func TestRecoverSparesUploads(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "a version without content: what was checked in is gone, though no call failed", Read: garbage}
	for _, which := range []string{"", "repeated "} {
		t.Run("of which half has come, of a "+which+"CheckIn", func(t *testing.T) {
			t.Parallel()
			o, l := found(t), l
			l.Did = "while the content of a " + which + "CheckIn came, another service recovered"
			other := o.service(t)
			his, _ := checkOut(t, other, "bob", axle)
			o.publish(t, his, "his")
			hers, _ := checkOut(t, other, "alice", bracket)
			if which != "" {
				checkInAs(t, other, hers, "hers and more")
			}
			o.orphan(t, "of no version")
			var recovered service.Recovery
			var failed error
			_, err := try(t, o.service(t), hers, &midway{happens: func() {
				o.ageTemporary(t)
				recovered, failed = other.Recover(t.Context())
			}}, l)
			lab.RequireNoError(t, failed, l.Say("Recover failed"))
			broken := l.Say("Recover took an upload for garbage")
			broken.Means = "an upload of hours fails, because another program starts"
			lab.RequireNoError(t, err, broken)
			if which == "" { // a repeated one need not store anything
				inside := l.Say("Recover collected while a CheckIn read its content")
				inside.Means = "CheckIn reads content outside the gate, or Recover collects though an upload is inside"
				lab.RequireEqual(t, false, recovered.Collected, inside)
				lab.RequireEqual(t, 0, recovered.Removed, inside)
			}
			o.requireOpenGate(t, "CheckIn", l)
			later, err := other.Recover(t.Context())
			lab.RequireNoError(t, err, l.Say("Recover failed when it was called again"))
			o.requireState(t, `version 1 of axle.step is "his", by bob; `+done, l.Say("Recover took an upload for garbage"))
			l.Means = "as long as anyone uploads, a part stays taken by who has handed it in"
			lab.RequireEqual(t, 1, len(recovered.GivenBack), l.Say("Recover gave nothing back while an upload was under way"))
			l.Means = "the disk fills up with what no one can reach"
			lab.RequireEqual(t, true, later.Collected, l.Say("Recover does not collect any more, though the upload is over"))
		})
	}
	t.Run("of another program, which is then killed", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "half of the content of a CheckIn had come; Recover; the program was killed; Recover"
		hers, _ := checkOut(t, o.service(t), "alice", bracket)
		p := lab.Start(t, "check in", o.dir, "alice", hers.ID, "halfway")
		p.Reached("halfway", l)
		recovered := o.recoverAll(t, l)
		inside := l.Say("Recover collected while a CheckIn read its content")
		inside.Means = "CheckIn reads content outside the gate, or Recover collects though an upload is inside"
		lab.RequireEqual(t, false, recovered.Collected, inside)
		p.Kill()
		recovered = o.recoverAfterAKill(t, l)
		l.Means = "the disk fills up with what no one can reach"
		lab.RequireEqual(t, true, recovered.Collected, l.Say("Recover does not collect any more, though the upload is over"))
		o.requireState(t, still, l.Say("Recover did not remove what the upload had left"))
	})
	for _, c := range []struct {
		name, did, beside, says string
		once                    bool
		happens                 func(ctx context.Context, t *testing.T, s *service.Service) error
	}{
		{
			"whose object has no version yet", "another service recovered", "",
			"Recover took for garbage what was about to be published", false,
			func(ctx context.Context, _ *testing.T, s *service.Service) error {
				_, err := s.Recover(ctx)
				return err
			},
		},
		{
			"whose object a refused CheckIn has too", "bob's CheckIn of the same content was refused, because his checkout had ended",
			"bob has axle.step; ", "CheckIn took for garbage what another one was about to publish", true,
			func(ctx context.Context, t *testing.T, s *service.Service) error {
				his, _ := checkOut(t, s, "bob", axle)
				_, err := s.CheckIn(ctx, "bob", his.ID, &midway{happens: func() {
					undo(t, s, his)
					checkOut(t, s, "bob", axle)
				}})
				if errors.Is(err, service.ErrEnded) {
					return nil
				}
				return err
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o, l := found(t), l
			l.Did = "CheckIn had put its object, and had not published it; then " + c.did
			hers, _ := checkOut(t, o.service(t), "alice", bracket)
			s, other := o.service(t), o.service(t)
			var err, failed error
			asked := 0
			lab.RequireRefuse(t, lab.Watch(func() {
				_, err = s.CheckIn(context.Background(), "alice", hers.ID, &midway{happens: func() {}})
			}, func(string) {
				stored := strings.Contains(o.files(t), "objects/") && (asked == 0 || !c.once)
				if failed == nil && stored && o.isFree("locks.json") && o.isFree("versions.json") && !o.knows(t, hers) {
					asked++
					ctx, stop := context.WithTimeout(t.Context(), time.Second) // some hold a document's lock then, and are right
					defer stop()
					if failed = c.happens(ctx, t, other); errors.Is(failed, context.DeadlineExceeded) {
						failed = nil
					}
				}
			}))
			lab.RequireNoError(t, failed, l.Say("Recover or CheckIn failed while an upload was under way"))
			lab.RequireNoError(t, err, l.Say("%s", c.says))
			lab.Require(t, asked > 0, l.Say("CheckIn lets no one work on the service from its beginning to its end"))
			o.recoverAll(t, l)
			o.requireState(t, c.beside+done, l.Say("%s", c.says))
		})
	}
	t.Run("that comes while it collects", func(t *testing.T) {
		t.Parallel()
		l := l
		l.Did = "an object had no version; Recover was stopped before a system call; a CheckIn came with the same content; Recover went on"
		// at returns what is left if a CheckIn comes at that open of a file, and the first one at which Recover is inside the gate.
		at := func(stop int) (o shop, inside int) {
			o = found(t)
			hers, _ := checkOut(t, o.service(t), "alice", bracket)
			o.orphan(t, "hers")
			s, other := o.service(t), o.service(t)
			var err, failed error
			opened, came := 0, false
			lab.RequireRefuse(t, lab.Watch(func() { _, err = s.Recover(context.Background()) }, func(call string) {
				if call != "openat" {
					return
				}
				opened++
				if inside == 0 && !o.isFree("uploads") {
					inside = opened
				}
				if opened == stop && inside == 0 && o.isFree("locks.json") && o.isFree("versions.json") {
					came = true
					_, failed = other.CheckIn(t.Context(), "alice", hers.ID, strings.NewReader("hers"))
				}
			}))
			late := l.Say("Recover failed")
			late.Means = "a program that starts reports a failure, because others are at work"
			lab.RequireNoError(t, err, late)
			lab.RequireNoError(t, failed, l.Say("CheckIn failed because of a collection"))
			if !came {
				checkInAs(t, other, hers, "hers")
			}
			return o, inside
		}
		_, inside := at(0)
		for stop := max(1, inside-4); stop <= inside; stop++ {
			o, _ := at(stop)
			o.requireState(t, `version 1 of bracket.step is "hers", by alice`, l.Say("Recover removed an object that had got a home meanwhile"))
		}
	})
	t.Run("and removes temporary files inside the gate", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "a killed program had left a temporary file; Recover"
		leftover := o.leftover(t)
		s := o.service(t)
		var err error
		free, outside := false, false // whether the gate was free at the last unlink, and at the one that removed the file
		look := func(call string) {
			if exists(leftover) {
				free = call == "unlinkat" && o.isFree("uploads")
			} else {
				outside, free = outside || free, false
			}
		}
		lab.RequireRefuse(t, lab.Watch(func() { _, err = s.Recover(context.Background()) }, look))
		look("")
		lab.RequireNoError(t, err, l.Say("Recover failed"))
		l.Expected, l.Found = "the gate is taken when the file is removed", "the gate was free"
		lab.Require(t, !outside, l.Say("Recover removed a temporary file outside the gate, where it may be an upload's"))
	})
	t.Run("of several programs", crowded)
}

// versions.json is damaged, and comes back from its backup: without the last version.
func TestRecoverKeepsWhatMayBeTheLast(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"cut off": func(path string) error { return os.Truncate(path, 20) }, "missing": os.Remove,
	} {
		t.Run("when versions.json is "+name, func(t *testing.T) {
			t.Parallel()
			o := found(t)
			s := o.service(t)
			killed, _ := checkOut(t, s, "bob", axle)
			o.publish(t, killed, "his")
			for _, content := range []string{"first", "second"} {
				c, _ := checkOut(t, s, "alice", bracket)
				checkInAs(t, s, c, content)
			}
			l := lab.Lesson{
				Did: "a version was published, and its program killed before it gave the part back; two versions of another part were checked in; " +
					"versions.json was " + name + "; Recover, twice",
				Means: "the last copy of someone's work is removed as garbage", Read: recovery,
			}
			lab.RequireSetUp(t, damage(o.path("versions.json")))
			for range 2 {
				recovered := o.recoverAll(t, l)
				kept := l.Say("Recover did not give back what is checked in")
				kept.Means = "the part is taken for ever by a person who has handed it in"
				kept.Expected, kept.Found = "no one has a part", o.state(t)
				lab.Require(t, !strings.Contains(kept.Found, " has "), kept)
				o.requireState(t, `version 1 of axle.step is "his", by bob; version 1 of bracket.step is "first", by alice; `+
					"objects without a version: 1", l.Say("Recover removed the content of a version that was lost"))
				lab.RequireEqual(t, false, recovered.Collected, l.Say("Recover collected although versions had been lost"))
			}
		})
		t.Run("when versions.json is "+name+", and CheckIn comes first", func(t *testing.T) {
			t.Parallel()
			o := found(t)
			s := o.service(t)
			hers, _ := checkOut(t, s, "alice", bracket)
			his, _ := checkOut(t, s, "bob", axle)
			checkInAs(t, s, his, "his")
			l := lab.Lesson{
				Did:   "bob's version was checked in; versions.json was " + name + "; CheckIn for alice",
				Means: "versions.json comes back without the last version, and the next collection removes its content", Read: recovery,
			}
			lab.RequireSetUp(t, damage(o.path("versions.json")))
			before := o.editions(t, "versions.json")
			_, err := try(t, s, hers, strings.NewReader("hers"), l)
			l.Expected, l.Found = "versions.json and its backup as they were", "they have changed"
			lab.Require(t, maps.EqualFunc(before, o.editions(t, "versions.json"), bytes.Equal), l.Say("CheckIn repaired versions.json"))
			l.Expected, l.Found = "", ""
			lab.RequireError(t, err, l.Say("CheckIn reported success without versions.json"))
		})
	}
	t.Run("when both documents come back, and her program asks again", func(t *testing.T) {
		t.Parallel()
		o := found(t)
		s := o.service(t)
		hers, _ := checkOut(t, s, "alice", bracket)
		checkInAs(t, s, hers, "hers and more")
		l := lab.Lesson{
			Did:   "CheckIn; versions.json and locks.json were cut off; Recover; in the service of the first one, the same CheckIn again",
			Means: "her program is told that a version is there, and it is lost", Read: recovery,
		}
		for _, name := range []string{"versions.json", "locks.json"} {
			lab.RequireSetUp(t, os.Truncate(o.path(name), 20))
		}
		o.recoverAll(t, l)
		_, err := try(t, s, hers, strings.NewReader("hers and more"), l)
		lab.RequireNoError(t, err, l.Say("CheckIn refused who has the part"))
		o.requireState(t, done, l.Say("CheckIn reported success, and did not publish"))
	})
	t.Run("when versions.json goes missing while it collects", func(t *testing.T) {
		t.Parallel()
		o := found(t)
		s := o.service(t)
		hers, _ := checkOut(t, s, "alice", bracket)
		checkInAs(t, s, hers, "hers and more")
		l := lab.Lesson{
			Did:   "Recover; when it was inside the gate, versions.json was moved away; it went on; versions.json was brought back",
			Means: "all work of all people is removed as garbage", Read: recovery,
		}
		var err error
		moved := false
		lab.RequireRefuse(t, lab.Watch(func() { _, err = s.Recover(context.Background()) }, func(string) {
			if !moved && !o.isFree("uploads") && o.isFree("versions.json") {
				moved = true
				lab.RequireSetUp(t, os.Rename(o.path("versions.json"), o.path("moved")))
			}
		}))
		lab.Require(t, moved, l.Say("Recover lets no one work on the service from its beginning to its end"))
		lab.RequireSetUp(t, os.Rename(o.path("moved"), o.path("versions.json")))
		o.requireState(t, done, l.Say("Recover removed what it knew nothing about"))
		lab.RequireError(t, err, l.Say("Recover reported success without a document"))
	})
	t.Run("when neither can be read", func(t *testing.T) {
		t.Parallel()
		o := found(t)
		c, _ := checkOut(t, o.service(t), "alice", bracket)
		checkInAs(t, o.service(t), c, "hers")
		before := o.files(t)
		l := lab.Lesson{
			Did:   "versions.json and its backup were damaged; Recover",
			Means: "all work of all people is removed as garbage", Read: recovery,
		}
		for _, name := range []string{"versions.json", "versions.json.bak"} {
			lab.RequireSetUp(t, os.Truncate(o.path(name), 20))
		}
		_, err := o.service(t).Recover(t.Context())
		lab.RequireError(t, err, l.Say("Recover reported success without a document"))
		lab.RequireEqual(t, before, strings.ReplaceAll(o.files(t), "uploads.lock.barred", ""),
			l.Say("Recover removed what it knew nothing about"))
	})
}
