package lockmanager_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/15_lock_manager/ledger"
	"example/turnstile/internal/lab"
)

func TestLock(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Did: "Lock of bracket.step for alice", Means: "the record does not say what the caller asked for", Read: fix}
	t.Run("records who has the part", func(t *testing.T) {
		t.Parallel()
		for _, owner := range []string{"alice", "Zoë O'Neil / 1", " Ann\tLee\r\n\x00\u2028", strings.Repeat("x", 300)} {
			o := open(t)
			l := l
			l.Did = fmt.Sprintf("Lock of parts/Bracket é.step for %.40q", owner)
			c, err := o.manager(0).Lock(t.Context(), owner, "parts/Bracket é.step")
			lab.RequireNoError(t, err, l.Say("Lock refused an owner whose name is text in UTF-8"))
			l = l.Say("Lock returned a checkout that is not what it was asked for")
			l.Expected = "path, owner, the clock's time in UTC, an ID of 11 to 200 letters and digits, a token above 0, no end"
			l.Found = fmt.Sprintf("%+v", c)
			asked := c.Path == "parts/Bracket é.step" && c.Owner == owner && c.Token > 0 && c.Expires.IsZero()
			when := c.LockedAt.Equal(start) && c.LockedAt.Location() == time.UTC
			id := regexp.MustCompile(`^[A-Za-z0-9._~-]{11,200}$`).MatchString(c.ID) // fewer letters cannot hold 64 bits
			lab.Require(t, asked && when && id, l)
			l = l.Say("Lock recorded something else than it returned")
			l.Expected, l.Found = "", ""
			found := o.checkouts(t)
			lab.RequireEqual(t, owner+" has parts/Bracket é.step", summary(found), l)
			l.Found = fmt.Sprintf("%+v; it returned %+v", found[0], c)
			lab.Require(t, same(c, found[0]), l)
		}
	})
	t.Run("leaves other parts alone", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		m := o.manager(0)
		for _, c := range [][2]string{{"alice", "a.step"}, {"alice", "b.step"}, {"bob", "a.step.old"}, {"carol", "x/a.step"}} {
			lock(t, m, c[0], c[1])
		}
		o.requireCheckouts(t, "alice has a.step; alice has b.step; bob has a.step.old; carol has x/a.step",
			l.Say("Lock changed another's checkout"))
	})
	for name, second := range map[string]string{"another owner": "bob", "the same owner": "alice"} {
		t.Run("refuses a part that is out to "+name, func(t *testing.T) {
			t.Parallel()
			o := open(t)
			lock(t, o.manager(0), "carol", "axle.step")
			first := lock(t, o.manager(0), "alice", "bracket.step")
			before := read(t, o.locks())
			l := lab.Lesson{
				Says: "Lock of a part that is out did not report who has it", Did: "Lock of bracket.step for alice, then for " + second,
				Means: "two people believe to have the part, or one of them does not know whom to ask", Read: fix,
			}
			c, err := o.manager(0).Lock(t.Context(), second, "bracket.step")
			requireHeld(t, first, err, l)
			lab.RequireEqual(t, lockmanager.Checkout{}, c, l.Say("Lock returned a checkout beside its error"))
			lab.RequireFile(t, o.locks(), string(before), l.Say("Lock changed the document although it failed"))
		})
	}
	t.Run("sees what other programs have done", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		one, two := begin(t, o), begin(t, o)
		l := l.Say("Lock did not see what another program had done")
		l.Did = "a program called Lock for alice; another one called Unlock, and Lock of axle.step for bob; the first one called Lock of both"
		first := one.lock("alice", "bracket.step", "it")
		lab.RequireNoError(t, two.Do("Unlock alice "+first.ID, l), l.Say("Unlock did not see what another program had done"))
		second := two.lock("bob", "axle.step", "it")
		lab.RequireErrorIs(t, one.Do("Lock alice axle.step it", l), lockmanager.ErrHeld, l)
		lab.RequireNoError(t, one.Do("Lock alice bracket.step it", l), l)
		o.requireCheckouts(t, "bob has axle.step; alice has bracket.step", l)
		l.Did += "; the other one called Unlock; the first one, which had been refused, called Lock again, at once"
		lab.RequireNoError(t, two.Do("Unlock bob "+second.ID, l), l.Say("Unlock did not see what another program had done"))
		lab.RequireNoError(t, one.Do("Lock alice axle.step it", l), l)
	})
	t.Run("needs an owner", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		for _, owner := range []string{"", "b\xffb"} {
			_, err := o.manager(0).Lock(t.Context(), owner, "bracket.step")
			l := lab.Lesson{
				Says: "Lock accepted a checkout that no one has", Did: fmt.Sprintf("Lock of bracket.step for %q", owner),
				Expected: "an error that matches ErrOwner", Means: "no one can give the part back", Read: fix,
			}
			lab.RequireErrorIs(t, err, lockmanager.ErrOwner, l)
			o.requireCheckouts(t, "no checkout", l)
		}
	})
	t.Run("does not begin a document that is missing", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		_, err := lockmanager.New(path, lockmanager.Options{}).Lock(t.Context(), "alice", "bracket.step")
		l := lab.Lesson{
			Says: "Lock took a missing document for an empty one", Did: "Lock; locks.json did not exist",
			Expected: "an error that matches fs.ErrNotExist", Means: "a mistyped path becomes a workshop in which everything is free",
			Read: failures,
		}
		lab.RequireErrorIs(t, err, fs.ErrNotExist, l)
		lab.RequireNoFile(t, path, l)
	})
}

