package openmodes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	openmodes "example/turnstile/exercises/01_open_modes"
	"example/turnstile/internal/lab"
)

const (
	theBug       = `lessons/01_open_modes, "The bug"`
	accessModes  = `lessons/01_open_modes, "Access modes"`
	theFix       = `lessons/01_open_modes, "The fix"`
	whyItHappens = `lessons/01_open_modes, "Why it happens"`
	askAndAct    = `lessons/01_open_modes, "Ask and act in one step"`
	whenBytesGo  = `lessons/01_open_modes, "When the bytes go"`
	whoFindsEnd  = `lessons/01_open_modes, "Who finds the end"`
	missing      = `lessons/01_open_modes, "Missing is not empty"`
	permission   = `lessons/01_open_modes, "Permission and umask"`
	errorsOfOpen = `lessons/01_open_modes, "What a failed open tells"`
	whoElseHas   = `lessons/01_open_modes, "Who else has the file open"`
)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{
		"refuse":             refuse,
		"create and reopen":  createAndReopen,
		"open and return":    openAndReturn,
		"own and return":     ownAndReturn,
		"open between marks": openBetweenMarks,
		"move":               move,
		"open and close":     openAndClose,
		"step":               step,
		"claim in a crowd":   claimInCrowd,
		"append in a crowd":  appendInCrowd,
		"claim when told":    claimWhenTold,
		"append when told":   appendWhenTold,
	})
}

// A function is one of the four under test. OpenForReplace is called with a check that allows everything.
type function struct {
	name    string
	open    func(path string) (*os.File, error)
	creates bool // a missing file
}

var (
	forUpdate  = function{name: "OpenForUpdate", open: openmodes.OpenForUpdate}
	forAppend  = function{name: "OpenForAppend", open: openmodes.OpenForAppend, creates: true}
	newTicket  = function{name: "CreateNew", open: openmodes.CreateNew, creates: true}
	forReplace = function{name: "OpenForReplace", open: func(path string) (*os.File, error) {
		return openmodes.OpenForReplace(path, func(*os.File) error { return nil })
	}}
)

var functions = []function{forUpdate, forAppend, newTicket, forReplace}

func functionNamed(name string) function {
	for _, fn := range functions {
		if fn.name == name {
			return fn
		}
	}
	panic("no function has the name " + name)
}

// call calls the function. A hang, a panic and a nil file without an error have words of their own.
func (fn function) call(t *testing.T, path string, lesson lab.Lesson) (f *os.File, err error) {
	t.Helper()
	lesson = lesson.Say("%s did not return", fn.name)
	lab.Finishes(t, func() { f, err = fn.open(path) }, lesson)
	if err == nil {
		lab.RequireNotNil(t, f, fn.name, lesson)
		t.Cleanup(func() { _ = f.Close() }) // a test may have closed it
	}
	return f, err
}

// opened is call for a file that the function must open.
func (fn function) opened(t *testing.T, path string, lesson lab.Lesson) *os.File {
	t.Helper()
	f, err := fn.call(t, path, lesson)
	lab.RequireNoError(t, err, lesson.Say("%s did not open the file", fn.name))
	return f
}

// refused is call for a file that the function must not open.
func (fn function) refused(t *testing.T, path string, lesson lab.Lesson) error {
	t.Helper()
	f, err := fn.call(t, path, lesson)
	if err == nil {
		_ = f.Close()
	}
	return err
}

// collected holds the running tests and functions for which closeFile has collected the garbage: each time would cost seconds on a busy
// machine.
var collected sync.Map

