package contention_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example/turnstile/exercises/08_flock/bins"
	"example/turnstile/exercises/11_locked_file/filelock"
	contention "example/turnstile/exercises/12_contention"
	"example/turnstile/exercises/12_contention/shelf"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

const stock = `{"bracket":5}`

// shelves returns the stock files of some shelves in one directory: a.json, b.json and so on, each with 5 brackets.
func shelves(t *testing.T, n int) (paths []string) {
	t.Helper()
	directory := filepath.Dir(lab.Path(t, "x"))
	for i := range n {
		path := filepath.Join(directory, string(rune('a'+i))+".json")
		lab.RequireSetUp(t, os.WriteFile(path, []byte(stock), 0o600))
		lab.RequireSetUp(t, os.WriteFile(path+".lock", nil, 0o600)) // in the order of the names, whichever is locked first
		paths = append(paths, path)
	}
	return paths
}

// carry transfers a bracket FROM one shelf TO another, and stands at "inside" in between.
func carry(w *lab.Worker) error {
	return contention.Transfer(context.Background(), w.Arg(0), w.Arg(1), func(from, to bins.Stock) error {
		w.Reached("inside")
		return takeOne(from, to)
	})
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	requireNoPolling(t)
	const did = "Transfer of one bracket; each of the two shelves had five"
	t.Run("moves", func(t *testing.T) {
		t.Parallel()
		path := shelves(t, 2)
		l := lab.Lesson{
			Says: "Transfer did not write what move made of the stocks", Did: did,
			Means: "the files do not hold what the caller expects", Read: bothFiles,
		}
		for _, c := range [][2]string{{path[0], path[1]}, {path[1], path[0]}, {path[1], path[0]}} {
			lab.Finishes(t, func() {
				lab.RequireNoError(t, contention.Transfer(t.Context(), c[0], c[1], takeOne), l.Say("Transfer failed"))
			}, l)
		}
		lab.RequireFile(t, path[0], `{"bracket":6}`, l)
		lab.RequireFile(t, path[1], `{"bracket":4}`, l)
		odd := func(from, to bins.Stock) error { clear(from); to["bracket"], to["nut"] = 0, -1; return nil }
		l.Did += "; then a Transfer whose move left nothing of one stock, and 0 brackets and -1 nut in the other"
		lab.RequireNoError(t, contention.Transfer(t.Context(), path[0], path[1], odd), l.Say("Transfer failed"))
		lab.RequireFile(t, path[0], `{}`, l)
		lab.RequireFile(t, path[1], `{"bracket":0,"nut":-1}`, l)
	})
	t.Run("shows the stocks to move", func(t *testing.T) {
		t.Parallel()
		path := shelves(t, 2)
		l := lab.Lesson{
			Says: "Transfer called move with other stocks than the files hold", Did: did,
			Means: "parts go the wrong way", Read: bothFiles,
		}
		lab.RequireSetUp(t, os.WriteFile(path[1], []byte(`{"bracket":7}`), 0o600))
		for _, c := range [][4]int{{0, 1, 5, 7}, {1, 0, 7, 5}} {
			var err error
			var found [2]int
			calls := 0
			lab.Finishes(t, func() {
				err = contention.Transfer(t.Context(), path[c[0]], path[c[1]], func(from, to bins.Stock) error {
					found = [2]int{from["bracket"], to["bracket"]}
					calls++
					return nil
				})
			}, l)
			lab.RequireNoError(t, err, l.Say("Transfer failed"))
			lab.RequireEqual(t, [2]int{c[2], c[3]}, found, l)
			lab.RequireEqual(t, 1, calls, l.Say("Transfer did not call move once"))
		}
	})
	t.Run("finds the shelves of each call", func(t *testing.T) {
		t.Parallel()
		path := shelves(t, 3)
		link := filepath.Join(filepath.Dir(path[0]), "link.json")
		l := lab.Lesson{
			Says:  "Transfer worked with another shelf than its path leads to",
			Did:   "Transfer of one bracket from a.json, by a link, to b.json; then the link became one to c.json, and Transfer did the same again",
			Means: "what one call has found out is out of date for the next one", Read: twoNames,
		}
		for _, target := range []string{"a.json", "c.json"} {
			_ = os.Remove(link)
			requireLink(t, link, os.Symlink(target, link))
			lab.RequireNoError(t, contention.Transfer(t.Context(), link, path[1], takeOne), l.Say("Transfer failed"))
		}
		for i, want := range []string{`{"bracket":4}`, `{"bracket":7}`, `{"bracket":4}`} {
			lab.RequireFile(t, path[i], want, l)
		}
	})
	t.Run("finds the shelf beside what a link leads to", func(t *testing.T) {
		t.Parallel()
		path := shelves(t, 2)
		used := linkBeforeDots(t, path[0])
		decoy := filepath.Clean(used) // beside the link
		lab.RequireSetUp(t, os.WriteFile(decoy, []byte(stock), 0o600))
		l := lab.Lesson{
			Says: "Transfer worked with another shelf than its path leads to", Read: twoNames,
			Did:   "Transfer of one bracket from link/../a.json, and back; there was an a.json beside the link, too",
			Means: "the kernel goes up from where the link leads to: filepath.Clean and Abs make another file of the path",
		}
		for i, want := range []string{`{"bracket":4}`, stock} {
			from, to := used, path[1]
			if i == 1 {
				from, to = to, from
			}
			lab.RequireNoError(t, contention.Transfer(t.Context(), from, to, takeOne), l.Say("Transfer failed"))
			lab.RequireFile(t, path[0], want, l)
			lab.RequireFile(t, decoy, stock, l)
		}
	})
	for name, move := range map[string]func(from, to bins.Stock) error{
		"move returns an error": func(from, to bins.Stock) error { _ = takeOne(from, to); return errTest },
		"move panics":           func(from, to bins.Stock) error { _ = takeOne(from, to); panic(errTest) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := shelves(t, 2)
			l := lab.Lesson{
				Says: "Transfer hid from its caller that move had failed", Did: did + "; " + name,
				Means: "the caller goes on as if the parts had moved", Read: bothFiles,
			}
			var err error
			var panicked any
			calls := 0
			lab.Finishes(t, func() {
				defer func() { panicked = recover() }()
				err = contention.Transfer(t.Context(), path[0], path[1], func(from, to bins.Stock) error { calls++; return move(from, to) })
			}, l)
			if name == "move panics" {
				l := l.Say("Transfer did not hand on the value with which move had panicked")
				l.Means = "a caller that recovers, and knows the value, does not find it"
				lab.RequireEqual(t, any(errTest), panicked, l)
			} else {
				lab.RequireEqual(t, nil, panicked, l.Say("Transfer made a panic of an error"))
				lab.RequireErrorIs(t, err, errTest, l)
			}
			lab.RequireEqual(t, 1, calls, l.Say("Transfer did not call move once"))
			requireUntouched(t, path, l.Say("Transfer wrote although move had failed"))
			requireFree(t, path, l.Say("Transfer left a lock when move had failed"))
		})
	}
	t.Run("move ends its goroutine", func(t *testing.T) {
		t.Parallel()
		testGoexit(t, did)
	})
	t.Run("a context that ends when move is at work", func(t *testing.T) {
		t.Parallel()
		path := shelves(t, 2)
		ctx, stop := context.WithCancel(t.Context())
		l := lab.Lesson{
			Says: "Transfer stopped half way when its context ended", Did: did + "; the context ended while move was at work",
			Means: "the caller cannot know what the files hold", Read: giveUp,
		}
		var err error
		lab.Finishes(t, func() {
			err = contention.Transfer(ctx, path[0], path[1], func(from, to bins.Stock) error { stop(); return takeOne(from, to) })
		}, l)
		lab.RequireNoError(t, err, l)
		lab.RequireFile(t, path[0], `{"bracket":4}`, l)
		lab.RequireFile(t, path[1], `{"bracket":6}`, l)
	})
}

