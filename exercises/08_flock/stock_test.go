//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package flock_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	flock "example/turnstile/exercises/08_flock"
	"example/turnstile/exercises/08_flock/bins"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func stockFile(t *testing.T, content string) (path string) {
	t.Helper()
	return lab.WriteFile(t, "stock.json", content)
}

// takeOne takes a bracket, if one is left.
func takeOne(stock bins.Stock) (bool, error) {
	if stock["bracket"] == 0 {
		return false, nil
	}
	stock["bracket"]--
	return true, nil
}

// take takes a bracket from the stock at PATH. When change is first called (whenever it is called, if there is another argument), it
// stands at "inside", and then collects garbage. It sends whether it has the bracket.
func take(w *lab.Worker) error {
	debug.SetGCPercent(-1)
	asked, got := false, false
	err := flock.Update(w.Arg(0), func(stock bins.Stock) (write bool, err error) {
		if !asked || w.Arg(1) != "" {
			asked = true
			w.Reached("inside")
			lab.CollectGarbage()
		}
		got, err = takeOne(stock)
		return got, err
	})
	return errors.Join(err, w.Result(got && err == nil))
}

// view stands at "inside" while it views PATH, and sends how many brackets it saw.
func view(w *lab.Worker) error {
	return flock.View(w.Arg(0), func(stock bins.Stock) error {
		w.Reached("inside")
		return w.Result(stock["bracket"])
	})
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	change := func(do func(bins.Stock)) func(bins.Stock) (bool, error) {
		return func(stock bins.Stock) (bool, error) { do(stock); return true, nil }
	}
	for _, c := range []struct {
		name, before, after string
		change              func(bins.Stock) (bool, error)
		err                 error
	}{
		{"writes what change made of the stock", `{"bracket":10,"hinge":4}`, `{"bracket":9,"hinge":4}`, takeOne, nil},
		{"adds and removes parts", `{"bracket":0}`, `{"hinge":4}`, change(func(s bins.Stock) { delete(s, "bracket"); s["hinge"] = 4 }), nil},
		{"removes a part", `{"bracket":1,"hinge":4}`, `{"hinge":4}`, change(func(s bins.Stock) { delete(s, "bracket") }), nil},
		{
			"gives each call of change what the file holds, and nothing else", `{"bracket":1}`, `{"bracket":1,"calls":1}`,
			change(func(s bins.Stock) { s["calls"]++ }), nil,
		},
		{"of an empty stock", `{}`, `{"hinge":4}`, change(func(s bins.Stock) { s["hinge"] = 4 }), nil},
		{"writes nothing if change returns false", ` { "bracket": 0 } `, ` { "bracket": 0 } `, takeOne, nil},
		{
			"writes nothing if change fails", `{"bracket":1}`, `{"bracket":1}`,
			func(s bins.Stock) (bool, error) { s["bracket"] = 0; return true, errTest }, errTest,
		},
		{"leaves a damaged file as it is", `{"bracket":1`, `{"bracket":1`, takeOne, errAny},
		{"leaves an empty file as it is", ``, ``, takeOne, errAny},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := stockFile(t, c.before)
			l := lab.Lesson{
				Says: "Update did not leave in the file what it should", Did: "the file held " + lab.Show([]byte(c.before)) + "; Update",
				Means: "the stock is not what the callers were told", Read: fix,
			}
			var err error
			lab.Finishes(t, func() { err = flock.Update(path, c.change) }, l)
			lab.RequireFile(t, path, c.after, l)
			requireOutcome(t, err, c.err, says(l, "Update did not return the error that it should"))
			start(t, path+".lock").Succeed("TryLock it", says(l, "Update kept its lock"))
		})
	}
	t.Run("lets a panic of change through", panicInside)
	t.Run("of a file that does not exist", missingStock)
	t.Run("inside an Update of another file", anotherFile)
	t.Run("while a View of another file waits", besideAView)
	t.Run("through a symbolic link", throughALink)
	t.Run("of a file that looks unchanged", looksUnchanged)
	t.Run("never gives up", neverGivesUp)
}