func closeFile(t *testing.T, fn function, f *os.File) {
	t.Helper()
	if _, done := collected.LoadOrStore(t.Name()+fn.name, true); !done {
		t.Cleanup(func() { collected.Delete(t.Name() + fn.name) }) // with -count, each run of the test begins anew
		// It closes an os.File that nothing refers to, and with that the descriptor, whoever else uses it.
		lab.CollectGarbage()
	}
	lab.RequireNoError(t, f.Close(), lab.Lesson{
		Says: fn.name + " returned a file that is closed",
		Did:  "the test had garbage collected, and then closed the file that " + fn.name + " had returned",
		Means: "the caller can neither read nor write it; if an os.File that was dropped has closed its descriptor, " +
			"the next file that is opened " +
			"gets the number, and the caller's bytes",
		Read: whoElseHas,
	})
}

func means(lesson lab.Lesson, headline, meaning string) lab.Lesson {
	lesson.Says, lesson.Means = headline, meaning
	return lesson
}

// The tests of this file are quick. They run one after the other, so that go test shows what fails in the order of the functions.

const checkouts = `{"axle.step":"bob","bracket.step":"alice"}`

// manyCheckouts is a document that one read or one write of a usual buffer does not hold.
func manyCheckouts() string {
	var b strings.Builder
	b.WriteString(`{"axle.step":"bob"`)
	for i := range 8000 {
		fmt.Fprintf(&b, `,"bracket-%04d.step":"alice"`, i)
	}
	return b.String() + "}"
}

func TestOpenForUpdateKeepsEveryByte(t *testing.T) {
	for _, document := range []struct{ name, content string }{
		{"2 checkouts", checkouts},
		{"an empty list", "{}"},
		{"0 bytes", ""},
		{"8001 checkouts", manyCheckouts()},
		{"half a document", "\ufeff" + `{"axle.step":"bo`},
	} {
		t.Run(document.name, func(t *testing.T) {
			path := lab.WriteFile(t, "locks.json", document.content)
			lesson := lab.Lesson{
				Did:   "locks.json held " + document.name + "; it was opened with OpenForUpdate and closed, nothing else",
				Means: "the checkouts are gone: Alice and Bob both find every part free",
				Read:  theBug,
			}
			before, err := os.Stat(path)
			requireTool(t, err)
			closeFile(t, forUpdate, forUpdate.opened(t, path, lesson))

			lab.RequireFile(t, path, document.content, lesson.Say("OpenForUpdate emptied locks.json"))
			requireSameFile(t, before, path, forUpdate, lesson)
		})
	}
}

// requireSameFile demands that the path still leads to the file of before: a copy under the same name has other owners and locks.
func requireSameFile(t *testing.T, before fs.FileInfo, path string, fn function, lesson lab.Lesson) {
	t.Helper()
	after, err := os.Stat(path)
	requireTool(t, err)
	lesson.Expected, lesson.Found = "the same file", "another file of the same name"
	lab.Require(t, os.SameFile(before, after), means(lesson, fn.name+" put another file in the place of the one that existed",
		"a program that has the old file open reads and writes what no other program sees"))
}

func requireTool(t *testing.T, err error) {
	t.Helper()
	lab.RequireNoError(t, err, lab.Lesson{
		Says: "The test could not prepare or look at its own files", Means: "this is a matter of the machine, not of your code",
	})
}

func TestOpenForUpdateReadsAndWritesInPlace(t *testing.T) {
	lesson := lab.Lesson{
		Means: "who has bracket.step cannot be changed in place",
		Read:  whyItHappens,
	}
	path := lab.WriteFile(t, "record", "bracket.step alice\n")
	lesson.Did = `the file held one record; through one open file it was read, then "alice" was overwritten at byte 13 by "bobby"`
	f := forUpdate.opened(t, path, lesson)
	content, err := io.ReadAll(f)
	lab.RequireNoError(t, err, lesson.Say("OpenForUpdate opened a file that cannot be read"))
	lab.RequireEqual(t, "bracket.step alice\n", string(content), lesson.Say("OpenForUpdate did not let the file be read from its start"))
	_, err = f.WriteAt([]byte("bobby"), 13)
	lab.RequireNoError(t, err, lesson.Say("OpenForUpdate opened a file that cannot be changed in place"))
	lab.RequireFile(t, path, "bracket.step bobby\n", lesson.Say("OpenForUpdate let a write land in another place"))

	path = lab.WriteFile(t, "record", "bracket.step alice\n")
	lesson.Did = `the file held one record; "BRACKET" was written to it, with no read before`
	_, err = forUpdate.opened(t, path, lesson).WriteString("BRACKET")
	lab.RequireNoError(t, err, lesson.Say("OpenForUpdate opened a file that cannot be written"))
	lab.RequireFile(t, path, "BRACKET.step alice\n", lesson.Say("OpenForUpdate did not let the first write begin at byte 0"))
}