func testGoexit(t *testing.T, did string) {
	t.Helper()
	path := shelves(t, 2)
	l := lab.Lesson{Did: did + "; move ended its goroutine (runtime.Goexit, as t.FailNow does)", Read: bothFiles}
	done := false
	lab.Finishes(t, func() {
		done = nil == contention.Transfer(context.Background(), path[0], path[1], func(from, to bins.Stock) error {
			_ = takeOne(from, to)
			runtime.Goexit()
			return nil
		})
	}, l.Say("Transfer does not end when move ends its goroutine"))
	l.Means = "the caller goes on as if the parts had moved"
	lab.Require(t, !done, l.Say("Transfer returned no error although move had ended its goroutine"))
	requireUntouched(t, path, l.Say("Transfer wrote although move had ended its goroutine"))
	requireFree(t, path, l.Say("Transfer left a lock when move had ended its goroutine"))
}

func requireUntouched(t *testing.T, paths []string, l lab.Lesson) {
	t.Helper()
	l.Means = "parts are lost, or there are more than there were"
	for _, path := range paths {
		lab.RequireFile(t, path, stock, l)
	}
}

// requireFree demands that another process can lock all shelves.
func requireFree(t *testing.T, paths []string, l lab.Lesson) {
	t.Helper()
	l.Means = "everyone who needs the shelf waits for a Transfer that is over"
	p := start(t, "")
	for _, path := range paths {
		p.Succeed("Lock "+path+" "+path+".lock", l)
	}
}