func anotherFile(t *testing.T) {
	t.Helper()
	t.Parallel()
	path, other := stockFile(t, `{"bracket":1}`), stockFile(t, `{"bracket":1}`)
	l := lab.Lesson{
		Says: "Update waits for an Update of another file", Did: "inside Update of one file, change called View and Update of another one",
		Means: "a lock for all files of the process: change waits for the Update that called it, for ever", Read: whoOwns,
	}
	p := lab.Start(t, "nested", path, other)
	lab.RequireNoError(t, p.Wait(l), l)
	for _, path := range []string{path, other} {
		lab.RequireFile(t, path, `{"bracket":0}`, says(l, "Update inside an Update of another file did not write"))
	}
}

// nested takes a bracket from OTHER inside an Update of PATH.
func nested(w *lab.Worker) error {
	return flock.Update(w.Arg(0), func(stock bins.Stock) (bool, error) {
		look := flock.View(w.Arg(1), func(bins.Stock) error { return nil })
		if err := errors.Join(look, flock.Update(w.Arg(1), takeOne)); err != nil {
			return false, err
		}
		return takeOne(stock)
	})
}

func besideAView(t *testing.T) {
	t.Helper()
	t.Parallel()
	path, other := stockFile(t, `{"bracket":1}`), stockFile(t, `{"bracket":1}`)
	l := lab.Lesson{
		Says: "View waits for a View of another file", Read: whoOwns, Means: "a lock inside the process is held while View waits in the kernel",
		Did: "View of one file waited in a goroutine for its lock; the same process called View and Update of another file",
	}
	owner := start(t, path+".lock")
	owner.get("Lock it")
	p := lab.Start(t, "beside", path, other)
	p.Reached("waiting", l)
	lab.RequireWaiters(t, path+".lock", 1, l, p)
	p.Continue()
	lab.RequireNoError(t, p.Wait(l), l)
	lab.RequireFile(t, other, `{"bracket":0}`, says(l, "Update beside a View of another file did not write"))
}

// beside takes a bracket from OTHER while a View of PATH waits.
func beside(w *lab.Worker) error {
	look := func(bins.Stock) error { return nil }
	go func() { _ = flock.View(w.Arg(0), look) }()
	w.Reached("waiting")
	return errors.Join(flock.View(w.Arg(1), look), flock.Update(w.Arg(1), takeOne))
}

func throughALink(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := stockFile(t, `{"bracket":1}`)
	link := filepath.Join(t.TempDir(), "link.json")
	lab.RequireSetUp(t, os.Symlink(path, link))
	before, err := os.Stat(path)
	lab.RequireSetUp(t, err)
	l := lab.Lesson{
		Says: "Update did not write into the file to which the path leads", Did: "Update of a symbolic link to stock.json", Read: fix,
		Means: "a program that knows the file by another name does not see the change",
	}
	lab.RequireNoError(t, flock.Update(link, takeOne), l)
	lab.RequireFile(t, path, `{"bracket":0}`, l)
	after, err := os.Stat(link)
	lab.RequireSetUp(t, err)
	lab.Require(t, os.SameFile(before, after), says(l, "Update replaced the file"))
	l.Means = "a program that locks PATH.lock by the path that both were given is not kept out"
	_, err = os.Stat(link + ".lock")
	lab.RequireNoError(t, err, says(l, "Update did not lock the file beside the path that it was given"))
	lab.RequireNoFile(t, path+".lock", says(l, "Update locked a file beside another path than it was given"))
}

// rewrite writes what is as long, and gives the file the time that it had.
func rewrite(t *testing.T, path, content string) {
	t.Helper()
	before, err := os.Stat(path)
	lab.RequireSetUp(t, err)
	lab.RequireSetUp(t, os.WriteFile(path, []byte(content), 0o600))
	lab.RequireSetUp(t, os.Chtimes(path, before.ModTime(), before.ModTime()))
}

func looksUnchanged(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := stockFile(t, `{"bracket":1}`)
	l := lab.Lesson{
		Did:   "View and Update; another program wrote a stock of the same length, and the file's time is as before; View and Update again",
		Means: "it used the stock of an earlier call: that a file has the same length and time does not prove that it has the same content",
		Read:  why,
	}
	for _, brackets := range []int{1, 2} {
		rewrite(t, path, fmt.Sprintf(`{"bracket":%d}`, brackets))
		for call, do := range map[string]func(*int) error{
			"View": func(seen *int) error {
				return flock.View(path, func(s bins.Stock) error { *seen = s["bracket"]; return nil })
			},
			"Update": func(seen *int) error {
				return flock.Update(path, func(s bins.Stock) (bool, error) { *seen = s["bracket"]; return false, nil })
			},
		} {
			seen := 0
			lab.RequireNoError(t, do(&seen), says(l, "%s failed", call))
			lab.RequireEqual(t, brackets, seen, says(l, "%s did not read the file", call))
		}
	}
}