func TestOpenForUpdateCreatesNothing(t *testing.T) {
	path := lab.Path(t, "lokcs.json")
	lesson := lab.Lesson{
		Did:   "OpenForUpdate was called with a mistyped name, lokcs.json",
		Means: "a typing error has become a file of 0 bytes, and the program works beside the real checkouts",
		Read:  missing,
	}
	err := forUpdate.refused(t, path, lesson)
	lab.RequireErrorIs(t, err, fs.ErrNotExist, lesson.Say("OpenForUpdate did not report that the file is missing"))
	lab.RequireNoFile(t, path, lesson.Say("OpenForUpdate created a file where there was none"))
}

func TestOpenForAppendWritesAtTheEndOfTheMoment(t *testing.T) {
	long := strings.Repeat("carol axle.step\n", 20000)
	for _, log := range []struct{ name, held, did string }{
		{"in a new log", "", "there was no history.log; Alice opened it, then Bob"},
		{"in a log of one line", "carol axle.step\n", "history.log held one line; Alice and Bob both opened it"},
		{"in a log of 20000 lines", long, "history.log held 20000 lines; Alice and Bob both opened it"},
	} {
		t.Run(log.name, func(t *testing.T) {
			path := lab.Path(t, "history.log")
			if log.held != "" {
				requireTool(t, os.WriteFile(path, []byte(log.held), 0o600))
			}
			lesson := lab.Lesson{
				Did:   log.did + "; Bob wrote a line, Alice wrote one, Bob wrote another",
				Means: "a checkout is missing from the history, though each write returned no error",
				Read:  whoFindsEnd,
			}
			alice, bob := forAppend.opened(t, path, lesson), forAppend.opened(t, path, lesson)
			for _, entry := range []struct {
				log  *os.File
				line string
			}{{bob, "bob gear.step\n"}, {alice, "alice bracket.step\n"}, {bob, "bob clamp.step\n"}} {
				writeLine(t, forAppend, entry.log, entry.line, log.did)
			}
			closeFile(t, forAppend, alice)
			closeFile(t, forAppend, bob)
			lab.RequireFile(t, path, log.held+"bob gear.step\nalice bracket.step\nbob clamp.step\n",
				lesson.Say("OpenForAppend let lines be overwritten"))
		})
	}
	t.Run("after the log was emptied", func(t *testing.T) {
		path := lab.WriteFile(t, "history.log", "carol axle.step\n")
		lesson := lab.Lesson{
			Did:   "history.log held one line; Alice opened it; then it was emptied, as at the end of a month, and Alice wrote a line",
			Means: "the new month begins with NUL bytes, which no reader of the log expects",
			Read:  whoFindsEnd,
		}
		alice := forAppend.opened(t, path, lesson)
		requireTool(t, os.Truncate(path, 0))
		writeLine(t, forAppend, alice, "alice bracket.step\n", lesson.Did)
		lab.RequireFile(t, path, "alice bracket.step\n", lesson.Say("OpenForAppend let a line land where the end was before"))
	})
}

func writeLine(t *testing.T, fn function, f *os.File, line, did string) {
	t.Helper()
	_, err := f.WriteString(line)
	lab.RequireNoError(t, err, lab.Lesson{
		Says:  fn.name + " opened a file that cannot be written",
		Did:   did + "; a line was written",
		Means: "the program finds out at its first line that it may only read",
		Read:  whyItHappens,
	})
}