func TestTransferHoldsBothLocks(t *testing.T) {
	t.Parallel()
	requireNoPolling(t)
	for i, which := range []string{"from", "to"} {
		t.Run("beside a Lock of "+which, func(t *testing.T) {
			t.Parallel()
			path := shelves(t, 3)
			used := [2]string{path[0], path[1]}
			if runtime.GOOS != "windows" {
				used[i] = linkTo(t, path[i])
			}
			l := lab.Lesson{
				Says:  "Transfer does not wait for the lock of the shelf that it takes parts " + which,
				Did:   "a process had a Lock of that shelf; another one called Transfer",
				Means: "it works beside the owner, and one of the two updates is lost", Read: bothFiles,
			}
			if which == "to" {
				l.Says = "Transfer does not wait for the lock of the shelf that it carries parts to"
			}
			owner := start(t, path[i]+".lock")
			owner.get("Lock it")
			p := lab.Start(t, "carry", used[0], used[1])
			waitBlocked(p, l)
			for _, path := range path[:2] {
				lab.RequireSetUp(t, errors.Join(os.WriteFile(path+".new", []byte(`{"bracket":8}`), 0o600), os.Rename(path+".new", path)))
			}
			if used[i] != path[i] {
				lab.RequireSetUp(t, os.WriteFile(path[2], []byte(`{"bracket":50}`), 0o600))
				lab.RequireSetUp(t, errors.Join(os.Remove(used[i]), os.Symlink(path[2], used[i])))
			}
			owner.free("it")
			p.Reached("inside", l.Say("Transfer did not get the locks after the owner had called Unlock"))
			l = lab.Lesson{
				Says:  "Transfer called move without the lock of one of its shelves",
				Did:   "a process was inside its Transfer; another one called RLock for the shelf",
				Means: "two programs work on one stock at once", Read: bothFiles,
			}
			owner.queue("RLock it", l)
			other := start(t, path[1-i]+".lock")
			other.queue("RLock it", l)
			p.Continue()
			lab.RequireNoError(t, p.Wait(l), l.Say("Transfer failed"))
			content, err := os.ReadFile(path[i])
			lab.RequireSetUp(t, err)
			name := filepath.Base(path[i])
			l = lab.Lesson{
				Says: "Transfer worked with a stock that it has not locked",
				Did: fmt.Sprintf("Transfer of one bracket, by a link to %s, which held 8; while it waited for the lock of %s, the link became one to "+
					"c.json, which held 50", name, name),
				Expected: name + " holds 7 or 9", Found: name + " holds " + string(content),
				Means: "another program may be at work on c.json", Read: bothFiles,
			}
			lab.Require(t, !strings.Contains(string(content), "49") && !strings.Contains(string(content), "51"), l)
			l.Expected, l.Found = "", ""
			lab.RequireFile(t, path[2], map[bool]string{true: `{"bracket":50}`, false: stock}[used[i] != path[i]],
				l.Say("Transfer changed c.json, which it has not locked"))
			l = lab.Lesson{
				Says:  "Transfer read a stock before it had both locks",
				Did:   "while Transfer waited for a lock, both stocks became 8 brackets; then it moved one",
				Means: "what it has read may be out of date when it has the second lock", Read: bothFiles,
			}
			lab.RequireFile(t, path[0], `{"bracket":7}`, l)
			lab.RequireFile(t, path[1], `{"bracket":9}`, l)
			owner.end("it", l.Say("Transfer left a lock"))
			other.end("it", l.Say("Transfer left a lock"))
		})
	}
}

