package lockmanager_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/15_lock_manager/ledger"
	"example/turnstile/internal/lab"
)

func TestUnlock(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "parts stay out for ever, or people lose them", Read: unlocked}
	story := func(t *testing.T) (o office, m *lockmanager.Manager, hers lockmanager.Checkout) {
		t.Helper()
		o = open(t)
		m = o.manager(lease)
		lock(t, m, "alice", "axle.step")
		hers = lock(t, m, "alice", "bracket.step")
		lock(t, m, "bob", "cog.step")
		return o, m, hers
	}
	const rest = "alice has axle.step; bob has cog.step"
	for _, c := range []struct {
		name, owner string
		force       bool
	}{
		{"its owner", "alice", false},
		{"its owner, by force", "alice", true},
		{"another, by force", "bob", true},
		{"one who has no part, by force", "carol", true},
		{"one without a name, by force", "", true},
		{"one whose name is not UTF-8, by force", "b\xffb", true},
	} {
		t.Run("by "+c.name, func(t *testing.T) {
			t.Parallel()
			o, m, hers := story(t)
			l := l
			l.Did = fmt.Sprintf("alice had two parts, and bob one; Unlock of hers by %q, force %v", c.owner, c.force)
			got, err := m.Unlock(t.Context(), c.owner, hers.ID, c.force)
			lab.RequireNoError(t, err, l.Say("Unlock refused who may give the part back"))
			o.requireCheckouts(t, rest, l.Say("Unlock removed another checkout, or none"))
			l = l.Say("Unlock did not return the checkout that it removed")
			l.Expected, l.Found = fmt.Sprintf("%+v", hers), fmt.Sprintf("%+v", got)
			lab.Require(t, same(hers, got), l)
			lock(t, o.manager(0), "bob", "bracket.step")
		})
	}
	t.Run("by another", func(t *testing.T) {
		t.Parallel()
		for _, owner := range []string{"bob", "carol", "", "Alice", "b\xffb"} {
			o, m, hers := story(t)
			before := read(t, o.locks())
			l := l
			l.Did = fmt.Sprintf("alice had bracket.step; Unlock by %q, without force", owner)
			got, err := m.Unlock(t.Context(), owner, hers.ID, false)
			requireHeld(t, hers, err, l.Say("Unlock gave back what another has, without force"))
			lab.RequireEqual(t, lockmanager.Checkout{}, got, l.Say("Unlock returned a checkout beside its error"))
			lab.RequireFile(t, o.locks(), string(before), l.Say("Unlock changed the document although it failed"))
		}
	})
	// The part is out twice, as a Lock that looks first and then acts leaves it.
	t.Run("of one of two of the part", func(t *testing.T) {
		t.Parallel()
		o, m, hers := story(t)
		lab.RequireSetUp(t, o.ledger().Update(t.Context(), func(l *ledger.Ledger) error {
			l.LastToken++
			l.Checkouts = append(l.Checkouts, lockmanager.Checkout{
				ID: rand.Text(), Path: hers.Path, Owner: "carol", LockedAt: start.UTC(), Token: l.LastToken,
			})
			return nil
		}))
		carols := o.checkouts(t)[3]
		l := l.Say("Unlock removed another checkout of the part")
		l.Did = "the document had two checkouts of bracket.step, as a mistake in Lock leaves them; Unlock of alice's"
		unlock(t, m, hers)
		o.requireCheckouts(t, rest+"; carol has bracket.step", l)
		l = l.Say("Unlock did not find a checkout whose ID another program had drawn")
		l.Did = fmt.Sprintf("Unlock of carol's checkout, whose ID is %s", carols.ID)
		_, err := m.Unlock(t.Context(), "carol", carols.ID, false)
		lab.RequireNoError(t, err, l)
	})
	t.Run("of what does not exist", func(t *testing.T) {
		t.Parallel()
		o, m, hers := story(t)
		before := read(t, o.locks())
		almost := []string{hers.ID + "0", hers.ID[1:], hers.ID[:len(hers.ID)-1], strings.ToUpper(hers.ID), strings.ToLower(hers.ID)}
		for _, id := range append(almost, "", "nothing", "bracket.step") {
			if id == hers.ID { // it has no letters, or all of one case
				continue
			}
			for _, force := range []bool{false, true} {
				l := l
				l.Did = fmt.Sprintf("Unlock with the ID %q, force %v; the checkouts' IDs were others, such as %s", id, force, hers.ID)
				l.Expected = "an error that matches ErrNotFound"
				_, err := m.Unlock(t.Context(), "alice", id, force)
				lab.RequireErrorIs(t, err, lockmanager.ErrNotFound, l.Say("Unlock did not report that there is no such checkout"))
				lab.RequireFile(t, o.locks(), string(before), l.Say("Unlock changed the document although it failed"))
			}
		}
	})
	t.Run("a second time", func(t *testing.T) {
		t.Parallel()
		o, m, hers := story(t)
		unlock(t, m, hers)
		l := l
		l.Did, l.Expected = "Unlock twice with one ID", "an error that matches ErrNotFound"
		_, err := m.Unlock(t.Context(), "alice", hers.ID, false)
		lab.RequireErrorIs(t, err, lockmanager.ErrNotFound, l.Say("Unlock gave a part back twice"))
		o.requireCheckouts(t, rest, l.Say("Unlock removed another checkout"))
	})
	t.Run("after its end", func(t *testing.T) {
		t.Parallel()
		o, _, hers := story(t)
		o.setClock(t, start.Add(lease))
		l := l.Say("Unlock did not report that the checkout had expired")
		for _, own := range []time.Duration{lease, 0} {
			for _, owner := range []string{"alice", "bob"} {
				for _, force := range []bool{false, true} {
					l.Did = fmt.Sprintf("the lease of alice's checkout had ended; Unlock by %s, force %v; the manager's own lease was %v",
						owner, force, own)
					l.Expected = "an error that matches ErrNotFound"
					_, err := o.manager(own).Unlock(t.Context(), owner, hers.ID, force)
					lab.RequireErrorIs(t, err, lockmanager.ErrNotFound, l)
				}
			}
		}
	})
	t.Run("after its end, which came while Unlock waited", func(t *testing.T) {
		t.Parallel()
		o, _, hers := story(t)
		l := l.Say("Unlock judged the lease before its turn")
		l.Did = "Unlock began; the lease of alice's checkout ended before it could change the document"
		l.Expected = "an error that matches ErrNotFound"
		end := func() { o.setClock(t, start.Add(lease)) }
		r := between(t, begin(t, o, "lease"), "Unlock alice "+hers.ID, o.locks(), end, l)
		lab.RequireErrorIs(t, r.Returned.Err, lockmanager.ErrNotFound, l)
	})
	t.Run("after a Renew, which came while Unlock waited", func(t *testing.T) {
		t.Parallel()
		o, m, hers := story(t)
		before := read(t, o.locks())
		o.setClock(t, start.Add(lease/2))
		renewed, err := m.Renew(t.Context(), "alice", hers.ID)
		lab.RequireSetUp(t, err)
		later := read(t, o.locks())
		before.put(t, o.locks())
		l := l.Say("Unlock did not return the checkout that it removed")
		l.Did = "Unlock began; before it could change the document, alice renewed her checkout"
		r := between(t, begin(t, o, "lease"), "Unlock alice "+hers.ID, o.locks(), func() { later.put(t, o.locks()) }, l)
		lab.RequireNoError(t, r.Returned.Err, l)
		l.Expected, l.Found = fmt.Sprintf("%+v", renewed), r.Text
		lab.Require(t, same(renewed, checkoutOf(t, r)), l)
	})
	t.Run("without a document", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		_, err := lockmanager.New(path, lockmanager.Options{}).Unlock(t.Context(), "alice", "id", false)
		l := l.Say("Unlock took a missing document for an empty one")
		l.Did, l.Expected, l.Read = "Unlock; locks.json did not exist", "an error that matches fs.ErrNotExist", failures
		lab.RequireErrorIs(t, err, fs.ErrNotExist, l)
		lab.RequireNoFile(t, path, l)
	})
}