// neverGivesUp has another owner come first whenever Update gives its shared lock up to write. An Update that has an exclusive lock by the
// time it calls change cannot be overtaken.
func neverGivesUp(t *testing.T) {
	t.Helper()
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells when a process waits for a lock")
	}
	path := stockFile(t, `{"bracket":50}`)
	l := lab.Lesson{
		Says: "Update gave up", Means: "the caller gets an error, or a decision by an old stock, only because others are busy", Read: why,
		Did: "whenever Update had called change under a shared lock, another program wrote the stock before Update could, 15 times at most",
	}
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	lab.RequireSetUp(t, err)
	defer lock.Close()
	ask := func(how int) (ok bool) { return unix.Flock(int(lock.Fd()), how|unix.LOCK_NB) == nil }
	p := lab.Start(t, "take", path, "each time")
	settle := func() (state process.State) { // Waiting only means that the machine is slow, until patience ends
		for end := time.Now().Add(process.Patience()); time.Now().Before(end); {
			if state = p.Settle(); state != process.Waiting {
				break
			}
		}
		return state
	}
	brackets, overtaken := 50, 0
	for settle() == process.AtStep {
		p.Reached("inside", l)
		shares := overtaken < 15 && ask(unix.LOCK_SH)
		p.Continue()
		if shares && settle() == process.Blocked && ask(unix.LOCK_EX) {
			overtaken++
			brackets++
			rewrite(t, path, fmt.Sprintf(`{"bracket":%d}`, brackets))
		}
		lab.RequireSetUp(t, unix.Flock(int(lock.Fd()), unix.LOCK_UN))
	}
	lab.RequireNoError(t, p.Wait(l), l)
	l.Did += fmt.Sprintf("; it came first %d times", overtaken)
	lab.RequireFile(t, path, fmt.Sprintf(`{"bracket":%d}`, brackets-1), says(l, "Update wrote what it had decided by an old stock"))
}

func TestViewReturnsEveryError(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]error{`{"bracket":1}`: errTest, `{"bracket":1`: errAny, ``: errAny} {
		ran := false
		path := stockFile(t, content)
		err := flock.View(path, func(bins.Stock) error { ran = true; return errTest })
		l := lab.Lesson{
			Says:  "View did not return the error that it should",
			Did:   "the file held " + lab.Show([]byte(content)) + "; View; use returned an error",
			Means: "the caller works with a stock that does not exist", Read: fix,
		}
		requireOutcome(t, err, want, l)
		whole := want == errTest //nolint:errorlint // the test's own
		lab.Require(t, ran == whole, says(l, "View called use with a damaged stock, or did not call it"))
		other := start(t, path+".lock")
		other.Succeed("TryLock it", says(l, "View kept its lock when it failed"))
	}
}

var errAny = errors.New("any error")

func requireOutcome(t *testing.T, err, want error, l lab.Lesson) {
	t.Helper()
	switch want { //nolint:errorlint // which of the test's own
	case nil:
		lab.RequireNoError(t, err, l)
	case errAny:
		lab.RequireError(t, err, l)
	default:
		lab.RequireErrorIs(t, err, want, l)
	}
}

func panicInside(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := stockFile(t, `{"bracket":1}`)
	for call, do := range map[string]func() error{
		"Update": func() error {
			return flock.Update(path, func(s bins.Stock) (bool, error) { s["bracket"] = 0; panic("no more brackets") })
		},
		"View": func() error { return flock.View(path, func(bins.Stock) error { panic("no more brackets") }) },
	} {
		l := lab.Lesson{
			Says: call + " swallowed a panic", Did: "the function that " + call + " called panicked", Read: givingBack,
			Means: "the caller goes on as if nothing had happened", Expected: "the panic",
		}
		lab.Finishes(t, func() { l.Found = fmt.Sprint(recovered(do)) }, says(l, "%s does not return after a panic", call))
		lab.RequireEqual(t, "no more brackets", l.Found, l)
		lab.RequireFile(t, path, `{"bracket":1}`, says(l, "Update wrote although change had panicked"))
		l.Means = "every other program waits for one that is no longer inside"
		other := start(t, path+".lock")
		other.Succeed("TryLock it", says(l, "%s kept its lock after a panic", call))
		other.Kill()
	}
}