func TestOpenForAppendAddsNothingByItself(t *testing.T) {
	lesson := lab.Lesson{
		Did:   "history.log was opened with OpenForAppend and closed, nothing else",
		Means: "each start of the program changes the history, in which nothing has happened",
		Read:  whoFindsEnd,
	}
	for _, held := range []string{"carol axle.step\n", "carol axle.step", "", "\ufeffcarol\xff\r\n\n\x00\x00"} {
		path := lab.WriteFile(t, "history.log", held)
		before, err := os.Stat(path)
		requireTool(t, err)
		closeFile(t, forAppend, forAppend.opened(t, path, lesson))
		lab.RequireFile(t, path, held, lesson.Say("OpenForAppend changed what the log holds"))
		requireSameFile(t, before, path, forAppend, lesson)
	}
	path := lab.Path(t, "history.log")
	closeFile(t, forAppend, forAppend.opened(t, path, lesson))
	lab.RequireFile(t, path, "", lesson.Say("OpenForAppend did not create the missing log empty"))
}

func TestCreateNewRefusesANameThatIsTaken(t *testing.T) {
	const year = 365 * 24 * time.Hour
	lesson := lab.Lesson{
		Means: "the ticket has two owners, and both of them work on the part",
		Read:  askAndAct,
	}
	for _, ticket := range []struct {
		name, content, did string
		age                time.Duration
	}{
		{"by a file with a name in it", "alice", "Alice has the ticket, her name is in the file", 0},
		{"by a file that is still empty", "", "Alice has just created the ticket, her name is not in it yet", 0},
		{"by a file of last year", "alice", "Alice has had the ticket for a year", year},
		{"by an empty file of last year", "", "the ticket was created a year ago, and is empty", year},
	} {
		t.Run(ticket.name, func(t *testing.T) {
			path := lab.WriteFile(t, "bracket.ticket", ticket.content)
			requireTool(t, os.Chmod(path, 0o644))
			lab.Age(t, path, ticket.age)
			lesson := lesson
			lesson.Did = ticket.did + "; CreateNew was called with its path"
			before, err := os.Stat(path)
			requireTool(t, err)
			requireTaken(t, path, lesson)
			lab.RequireFile(t, path, ticket.content, lesson.Say("CreateNew refused a ticket and still changed its file"))
			requireSameFile(t, before, path, newTicket, lesson)
			after, err := os.Stat(path)
			requireTool(t, err)
			lab.RequireEqual(t, fmt.Sprint(before.Mode(), before.ModTime()), fmt.Sprint(after.Mode(), after.ModTime()),
				means(lesson, "CreateNew changed the permission or the time of a ticket that it refused",
					"the ticket looks as if its owner were at work"))
		})
	}
	t.Run("by a directory", func(t *testing.T) {
		path := lab.Path(t, "bracket.ticket")
		requireTool(t, os.Mkdir(path, 0o700))
		lesson := lesson
		lesson.Did = "bracket.ticket was a directory; CreateNew was called with its path"
		requireTaken(t, path, lesson)
		_, err := os.ReadDir(path)
		lab.RequireNoError(t, err, lesson.Say("CreateNew removed a directory of that name"))
	})
	for _, link := range []struct{ name, target, held string }{
		{"by a link that leads nowhere", "a file that does not exist", ""}, {"by a link to a file", "another file", "carol"},
	} {
		t.Run(link.name, func(t *testing.T) {
			if lab.Wine() {
				t.Skip("Wine follows the link where Windows opens it (FILE_FLAG_OPEN_REPARSE_POINT)")
			}
			path := lab.Path(t, "bracket.ticket")
			target := filepath.Join(filepath.Dir(path), "elsewhere")
			if err := os.Symlink(target, path); err != nil {
				t.Skipf("this system lets no ordinary user make a symbolic link: %v", err)
			}
			lesson := lesson
			lesson.Did = "bracket.ticket was a symbolic link to " + link.target + "; CreateNew was called with its path"
			lesson.Means = "CreateNew mistakes a taken name for a free one, and works on a file in a place that another user chose"
			if link.held != "" {
				requireTool(t, os.WriteFile(target, []byte(link.held), 0o600))
			}
			requireTaken(t, path, lesson)
			if link.held == "" {
				lab.RequireNoFile(t, target, lesson.Say("CreateNew followed a link and created the file at its other end"))
				return
			}
			lab.RequireFile(t, target, link.held, lesson.Say("CreateNew followed a link and changed the file at its other end"))
		})
	}
}