// One write for two calls: alice's checkout cannot be written, so the change of bob, who had seen her Lock's work, is made once more. Calls
// that read the clock more than once may look before their turn: then both look, before either acts.
func TestWhatAChangeThatFailedHasShownIsForgotten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		call  string
		looks int
	}{{"Lock", 0}, {"Lock", 1}, {"Unlock", 0}, {"Unlock", 1}} {
		t.Run(fmt.Sprintf("by %s after %d looks", c.call, c.looks), func(t *testing.T) {
			t.Parallel()
			o := open(t)
			carols := lock(t, o.manager(lease), "carol", "cog.step")
			if c.looks > 0 && !looksFirst(t, c.call) {
				return
			}
			l := lab.Lesson{
				Says: c.call + " reported what was never recorded",
				Did: "carol had cog.step, with a lease; Lock of bracket.step for alice, far in the future, and " + c.call + " by bob shared one " +
					"write; alice's checkout could not be written, so Update called bob's function once more",
				Means: "bob is sent to a person who does not have the part, or does not know that his change has been made", Read: failures,
			}
			alice, bob := waiting(t.Context()), waiting(t.Context())
			var m *lockmanager.Manager
			var calls atomic.Int32
			var alices, bobs error
			var working sync.WaitGroup
			bobLooks, returned := make(chan struct{}), make(chan struct{})
			until := func(it <-chan struct{}) {
				select { // a call that does not come there, or has a context of its own, has nothing to show here
				case <-it:
				case <-returned:
				case <-time.After(time.Second):
				}
			}
			bobsCall := func() (err error) {
				if c.call == "Lock" {
					_, err = m.Lock(bob, "bob", "bracket.step")
				} else {
					_, err = m.Unlock(bob, "bob", carols.ID, true)
				}
				return err
			}
			m = lockmanager.New(o.locks(), lockmanager.Options{Now: func() time.Time {
				n := int(calls.Add(1))
				if n == 1 {
					working.Go(func() { defer close(returned); bobs = bobsCall() })
				}
				switch {
				case n == 1 && c.looks == 1: // by alice
					until(bobLooks)
				case n == 2 && c.looks == 1: // by bob, who goes on when alice waits for her turn
					alice.forget()
					close(bobLooks)
					until(alice.asked)
					bob.forget()
				case n == 2*c.looks+1: // in alice's change
					until(bob.asked)
					return time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) // JSON has no form for it, and carol's lease has ended
				}
				return start
			}})
			lab.Finishes(t, func() {
				_, alices = m.Lock(alice, "alice", "bracket.step")
				working.Wait()
			}, l)
			if alices != nil { // otherwise she has the part, and bob was right to say so
				lab.RequireNoError(t, bobs, l)
				want := map[string]string{"Lock": "carol has cog.step; bob has bracket.step", "Unlock": "no checkout"}[c.call]
				o.requireCheckouts(t, want, l.Say("%s did not record what it reported", c.call))
			}
		})
	}
}

