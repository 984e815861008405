package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"example/turnstile/exercises/11_locked_file/filelock"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	service "example/turnstile/exercises/16_service"
	"example/turnstile/internal/lab"
)

func TestCheckIn(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "the history of the part does not say what was checked in, by whom, and when", Read: fix}
	t.Run("publishes the content and gives the part back", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		s := o.service(t)
		l.Did = "CheckOut of bracket.step for alice, CheckIn of \"first\""
		c, content := checkOut(t, s, "alice", bracket)
		lab.RequireEqual(t, "", content, l.Say("CheckOut handed over what no one has checked in"))
		v := checkInAs(t, s, c, "first")
		o.requireState(t, `version 1 of bracket.step is "first", by alice`, l.Say("CheckIn did not leave one version and a free part"))
		l.Found = fmt.Sprintf("%+v", v)
		l.Expected = "version 1 of bracket.step, by alice, of 5 bytes, with the checkout's ID and token, at 09:00"
		ok := v.Number == 1 && v.Path == bracket && v.Owner == "alice" && v.Size == 5 &&
			v.Checkout == c.ID && v.Token == c.Token && v.At.Format("15:04") == "09:00"
		lab.Require(t, ok, l.Say("CheckIn returned another version than the one that it has published"))
	})
	t.Run("the next owner goes on from there", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "alice checks bracket.step out and in; in another service, bob checks Bracket.step out and in"
		c, _ := checkOut(t, o.service(t), "alice", bracket)
		checkInAs(t, o.service(t), c, "first")
		his, content := checkOut(t, o.service(t), "bob", "Bracket.step")
		lab.RequireEqual(t, "first", content, l.Say("CheckIn did not leave what the next owner begins with"))
		checkInAs(t, o.service(t), his, "second")
		o.requireState(t, `version 1 of bracket.step is "first", by alice; version 2 of Bracket.step is "second", by bob`,
			l.Say("CheckIn did not leave both versions"))
	})
	for name, content := range map[string]string{"empty": "", "large": strings.Repeat("0123456789abcdef", 1<<16+257)} {
		t.Run("of a content that is "+name, func(t *testing.T) {
			t.Parallel()
			o, l := found(t), l
			l.Did = "CheckOut, CheckIn, CheckOut"
			c, _ := checkOut(t, o.service(t), "alice", bracket)
			v := checkInAs(t, o.service(t), c, content)
			lab.RequireEqual(t, int64(len(content)), v.Size, l.Say("CheckIn returned another size"))
			_, got := checkOut(t, o.service(t), "bob", bracket)
			lab.Require(t, got == content, l.Say("CheckIn changed the content"))
		})
	}
	t.Run("of what is left of a content", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "CheckOut; three bytes of the content were read; CheckIn of the rest"
		s := o.service(t)
		c, _ := checkOut(t, s, "alice", bracket)
		content := strings.NewReader("1: first")
		_, err := io.CopyN(io.Discard, content, 3)
		lab.RequireSetUp(t, err)
		_, err = try(t, s, c, content, l)
		lab.RequireNoError(t, err, l.Say("CheckIn refused who has the part"))
		o.requireState(t, `version 1 of bracket.step is "first", by alice`, l.Say("CheckIn did not read the content from where it stood"))
	})
	t.Run("the same content again, of a new checkout", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "alice checks bracket.step out and in; bob checks it out, and in as it was"
		s := o.service(t)
		for _, person := range []string{"alice", "bob"} {
			c, _ := checkOut(t, s, person, bracket)
			checkInAs(t, s, c, "same")
		}
		o.requireState(t, `version 1 of bracket.step is "same", by alice; version 2 of bracket.step is "same", by bob`,
			l.Say("CheckIn did not leave both versions"))
	})
	for name, happens := range map[string]func(t *testing.T, o shop){
		"": func(*testing.T, shop) {}, ", whose stored copy is damaged meanwhile": damage,
	} {
		t.Run("two parts with one content"+name, func(t *testing.T) {
			t.Parallel()
			o, l := found(t), l
			l.Did = "alice has bracket.step, bob has axle.step; bob checks in, then alice, with the same content" + name
			s := o.service(t)
			hers, _ := checkOut(t, s, "alice", bracket)
			his, _ := checkOut(t, s, "bob", axle)
			checkInAs(t, s, his, "same")
			o.requireState(t, `alice has bracket.step; version 1 of axle.step is "same", by bob`, l.Say("CheckIn touched another part"))
			happens(t, o)
			checkInAs(t, s, hers, "same")
			o.requireState(t, `version 1 of axle.step is "same", by bob; version 1 of bracket.step is "same", by alice`,
				l.Say("CheckIn did not leave both versions"))
		})
	}
}