// An owner has each of the two locks in turn, and a Transfer waits for it: what does it have meanwhile?
func TestTransferKeepsItsFirstLock(t *testing.T) {
	t.Parallel()
	requireNoPolling(t)
	if runtime.GOOS != "linux" {
		t.Skip("only there can the test know that Transfer waits for the second lock")
	}
	path := shelvesAgainstTheirNames(t)
	for from := range 2 {
		l := lab.Lesson{
			Did: fmt.Sprintf("Transfer from %s, while a process had the lock of one shelf; then the same, with the lock of the other shelf",
				filepath.Base(path[from])),
			Read: circles,
		}
		owner, p := start(t, ""), start(t, "")
		kept := [2]bool{}
		for i := range path {
			owner.get("Lock it " + path[i] + ".lock")
			p.queue("Transfer it "+path[from]+" "+path[1-from], l.Say("Transfer does not wait for the lock of a shelf"))
			kept[1-i] = true
			for began := time.Now(); kept[1-i] && time.Since(began) < 100*time.Millisecond; time.Sleep(time.Millisecond) {
				kept[1-i] = !isFree(path[1-i] + ".lock")
			}
			p.requireNoAlarm("Transfer", l)
			owner.free("it")
			p.endsWell("it", l.Say("Transfer did not get the locks after the owner had called Unlock"))
		}
		l.Expected, l.Found = "in one of the two cases Transfer keeps the lock that is free, and waits", "in both cases that lock became free"
		l.Means = "two that give back and begin again can do so in step for ever, and each gives its place in the line up"
		lab.Require(t, kept[0] || kept[1], l.Say("Transfer gave its first lock back while it waited for the second"))
		l.Read = twoNames
		l.Expected = "b.json, which comes before a.json in shelf.Compare, is locked first"
		l.Found = "Transfer had the lock of a.json while it waited for that of b.json"
		l.Means = "another program that has locked b.json waits for a.json, and this one for b.json: neither goes on"
		lab.Require(t, !kept[0], l.Say("Transfer does not lock its shelves in the order of shelf.Compare"))
	}
}

// shelvesAgainstTheirNames returns two shelves of which b.json comes first in shelf.Compare.
func shelvesAgainstTheirNames(t *testing.T) []string {
	t.Helper()
	path := shelves(t, 2)
	order := func() int {
		a, err := shelf.Find(path[0])
		b, wrong := shelf.Find(path[1])
		lab.RequireSetUp(t, errors.Join(err, wrong))
		return a.Compare(b)
	}
	if order() < 0 {
		a, b := path[0]+".lock", path[1]+".lock"
		lab.RequireSetUp(t, errors.Join(os.Rename(a, a+".old"), os.Rename(b, a), os.Rename(a+".old", b)))
	}
	lab.Require(t, order() > 0, lab.Lesson{Says: "The test could not prepare its own files"})
	return path
}

// The locks are looked at before each system call of the Transfer that opens or changes a file.
func TestTransferKeepsItsLocksUntilItHasWritten(t *testing.T) {
	t.Parallel()
	requireNoPolling(t)
	path := shelves(t, 2)
	l := lab.Lesson{
		Says: "Transfer gave a lock back before it had written", Did: "Transfer of a bracket, stopped before each of its system calls",
		Means: "another program reads the old stock, and its update is overwritten, or overwrites", Read: bothFiles,
	}
	var moved atomic.Bool
	early := false
	var err error
	watched := lab.Watch(func() {
		err = contention.Transfer(t.Context(), path[0], path[1], func(from, to bins.Stock) error { moved.Store(true); return takeOne(from, to) })
	}, func(string) {
		from, err := os.ReadFile(path[0])
		to, wrong := os.ReadFile(path[1])
		written := string(from) == `{"bracket":4}` && string(to) == `{"bracket":6}`
		if moved.Load() && err == nil && wrong == nil && !written && (isFree(path[0]+".lock") || isFree(path[1]+".lock")) {
			early = true
		}
	})
	lab.RequireRefuse(t, watched)
	lab.RequireNoError(t, err, l.Say("Transfer failed"))
	lab.Require(t, !early, l)
}

func isFree(path string) bool {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	handle, err := filelock.New(file)
	if err != nil || handle.TryLock(filelock.Exclusive) != nil {
		return false
	}
	_ = handle.Unlock()
	return true
}