// looksFirst reports whether Lock, and the call, may look before their turn: they read the clock more than once.
func looksFirst(t *testing.T, call string) bool {
	t.Helper()
	o, reads := open(t), 0
	m := lockmanager.New(o.locks(), lockmanager.Options{Now: func() time.Time { reads++; return start }})
	c := lock(t, m, "carol", "cog.step")
	byLock := reads
	unlock(t, m, c)
	return byLock > 1 && (call == "Lock" || reads-byLock > 1)
}

// A signal is a context that reports that its end is waited for: a Lock that has to wait is in the queue by then.
type signal struct {
	context.Context
	asked chan struct{}
}

func waiting(parent context.Context) *signal { return &signal{parent, make(chan struct{}, 1)} }

func (s *signal) Done() <-chan struct{} {
	select {
	case s.asked <- struct{}{}:
	default:
	}
	return s.Context.Done()
}

// forget is for what was waited for before.
func (s *signal) forget() {
	select {
	case <-s.asked:
	default:
	}
}

func TestLockDecidesOnWhatTheDocumentHoldsWhenItIsChanged(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bracket.step", "BRACKET.step"} { // of one part
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := open(t)
			l := lab.Lesson{
				Says: "Lock decided on what the document had held before its turn", Read: why,
				Did:   "Lock of bracket.step for alice began; before it could change the document, bob checked " + name + " out",
				Means: "both believe to have the part, and the work of one of them is lost", Expected: "bob has " + name,
			}
			empty := read(t, o.locks())
			bobs := lock(t, o.manager(0), "bob", name)
			later := read(t, o.locks())
			empty.put(t, o.locks())
			r := between(t, begin(t, o), "Lock alice bracket.step mine", o.locks(), func() { later.put(t, o.locks()) }, l)
			o.requireCheckouts(t, "bob has "+name, l)
			lab.RequireErrorIs(t, r.Returned.Err, lockmanager.ErrHeld, l.Say("Lock did not report a checkout that came first"))
			lab.Require(t, same(bobs, o.checkouts(t)[0]), l.Say("Lock replaced another's checkout"))
		})
	}
}

// What was in the way has gone.
func TestLockDoesNotReportACheckoutThatIsGone(t *testing.T) {
	t.Parallel()
	o := open(t)
	l := lab.Lesson{
		Says: "Lock refused a part that was free when its turn came", Read: why,
		Did:   "Lock of axle.step for alice began, while bob had bracket.step; before it could change the document, bob gave his part back",
		Means: "what was given back comes back with the next change", Expected: "alice has axle.step",
	}
	m := o.manager(0)
	bobs := lock(t, m, "bob", "bracket.step")
	held := read(t, o.locks())
	unlock(t, m, bobs)
	later := read(t, o.locks())
	held.put(t, o.locks())
	r := between(t, begin(t, o), "Lock alice axle.step mine", o.locks(), func() { later.put(t, o.locks()) }, l)
	lab.RequireNoError(t, r.Returned.Err, l)
	o.requireCheckouts(t, "alice has axle.step", l.Say("Lock brought a checkout back that was gone"))
}

