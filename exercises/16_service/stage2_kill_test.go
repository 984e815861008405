package service_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	service "example/turnstile/exercises/16_service"
	"example/turnstile/exercises/16_service/books"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

const (
	still = "alice has bracket.step"
	done  = `version 1 of bracket.step is "hers and more", by alice`
)

// A program that checks in is killed: where its content comes from, while another program keeps it from a document, and before its answer.
func TestAKilledCheckIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, did, hold, step string }{
		{"while the content comes", "CheckIn was killed when half of the content had come", "", "halfway"},
		{"when it cannot change versions.json", "CheckIn was killed while another program read versions.json", "versions.json", ""},
		{"when it cannot change locks.json", "CheckIn was killed while another program read locks.json", "locks.json", ""},
		{"before its answer", "CheckIn was killed when it had returned, before anyone learned it", "", "done"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := found(t)
			hers, _ := checkOut(t, o.service(t), "alice", bracket)
			l := lab.Lesson{Did: c.did, Means: "her work of a week is gone, or published twice, or the part is taken for ever", Read: why}
			var holder *lab.Process
			if c.hold != "" {
				holder = lab.Start(t, "view", o.path(c.hold))
				holder.Reached("inside")
			}
			p := lab.Start(t, "check in", o.dir, "alice", hers.ID, c.step)
			if c.step != "" {
				p.Reached(c.step, l.Say("CheckIn failed"))
			} else {
				lab.Require(t, p.Settle() != process.Finished, l.Say("CheckIn came to its end without this document"))
			}
			p.Kill()
			if holder != nil {
				holder.Kill()
			}
			o.requireAllOrNothing(t, hers, l)
		})
	}
}

// requireAllOrNothing demands what CheckIn promises for after a kill, of programs that start now.
func (o shop) requireAllOrNothing(t testing.TB, hers service.Checkout, l lab.Lesson) {
	t.Helper()
	l.Did += "; then Recover"
	o.recoverAfterAKill(t, l)
	state := o.state(t)
	l.Expected, l.Found = still+"; or: "+done, state
	lab.Require(t, strings.HasPrefix(state, still) != strings.Contains(state, "version 1"),
		l.Say("CheckIn was killed, and left neither a version nor the part to its owner, or both"))
	lab.Require(t, state == still || state == done, l.Say("CheckIn was killed, and Recover did not put in order what it had left"))
	l.Expected, l.Found = "", ""
	first := o.files(t)
	o.recoverAll(t, l)
	lab.RequireEqual(t, state, o.state(t), l.Say("Recover changed something when it was called a second time"))
	lab.RequireEqual(t, first, o.files(t), l.Say("Recover changed something when it was called a second time"))
	l.Did += "; then the same CheckIn again"
	v, err := try(t, o.service(t), hers, &midway{happens: func() {}}, l)
	lab.RequireNoError(t, err, l.Say("CheckIn refused its owner after a kill"))
	o.requireState(t, done, l.Say("CheckIn did not make up for a kill when it was called again"))
	lab.RequireEqual(t, 1, v.Number, l.Say("CheckIn published a second version of one checkout"))
}

// files names the files that are there, but for the backups and lock files of documents, of which their own lesson speaks.
func (o shop) files(t testing.TB) string {
	t.Helper()
	var names []string
	lab.RequireSetUp(t, filepath.WalkDir(o.dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !strings.Contains(path, ".lock") && !strings.HasSuffix(path, ".bak") {
			name, _ := filepath.Rel(o.dir, path)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	}))
	return strings.Join(names, " ")
}

// copy returns a shop that is what a kill at this moment would leave of this one.
func (o shop) copy(t testing.TB) shop {
	t.Helper()
	twin := shop{filepath.Join(filepath.Dir(lab.Path(t, "x")), "twin"), new(atomic.Int64)}
	twin.clock.Store(o.clock.Load())
	lab.RequireSetUp(t, os.CopyFS(twin.dir, os.DirFS(o.dir)))
	return twin
}

// What the directory holds before each system call is what a kill there would leave.
func TestAKillAtEachStep(t *testing.T) {
	t.Parallel()
	t.Run("of CheckIn", func(t *testing.T) {
		t.Parallel()
		o := found(t)
		s := o.service(t)
		hers, _ := checkOut(t, s, "alice", bracket)
		l := lab.Lesson{
			Did:   "CheckIn was killed before one of its system calls",
			Means: "her work of a week is gone, or published twice, or the part is taken for ever", Read: why,
		}
		var err error
		left := o.watch(t, func() { _, err = s.CheckIn(context.Background(), "alice", hers.ID, &midway{happens: func() {}}) })
		lab.RequireNoError(t, err, l.Say("CheckIn refused who has the part"))
		for _, twin := range left {
			twin.requireAllOrNothing(t, hers, l)
		}
	})
	t.Run("of Recover", func(t *testing.T) {
		t.Parallel()
		o := found(t)
		hers, _ := checkOut(t, o.service(t), "alice", bracket)
		before := o.editions(t, "locks.json")
		checkInAs(t, o.service(t), hers, "hers and more")
		before.put(t) // as if the program had been killed before it gave the part back
		o.orphan(t, "of no version")
		s := o.service(t)
		l := lab.Lesson{
			Did: "CheckIn was killed before it gave the part back, and there was an object that no version has; " +
				"Recover was killed before one of its system calls",
			Means: "a second recovery makes it worse", Read: recovery,
		}
		var err error
		left := o.watch(t, func() { _, err = s.Recover(context.Background()) })
		lab.RequireNoError(t, err, l.Say("Recover failed"))
		for _, twin := range left {
			twin.requireAllOrNothing(t, hers, l)
		}
	})
}

// watch returns what a kill before each of the call's system calls would leave, and what the call leaves. Most change nothing that is on
// the disk: what is there already it returns once.
func (o shop) watch(t *testing.T, call func()) (left []shop) {
	t.Helper()
	known := map[string]bool{}
	look := func(string) {
		text, err := os.ReadFile(o.path("versions.json"))
		lab.RequireSetUp(t, err)
		more, err := os.ReadFile(o.path("locks.json"))
		lab.RequireSetUp(t, err)
		if key := o.files(t) + string(text) + string(more); !known[key] {
			known[key] = true
			left = append(left, o.copy(t))
		}
	}
	lab.RequireRefuse(t, lab.Watch(call, look))
	look("")
	return left
}

// An edition is what a document and its backup hold at one time.
type edition map[string][]byte

func (o shop) editions(t testing.TB, name string) edition {
	t.Helper()
	e := edition{}
	for _, path := range []string{o.path(name), o.path(name) + ".bak"} {
		text, err := os.ReadFile(path)
		if !errors.Is(err, os.ErrNotExist) {
			lab.RequireSetUp(t, err)
			e[path] = text
		}
	}
	return e
}

// put makes it what they hold, while no one is at work.
func (e edition) put(t testing.TB) {
	t.Helper()
	for path, text := range e {
		lab.RequireSetUp(t, os.Remove(path)) // another name may have the same file
		lab.RequireSetUp(t, os.WriteFile(path, text, 0o600))
	}
}

// publish adds a version to versions.json, as a CheckIn does that is killed at once.
func (o shop) publish(t testing.TB, c service.Checkout, content string) {
	t.Helper()
	object := o.orphan(t, content)
	lab.RequireSetUp(t, o.versions().Update(t.Context(), func(b *books.Books) error {
		b.Leave(c)
		b.Add(c, object, o.options().Now())
		return nil
	}))
}