func recovered(call func() error) (value any) {
	defer func() { value = recover() }()
	return call()
}

func missingStock(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := lab.Path(t, "stock.json")
	for call, do := range map[string]func() error{
		"Update": func() error { return flock.Update(path, takeOne) },
		"View":   func() error { return flock.View(path, func(bins.Stock) error { return nil }) },
	} {
		l := lab.Lesson{
			Says: call + " did not report that there is no stock", Did: call + " of a file that does not exist", Read: fix,
			Means: "a mistyped path becomes an empty workshop",
		}
		var err error
		lab.Finishes(t, func() { err = do() }, says(l, "%s does not return", call))
		lab.RequireErrorIs(t, err, fs.ErrNotExist, l)
		lab.RequireNoFile(t, path, says(l, "%s made a stock up", call))
	}
}

func TestUpdateDecidesByWhatItsWriteReplaces(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{
		Says:  "Update gave one bracket to two callers",
		Did:   `the stock was {"bracket":1}; two processes called Update; when change returned true for both, both went on`,
		Means: "the second one decided by what it had read before the first one wrote: two people go for one bracket",
		Read:  why,
	}
	path := stockFile(t, `{"bracket":1}`)
	alice := lab.Start(t, "take", path)
	alice.Reached("inside", says(l, "Update does not call change"))
	bob := lab.Start(t, "take", path)       // who comes second: of two that start together, either may be
	waits := bob.Settle() != process.AtStep // an Update may wait at once, or share the lock until it knows that there is something to write
	if !waits {
		bob.Reached("inside", l)
		bob.Continue()
		bob.Settle()
	}
	alice.Continue()
	if waits {
		bob.Reached("inside", says(l, "Update does not call change"))
		bob.Continue()
	}
	var one, other bool
	alice.Result(&one, l)
	bob.Result(&other, l)
	lab.RequireNoError(t, alice.Wait(l), says(l, "Update failed"))
	lab.RequireNoError(t, bob.Wait(l), says(l, "Update failed"))
	l.Expected, l.Found = "one of the two has it", fmt.Sprintf("the first has it: %t; the second has it: %t", one, other)
	lab.Require(t, one != other, l)
	l.Expected, l.Found = "", ""
	lab.RequireFile(t, path, `{"bracket":0}`, l)
}

func TestViewAndUpdateUseTheLockFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		worker, held string
		waits        bool
	}{{"view", "Lock", true}, {"view", "RLock", false}, {"take", "Lock", true}} {
		call := map[string]string{"view": "View", "take": "Update"}[c.worker]
		t.Run(call+" beside "+c.held, func(t *testing.T) {
			t.Parallel()
			path := stockFile(t, `{"bracket":1}`)
			l := lab.Lesson{
				Says:  call + " does not wait for the lock stock.json.lock",
				Did:   "a program had a lock on stock.json.lock from " + c.held + "; another called " + call,
				Means: "programs that lock the same stock do not see each other", Read: fix,
			}
			other := start(t, path+".lock")
			other.get(c.held + " it")
			// A relative name, from the directory of the stock.
			p := lab.Launch(t, lab.Options{Dir: filepath.Dir(path)}, c.worker, "stock.json")
			if c.waits {
				p.WaitBlocked(l)
				lab.RequireSetUp(t, os.WriteFile(path, []byte(`{"bracket":7}`), 0o600))
				other.get("Unlock it")
			} else {
				l.Says, l.Means = call+" waits for a shared lock", "readers wait for one another, although none of them changes anything"
			}
			p.Reached("inside", l)
			p.Continue()
			if c.worker == "view" && c.waits {
				var seen int
				p.Result(&seen, l)
				lab.RequireEqual(t, 7, seen, readBefore(l, call))
			}
			lab.RequireNoError(t, p.Wait(l), says(l, "%s failed", call))
			if c.worker == "take" {
				lab.RequireFile(t, path, `{"bracket":6}`, readBefore(l, call))
			}
			info, err := os.Stat(path + ".lock")
			lab.RequireNoError(t, err, says(l, "%s removed the lock file", call))
			lab.RequireEqual(t, int64(0), info.Size(), says(l, "%s wrote into the lock file", call))
		})
	}
}