// What a refusal reports is what was judged, and not what a second look finds.
func TestARefusalReportsTheCheckoutThatItFound(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Lock", "Unlock"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			o := open(t)
			l := lab.Lesson{
				Says: call + " reported another checkout than the one that was in its way", Read: why,
				Did:   "alice had bracket.step; " + call + " by bob read the clock, to judge her checkout, while her Unlock waited for its turn",
				Means: "bob is sent to a person who does not have the part, or to no one",
			}
			hers := lock(t, o.manager(lease), "alice", "bracket.step")
			other := begin(t, o)
			begun := false
			m := lockmanager.New(o.locks(), lockmanager.Options{Now: func() time.Time {
				if !begun {
					begun = true
					other.Begin("Unlock alice " + hers.ID) // until it is in line
				}
				return start
			}})
			var err error
			lab.Finishes(t, func() {
				if call == "Lock" {
					_, err = m.Lock(t.Context(), "bob", "bracket.step")
				} else {
					_, err = m.Unlock(t.Context(), "bob", hers.ID, false)
				}
			}, l)
			if err != nil && !errors.Is(err, lockmanager.ErrNotFound) { // otherwise it judged once more, when alice's checkout was gone
				requireHeld(t, hers, err, l)
			}
			if begun {
				other.Reply(l)
			}
		})
	}
}

const (
	people = 10
	parts  = 8
)

func partName(i int) string { return fmt.Sprintf("part-%d.step", i%parts) }

// A request is one Lock of the crowd, and its result.
type request struct {
	Owner, Path, ID string // the ID is that of the checkout which it got, or which stands in its way
	Got             bool
	Err             string // any but a *HeldError
}

// ask makes a request for each part, all at once.
func ask(m *lockmanager.Manager, owner string) []request {
	results := make([]request, parts)
	var all sync.WaitGroup
	for i := range parts {
		all.Go(func() {
			r := request{Owner: owner, Path: partName(i)}
			c, err := m.Lock(context.Background(), r.Owner, r.Path)
			var held *lockmanager.HeldError
			switch {
			case err == nil:
				r.Got, r.ID = true, c.ID
			case errors.As(err, &held):
				r.ID = held.Checkout.ID
			default:
				r.Err = err.Error()
			}
			results[i] = r
		})
	}
	all.Wait()
	return results
}

// crowd is a program in which FROM to TO are persons, who all want all parts at once.
func crowd(w *lab.Worker) error {
	o := office{dir: w.Arg(0)}
	var results []request
	var mutex sync.Mutex
	var all sync.WaitGroup
	w.Reached("start")
	for i := w.Int(1); i < w.Int(2); i++ {
		all.Go(func() {
			got := ask(o.manager(0), fmt.Sprintf("person-%d", i))
			mutex.Lock()
			defer mutex.Unlock()
			results = append(results, got...)
		})
	}
	all.Wait()
	return w.Result(results)
}

func TestEightyRequestsForEightParts(t *testing.T) {
	t.Parallel()
	t.Run("from goroutines", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		m := o.manager(0) // one for all
		results := make([][]request, people)
		lab.Finishes(t, func() {
			var all sync.WaitGroup
			for i := range people {
				all.Go(func() { results[i] = ask(m, fmt.Sprintf("person-%d", i)) })
			}
			all.Wait()
		}, lab.Lesson{Says: "Lock waits for ever", Did: "80 Locks for 8 parts, from goroutines", Means: "no one can work", Read: why})
		requireOneEach(t, o, slices.Concat(results...), "80 Locks for 8 parts, from goroutines of one process")
	})
	t.Run("from processes", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		const programs = 5
		var crew []*lab.Process
		for i := range programs {
			p := lab.Start(t, "crowd", o.dir, fmt.Sprint(i*people/programs), fmt.Sprint((i+1)*people/programs))
			p.Reached("start")
			crew = append(crew, p)
		}
		for _, p := range crew {
			p.Continue()
		}
		var results []request
		for _, p := range crew {
			var got []request
			p.Result(&got)
			results = append(results, got...)
			l := lab.Lesson{Says: "Lock ended its program", Did: "80 Locks for 8 parts, from 5 processes", Means: "no one can work", Read: why}
			lab.RequireNoError(t, p.Wait(), l)
		}
		requireOneEach(t, o, results, "80 Locks for 8 parts, from 5 processes")
	})
}

