package lockedfile_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"

	"example/turnstile/internal/lab"
)

func TestCloseGivesTheLockBack(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{"r", "r+", "w", "a"} {
		path := lab.WriteFile(t, "checkouts.json", document)
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Says: "Close kept the lock", Did: "OpenFile (" + flags + ") and Close; then another process called TryOpenFile",
			Means: "everyone waits for an owner that is no longer inside", Read: closing,
		}
		before := a.Handles()
		for _, call := range []string{"OpenFile", "TryOpenFile"} {
			a.get(call + " it " + flags)
			a.Succeed("Close it", l.Say("Close failed"))
			_, err := os.Stat(path)
			lab.RequireNoError(t, err, l.Say("Close removed the file"))
			b.Succeed("TryOpenFile second r+", l)
			b.Succeed("Close second", l.Say("Close failed"))
		}
		lab.RequireEqual(t, before, a.Handles(), l.Say("Close left the file open"))
	}
	t.Run("although a child has the file", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("a child of a Windows program has no handle that it was not given")
		}
		path := lab.WriteFile(t, "checkouts.json", document)
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Says: "Close left the lock to a duplicate of its descriptor", Read: children,
			Did:   "OpenFile; the descriptor was duplicated, as for a child between fork and exec; Close; then another process called TryOpenFile",
			Means: "now and then the next owner is refused, although the file is closed",
		}
		for _, flags := range []string{"r+", "r"} {
			a.get("OpenFile it " + flags)
			lab.RequireSetUp(t, a.Do("duplicate", l))
			a.Succeed("Close it", l)
			b.Succeed("TryOpenFile second r+", l)
			b.Succeed("Close second", l)
		}
	})
	t.Run("once", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", document)
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Says: "Close did not report that the file was closed before", Did: "OpenFile, Close and Close again",
			Means: "a mistake of the program goes unnoticed until it hits another owner", Read: closing,
		}
		a.get("OpenFile it r+")
		a.Succeed("Close it", l)
		requireClosed(t, a.Do("Close it", l), l)
		l.Says, l.Means = "Close took away a lock that it had not given", "two owners are inside at once"
		l.Did = "OpenFile and Close; OpenFile again in the same program; then a second Close of the first; " +
			"then another process called TryOpenFile"
		for _, flags := range []string{"r+", "r"} {
			a.get("OpenFile next " + flags)
			requireClosed(t, a.Do("Close it", l), l)
			b.refused("TryOpenFile second r+", l)
			a.Succeed("Close next", l.Say("Close failed"))
			b.Succeed("TryOpenFile second r+", l.Say("Close gave nothing back"))
			b.get("Close second")
		}
	})
}

func TestTryOpenFileLeavesNothingOpenWhenItFails(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "checkouts.json", document)
	a, b := start(t, path), start(t, path)
	n := lab.Rounds(250)
	l := lab.Lesson{Did: "a process had the file open; another one called TryOpenFile, again and again", Read: closing}
	a.get("OpenFile first r+")
	b.refused("TryOpenFile second r+", l.Say("TryOpenFile did not find the other owner"))
	// The fastest of many tries, so that a machine with much to do takes no part in the verdict.
	fastest := b.Ask("fastest r+ 400", l)
	lab.RequireNoError(t, fastest.Returned.Err, l.Say("TryOpenFile did not find the other owner"))
	l.Says, l.Means = "TryOpenFile waits for a moment before it reports another owner", "the caller asked not to wait"
	l.Expected, l.Found = "the fastest of 400 tries takes less than 5 ms", fmt.Sprintf("it took %d µs", fastest.N)
	lab.Require(t, fastest.N < aMoment, l)
	l.Expected, l.Found = "", ""
	before := b.Handles()
	l.Did = "a process had the file open; another one called TryOpenFile " + strconv.Itoa(4*n) + " times"
	for _, flags := range []string{"r", "r+", "w", "a"} {
		l.Says, l.Means = "TryOpenFile did not find the other owner", "it goes in beside the owner"
		r := b.Ask("tries "+flags+" "+strconv.Itoa(n), l)
		lab.RequireNoError(t, r.Returned.Err, l)
		l.Says, l.Means = "TryOpenFile left the file open when it failed", "a program that tries now and then runs out of handles"
		lab.RequireEqual(t, before, b.Handles(), l)
	}
}

func TestTheLockLastsAsLongAsItsOwner(t *testing.T) {
	t.Parallel()
	lost := lab.Lesson{Means: "another program goes in, and neither is told", Read: closing}
	t.Run("while garbage is collected", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", document)
		a, b := start(t, path), start(t, path)
		for _, call := range []string{"OpenFile it r+", "OpenFile it r", "TryOpenFile it r+"} {
			l := lost.Say("%s lost its lock to the garbage collector", callOf(call))
			l.Did = call + "; the program kept the File, and collected garbage; then another process called TryOpenFile"
			a.get(call)
			a.Succeed("collect", l)
			b.refused("TryOpenFile second r+", l)
			a.Succeed("Close it", l.Say("Close failed after garbage had been collected"))
		}
	})
	// A record lock of fcntl would be gone by then (eclipse-iceoryx/iceoryx2#1718, haskell/unix#44).
	t.Run("while the program asks whether it is locked", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", document)
		a, b := start(t, path), start(t, path)
		l := lost.Say("OpenFile lost its lock when its program tried to open the file once more")
		l.Did = "OpenFile (r+); TryOpenFile in the same program failed; then another process called TryOpenFile"
		a.get("OpenFile it r+")
		a.refused("TryOpenFile other r+", l.Say("TryOpenFile did not find another owner in its own process"))
		a.refused("TryOpenFile other r", l)
		b.refused("TryOpenFile second r+", l)
		a.get("Close it")
		l.Did = "OpenFile (r) twice in one program; Close of the second; then another process called TryOpenFile"
		a.get("OpenFile it r")
		a.get("OpenFile other r")
		a.get("Close other")
		b.refused("TryOpenFile second r+", l)
	})
	for _, c := range []struct{ name, order, did string }{
		{"until its process is killed", "", "a process had the file open; another one waited in OpenFile; the first was killed"},
		{
			"until its process is killed, even if a child of it lives", "child",
			"a process had the file open, started a program that runs on, and was killed; another one called TryOpenFile",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.order == "child" && runtime.GOOS == "windows" {
				t.Skip("the program that runs on is sleep(1)")
			}
			path := lab.WriteFile(t, "checkouts.json", document)
			a, b := start(t, path), start(t, path)
			l := lab.Lesson{
				Says: "OpenFile kept the others out after its process had ended", Did: c.did,
				Means: "the lock belongs to a program that does not know of it: all others wait until that one ends", Read: children,
			}
			a.get("OpenFile it r+")
			if c.order != "" {
				child := a.Ask(c.order, l)
				lab.RequireSetUp(t, child.Returned.Err)
				t.Cleanup(func() {
					if p, err := os.FindProcess(child.N); err == nil {
						_ = p.Kill()
					}
				})
			}
			if c.order != "" {
				a.Kill()
				b.Succeed("TryOpenFile second r+", l)
				return
			}
			b.Send("OpenFile second r+")
			b.WaitBlocked(l.Say("OpenFile does not wait in the kernel"))
			a.Kill()
			lab.RequireNoError(t, b.Reply(l).Returned.Err, l)
		})
	}
}