// damage changes a byte of each object, and leaves its size.
func damage(t *testing.T, o shop) {
	t.Helper()
	objects := edition{}
	for _, name := range strings.Fields(o.files(t)) {
		if strings.HasPrefix(name, "objects/") {
			text, err := os.ReadFile(o.path(name))
			lab.RequireSetUp(t, err)
			text[0] ^= 1
			objects[o.path(name)] = text
		}
	}
	objects.put(t)
}

func TestCheckInOfWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	o := found(t)
	s := o.service(t)
	c, _ := checkOut(t, s, "alice", bracket)
	l := lab.Lesson{Means: "bob's drawing is published as alice's work, or her part is given away", Read: fix}
	for _, id := range []string{"", "0123456789abcdef0123456789abcdef"} {
		l.Did = fmt.Sprintf("CheckIn for bob with the ID %q, which no checkout has", id)
		_, err := try(t, s, service.Checkout{Owner: "bob", ID: id}, strings.NewReader("his"), l)
		requireEnded(t, err, l.Say("CheckIn took an ID that no checkout has"))
	}
	l.Did = "alice has bracket.step; CheckIn for bob with the ID of her checkout"
	l.Expected = "a *lockmanager.HeldError with her checkout"
	_, err := try(t, s, service.Checkout{Owner: "bob", ID: c.ID}, strings.NewReader("his"), l)
	lab.RequireErrorIs(t, err, lockmanager.ErrHeld, l.Say("CheckIn let another one in"))
	var held *lockmanager.HeldError
	lab.Require(t, errors.As(err, &held) && held.Checkout.ID == c.ID, l.Say("CheckIn did not say whose the part is"))
	l.Expected = ""
	o.requireOpenGate(t, "CheckIn", l)
	o.requireState(t, "alice has bracket.step", l.Say("CheckIn let another one in"))
}

