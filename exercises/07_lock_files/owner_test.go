package lockfiles_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/exercises/07_lock_files/pid"
	"example/turnstile/internal/lab"
)

// try calls Acquire for PATH and sends what it returned, and then whether the owner that Alive was given, if it was asked.
func try(w *lab.Worker) error {
	var asked []lockfiles.Owner
	lock, err := lockfiles.Acquire(w.Arg(0), lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
		asked = append(asked, owner)
		return true
	}})
	return errors.Join(w.Result(outcomeOf(lock, err)), w.Result(asked))
}

// judge calls Alive for the owner that it is sent. It sends the answer, and then whether the system tells it when that process began.
func judge(w *lab.Worker) error {
	var owner lockfiles.Owner
	if err := w.Receive(&owner); err != nil {
		return err
	}
	alive := lockfiles.Alive(owner)
	_, err := pid.Started(owner.PID)
	return errors.Join(w.Result(alive), w.Result(err == nil))
}

// startOwner starts a process that has a lock and stays alive.
func startOwner(t *testing.T, path string) (lockfiles.Owner, *lab.Process) {
	t.Helper()
	process := lab.Start(t, "hold", path)
	var owners []lockfiles.Owner
	process.Result(&owners, freeLock)
	process.Reached("holding", freeLock)
	return owners[0], process
}

func TestTheLockTellsOthersWhoHasIt(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	owner, process := startOwner(t, path)
	l := lab.Lesson{
		Did: "a process acquired a lock, and another one called Acquire", Read: isItAlive,
		Means: "others judge another process than the one that has the lock: they rob the living or wait for the dead",
	}
	var found []lockfiles.Owner
	_, err := acquire(t, path, lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
		found = append(found, owner)
		return true
	}}, l)
	requireIs(t, err, lockfiles.ErrLocked, l.Say("Acquire did not refuse a lock that is held"))
	lab.RequireEqual(t, 1, len(found), means(l, "Acquire did not call Alive once for the owner of a lock",
		"the owner is not judged at all, or Acquire waits and judges again and again"))
	lab.RequireEqual(t, owner, found[0], l.Say("Acquire gave Alive another owner than the one that has the lock"))

	lab.RequireEqual(t, process.PID(), owner.PID, l.Say("Acquire wrote down another process id than its own"))
	here, err := pid.Here()
	lab.RequireSetUp(t, err)
	lab.RequireEqual(t, here, owner.Host, l.Say("Acquire wrote down another Host than pid.Here returns"))
	started, err := pid.Started(process.PID())
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system does not tell when a process started: ", err)
	}
	lab.RequireSetUp(t, err)
	lab.RequireEqual(t, started, owner.Started, l.Say("Acquire did not write down when its process started, as pid.Started reports it"))
}

const robbed = "the lock is taken from a process that is at work: two programs write the same file"

// requireAlive demands that Alive calls the owner alive.
func requireAlive(t *testing.T, owner lockfiles.Owner, headline, did string) {
	t.Helper()
	lab.Require(t, callAlive(t, owner, did), lab.Lesson{
		Says: headline, Did: did, Expected: "true", Found: "false", Means: robbed, Read: isItAlive,
	})
}

func requireDead(t *testing.T, owner lockfiles.Owner, headline, did string) {
	t.Helper()
	lab.Require(t, !callAlive(t, owner, did), lab.Lesson{
		Says: headline, Did: did, Expected: "false", Found: "true", Read: isItAlive,
		Means: "the lock stays taken, perhaps for ever, until a person removes it by hand",
	})
}

func callAlive(t *testing.T, owner lockfiles.Owner, did string) (alive bool) {
	t.Helper()
	lab.Finishes(t, func() { alive = lockfiles.Alive(owner) }, lab.Lesson{Says: "Alive does not return", Did: did, Read: isItAlive})
	return alive
}

