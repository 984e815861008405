package lostupdate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example/turnstile/exercises/05_lost_update"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{
		"orders":          orders,
		"once":            once,
		"stand inside":    standInside,
		"two goroutines":  twoGoroutines,
		"other files":     otherFiles,
		"with a child":    withChild,
		"count":           count,
		"take together":   takeTogether,
		"take and return": takeAndReturn,
	}, lostupdate.ErrTaken, lostupdate.ErrNotHolder)
}

// Where the messages send the reader.
const (
	why       = `lessons/05_lost_update, "Why it happens"`
	fix       = `lessons/05_lost_update, "The fix"`
	yourTurn  = `lessons/05_lost_update, "Your turn"`
	begins    = `lessons/05_lost_update, "Where the section begins and ends"`
	copied    = `lessons/05_lost_update, "The copy in memory"`
	lives     = `lessons/05_lost_update, "Where the lock lives"`
	waiting   = `lessons/05_lost_update, "Wait, ask, share"`
	tooLong   = `lessons/05_lost_update, "What keeps a lock too long"`
	refusal   = `lessons/05_lost_update, "When the kernel refuses"`
	runOut    = `lessons/02_close, "When the handles run out"`
	damage    = `lessons/04_json_files, "Missing, empty, damaged"`
	longWrite = `lessons/03_seek_truncate, "Why it happens"`
)

// A reply is what a call returned: Update's counter and how often it called change, and the error of any call. Found tells whether
// errors.Is finds what the kernel refused in it, and Waited whether the call did not return as long as another program had its turn.
type reply struct {
	Counter, Changes int
	Found, Waited    bool
	Returned         lab.Returned
}

func (r reply) String() string {
	switch err := r.Returned.Err; {
	case err == nil:
		return "no error"
	case errors.Is(err, lostupdate.ErrTaken):
		return "ErrTaken"
	case errors.Is(err, lostupdate.ErrNotHolder):
		return "ErrNotHolder"
	default:
		return err.Error()
	}
}

// A desk is a program at work with one file: with the counter, or, if the file's name begins with "locks", with a list that it has open.
type desk struct {
	path  string
	list  *lostupdate.Checkouts
	fresh int
}

// sitDown opens the list by a relative path and then changes the working directory, as Open allows.
func sitDown(path string) (*desk, error) {
	d := &desk{path: path}
	if !strings.HasPrefix(filepath.Base(path), "locks") {
		return d, nil
	}
	elsewhere, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if err := os.Chdir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	d.list, err = lostupdate.Open(filepath.Base(path))
	return d, errors.Join(err, os.Chdir(elsewhere))
}

// do obeys "update N" (add N), "fresh update" (of a file of its own each time), "cramped update" (when the process may open no file, or
// one), "panic", "panic error" and "goexit" (in Update), "whole ORDER" (Open, the order, Close), "take PART PERSON", "return PART PERSON",
// "close", "handles" (how many are open), "limit N" (from then on no file may grow beyond N bytes), "refusing WHAT ORDER" (the kernel
// refuses these calls with EIO; see lab.Refuse), and "refusing-one ERRNO MADE ORDER" (see lab.RefuseOne). One space separates the words; a
// name may be empty or hold tabs.
func (d *desk) do(order string) (r reply) {
	words := strings.Split(order, " ")
	switch words[0] {
	case "update":
		add := number(words[1])
		r.Counter, r.Returned.Err = lostupdate.Update(d.path, func(counter int) int {
			r.Changes++
			return counter + add
		})
	case "fresh":
		d.fresh++
		other := desk{path: fmt.Sprintf("%s.%d.json", d.path, d.fresh)}
		if r.Returned.Err = os.WriteFile(other.path, []byte(`{"counter":41}`), 0o600); r.Returned.Err == nil {
			r = other.do("update 1")
		}
	case "whole":
		whole := desk{path: d.path}
		if whole.list, r.Returned.Err = lostupdate.Open(d.path); r.Returned.Err == nil {
			r = whole.do(strings.Join(words[1:], " "))
			r.Returned.Err = errors.Join(r.Returned.Err, whole.list.Close())
		}
	case "cramped":
		r.Returned.Err = d.cramped()
	case "panic":
		defer func() {
			if value := recover(); value != nil {
				r.Returned.Err = fmt.Errorf("recovered: %v", value)
			}
		}()
		value := any("no more job cards")
		if len(words) > 1 {
			value = errors.New("no more job cards")
		}
		_, err := lostupdate.Update(d.path, func(int) int { panic(value) })
		r.Returned.Err = fmt.Errorf("Update returned, with the error %v", err) //nolint:errorlint // a text
	case "goexit":
		var ended sync.WaitGroup
		r.Returned.Err = errors.New("goroutine ended")
		ended.Go(func() {
			_, err := lostupdate.Update(d.path, func(int) int { runtime.Goexit(); return 0 })
			r.Returned.Err = fmt.Errorf("Update returned, with the error %v", err) //nolint:errorlint // a text
		})
		ended.Wait()
	case "take":
		r.Returned.Err = d.list.Take(words[1], words[2])
	case "return":
		r.Returned.Err = d.list.Return(words[1], words[2])
	case "handles":
		r.Counter, r.Returned.Err = lab.OpenHandles()
		if errors.Is(r.Returned.Err, errors.ErrUnsupported) {
			r.Returned.Err = nil // every answer is right there
		}
	case "limit":
		r.Returned.Err = lab.LimitFileSize(int64(number(words[1])))
	case "refusing":
		failed := lab.Refuse(words[1], syscall.EIO, func() { r = d.do(strings.Join(words[2:], " ")) })
		r.Found = errors.Is(r.Returned.Err, syscall.EIO)
		if failed != nil {
			r.Returned.Err = failed
		}
	case "refusing-one":
		errno, made := number(words[1]), number(words[2])
		_, failed := lab.RefuseOne(made, syscall.Errno(errno), func() { r = d.do(strings.Join(words[3:], " ")) })
		if failed != nil {
			r.Returned.Err = failed
		}
	case "close":
		r.Returned.Err = d.list.Close()
	}
	return r
}