// A client that has no answer asks again.
func TestCheckInTwice(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "an answer was lost, her program asks again, and does not learn that its work is published", Read: twice}
	t.Run("the same request", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "CheckOut, CheckIn; then the same CheckIn again, in another service"
		c, _ := checkOut(t, o.service(t), "alice", bracket)
		first := checkInAs(t, o.service(t), c, "hers")
		again, err := try(t, o.service(t), c, strings.NewReader("hers"), l)
		o.requireState(t, `version 1 of bracket.step is "hers", by alice`, l.Say("CheckIn published a second version of one checkout"))
		lab.RequireNoError(t, err, l.Say("CheckIn refused a request that it had granted before"))
		lab.RequireEqual(t, first, again, l.Say("CheckIn returned another version than the first time"))
	})
	t.Run("the same request, when others have changed the part since", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "CheckIn for alice; bob checks the part out and in; carol checks it out; the same CheckIn for alice again"
		s := o.service(t)
		c, _ := checkOut(t, s, "alice", bracket)
		first := checkInAs(t, s, c, "hers")
		his, _ := checkOut(t, s, "bob", bracket)
		checkInAs(t, s, his, "his")
		checkOut(t, s, "carol", bracket)
		before := o.state(t)
		again, err := try(t, s, c, strings.NewReader("hers"), l)
		o.requireState(t, before, l.Say("CheckIn changed something when it was called a second time"))
		lab.RequireNoError(t, err, l.Say("CheckIn refused a request that it had granted before"))
		lab.RequireEqual(t, first, again, l.Say("CheckIn returned another version than the first time"))
	})
	t.Run("the same ID with another content", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "CheckIn of \"hers\", then CheckIn with the same ID of \"more\""
		l.Means = "her second program believes that its work is published"
		s := o.service(t)
		c, _ := checkOut(t, s, "alice", bracket)
		checkInAs(t, s, c, "hers")
		v, err := try(t, s, c, strings.NewReader("more"), l)
		requireEnded(t, err, l.Say("CheckIn reported success for a content that it has not published"))
		lab.RequireEqual(t, service.Version{}, v, l.Say("CheckIn returned a version beside its error"))
		o.requireOpenGate(t, "CheckIn", l)
		o.recoverAll(t, l)
		o.requireState(t, `version 1 of bracket.step is "hers", by alice`, l.Say("CheckIn changed a version"))
	})
	t.Run("the same ID for another person", func(t *testing.T) {
		t.Parallel()
		o, l := found(t), l
		l.Did = "CheckIn for alice, then CheckIn with the same ID and content for bob"
		l.Means = "bob is told that he has published what is hers"
		s := o.service(t)
		c, _ := checkOut(t, s, "alice", bracket)
		checkInAs(t, s, c, "hers")
		c.Owner = "bob"
		_, err := try(t, s, c, strings.NewReader("hers"), l)
		requireEnded(t, err, l.Say("CheckIn let another one in"))
		o.requireState(t, `version 1 of bracket.step is "hers", by alice`, l.Say("CheckIn changed a version"))
	})
	for _, where := range []string{"in another service", "in the same service"} {
		t.Run("at the same time, "+where, func(t *testing.T) {
			t.Parallel()
			o, l := found(t), l
			l.Did = "while the content of a CheckIn came, the same CheckIn was called " + where + ", and came to its end first"
			s := o.service(t)
			c, _ := checkOut(t, s, "alice", bracket)
			other := s
			if where == "in another service" {
				other = o.service(t)
			}
			var inner service.Version
			var failed error
			content := &midway{happens: func() {
				inner, failed = other.CheckIn(t.Context(), "alice", c.ID, strings.NewReader("hers and more"))
			}}
			outer, err := try(t, s, c, content, l)
			lab.RequireNoError(t, failed, l.Say("CheckIn refused who has the part"))
			o.requireState(t, done, l.Say("CheckIn published a second version of one checkout"))
			lab.RequireNoError(t, err, l.Say("CheckIn refused a request that it had granted before"))
			lab.RequireEqual(t, inner, outer, l.Say("CheckIn returned another version than the other call"))
		})
	}
	t.Run("at the same time, and both contents have come", func(t *testing.T) {
		t.Parallel()
		l := l
		l.Did = "CheckIn had stored its object, and was stopped before a system call; the same CheckIn of another program; the first one went on"
		l.Means = "the look whether there is a version, and the change that publishes, are two steps: both calls look, and both publish"
		template := found(t)
		hers, _ := checkOut(t, template.service(t), "alice", bracket)
		// at lets the other one come at that call, and returns the last one at which no program has a document's lock.
		at := func(stop int) (last int) {
			o, calls := template.copy(t), 0
			s := o.service(t)
			var other *lab.Process
			var mine, theirs outcome
			lab.RequireRefuse(t, lab.Watch(func() {
				mine.Version, mine.Returned.Err = s.CheckIn(context.Background(), "alice", hers.ID, &midway{happens: func() {}})
			}, func(string) {
				if calls++; !strings.Contains(o.files(t), "objects/") || o.knows(t, hers) || !o.isFree("locks.json") || !o.isFree("versions.json") {
					return
				}
				if last = calls; calls == stop {
					other = lab.Start(t, "stoppable", o.dir, hers.ID)
					other.Settle()
				}
			}))
			lab.RequireNoError(t, mine.Returned.Err, l.Say("CheckIn refused who has the part"))
			if other != nil {
				other.Result(&theirs, l.Say("CheckIn does not come to its end"))
				lab.RequireSetUp(t, other.Wait())
				o.requireState(t, done, l.Say("CheckIn published a second version of one checkout"))
				lab.RequireNoError(t, theirs.Returned.Err, l.Say("CheckIn refused who has the part"))
				lab.RequireEqual(t, theirs.Version, mine.Version, l.Say("CheckIn returned another version than the other call"))
			}
			return last
		}
		at(at(0))
	})
}