func TestTransfersDoNotWaitInACircle(t *testing.T) {
	t.Parallel()
	requireNoPolling(t)
	const did = "one process called Transfer from a.json to b.json, another one from b.json to a.json"
	t.Run("in opposite directions", func(t *testing.T) {
		t.Parallel()
		path := shelves(t, 2)
		opposite(t, path, path[1], path[0], func() {}, lab.Lesson{Did: did, Read: circles})
	})
	t.Run("in opposite directions, and the stocks are replaced in between", func(t *testing.T) {
		t.Parallel()
		path := shelves(t, 2)
		other := path[0] + ".new"
		exchange := func() {
			lab.RequireSetUp(t, errors.Join(os.Rename(path[0], other), os.Rename(path[1], path[0]), os.Rename(other, path[1])))
		}
		opposite(t, path, path[1], path[0], exchange, lab.Lesson{
			Did: did + "; before the second one, each stock was replaced by rename: the files had exchanged their numbers", Read: twoNames,
		})
	})
	t.Run("in opposite directions, and both files have one name", func(t *testing.T) {
		t.Parallel()
		path := []string{shelves(t, 1)[0], shelves(t, 1)[0]}
		opposite(t, path, path[1], path[0], func() {}, lab.Lesson{
			Did: "one process called Transfer from x/a.json to y/a.json, another one from y/a.json to x/a.json", Read: twoNames,
		})
	})
	t.Run("in the same direction, under other names", func(t *testing.T) {
		t.Parallel()
		path := shelves(t, 2)
		one, two := filepath.Join(filepath.Dir(path[0]), "1.json"), filepath.Join(filepath.Dir(path[0]), "2.json")
		requireLink(t, one, os.Symlink("b.json", one))
		requireLink(t, two, os.Symlink("a.json", two))
		opposite(t, path, one, two, func() {}, lab.Lesson{Did: did + ", which it calls 1.json and 2.json (symbolic links)", Read: twoNames})
	})
	t.Run("in a crowd", func(t *testing.T) {
		t.Parallel()
		crowdOfTransfers(t)
	})
}

// requireLink demands that the link was made, and leads to its file:
// under Windows the user may not make it, and under Wine it leads nowhere.
func requireLink(t *testing.T, link string, err error) {
	t.Helper()
	if err == nil {
		_, err = os.Stat(link)
	}
	if err != nil && runtime.GOOS == "windows" {
		t.Skip("no links here: " + err.Error())
	}
	lab.RequireSetUp(t, err)
}

// opposite has two processes transfer from a.json to b.json and, after between, from one to two. Both wait for an owner of both locks,
// who gives back first one, then the other.
func opposite(t *testing.T, path []string, one, two string, between func(), l lab.Lesson) {
	t.Helper()
	l.Says = "Transfer waits for another Transfer that waits for it"
	l.Expected, l.Found = "one of the two goes in", "neither is inside, and no other program has a lock"
	l.Means = "each holds what the other needs: both wait for ever, and everyone behind them"
	owner := start(t, "")
	for i, path := range path {
		owner.get(fmt.Sprintf("Lock %d %s.lock", i, path))
	}
	var p []*lab.Process
	for i, way := range [][2]string{{path[0], path[1]}, {one, two}} {
		if i == 1 {
			between()
		}
		p = append(p, lab.Start(t, "carry", way[0], way[1]))
		waitBlocked(p[i], lab.Lesson{
			Says: "Transfer does not wait in the kernel", Did: "another process had both locks",
			Means: "it goes in beside the owner, or polls", Read: bothFiles,
		})
	}
	owner.free("0")
	for _, p := range p {
		p.Settle()
	}
	owner.free("1")
	inside := firstInside(p)
	lab.Require(t, inside >= 0, l)
	l.Expected, l.Found = "", ""
	for _, i := range []int{inside, 1 - inside} {
		p[i].Reached("inside", l.Say("Transfer did not get the locks after the other one was over"))
		p[i].Continue()
		lab.RequireNoError(t, p[i].Wait(l), l.Say("Transfer failed"))
	}
	l.Says, l.Means = "Transfer lost a part", "the files do not hold what the callers were told"
	for _, path := range path {
		lab.RequireFile(t, path, stock, l)
	}
}