func readBefore(l lab.Lesson, call string) lab.Lesson {
	l.Says, l.Read = call+" read the stock before it had the lock", why
	l.Did += "; the other wrote 7 brackets, and called Unlock"
	l.Means = "it works with a stock that is out of date, although it has waited for its turn"
	return l
}

func TestViewsShareAndKeepUpdateOut(t *testing.T) {
	t.Parallel()
	const content = `{"bracket":1}`
	path := stockFile(t, content)
	l := lab.Lesson{
		Says: "View kept another View out", Did: "two processes called View", Read: modes,
		Means: "readers wait for one another, although none of them changes anything",
	}
	one, other := lab.Start(t, "view", path), lab.Start(t, "view", path)
	one.Reached("inside", l)
	other.Reached("inside", l)
	other.Continue()
	lab.RequireNoError(t, other.Wait(l), says(l, "View failed"))
	l = lab.Lesson{
		Says: "Update wrote while a View was at work", Did: "a process was inside View; another one called Update", Read: modes,
		Means: "the reader works with a stock that is out of date, or half written",
	}
	writer := lab.Start(t, "take", path)
	if writer.Settle() == process.AtStep {
		writer.Reached("inside", l)
		writer.Continue()
		writer.Settle()
		lab.RequireFile(t, path, content, l)
		one.Continue()
	} else {
		lab.RequireFile(t, path, content, l)
		one.Continue()
		writer.Reached("inside", l)
		writer.Continue()
	}
	var seen int
	one.Result(&seen, l)
	lab.RequireNoError(t, one.Wait(l), says(l, "View failed"))
	lab.RequireNoError(t, writer.Wait(l), says(l, "Update failed"))
	lab.RequireFile(t, path, `{"bracket":0}`, says(l, "Update did not write after the View"))
}

// crowd takes brackets from PATH in GOROUTINES goroutines, N each, with a View after each, and sends how many it got.
func crowd(w *lab.Worker) error {
	var mutex sync.Mutex
	var failures error
	taken := 0
	var all sync.WaitGroup
	for range w.Int(1) {
		all.Go(func() {
			for range w.Int(2) {
				got := false
				err := flock.Update(w.Arg(0), func(stock bins.Stock) (write bool, err error) {
					got, err = takeOne(stock)
					stock["taken"] = stock["taken"] + 1
					time.Sleep(20 * time.Microsecond) // a person decides
					return got, err
				})
				err = errors.Join(err, flock.View(w.Arg(0), func(stock bins.Stock) error {
					if stock["bracket"]+stock["taken"] != w.Int(3) {
						return fmt.Errorf("View saw %v", stock)
					}
					return nil
				}))
				w.Progress()
				mutex.Lock()
				failures = errors.Join(failures, err)
				if got {
					taken++
				}
				mutex.Unlock()
			}
		})
	}
	all.Wait()
	return errors.Join(failures, w.Result(taken))
}

func TestThreeProcessesTakeEachBracketOnce(t *testing.T) {
	t.Parallel()
	const processes, goroutines = 3, 2
	each := lab.Rounds(20)
	want := processes * goroutines * each
	brackets := want + 5
	path := stockFile(t, fmt.Sprintf(`{"bracket":%d,"taken":0}`, brackets))
	l := lab.Lesson{
		Says: "Update lost a bracket, or gave one out twice, in a crowd",
		Did: fmt.Sprintf("%d processes with %d goroutines took %d brackets each and looked at the stock after each",
			processes, goroutines, each),
		Means: "what the callers were told is not what the file says", Read: why,
	}
	var all []*lab.Process
	for range processes {
		all = append(all, lab.Launch(t, lab.Options{Hold: true, Dir: filepath.Dir(path)},
			"crowd", "stock.json", fmt.Sprint(goroutines), fmt.Sprint(each), fmt.Sprint(brackets)))
	}
	for _, p := range all {
		p.Continue()
	}
	taken := 0
	for _, p := range all {
		var n int
		p.Result(&n, l)
		lab.RequireNoError(t, p.Wait(l), says(l, "Update or View failed in a crowd"))
		taken += n
	}
	l.Expected, l.Found = fmt.Sprintf("%d taken", want), fmt.Sprintf("%d taken", taken)
	lab.Require(t, taken == want, l)
	l.Expected, l.Found = "", ""
	lab.RequireFile(t, path, fmt.Sprintf(`{"bracket":%d,"taken":%d}`, brackets-want, want), l)
}