// A late Unlock of what was given back, and is another's, or the same owner's, by now.
func TestUnlockOfAnOldIDChangesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, next string }{{"the part is another's", "bob"}, {"the part is the same owner's", "alice"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := open(t)
			m := o.manager(0)
			l := lab.Lesson{
				Says:  "Unlock with an old ID gave back a new checkout",
				Did:   "Lock of bracket.step for alice; Unlock; Lock for " + c.next + "; the first Unlock once more, late",
				Means: "the part is free while its owner works on it", Read: once,
			}
			first := lock(t, m, "alice", "bracket.step")
			unlock(t, m, first)
			lock(t, m, c.next, "bracket.step")
			for _, force := range []bool{false, true} {
				_, err := m.Unlock(t.Context(), "alice", first.ID, force)
				o.requireCheckouts(t, c.next+" has bracket.step", l)
				l.Expected = "an error that matches ErrNotFound"
				lab.RequireErrorIs(t, err, lockmanager.ErrNotFound, l.Say("Unlock accepted an old ID"))
				l.Expected = ""
			}
		})
	}
}

func TestUnlockDecidesOnWhatTheDocumentHoldsWhenItIsChanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, order, next string }{
		{"another has the part by then", "Unlock", "bob"}, {"its owner has it again by then", "Unlock", "alice"}, {"by force", "force", "bob"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := open(t)
			m := o.manager(0)
			l := lab.Lesson{
				Says: "Unlock gave back a checkout that it was not asked for",
				Did: c.order + " of alice's checkout began; before it could change the document, the checkout was gone, and " + c.next +
					" had a new one of the part",
				Means: "the part is free while " + c.next + " works on it", Read: why,
			}
			first := lock(t, m, "alice", "bracket.step")
			before := read(t, o.locks())
			unlock(t, m, first)
			second := lock(t, m, c.next, "bracket.step")
			later := read(t, o.locks())
			before.put(t, o.locks())
			r := between(t, begin(t, o), c.order+" alice "+first.ID, o.locks(), func() { later.put(t, o.locks()) }, l)
			o.requireCheckouts(t, c.next+" has bracket.step", l)
			lab.Require(t, same(second, o.checkouts(t)[0]), l)
			if first.ID != second.ID { // otherwise it is Lock that must be mended first
				l.Expected = "an error that matches ErrNotFound"
				lab.RequireErrorIs(t, r.Returned.Err, lockmanager.ErrNotFound, l.Say("Unlock did not report that the checkout was gone"))
			}
		})
	}
}