// requireOneEach demands that each part has one winner, whom the others were told of.
func requireOneEach(t *testing.T, o office, results []request, did string) {
	t.Helper()
	l := lab.Lesson{Did: did, Means: "several people believe to have one part, and the work of all but one is lost", Read: why}
	winners := map[string][]request{}
	for _, r := range results {
		if r.Got {
			winners[r.Path] = append(winners[r.Path], r)
		}
		l := l.Say("Lock failed where it should succeed or report who has the part")
		l.Expected, l.Found = "a checkout or a *HeldError", r.Err
		lab.Require(t, r.Err == "", l)
	}
	l.Says = "Lock gave one part to several people"
	total := 0
	for _, path := range slices.Sorted(maps.Keys(winners)) {
		l.Expected = "one owner of " + path
		l.Found = fmt.Sprintf("%d: %s", len(winners[path]), owners(winners[path]))
		lab.Require(t, len(winners[path]) == 1, l)
		total++
	}
	l.Expected, l.Found = "", ""
	lab.RequireEqual(t, parts, total, l.Say("Lock gave a part to no one"))
	recorded := o.checkouts(t)
	lab.RequireEqual(t, parts, len(recorded), l.Say("Lock recorded more or fewer checkouts than it gave out"))
	for _, c := range recorded {
		l := l.Say("Lock recorded another checkout than it gave out")
		l.Found = summary([]lockmanager.Checkout{c})
		w := winners[c.Path]
		lab.Require(t, len(w) == 1 && w[0].ID == c.ID && w[0].Owner == c.Owner, l)
	}
	for _, r := range results {
		l := l.Say("Lock reported a checkout that does not exist")
		l.Expected, l.Found = "the ID of the checkout that has the part", r.ID
		lab.Require(t, winners[r.Path][0].ID == r.ID, l)
	}
}

func owners(all []request) string {
	names := make([]string, 0, len(all))
	for _, r := range all {
		names = append(names, r.Owner)
	}
	return strings.Join(names, ", ")
}

func TestLockNeverGivesAnIDTwice(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "a late Unlock with the old ID gives back what another has", Read: once, Expected: "another ID"}
	requireNew := func(t *testing.T, first, second lockmanager.Checkout, l lab.Lesson) {
		t.Helper()
		l.Found = fmt.Sprintf("%s, and again %s", first.ID, second.ID)
		lab.Require(t, first.ID != second.ID, l.Say("Lock gave an ID twice"))
		l.Expected, l.Found = fmt.Sprintf("a token above %d", first.Token), fmt.Sprint(second.Token)
		lab.Require(t, second.Token > first.Token, l.Say("Lock gave a token that is not higher than all before it"))
	}
	for _, c := range []struct{ name, owner, path string }{
		{"for the next owner of the part", "bob", "bracket.step"},
		{"for the same owner, of the same part", "alice", "bracket.step"},
		{"for the same owner, of another part", "alice", "axle.step"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := open(t)
			l := l
			l.Did = "Lock of bracket.step for alice; Unlock; then Lock of " + c.path + " for " + c.owner + ", at the same time of the clock"
			m := o.manager(0)
			first := lock(t, m, "alice", "bracket.step")
			unlock(t, m, first)
			second := lock(t, m, c.owner, c.path)
			requireNew(t, first, second, l)
			unlock(t, m, second)
			requireNew(t, second, lock(t, o.manager(0), "alice", "bracket.step"), l)
		})
	}
	t.Run("after a forced Unlock", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		m := o.manager(0)
		l := l
		l.Did = "Lock of two parts; the later checkout was given back by force; Lock of its part again"
		lock(t, m, "alice", "axle.step")
		first := lock(t, m, "alice", "bracket.step")
		var err error
		lab.Finishes(t, func() { _, err = m.Unlock(t.Context(), "bob", first.ID, true) }, l)
		lab.RequireNoError(t, err, l.Say("Unlock failed although it was forced"))
		requireNew(t, first, lock(t, m, "alice", "bracket.step"), l)
	})
	t.Run("in several programs", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		seen := map[string]bool{}
		l := l
		l.Did = "three programs began, one after the other; each called Lock for three parts"
		for i := range 3 {
			p := begin(t, o)
			for j := range 3 {
				c := p.lock("alice", fmt.Sprintf("%d-%d.step", i, j), "it")
				l.Found = c.ID + " again"
				lab.Require(t, !seen[c.ID], l.Say("Lock gave an ID twice"))
				seen[c.ID] = true
			}
		}
	})
	t.Run("at one time of the system's clock", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { // no time passes in the bubble
			m := lockmanager.New(lab.Path(t, "locks.json"), lockmanager.Options{})
			lab.RequireSetUp(t, m.Create(t.Context()))
			l := l
			l.Did = "two Locks, between which the system's clock did not move"
			first, err := m.Lock(t.Context(), "alice", "axle.step")
			lab.RequireNoError(t, err, l)
			second, err := m.Lock(t.Context(), "alice", "bracket.step")
			lab.RequireNoError(t, err, l)
			requireNew(t, first, second, l)
		})
	})
	t.Run("in two workshops", func(t *testing.T) {
		t.Parallel()
		l := l
		l.Did = "two documents; Lock of bracket.step for alice in each"
		a := lock(t, open(t).manager(0), "alice", "bracket.step")
		b := lock(t, open(t).manager(0), "alice", "bracket.step")
		l.Found = a.ID + ", and again " + b.ID
		lab.Require(t, a.ID != b.ID, l.Say("Lock gave an ID twice"))
	})
}