func requireTaken(t *testing.T, path string, lesson lab.Lesson) {
	t.Helper()
	lab.RequireErrorIs(t, newTicket.refused(t, path, lesson), fs.ErrExist, lesson.Say("CreateNew did not report that the name is taken"))
}

func TestCreateNewGivesAnEmptyFileToWrite(t *testing.T) {
	path := lab.Path(t, "bracket.ticket")
	lesson := lab.Lesson{
		Did:   `bracket.ticket was missing; CreateNew created it, and "alice" was written`,
		Means: "the ticket does not say who has it",
		Read:  whyItHappens,
	}
	f := newTicket.opened(t, path, lesson)
	lab.RequireFile(t, path, "", lesson.Say("CreateNew did not create an empty file at the path"))
	writeLine(t, newTicket, f, "alice", "bracket.ticket was missing; CreateNew created it")
	closeFile(t, newTicket, f)
	lab.RequireFile(t, path, "alice", lesson.Say("CreateNew let the name land in another place"))

	requireTool(t, os.Remove(path))
	lesson = lab.Lesson{
		Did:   "CreateNew created bracket.ticket; its owner closed and removed it; CreateNew was called with the same path",
		Means: "the part is free, and the program that once had it never gets it again",
		Read:  askAndAct,
	}
	newTicket.opened(t, path, lesson)
	lab.RequireFile(t, path, "", lesson.Say("CreateNew did not create an empty file at the path"))
}

// refusals are the errors of checks that say no. None of them is a reason to empty the file.
var refusals = []error{
	errors.New("bracket.step is Alice's"),
	io.EOF,
	fs.ErrNotExist,
	fmt.Errorf("ask for Alice: %w", fs.ErrExist),
	fs.ErrClosed,
	context.Canceled,
	syscall.EINTR,
	&fs.PathError{Op: "lock", Path: "locks.json", Err: syscall.EAGAIN}, // a second call might be allowed, but it was not asked for
	errors.ErrUnsupported, // as from a file system without locks: a check that could not be made has not said yes
	&fs.PathError{Op: "lock", Path: "locks.json", Err: syscall.ENOSYS},
	&fs.PathError{Op: "lock", Path: "locks.json", Err: syscall.EOPNOTSUPP},
	(*nobodysPart)(nil), // a nil pointer in an error is an error
	errAndClosed,
}

// another is how refusalSeen.Returned begins if an error came back that is not the refusal.
const another = "another error: "

const neverOrTwice = "called again, it may say yes after it has said no; never called, it has checked and locked nothing"

type nobodysPart struct{}

func (*nobodysPart) Error() string { return "there is no such part" }

// errAndClosed is the refusal of a check that has closed the file, so that the next Close fails.
var errAndClosed = errors.New("bracket.step is Alice's, and the file is closed")