// firstInside returns the number of the process that stands inside its Transfer, or -1 if there is none although they had patience.
func firstInside(all []*lab.Process) int {
	for began, limit := time.Now(), process.Patience(); time.Since(began) < limit; {
		for i, p := range all {
			if p.Settle() == process.AtStep {
				return i
			}
		}
		time.Sleep(time.Millisecond) // Settle returns at once for a process that waits in the kernel
	}
	return -1
}

func TestTransferFromAShelfToItself(t *testing.T) {
	t.Parallel()
	requireNoPolling(t)
	for name, link := range map[string]func(old, new string) error{
		"the same path":   nil,
		"a symbolic link": func(old, new string) error { return os.Symlink(filepath.Base(old), new) },
		"a hard link":     os.Link,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := shelves(t, 1)
			other := path[0]
			if link != nil {
				other = filepath.Join(filepath.Dir(path[0]), "0.json")
				requireLink(t, other, link(path[0], other))
			}
			l := lab.Lesson{
				Says: "Transfer did not refuse two names of one shelf", Did: "Transfer from a shelf to the same shelf, under " + name,
				Expected: "an error that matches ErrSameShelf", Means: "it waits for itself for ever, or writes two stocks into one file", Read: itself,
			}
			p := start(t, "")
			lab.RequireErrorIs(t, p.Do("Transfer it "+path[0]+" "+other, l), contention.ErrSameShelf, l)
			lab.RequireErrorIs(t, p.Do("Transfer it "+other+" "+path[0], l), contention.ErrSameShelf, l)
			l.Expected = ""
			requireUntouched(t, path, l.Say("Transfer wrote although both shelves are the same"))
			requireFree(t, path, l.Say("Transfer left a lock when it failed"))
		})
	}
	t.Run("while another process has its lock", func(t *testing.T) {
		t.Parallel()
		path := shelves(t, 1)
		l := lab.Lesson{
			Says:  "Transfer waited before it refused two names of one shelf",
			Did:   "a process had the lock of a shelf; another one called Transfer from that shelf to itself",
			Means: "the caller waits for an answer that no wait can change", Read: itself,
		}
		start(t, path[0]+".lock").get("Lock it")
		lab.RequireErrorIs(t, start(t, "").Do("Transfer it "+path[0]+" "+path[0], l), contention.ErrSameShelf, l)
	})
}

func TestTransferEndsWithItsContext(t *testing.T) {
	t.Parallel()
	requireNoPolling(t)
	t.Run("beside another Transfer", func(t *testing.T) {
		t.Parallel()
		testContextBesideAnother(t)
	})
	for i := range 2 {
		for from := range 2 {
			t.Run(fmt.Sprintf("from %s, and %s is locked", []string{"a", "b"}[from], []string{"a", "b"}[i]), func(t *testing.T) {
				t.Parallel()
				path := shelves(t, 2)
				l := lab.Lesson{
					Says: "Transfer goes on waiting when its context has ended", Read: giveUp,
					Did:   "a process had the lock of one shelf; another one waited in Transfer; its context was cancelled",
					Means: "the caller, who had no more time, waits for as long as others please",
				}
				owner, p := start(t, path[i]+".lock"), start(t, "")
				owner.get("Lock it")
				p.queue("Transfer it "+path[from]+" "+path[1-from], l.Say("Transfer does not wait in the kernel"))
				lab.RequireNoError(t, p.tell("cancel it", l), l)
				lab.RequireErrorIs(t, p.ends("it", l), context.Canceled, l)
				requireUntouched(t, path, l.Say("Transfer wrote although its context had ended"))
				requireFree(t, path[1-i:2-i], l.Say("Transfer left its other lock when its context ended"))
				owner.free("it")
				requireFree(t, path[i:i+1], l.Say("Transfer left a lock when its context ended"))
			})
		}
	}
}