// While the content comes, which may take hours, the checkout ends.
func TestCheckInAfterALaterOwner(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, did, want string
		happens         func(t *testing.T, o shop, s *service.Service, hers service.Checkout)
	}{
		{
			"who has read the part", "an administrator undid her checkout, and bob checked the part out", "bob has bracket.step",
			func(t *testing.T, o shop, s *service.Service, hers service.Checkout) {
				undo(t, s, hers)
				checkOut(t, s, "bob", bracket)
			},
		},
		{
			"who has changed the part", "an administrator undid her checkout, and bob checked the part out and in",
			`version 1 of bracket.step is "his", by bob`, func(t *testing.T, o shop, s *service.Service, hers service.Checkout) {
				undo(t, s, hers)
				his, _ := checkOut(t, s, "bob", bracket)
				checkInAs(t, s, his, "his")
			},
		},
		{
			"who has checked in the same", "an administrator undid her checkout, and bob checked the part out, and in with the same content",
			`version 1 of bracket.step is "hers and more", by bob`, func(t *testing.T, o shop, s *service.Service, hers service.Checkout) {
				undo(t, s, hers)
				his, _ := checkOut(t, s, "bob", bracket)
				checkInAs(t, s, his, "hers and more")
			},
		},
		{
			"when the lease was over", "her lease ended, and bob checked the part out", "bob has bracket.step",
			func(t *testing.T, o shop, s *service.Service, _ service.Checkout) {
				o.clock.Add(int64(2 * lease.Seconds()))
				checkOut(t, s, "bob", bracket)
			},
		},
		{
			"who is she, with another program", "her lease ended, and she checked the part out anew, with another program", "alice has bracket.step",
			func(t *testing.T, o shop, s *service.Service, _ service.Checkout) {
				o.clock.Add(int64(2 * lease.Seconds()))
				checkOut(t, s, "alice", bracket)
			},
		},
		{
			"who is she, and has changed the part", "her lease ended, and she checked the part out and in, with another program",
			`version 1 of bracket.step is "anew", by alice`, func(t *testing.T, o shop, s *service.Service, _ service.Checkout) {
				o.clock.Add(int64(2 * lease.Seconds()))
				anew, _ := checkOut(t, s, "alice", bracket)
				checkInAs(t, s, anew, "anew")
			},
		},
		{
			"who has it from the lock manager alone",
			"an administrator undid her checkout; the lock manager gave bob the part, and he checked it in",
			`version 1 of bracket.step is "his", by bob`, func(t *testing.T, o shop, s *service.Service, hers service.Checkout) {
				undo(t, s, hers)
				his, err := o.manager().Lock(t.Context(), "bob", bracket)
				lab.RequireSetUp(t, err)
				checkInAs(t, s, his, "his")
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := found(t)
			hers, _ := checkOut(t, o.service(t), "alice", bracket)
			l := lab.Lesson{
				Did:   "CheckIn for alice; while the content came, " + c.did,
				Means: "the later owner works on a drawing that changes behind them", Read: late,
			}
			other := o.service(t)
			v, err := try(t, o.service(t), hers, &midway{happens: func() { c.happens(t, o, other, hers) }}, l)
			o.requireOpenGate(t, "CheckIn", l)
			o.recoverAll(t, l)
			o.requireState(t, c.want, l.Say("CheckIn changed something although its checkout had ended"))
			requireEnded(t, err, l.Say("CheckIn did not report that its checkout had ended"))
			lab.RequireEqual(t, service.Version{}, v, l.Say("CheckIn returned a version beside its error"))
			again, err := try(t, o.service(t), hers, strings.NewReader("hers and more"), l)
			requireEnded(t, err, l.Say("CheckIn published the work of a checkout that had ended, when it was called again"))
			lab.RequireEqual(t, service.Version{}, again, l.Say("CheckIn returned a version beside its error"))
			o.requireOpenGate(t, "CheckIn", l)
		})
	}
	t.Run("who is none, but the checkout was undone before", func(t *testing.T) {
		t.Parallel()
		o := found(t)
		s := o.service(t)
		hers, _ := checkOut(t, s, "alice", bracket)
		undo(t, s, hers)
		l := lab.Lesson{
			Did:   "CheckOut for alice; an administrator undid it; CheckIn for alice",
			Means: "what was undone is published", Read: late,
		}
		_, err := try(t, s, hers, strings.NewReader("hers"), l)
		requireEnded(t, err, l.Say("CheckIn published the work of a checkout that had ended"))
		o.recoverAll(t, l)
		o.requireState(t, "nothing", l.Say("CheckIn published the work of a checkout that had ended"))
	})
}