func number(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		panic(err)
	}
	return n
}

// cramped calls Update when the process may open no more files, and again when it may open one more. Both times Update returns.
func (d *desk) cramped() error {
	if err := lab.LimitHandles(64); err != nil {
		return err
	}
	var all []*os.File
	for {
		file, err := os.Open(d.path)
		if err != nil {
			break
		}
		all = append(all, file)
	}
	var errs []error
	for _, file := range all {
		if len(errs) < 2 {
			errs = append(errs, d.do("update 1").Returned.Err)
		}
		_ = file.Close() // nothing was written
	}
	return errors.Join(errs...)
}

// orders is a program that obeys one order after another and lives on in between: PATH.
func orders(w *lab.Worker) error {
	d, err := sitDown(w.Arg(0))
	if err != nil {
		return err
	}
	debug.SetGCPercent(-1) // a file that is left open stays open
	w.Reached("done")
	for {
		var order string
		if err := w.Receive(&order); err != nil {
			return err
		}
		if err := w.Result(d.do(order)); err != nil {
			return err
		}
		w.Reached("done")
	}
}

// once obeys orders, with semicolons between them, and closes the list: PATH ORDERS. It does so in one thread, because strace counts a
// thread's calls.
func once(w *lab.Worker) error {
	d, err := sitDown(w.Arg(0))
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	for order := range strings.SplitSeq(w.Arg(1), ";") {
		err = errors.Join(err, d.do(order).Returned.Err)
	}
	if d.list != nil {
		err = errors.Join(err, d.list.Close())
	}
	return err
}

// A program runs orders in a process of its own, in a directory of its own: programs that share a file seldom share a working directory.
type program struct {
	*lab.Process
	t *testing.T
}

func start(t *testing.T, path string) program {
	t.Helper()
	return launch(t, lab.Options{}, path)
}

func launch(t *testing.T, o lab.Options, path string) program {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	p := program{lab.Launch(t, o, "orders", path), t}
	p.Reached("done", lab.Lesson{
		Says:  "Open does not open a good list",
		Did:   "Open of a list that no other program was changing",
		Means: "the program cannot start",
		Read:  yourTurn,
	})
	p.Continue()
	return p
}

// do is for an order that need not wait, because no other process is inside.
func (p program) do(order string, lesson lab.Lesson) reply {
	p.t.Helper()
	if p.Begin(order) == process.Blocked {
		means := "a lock inside a lock, or one that an earlier call has kept: everyone who needs it waits for ever"
		if lesson.Read == tooLong { // a lesson about locks that are kept, which knows how this one was
			means = lesson.Means
		}
		lab.Fail(p.t, lab.Lesson{
			Says: callOf(order) + " waits for a lock although no other program is inside", Did: lesson.Did,
			Expected: "it returns", Found: "the kernel says that it waits for a file lock",
			Means: means, Read: tooLong,
		})
	}
	return p.end(lesson)
}

// end waits until the order is obeyed.
func (p program) end(lesson lab.Lesson) (r reply) {
	p.t.Helper()
	p.Reached("done", lesson)
	p.Result(&r, lesson)
	p.Continue()
	return r
}

func callOf(order string) string {
	calls := map[string]string{
		"update": "Update", "fresh": "Update", "cramped": "Update", "panic": "Update", "goexit": "Update",
		"take": "Take", "return": "Return", "close": "Close", "whole": "Close",
	}
	words := strings.Fields(order)
	if words[0] == "refusing" {
		words = words[2:] // what is refused may have a call's name
	}
	for _, word := range words {
		if call, ok := calls[word]; ok {
			return call
		}
	}
	return ""
}