// A Transfer of other shelves is nothing that a Transfer waits for longer than its context lasts.
func testContextBesideAnother(t *testing.T) {
	t.Helper()
	path := shelves(t, 4)
	l := lab.Lesson{
		Says: "Transfer goes on waiting when its context has ended", Read: giveUp,
		Did: "a goroutine waited in Transfer from a.json to b.json; another one of its process called Transfer from c.json to d.json; " +
			"the context of that one was cancelled",
		Means: "the caller, who had no more time, waits for a Transfer of shelves that are not its own",
	}
	owner, p := start(t, path[0]+".lock"), start(t, "")
	owner.get("Lock it")
	p.queue("Transfer it "+path[0]+" "+path[1], l.Say("Transfer does not wait in the kernel"))
	lab.RequireNoError(t, p.tell("start Transfer other "+path[2]+" "+path[3], l), l)
	lab.RequireNoError(t, p.tell("cancel other", l), l)
	if err := p.ends("other", l); err != nil { // it may have been over before
		lab.RequireErrorIs(t, err, context.Canceled, l.Say("Transfer did not report that its context has ended"))
	}
	owner.free("it")
	p.endsWell("it", l.Say("Transfer did not get the locks after the owner had called Unlock"))
}

func TestTransferReportsEveryError(t *testing.T) {
	t.Parallel()
	requireNoPolling(t)
	for name, c := range map[string]struct {
		content string
		want    error
	}{"a stock that is missing": {"", fs.ErrNotExist}, "a stock that is damaged": {`{"bracket":`, nil}} {
		for i := range 2 {
			t.Run(fmt.Sprintf("%s/%s", name, []string{"from", "to"}[i]), func(t *testing.T) {
				t.Parallel()
				path := shelves(t, 2)
				l := lab.Lesson{
					Says: "Transfer did not report " + name, Did: "Transfer; one of the files was " + name,
					Means: "parts go where nothing counts them", Read: bothFiles,
				}
				lab.RequireSetUp(t, os.Remove(path[i]))
				if c.content != "" {
					lab.RequireSetUp(t, os.WriteFile(path[i], []byte(c.content), 0o600))
				}
				var err error
				called := false
				lab.Finishes(t, func() {
					err = contention.Transfer(t.Context(), path[0], path[1], func(_, _ bins.Stock) error { called = true; return nil })
				}, l)
				lab.RequireError(t, err, l)
				if c.want != nil {
					lab.RequireErrorIs(t, err, c.want, l)
				}
				lab.Require(t, !called, l.Say("Transfer called move although a stock could not be read"))
				lab.RequireFile(t, path[1-i], stock, l.Say("Transfer wrote although a stock could not be read"))
				requireFree(t, path, l.Say("Transfer left a lock when it failed"))
			})
		}
	}
	for _, what := range []string{"write", "truncate"} {
		t.Run("the kernel refuses "+what, func(t *testing.T) {
			t.Parallel()
			lab.EachErrno(t, func(t *testing.T, errno error) {
				path := shelves(t, 2)
				l := lab.Lesson{
					Says: "Transfer did not report what the kernel had refused", Did: "Transfer; each " + what + " of a file failed with " + errno.Error(),
					Means: "the caller goes on as if the parts had moved", Read: bothFiles,
				}
				var err, refused error
				lab.Finishes(t, func() {
					refused = lab.Refuse(what, errno, func() { err = contention.Transfer(t.Context(), path[0], path[1], takeOne) })
				}, l)
				lab.RequireRefuse(t, refused)
				lab.RequireErrorIs(t, err, errno, l)
				requireFree(t, path, l.Say("Transfer left a lock when it failed"))
			}, syscall.EIO, syscall.EACCES)
		})
	}
}