// All want to give back one checkout, others make and give back theirs.
func TestUnlockInACrowd(t *testing.T) {
	t.Parallel()
	o := open(t)
	m := o.manager(0)
	l := lab.Lesson{
		Says:  "Unlock gave one checkout back several times",
		Did:   "8 goroutines called Unlock with one ID; 8 others called Lock and Unlock of parts of their own, twice, and Lock once more",
		Means: "two people are told that they freed the part", Read: why,
	}
	c := lock(t, m, "alice", "bracket.step")
	var mutex sync.Mutex
	var gone int
	var failed error
	lab.Finishes(t, func() {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				_, err := m.Unlock(context.Background(), "alice", c.ID, i%2 == 0)
				mutex.Lock()
				defer mutex.Unlock()
				switch {
				case err == nil:
					gone++
				case !errors.Is(err, lockmanager.ErrNotFound):
					failed = errors.Join(failed, err)
				}
			})
			all.Go(func() {
				err := comeAndGo(m, fmt.Sprintf("person-%d", i), fmt.Sprintf("part-%d.step", i))
				mutex.Lock()
				defer mutex.Unlock()
				failed = errors.Join(failed, err)
			})
		}
		all.Wait()
	}, l.Say("Unlock waits for ever"))
	lab.RequireNoError(t, failed, l.Say("Unlock or Lock failed in a crowd"))
	lab.RequireEqual(t, 1, gone, l)
	all := o.checkouts(t)
	slices.SortFunc(all, func(a, b lockmanager.Checkout) int { return strings.Compare(a.Path, b.Path) })
	want := ""
	for i := range 8 {
		want += fmt.Sprintf("person-%d has part-%d.step; ", i, i)
	}
	lab.RequireEqual(t, want[:len(want)-2], summary(all), l.Say("Unlock brought back, or took away, what others had changed"))
}

func comeAndGo(m *lockmanager.Manager, owner, path string) error {
	for range 2 {
		c, err := m.Lock(context.Background(), owner, path)
		if err != nil {
			return err
		}
		if _, err := m.Unlock(context.Background(), owner, c.ID, false); err != nil {
			return err
		}
	}
	_, err := m.Lock(context.Background(), owner, path)
	return err
}