// succeed is do for a call that must succeed.
func (p program) succeed(order string, lesson lab.Lesson) reply {
	p.t.Helper()
	r := p.do(order, lesson)
	lab.RequireNoError(p.t, r.Returned.Err, lesson)
	return r
}

func counterFile(t *testing.T, counter int) (path string) {
	t.Helper()
	return lab.WriteFile(t, "counter.json", fmt.Sprintf(`{"counter":%d}`, counter))
}

// linkTo returns the path of a symbolic link in another directory to the file or directory at path, or path where no link can be
// made or followed (Wine makes links that it cannot follow).
func linkTo(t *testing.T, path string) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), filepath.Base(path))
	if os.Symlink(path, link) != nil {
		return path
	}
	if _, err := os.Stat(link); err != nil {
		return path
	}
	return link
}

// filesLeftBy returns the names of the files that an order leaves beside the file at path, such as a lock file.
func filesLeftBy(t *testing.T, path, order string) (names []string) {
	t.Helper()
	start(t, path).do(order, lab.Lesson{
		Says: callOf(order) + " does not return", Did: order + ", with no other caller", Means: keptOut.Means, Read: tooLong,
	})
	entries, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	for _, entry := range entries {
		if entry.Name() != filepath.Base(path) {
			names = append(names, entry.Name())
		}
	}
	return names
}

// neighbours writes files of other programs beside the file at path, some under the names that the answer gives its own files, and
// returns the demand that they are as they were.
func neighbours(t *testing.T, path string, own ...string) (requireUntouched func(call string, lesson lab.Lesson)) {
	t.Helper()
	var names []string
	for _, name := range append(own, filepath.Base(path)+".bak", filepath.Base(path)+".tmp", filepath.Base(path)+"~", "drawings.json.lock") {
		names = append(names, filepath.Join(filepath.Dir(path), name))
	}
	for _, name := range names {
		write(t, name, "precious")
	}
	lab.Age(t, filepath.Dir(path), 48*time.Hour)
	return func(call string, lesson lab.Lesson) {
		t.Helper()
		lesson.Says = call + " touched another program's file"
		lesson.Means = "what another program, or a person, has put aside under that name is gone"
		lesson.Read = yourTurn
		did := lesson.Did
		for _, name := range names {
			lesson.Did = did + "; " + filepath.Base(name) + " was another program's file"
			lab.RequireFile(t, name, "precious", lesson)
		}
	}
}

// beginning shows a content of which the rest is spaces.
func beginning(content string) string {
	if short := strings.TrimRight(content, " "); len(short) < len(content) {
		return fmt.Sprintf("%s and %d spaces", lab.Show([]byte(short)), len(content)-len(short))
	}
	return lab.Show([]byte(content))
}

// requireCounter demands that the file at path holds the counter and nothing else, laid out in any way.
func requireCounter(t *testing.T, path string, want int, lesson lab.Lesson) {
	t.Helper()
	content := read(t, path, lesson)
	text := fmt.Sprintf(`{"counter":%d}`, want)
	lesson.Expected, lesson.Found = text, lab.Show(content)
	var compact bytes.Buffer
	lab.Require(t, json.Compact(&compact, content) == nil && compact.String() == text, lesson)
}

// requireList demands that the file at path holds this list, in any order.
func requireList(t *testing.T, path string, want map[string]string, lesson lab.Lesson) {
	t.Helper()
	text, err := json.Marshal(want)
	must(t, err)
	got := readList(t, path, lesson)
	lesson.Expected, lesson.Found = lab.Show(text), lab.Show(read(t, path, lesson))
	lab.Require(t, maps.Equal(got, want), lesson)
}

// sorted returns the JSON object that the file at path holds, with its keys in the order of the alphabet.
func sorted(t *testing.T, path string, lesson lab.Lesson) string {
	t.Helper()
	content := read(t, path, lesson)
	var object map[string]any
	lesson.Expected, lesson.Found = "an object that can be read", lab.Show(content)
	lab.Require(t, json.Unmarshal(content, &object) == nil, lesson)
	text, err := json.Marshal(object)
	must(t, err)
	return string(text)
}

func readList(t *testing.T, path string, lesson lab.Lesson) (list map[string]string) {
	t.Helper()
	content := read(t, path, lesson)
	lesson.Expected, lesson.Found = "a list that can be read", lab.Show(content)
	lab.Require(t, json.Unmarshal(content, &list) == nil, lesson)
	return list
}

func read(t *testing.T, path string, lesson lab.Lesson) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	lab.RequireNoError(t, err, lesson)
	return content
}

// write gives the file new content, in place.
func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o600))
}

// must is for what the test itself does.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("the test could not prepare its own files: %v", err)
	}
}