func TestOpenForReplaceAsksBeforeItEmpties(t *testing.T) {
	path := lab.WriteFile(t, "locks.json", `{"bracket.step":"alice"}`)
	worker := lab.Start(t, "refuse", path)
	for _, refusal := range refusals {
		lesson := lab.Lesson{
			Did:   "locks.json held Alice's checkout; OpenForReplace opened it, and allowed returned the error " + quoted(refusal),
			Means: "the caller was refused, and Alice's checkout is gone all the same",
			Read:  whenBytesGo,
		}
		var seen refusalSeen
		worker.Result(&seen, lesson.Say("OpenForReplace did not return"))
		lab.RequireNoError(t, seen.Failed.Err, lesson.Say("OpenForReplace did not open the file"))
		lab.RequireEqual(t, `{"bracket.step":"alice"}`, seen.Content, lesson.Say("OpenForReplace emptied the file before it asked"))
		lab.RequireEqual(t, 1, seen.Calls, means(lesson, "OpenForReplace did not call allowed once",
			neverOrTwice))
		lab.RequireFile(t, path, `{"bracket.step":"alice"}`, lesson.Say("OpenForReplace emptied a file that it was not allowed to"))
		meaning := "the program goes on as if it had been allowed, and writes over Alice's checkout"
		if strings.HasPrefix(seen.Returned, another) {
			meaning = "the program reports a failure to its user, and not who has the part"
		}
		lab.RequireEqual(t, "that error", seen.Returned, means(lesson, "OpenForReplace did not return the refusal", meaning))
		lab.Require(t, !seen.StillOpen, means(lesson, "OpenForReplace left the file open after the refusal",
			"each refusal costs a file handle until the process has none left; on Windows the file cannot be deleted meanwhile"))
		worker.Reached("asked")
		worker.Continue()
	}
	lab.RequireNoError(t, worker.Wait(), lab.Lesson{Says: "OpenForReplace failed", Read: whenBytesGo})
	t.Run("and gets no answer", requireAnswer)
	t.Run("and keeps what was written meanwhile", func(t *testing.T) {
		path := lab.WriteFile(t, "history.log", "alice\n")
		lesson := lab.Lesson{
			Says:  "OpenForReplace took away what was written while it was not allowed to",
			Did:   "history.log held a line; while OpenForReplace waited for allowed, another program appended one; allowed returned an error",
			Means: "a file that must not be touched loses the work of others",
			Read:  whenBytesGo,
		}
		replace := function{name: "OpenForReplace", open: func(path string) (*os.File, error) {
			return openmodes.OpenForReplace(path, func(*os.File) error {
				other, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
				if err != nil {
					return err
				}
				_, err = other.WriteString("bob\n")
				return errors.Join(refusals[0], err, other.Close())
			})
		}}
		err := replace.refused(t, path, lesson)
		lab.RequireErrorIs(t, err, refusals[0], lesson.Say("OpenForReplace did not return the refusal"))
		lab.RequireFile(t, path, "alice\nbob\n", lesson)
	})
}

// requireAnswer demands that the file keeps its bytes if allowed does not return: that is not a yes.
func requireAnswer(t *testing.T) {
	t.Helper()
	for _, end := range []struct {
		name string
		call func()
	}{{"panicked", func() { panic("no list of the people") }}, {"ended its goroutine", runtime.Goexit}} {
		path := lab.WriteFile(t, "locks.json", checkouts)
		lesson := lab.Lesson{
			Did:      "locks.json held two checkouts; OpenForReplace called allowed, and allowed " + end.name,
			Expected: "the file keeps every byte", Found: "OpenForReplace returned the file, and no error",
			Means: "allowed has not said yes, and the checkouts are gone all the same",
			Read:  whenBytesGo,
		}
		returned := false
		lab.Finishes(t, func() {
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				defer func() { _ = recover() }() // allowed's own, which OpenForReplace may let through
				_, err := openmodes.OpenForReplace(path, func(*os.File) error { end.call(); return nil })
				returned = err == nil
			}()
			<-ended
		}, lesson.Say("OpenForReplace does not return"))
		lab.Require(t, !returned, lesson.Say("OpenForReplace went on after an allowed that %s", end.name))
		lesson.Expected, lesson.Found = "", ""
		lab.RequireFile(t, path, checkouts, lesson.Say("OpenForReplace emptied the file though allowed %s", end.name))
		lab.CollectGarbage() // the handle may be open still, and Windows removes no file that is open
	}
}