// The last calls of a Transfer write the stocks and close files: the stocks, and its locks. Whichever is refused, no lock is left.
func TestTransferReportsWhatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	requireNoPolling(t)
	lab.EachErrno(t, func(t *testing.T, errno error) {
		for _, failed := range []error{nil, errTest, syscall.EISDIR} { // move, or the Lock of the shelf that comes second
			made := 0
			if failed == errTest { //nolint:errorlint // it is the very one
				made = callsBeforeMove(t)
			}
			for ; ; made++ {
				path := shelvesAgainstTheirNames(t)
				if failed == syscall.EISDIR { //nolint:errorlint // likewise
					lab.RequireSetUp(t, os.Mkdir(path[0]+".lock.next", 0o700))
				}
				var err error
				move := func(from, to bins.Stock) error { _ = takeOne(from, to); return failed }
				names, refused := lab.RefuseOne(made, errno, func() { err = contention.Transfer(t.Context(), path[0], path[1], move) })
				lab.RequireRefuse(t, refused)
				if made >= len(names) {
					break // none was refused
				}
				l := lab.Lesson{
					Says: "Transfer did not report that the kernel could not close a file", Read: bothFiles,
					Did:   fmt.Sprintf("Transfer; its system call number %d was %s, and failed with %v", made+1, names[made], errno),
					Means: "a lock that was not given back keeps all others waiting, and the one who could know is not told",
				}
				for _, path := range path {
					left := l.Say("Transfer left a lock when the kernel had refused it a call")
					left.Means = "everyone who needs the shelf waits until this program ends"
					lab.Require(t, isFree(path+".lock"), left)
				}
				switch {
				case failed == syscall.EISDIR: //nolint:errorlint // likewise
					if names[made] == "close" {
						l.Did += "; a directory was in the place of a file of the line of the second shelf"
						lab.RequireErrorIs(t, err, errno, l)
					}
				case failed != nil:
					l.Did += "; move had returned an error before"
					hidden := l.Say("Transfer hid from its caller that move had failed")
					hidden.Means = "the caller cannot know that the parts have not moved"
					lab.RequireErrorIs(t, err, failed, hidden)
					lab.RequireErrorIs(t, err, errno, l)
				case names[made] == "ftruncate": // that of one stock: there is nothing to keep Transfer from putting both back
					l.Means = "the caller goes on as if the parts had moved once, and as it had told them to"
					lab.RequireErrorIs(t, err, errno, l.Say("Transfer did not report that the kernel could not write a stock"))
					requireUntouched(t, path, l.Say("Transfer did not put the stocks back when it could not write one"))
				case names[made] == "close" && slices.Contains(names[:made], "ftruncate") && !slices.Contains(names[made:], "ftruncate"):
					lab.RequireErrorIs(t, err, errno, l)
				}
			}
		}
	}, syscall.EIO, syscall.EACCES)
}

// callsBeforeMove returns how many of its system calls a Transfer has made when it calls move.
func callsBeforeMove(t *testing.T) int {
	t.Helper()
	path := shelves(t, 2)
	var made, before atomic.Int64
	watched := lab.Watch(func() {
		_ = contention.Transfer(t.Context(), path[0], path[1], func(_, _ bins.Stock) error { before.Store(made.Load()); return errTest })
	}, func(string) { made.Add(1) })
	lab.RequireRefuse(t, watched)
	return int(before.Load())
}

// crowd transfers brackets among the shelves of DIR in GOROUTINES goroutines, N each.
func crowd(w *lab.Worker) error {
	if err := os.Chdir(w.Arg(0)); err != nil {
		return err
	}
	ways := [][2]string{
		{"a.json", "b.json"},
		{"b.json", "c.json"},
		{"c.json", "a.json"},
		{"b.json", "a.json"},
		{"c.json", "b.json"},
		{"a.json", "c.json"},
	}
	var mutex sync.Mutex
	var failures error
	var all sync.WaitGroup
	for g := range w.Int(1) {
		all.Go(func() {
			for i := range w.Int(2) {
				way := ways[(i+g*len(ways)/2)%len(ways)]
				err := contention.Transfer(context.Background(), way[0], way[1], takeOne)
				w.Progress()
				mutex.Lock()
				failures = errors.Join(failures, err)
				mutex.Unlock()
			}
		})
	}
	all.Wait()
	return failures
}

func crowdOfTransfers(t *testing.T) {
	t.Helper()
	const processes, goroutines = 3, 2
	each := lab.Rounds(18)
	path := shelves(t, 3)
	l := lab.Lesson{
		Says: "Transfer lost a bracket in a crowd, or made one", Read: bothFiles,
		Did: fmt.Sprintf("%d processes with %d goroutines each transferred brackets %d times among three shelves with 15 brackets",
			processes, goroutines, each),
		Means: "what the callers were told is not what the files say",
	}
	var all []*lab.Process
	for range processes {
		all = append(all, lab.Launch(t, lab.Options{Hold: true}, "crowd", filepath.Dir(path[0]), fmt.Sprint(goroutines), fmt.Sprint(each)))
	}
	for _, p := range all {
		p.Continue()
	}
	for _, p := range all {
		lab.RequireNoError(t, p.Wait(l.Say("Transfer does not come to its end in a crowd")), l.Say("Transfer failed in a crowd"))
	}
	total := 0
	for _, path := range path {
		s, err := bins.Read(path)
		lab.RequireNoError(t, err, l.Say("Transfer damaged a stock in a crowd"))
		total += s["bracket"]
	}
	lab.RequireEqual(t, 15, total, l)
}