func TestAlive(t *testing.T) {
	t.Parallel()
	// Every case makes an owner that is certainly alive, or certainly dead, into another one. The process of the dead owner was killed.
	living, _ := startOwner(t, newPath(t))
	dead, process := startOwner(t, newPath(t))
	requireAlive(t, dead, "Alive calls a process dead that is at work", "a process acquired a lock and has it") // and asked again below
	process.Kill()

	t.Run("a process that is at work", func(t *testing.T) {
		requireAlive(t, living, "Alive calls a process dead that is at work", "a process acquired a lock and has it")
	})
	t.Run("a process that was killed", func(t *testing.T) {
		requireDead(t, dead, "Alive calls a process alive that was killed", "a process acquired a lock and was killed")
	})
	t.Run("a process whose start time is unknown", func(t *testing.T) {
		o := living
		o.Started = ""
		requireAlive(t, o, "Alive calls a process dead because it does not know when it began",
			"a process has a lock; its owner's Started is empty, as on a system that does not tell")
	})
	t.Run("a number that was given to another process", func(t *testing.T) {
		started, err := pid.Started(os.Getpid())
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("this system does not tell when a process started: ", err)
		}
		lab.RequireSetUp(t, err)
		last := started[len(started)-1]
		for _, other := range []string{"1", started + "0", started[:len(started)-1] + string('0'+(last-'0'+1)%10)} {
			o := dead
			o.PID, o.Started = os.Getpid(), other // this process is alive, and it did not start then
			requireDead(t, o, "Alive mistakes a stranger for the owner of the lock",
				"the owner was killed, and another process, which started at another time, now has its number")
		}
	})
	t.Run("an owner on another host", func(t *testing.T) {
		for _, c := range []struct {
			what   string
			change func(*pid.Host)
		}{
			{"another machine's name", func(h *pid.Host) { h.Name += "2" }},
			{"no name", func(h *pid.Host) { h.Name = "" }},
			{"another container", func(h *pid.Host) { h.Namespace += "0" }},
			{"another machine", func(h *pid.Host) { h.Machine += "0" }},
			{"another machine and boot", func(h *pid.Host) { h.Machine, h.Boot = h.Machine+"0", h.Boot+"0" }},
			{"unknown machine, other boot", func(h *pid.Host) { h.Machine, h.Boot = "", h.Boot+"0" }},
			{"unknown boot", func(h *pid.Host) { h.Boot, h.Name = "", h.Name+"2" }},
			{"no host at all", func(h *pid.Host) { *h = pid.Host{} }},
		} {
			o := dead
			c.change(&o.Host)
			requireAlive(t, o, "Alive calls a process dead that has its number on another host",
				fmt.Sprintf("the owner's Host differs from this one (%s); here, no process has its number", c.what))
		}
	})
	t.Run("an owner before a restart of this machine", func(t *testing.T) {
		o := living
		o.Host.Boot += "0"
		if !o.Host.IsEarlierBootOf(living.Host) {
			t.Skip("this system does not tell which machine it is, or which boot: Linux with /etc/machine-id does")
		}
		const headline = "Alive calls an owner alive that ran before a restart"
		requireDead(t, o, headline, "the owner ran on this machine before it was restarted; its number belongs to a process again")
		o.Host.Name, o.Host.Namespace = "", ""
		requireDead(t, o, headline, "the owner ran in a container on this machine before it was restarted")
	})
	t.Run("an owner without a number", func(t *testing.T) {
		for _, number := range []int{0, -1} {
			o := dead
			o.PID = number
			requireAlive(t, o, "Alive calls an owner dead about which it knows nothing",
				fmt.Sprintf("the owner's number is %d, which no process has", number))
		}
	})
	runCasesHere(t)
	t.Run("another user's process", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("a process that may not be asked takes a second user, which a test does not have")
		}
		// The first process of the system is alive, and it belongs to another user than nobody.
		judged := func(started, did string) (alive, told bool) {
			o := living
			o.PID, o.Started = 1, started
			asker := lab.Launch(t, lab.Options{Unprivileged: true}, "judge")
			asker.Send(o)
			asker.Result(&alive, lab.Lesson{Says: "Alive does not return", Did: did, Read: isItAlive})
			asker.Result(&told)
			return alive, told
		}
		l := lab.Lesson{
			Says: "Alive calls a process dead that belongs to another user",
			Did:  "process 1 has the lock; an ordinary user, who may not signal it, called Alive", Expected: "true", Found: "false",
			Means: robbed, Read: isItAlive,
		}
		started, _ := pid.Started(1) // or "", where the system does not tell
		alive, told := judged(started, l.Did)
		lab.Require(t, alive, l)
		if !told {
			t.Skip("this system does not tell an ordinary user when another user's process started")
		}
		l.Did = "the owner was killed, and another user's process, which began at another time, has its number; an ordinary user called Alive"
		l.Expected, l.Found, l.Means = "false", "true", "the lock stays taken, perhaps for ever, until a person removes it by hand"
		alive, _ = judged("never", l.Did)
		lab.Require(t, !alive, l.Say("Alive mistakes another user's process for the owner of the lock"))
	})
}

func TestAliveWhereTheSystemDoesNotTell(t *testing.T) {
	t.Parallel()
	_, _ = lab.Strace(t) // skips the test where it cannot be asked, before it starts processes
	living, _ := startOwner(t, newPath(t))
	dead, process := startOwner(t, newPath(t))
	process.Kill()
	for _, c := range []struct {
		name  string
		owner lockfiles.Owner
		rule  lab.Rule
	}{
		{"the probe fails", dead, lab.Rule{Calls: "kill,?pidfd_open,?pidfd_send_signal"}}, // os.FindProcess opens a pidfd
		{"the start time cannot be read", living, lab.Rule{Calls: "openat", Paths: []string{fmt.Sprintf("/proc/%d/stat", living.PID)}}},
		{"the boot cannot be read", dead, lab.Rule{Calls: "openat", Paths: []string{"/proc/sys/kernel/random/boot_id"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lab.EachErrno(t, func(t *testing.T, errno error) {
				rule := c.rule
				rule.Fail = errno
				asker := lab.Trace(t, rule, lab.Options{}, "judge")
				asker.Send(c.owner)
				l := lab.Lesson{
					Says: "Alive calls an owner dead about which it could find out nothing",
					Did:  fmt.Sprintf("Alive was called; %s (the kernel returned %v)", c.name, errno), Expected: "true", Found: "false",
					Means: robbed, Read: isItAlive,
				}
				var alive bool
				asker.Result(&alive, l)
				lab.RequireSetUp(t, asker.Wait())
				if len(asker.Injected()) == 0 {
					return // this answer asks in another way, and was told
				}
				lab.Require(t, alive, l)
			}, syscall.EPERM, syscall.EIO)
		})
	}
}