func quoted(err error) string { return fmt.Sprintf("%q", err.Error()) }

// A refusalSeen is what a process saw whose check said no.
type refusalSeen struct {
	Content   string       // of the file, when allowed was called
	Calls     int          // of allowed
	Returned  string       // "that error", or what came back instead
	Failed    lab.Returned // why allowed was not called
	StillOpen bool         // the process still has a handle to the file
}

// refuse runs in a process of its own, in which no other test has files open.
func refuse(w *lab.Worker) error {
	for _, refusal := range refusals {
		var seen refusalSeen
		f, err := openmodes.OpenForReplace(w.Arg(0), func(f *os.File) error {
			if seen.Calls++; seen.Calls > 1 {
				return nil // as if it had been asked too early
			}
			content, err := io.ReadAll(f)
			seen.Content = string(content)
			if err != nil {
				return err
			}
			if refusal == errAndClosed {
				_ = f.Close()
			}
			return refusal // as it is: an answer that compares with == must see the very error
		})
		switch {
		case seen.Calls == 0 && err != nil:
			seen.Failed.Err = err
		case errors.Is(err, refusal):
			seen.Returned = "that error"
		case err != nil:
			seen.Returned = another + err.Error()
		case f == nil:
			seen.Returned = "neither a file nor an error"
		default:
			seen.Returned = "no error"
			_ = f.Close()
		}
		if seen.StillOpen, err = lab.IsOpen(w.Arg(0)); err != nil {
			return err
		}
		if err := w.Result(seen); err != nil {
			return err
		}
		w.Reached("asked") // on Windows the test's own look at the file would count as an open handle
	}
	return nil
}

func TestOpenForReplaceGivesTheEmptiedFile(t *testing.T) {
	for _, check := range []struct {
		name, held, did string
		act             func(f *os.File)
	}{
		{"reads nothing", checkouts, "held two checkouts; OpenForReplace opened it, allowed read nothing", func(*os.File) {}},
		{
			"reads the whole file", checkouts, "held two checkouts; OpenForReplace opened it, allowed read the whole file",
			func(f *os.File) { _, _ = io.ReadAll(f) },
		},
		{
			"reads the first bytes", checkouts, "held two checkouts; OpenForReplace opened it, allowed read the first bytes",
			func(f *os.File) { _, _ = io.ReadFull(f, make([]byte, 5)) },
		},
		{
			"waits while another program writes", "",
			"was empty; while OpenForReplace waited for allowed, another program wrote a checkout; allowed read it",
			func(f *os.File) {
				_ = os.WriteFile(f.Name(), []byte(checkouts), 0o600)
				_, _ = io.ReadAll(f)
			},
		},
	} {
		t.Run("when allowed "+check.name, func(t *testing.T) {
			path := lab.WriteFile(t, "locks.json", check.held)
			lesson := lab.Lesson{
				Did:   "locks.json " + check.did + " and returned nil; {} was written",
				Means: "the file is not a JSON document any more: the next program that reads it fails",
				Read:  whenBytesGo,
			}
			var asked *os.File
			calls := 0
			replace := function{name: "OpenForReplace", open: func(path string) (*os.File, error) {
				return openmodes.OpenForReplace(path, func(f *os.File) error { asked = f; calls++; check.act(f); return nil })
			}}
			f := replace.opened(t, path, lesson)
			_, err := f.WriteString("{}")
			lab.RequireNoError(t, err, lesson.Say("OpenForReplace returned a file that cannot be written"))
			lab.RequireFile(t, path, "{}", lesson.Say("OpenForReplace did not return an empty file"))
			lab.RequireEqual(t, 1, calls, means(lesson, "OpenForReplace did not call allowed once",
				neverOrTwice))
			other := lesson
			other.Expected, other.Found = "the open file that allowed has seen", "another one"
			lab.Require(t, f == asked, means(other, "OpenForReplace returned another open file than the one it asked about",
				"a lock that allowed has put on the open file is lost, and with it the right to write"))
			_, err = f.WriteAt([]byte("[]"), 0)
			lab.RequireNoError(t, err, means(lesson, "OpenForReplace returned a file that cannot be changed in place",
				"the caller cannot correct what it has written"))
			content := make([]byte, 2)
			_, err = f.ReadAt(content, 0)
			lab.RequireNoError(t, err, means(lesson, "OpenForReplace returned a file that cannot be read",
				"the caller cannot check what it has written"))
		})
	}
	t.Run("with the lock that allowed has taken", requireKeepsLock)
}