func TestLockKnowsAPartByAllItsNames(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "one file is checked out twice, under two names", Read: names}
	for _, path := range []string{
		"", ".", "..", "/", "/bracket.step", "./bracket.step", "parts/./bracket.step", "parts//bracket.step", "parts/", "../bracket.step",
		"parts/../bracket.step", `parts\bracket.step`, `C:\bracket.step`, "C:bracket.step", "bracket.step:stream", "bracket.step.",
		"bracket.step ", "parts./bracket.step", "bracket\n.step", "bracket\x00.step", "bracket\xff.step", strings.Repeat("x", 4097),
	} {
		shown := fmt.Sprintf("%.40q", path)
		t.Run("refuses "+shown, func(t *testing.T) {
			t.Parallel()
			o := open(t)
			c, err := o.manager(0).Lock(t.Context(), "alice", path)
			l := l.Say("Lock accepted a path that is not clean")
			l.Did, l.Expected = "Lock of "+shown, "an error that matches ErrName"
			lab.RequireErrorIs(t, err, lockmanager.ErrName, l)
			lab.RequireEqual(t, lockmanager.Checkout{}, c, l.Say("Lock returned a checkout beside its error"))
			o.requireCheckouts(t, "no checkout", l)
		})
	}
	for _, pair := range [][2]string{
		{"Parts/Bracket.STEP", "parts/bracket.step"},
		{"parts/bracket.step", "Parts/Bracket.STEP"},
		{"Größe.step", "GRÖßE.step"},
		{"κόσμος.step", "ΚΌΣΜΟΣ.step"},
	} {
		t.Run(pair[0]+" is "+pair[1], func(t *testing.T) {
			t.Parallel()
			o := open(t)
			first := lock(t, o.manager(0), "alice", pair[0])
			_, err := o.manager(0).Lock(t.Context(), "bob", pair[1])
			l := l.Say("Lock took another letter case for another part")
			l.Did = "Lock of " + pair[0] + " for alice, then of " + pair[1] + " for bob"
			requireHeld(t, first, err, l)
			o.requireCheckouts(t, "alice has "+pair[0], l.Say("Lock changed the name of a part"))
		})
	}
	for _, path := range []string{
		".gitattributes", "a..b/...c", "with a blank.step", "é.step", strings.Repeat("x/", 2047) + "xx", "a,b;c'd\"e$f#g?h%i&j",
	} {
		shown := fmt.Sprintf("%.40q", path)
		t.Run("accepts "+shown, func(t *testing.T) {
			t.Parallel()
			o := open(t)
			c, err := o.manager(0).Lock(t.Context(), "alice", path)
			l := l.Say("Lock refused a clean path")
			l.Did, l.Means = "Lock of "+shown, "a part that exists cannot be checked out"
			lab.RequireNoError(t, err, l)
			lab.RequireEqual(t, path, c.Path, l.Say("Lock changed the name of a part"))
		})
	}
}