// undo gives a checkout back by force.
func undo(t *testing.T, s *service.Service, c service.Checkout) {
	t.Helper()
	_, err := s.Undo(t.Context(), "admin", c.ID, true)
	lab.RequireSetUp(t, err)
}

// The program is stopped between two system calls, after its object is stored and before its version is published.
func TestCheckInThatWakesUp(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{
		Says: "CheckIn changed a part behind the back of its next owner",
		Did: "CheckIn for alice was stopped before a system call; an administrator undid her checkout, bob checked the part out; " +
			"her CheckIn went on",
		Means: "her program slept, and bob's next version is made without what she has published", Read: late,
	}
	overtaken, watched := 0, false // watched: it was seen between the content's first half and the object
	template := found(t)
	hers, _ := checkOut(t, template.service(t), "alice", bracket)
	for stop, published := 1, false; !published; stop += 8 / lab.Rounds(4) { // the gap that it looks for has more calls than two
		o := template.copy(t)
		s, other := o.service(t), o.service(t)
		calls, handed := 0, ""
		var half atomic.Bool
		var err error
		lab.RequireRefuse(t, lab.Watch(func() {
			_, err = s.CheckIn(context.Background(), "alice", hers.ID, &midway{happens: func() { half.Store(true) }})
		}, func(string) {
			if !strings.Contains(o.files(t), "objects/") {
				watched = watched || half.Load()
				return
			}
			if calls++; calls != stop {
				return
			}
			if published = o.knows(t, hers); !published && o.isFree("locks.json") && o.isFree("versions.json") {
				if _, err := other.Undo(t.Context(), "admin", hers.ID, true); err == nil {
					_, handed = checkOut(t, other, "bob", bracket)
					overtaken++
				}
			}
		}))
		state := o.state(t)
		if strings.Contains(state, "bob has") && strings.Contains(state, "version 1") {
			l.Expected = "bob was handed what she has published, or she was refused"
			l.Found = fmt.Sprintf("bob was handed %q; then: %s", handed, state)
			lab.Require(t, handed == "hers and more", l)
		} else if strings.Contains(state, "bob has") {
			requireEnded(t, err, l.Say("CheckIn did not report that its checkout had ended"))
		}
		published = published || calls < stop
	}
	elsewhere := l.Say("CheckIn does not store content in its caller's goroutine")
	elsewhere.Did = "CheckIn, with a look at each of its thread's system calls"
	elsewhere.Means, elsewhere.Read = "content is read where its owner does not expect that", fix
	elsewhere.Expected, elsewhere.Found = "calls between the first half of the content and the object", "none"
	lab.Require(t, watched, elsewhere)
	lab.Require(t, overtaken >= 2, l.Say("CheckIn lets no one work on the service from its beginning to its end"))
}

// knows reports whether there is a version of the checkout. It takes no lock.
func (o shop) knows(t testing.TB, c service.Checkout) bool {
	t.Helper()
	text, err := os.ReadFile(o.path("versions.json"))
	lab.RequireSetUp(t, err)
	return strings.Contains(string(text), c.ID)
}

// isFree reports whether no program has the document's lock, or waits for it.
func (o shop) isFree(name string) bool {
	for _, path := range []string{o.path(name) + ".lock", o.path(name) + ".lock.next"} {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return false
		}
		handle, err := filelock.New(file)
		free := err == nil && handle.TryLock(filelock.Exclusive) == nil && handle.Unlock() == nil
		if file.Close() != nil || !free {
			return false
		}
	}
	return true
}