// requireKeepsLock has allowed take a POSIX lock, which ends as soon as the process closes any handle of the file (fcntl(2)).
func requireKeepsLock(t *testing.T) {
	t.Helper()
	path := lab.WriteFile(t, "locks.json", checkouts)
	lesson := lab.Lesson{
		Did:      "OpenForReplace opened a file; allowed locked it and returned nil; then another owner asked for the lock",
		Expected: "the file is locked", Found: "it is not",
		Means: "another program gets the lock while this one writes, and one of them overwrites the other",
		Read:  whenBytesGo,
	}
	replace := function{name: "OpenForReplace", open: func(path string) (*os.File, error) { return openmodes.OpenForReplace(path, posixLock) }}
	f, err := replace.call(t, path, lesson)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	lab.RequireNoError(t, err, lesson.Say("OpenForReplace did not open the file"))
	locked, err := isLocked(path)
	requireTool(t, err)
	lab.Require(t, locked, lesson.Say("OpenForReplace let go of the lock that allowed had taken"))
	closeFile(t, replace, f)
}

func TestOpenForReplaceEmptiesTheFileThatAllowedHasSeen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows no other file can take the name of one that is open")
	}
	const others = `{"gear.step":"carol"}`
	path := lab.WriteFile(t, "locks.json", checkouts)
	other := path + ".new"
	requireTool(t, os.WriteFile(other, []byte(others), 0o600))
	lesson := lab.Lesson{
		Did:   "while OpenForReplace waited for allowed, another program renamed its own document to locks.json; allowed returned nil",
		Means: "the caller had asked about one file, and another one was emptied: Carol's checkout is gone",
		Read:  askAndAct,
	}
	replace := function{name: "OpenForReplace", open: func(path string) (*os.File, error) {
		return openmodes.OpenForReplace(path, func(*os.File) error { return os.Rename(other, path) })
	}}
	f := replace.opened(t, path, lesson)
	lab.RequireFile(t, path, others, lesson.Say("OpenForReplace emptied a file that allowed has not seen"))
	info, err := f.Stat()
	requireTool(t, err)
	lab.RequireEqual(t, int64(0), info.Size(), lesson.Say("OpenForReplace did not return an empty file"))
}

func TestOpenForReplaceCreatesNothing(t *testing.T) {
	path := lab.Path(t, "lokcs.json")
	lesson := lab.Lesson{
		Did:   "OpenForReplace was called with a mistyped name, lokcs.json",
		Means: "a typing error has become a file of 0 bytes, and the real document keeps its old checkouts",
		Read:  missing,
	}
	calls := 0
	replace := function{name: "OpenForReplace", open: func(path string) (*os.File, error) {
		return openmodes.OpenForReplace(path, func(*os.File) error { calls++; return nil })
	}}
	err := replace.refused(t, path, lesson)
	lab.RequireErrorIs(t, err, fs.ErrNotExist, lesson.Say("OpenForReplace did not report that the file is missing"))
	lab.RequireNoFile(t, path, lesson.Say("OpenForReplace created a file where there was none"))
	lab.RequireEqual(t, 0, calls, means(lesson, "OpenForReplace called allowed for a missing file",
		"allowed reads from a file that is not open"))
}