// An expired checkout stands in no one's way, and what is taken after it is a new one.
func TestLockKnowsWhenACheckoutExpires(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "parts stay with programs that have gone, or are taken from people at work", Read: leases}
	t.Run("it has an end if there is a lease", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		var reads atomic.Int64
		m := lockmanager.New(o.locks(), lockmanager.Options{Lease: lease, Now: func() time.Time {
			return start.Add(time.Duration(reads.Add(1)) * time.Millisecond)
		}})
		c := lock(t, m, "alice", "bracket.step")
		l := l.Say("Lock made a checkout that does not end with the lease")
		l.Did = "Lock; the manager has a lease of an hour, and its clock moves on each time it is read"
		lab.RequireEqual(t, c.LockedAt.Add(lease).UTC().String(), c.Expires.String(), l)
		lab.Require(t, same(c, o.checkouts(t)[0]), l.Say("Lock recorded something else than it returned"))
	})
	for _, c := range []struct {
		name, owner string
		now, lease  time.Duration // at the second Lock, and of its manager
		free        bool
	}{
		{"a moment before its end, to another", "bob", lease - 1, lease, false},
		{"a moment before its end, to its owner", "alice", lease - 1, lease, false},
		{"at its end, to another", "bob", lease, lease, true},
		{"at its end, to its owner", "alice", lease, lease, true},
		{"at its end, by a manager without a lease", "bob", lease, 0, true},
		{"long after its end", "bob", 1000 * lease, lease, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := open(t)
			first := lock(t, o.manager(lease), "alice", "bracket.step")
			o.setClock(t, start.Add(c.now))
			l := l
			l.Did = fmt.Sprintf("Lock of bracket.step for alice with a lease of an hour; Lock for %s %v later, by a manager with a lease of %v",
				c.owner, c.now, c.lease)
			second, err := o.manager(c.lease).Lock(t.Context(), c.owner, "bracket.step")
			if !c.free {
				requireHeld(t, first, err, l.Say("Lock gave out a part whose lease had not ended"))
				return
			}
			lab.RequireNoError(t, err, l.Say("Lock refused a part whose lease had ended"))
			o.requireCheckouts(t, c.owner+" has bracket.step", l.Say("Lock left the checkout that had expired"))
			l = l.Say("Lock gave an expired checkout out again, instead of a new one")
			l.Expected = "a new ID and a higher token"
			l.Found = fmt.Sprintf("ID %s and token %d, after ID %s and token %d", second.ID, second.Token, first.ID, first.Token)
			lab.Require(t, second.ID != first.ID && second.Token > first.Token, l)
		})
	}
	t.Run("at its end, which came while Lock waited", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		l := l.Say("Lock judged a lease before its turn")
		l.Did = "Lock for bob began; before it could change the document, alice checked the part out, and her lease ended"
		empty := read(t, o.locks())
		lock(t, o.manager(lease), "alice", "bracket.step")
		later := read(t, o.locks())
		empty.put(t, o.locks())
		r := between(t, begin(t, o, "lease"), "Lock bob bracket.step it", o.locks(), func() {
			o.setClock(t, start.Add(lease))
			later.put(t, o.locks())
		}, l)
		lab.RequireNoError(t, r.Returned.Err, l)
		o.requireCheckouts(t, "bob has bracket.step", l)
		l = l.Say("Lock recorded a time before its turn: its lease began when it was not yet there")
		lab.RequireEqual(t, start.Add(lease).UTC().String(), o.checkouts(t)[0].LockedAt.String(), l)
	})
	t.Run("it has none without a lease", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		first := lock(t, o.manager(0), "alice", "bracket.step")
		o.setClock(t, start.AddDate(10, 0, 0))
		_, err := o.manager(lease).Lock(t.Context(), "bob", "bracket.step")
		l := l.Say("Lock gave out a part whose checkout has no end")
		l.Did = "Lock of bracket.step for alice without a lease; Lock for bob ten years later, by a manager with a lease"
		requireHeld(t, first, err, l)
	})
	// As a Lock that knows no leases leaves it.
	t.Run("the part is out twice", func(t *testing.T) {
		t.Parallel()
		for _, ends := range [][2]bool{{true, false}, {false, true}, {true, true}} {
			o := open(t)
			var both []lockmanager.Checkout
			for i, owner := range []string{"alice", "bob"} {
				c := lockmanager.Checkout{ID: ledger.NewID(), Path: "bracket.step", Owner: owner, LockedAt: start.UTC(), Token: uint64(i + 1)}
				if ends[i] {
					c.Expires = start.Add(lease).UTC()
				}
				both = append(both, c)
			}
			lab.RequireSetUp(t, o.ledger().Update(t.Context(), func(l *ledger.Ledger) error {
				l.LastToken, l.Checkouts = 2, both
				return nil
			}))
			o.setClock(t, start.Add(lease))
			l := l.Say("Lock judged one of the part's two checkouts, and not the other")
			l.Did = fmt.Sprintf("the document had two checkouts of bracket.step, alice's (expired: %v) and bob's (expired: %v); Lock for carol",
				ends[0], ends[1])
			_, err := o.manager(lease).Lock(t.Context(), "carol", "bracket.step")
			if held := slices.Index(ends[:], false); held >= 0 {
				requireHeld(t, both[held], err, l)
				continue
			}
			lab.RequireNoError(t, err, l)
			o.requireCheckouts(t, "carol has bracket.step", l.Say("Lock left the checkout that had expired"))
		}
	})
	t.Run("others do not end with it", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		lock(t, o.manager(lease), "alice", "bracket.step")
		lock(t, o.manager(0), "carol", "axle.step")
		o.setClock(t, start.Add(lease))
		before := lock(t, o.manager(lease), "dave", "gear.step")
		c := lock(t, o.manager(lease), "bob", "bracket.step")
		l := l.Say("Lock changed another's checkout")
		l.Did = "one of three checkouts had expired; Lock of its part"
		all := o.checkouts(t)
		for _, left := range all {
			l := l.Say("Lock left the checkout that had expired")
			l.Expected, l.Found = "bob has bracket.step, and alice has nothing", summary(all)
			lab.Require(t, left.Owner != "alice", l)
		}
		lab.RequireEqual(t, "carol has axle.step; dave has gear.step; bob has bracket.step", summary(all), l)
		l.Found = fmt.Sprint(c.Token)
		lab.Require(t, c.Token > before.Token, l.Say("Lock gave a token that is not higher than all before it"))
	})
	// The lease in real time, which a bubble makes pass: the clock is Go's own.
	t.Run("with the clock of the system", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			path := lab.Path(t, "locks.json")
			m := lockmanager.New(path, lockmanager.Options{Lease: lease})
			lab.RequireSetUp(t, m.Create(t.Context()))
			l := l
			l.Did = "Lock for alice with a lease of an hour, and no clock of its own; an hour later Lock for bob"
			first, err := m.Lock(t.Context(), "alice", "bracket.step")
			lab.RequireNoError(t, err, l)
			time.Sleep(lease - time.Nanosecond)
			_, err = m.Lock(t.Context(), "bob", "bracket.step")
			requireHeld(t, first, err, l.Say("Lock gave out a part whose lease had not ended"))
			time.Sleep(time.Nanosecond)
			_, err = m.Lock(t.Context(), "bob", "bracket.step")
			lab.RequireNoError(t, err, l.Say("Lock refused a part whose lease had ended"))
		})
	})
}
