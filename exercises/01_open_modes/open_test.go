package openmodes_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	openmodes "example/turnstile/exercises/01_open_modes"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{
		"create and open again": createAndOpenAgain,
		"refuse":                refuse,
		"claim endlessly":       endless(claim),
		"claim in a crowd":      inCrowd(claim),
		"claim one":             oneFile(claim),
		"start endlessly":       endless(start),
		"start in a crowd":      inCrowd(start),
		"start one":             oneFile(start),
	})
}

// The tests that need no other process are over in no time: they run one after the other, so that go test shows what fails in
// the order of the functions.

func TestOpenForUpdateKeepsWhatTheFileHolds(t *testing.T) {
	const locks = `{"axle":"bob","bracket":"alice","clamp":"bob","gear":"alice","plate":"bob"}`
	path := lab.WriteFile(t, "locks.json", locks)
	lesson := lab.Lesson{
		Did:   "locks.json held 5 locks; it was opened with OpenForUpdate and closed, nothing else",
		Means: "the locks are gone: Alice and Bob are both told that every part is free",
		Read:  `lessons/01_open_modes, "The bug"`,
	}

	f, err := openmodes.OpenForUpdate(path)
	lab.RequireNoError(t, err, says(lesson, "OpenForUpdate did not open a file that is there"))
	closeFile(t, f)

	lab.RequireFile(t, path, locks, says(lesson, "OpenForUpdate emptied a file that held 5 locks"))
}

func TestOpenForUpdateReadsAndWritesInPlace(t *testing.T) {
	path := lab.WriteFile(t, "record", "bracket.step alice\n")
	lesson := lab.Lesson{
		Did:   `the file held one record; through one open file it was read, then "alice" was overwritten at byte 13 by "bobby"`,
		Means: "who has bracket.step cannot be changed where it stands",
		Read:  `lessons/01_open_modes, "The way out"`,
	}

	f, err := openmodes.OpenForUpdate(path)
	lab.RequireNoError(t, err, says(lesson, "OpenForUpdate did not open a file that is there"))
	defer closeFile(t, f)
	content, err := io.ReadAll(f)
	lab.RequireNoError(t, err, says(lesson, "OpenForUpdate opened a file that cannot be read"))
	lab.RequireEqual(t, "bracket.step alice\n", string(content), says(lesson, "OpenForUpdate did not let the file be read from its start"))
	_, err = f.WriteAt([]byte("bobby"), 13)
	lab.RequireNoError(t, err, says(lesson, "OpenForUpdate opened a file that cannot be changed in place"))
	lab.RequireFile(t, path, "bracket.step bobby\n", says(lesson, "OpenForUpdate let a write land in another place"))
}

func TestOpenForAppendKeepsWhatOthersWrite(t *testing.T) {
	t.Run("in a file that is there", func(t *testing.T) {
		requireAppends(t, lab.WriteFile(t, "history.log", "alice axle.step\n"), "alice axle.step\n", lab.Lesson{
			Did:   "history.log held one line; Alice and Bob both had it open; Bob wrote a line, Alice wrote one, Bob wrote another",
			Means: "somebody's check-out is missing from the history, though each write returned no error",
			Read:  `lessons/01_open_modes, "Who looks for the end"`,
		})
	})
	t.Run("in a new file", func(t *testing.T) {
		requireAppends(t, lab.Path(t, "history.log"), "", lab.Lesson{
			Did:   "there was no history.log; Alice opened it, then Bob; Bob wrote a line, Alice wrote one, Bob wrote another",
			Means: "on its first day the history loses check-outs, though each write returned no error",
			Read:  `lessons/01_open_modes, "Who looks for the end"`,
		})
	})
}

func requireAppends(t *testing.T, path, held string, lesson lab.Lesson) {
	t.Helper()
	alice, err := openmodes.OpenForAppend(path)
	lab.RequireNoError(t, err, says(lesson, "OpenForAppend did not open the file"))
	defer closeFile(t, alice)
	bob, err := openmodes.OpenForAppend(path)
	lab.RequireNoError(t, err, says(lesson, "OpenForAppend did not open a file that somebody else has open"))
	defer closeFile(t, bob)
	for _, entry := range []struct {
		log  *os.File
		line string
	}{{bob, "bob gear.step\n"}, {alice, "alice bracket.step\n"}, {bob, "bob clamp.step\n"}} {
		_, err := entry.log.WriteString(entry.line)
		lab.RequireNoError(t, err, lab.Lesson{
			Says:  "OpenForAppend opened a file that cannot be written",
			Did:   lesson.Did,
			Means: "no line reaches the history: the program learns at its first check-out that it may only read",
			Read:  `lessons/01_open_modes, "The flags"`,
		})
	}
	lab.RequireFile(t, path, held+"bob gear.step\nalice bracket.step\nbob clamp.step\n",
		says(lesson, "OpenForAppend let lines be overwritten"))
}

func TestOpenForReplaceAsksBeforeItEmpties(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", `{"bracket.step":"alice"}`)
	lesson := lab.Lesson{
		Did:   "locks.json held Alice's lock; OpenForReplace opened it, and the check refused",
		Means: "the answer was no, and Alice's lock is gone all the same",
		Read:  `lessons/01_open_modes, "When the bytes go"`,
	}

	worker := lab.Start(t, "refuse", path)
	var seen refusal
	worker.Result(&seen, says(lesson, "OpenForReplace did not come back"))
	lab.RequireNoError(t, worker.Wait(), says(lesson, "OpenForReplace did not open a file that is there"))

	lab.RequireEqual(t, `{"bracket.step":"alice"}`, seen.Content, says(lesson, "OpenForReplace emptied the file before it asked"))
	lab.RequireFile(t, path, `{"bracket.step":"alice"}`, says(lesson, "OpenForReplace emptied a file that it was not allowed to"))
	lesson.Means = "the program goes on as if it had been allowed, and writes over Alice's lock"
	lab.RequireEqual(t, "bracket.step is Alice's", seen.Returned, says(lesson, "OpenForReplace did not give back the refusal"))
	lesson.Means = "each refusal costs a file handle until the process has none left; on Windows nobody can delete the file meanwhile"
	lab.Require(t, !seen.StillOpen, says(lesson, "OpenForReplace left the file open after the refusal"))
}

// A refusal is what a process saw whose check said no.
type refusal struct {
	Content   string // of the file, when the check was asked
	Returned  string // the error that came back
	StillOpen bool   // the process still holds a handle to the file
}

// refuse runs in a process of its own, where no other test has files open.
func refuse(w *lab.Worker) error {
	var seen refusal
	refused := errors.New("bracket.step is Alice's")
	_, err := openmodes.OpenForReplace(w.Arg(0), func(f *os.File) error {
		content, err := io.ReadAll(f)
		seen.Content = string(content)
		return errors.Join(err, refused)
	})
	switch {
	case errors.Is(err, refused):
		seen.Returned = refused.Error()
	case err == nil:
		seen.Returned = "no error"
	default:
		return err
	}
	if seen.StillOpen, err = lab.IsOpen(w.Arg(0)); err != nil {
		return err
	}
	return w.Result(seen)
}

func TestOpenForReplaceGivesTheEmptiedFile(t *testing.T) {
	path := lab.WriteFile(t, "locks.json", `{"axle.step":"bob","bracket.step":"alice"}`)
	lesson := lab.Lesson{
		Did:   "locks.json held two locks; OpenForReplace opened it, the check read it all and allowed, and {} was written",
		Means: "the file is no JSON document any more: the next program that reads it fails",
		Read:  `lessons/01_open_modes, "When the bytes go"`,
	}

	var asked *os.File
	f, err := openmodes.OpenForReplace(path, func(f *os.File) error {
		asked = f
		_, err := io.ReadAll(f)
		return err
	})
	lab.RequireNoError(t, err, says(lesson, "OpenForReplace did not open a file that is there"))
	defer closeFile(t, f)
	_, err = f.WriteString("{}")
	lab.RequireNoError(t, err, says(lesson, "OpenForReplace gave back a file that cannot be written"))
	lab.RequireFile(t, path, "{}", says(lesson, "OpenForReplace did not give an empty file"))
	lesson.Means = "a lock that the check has put on the open file is lost, and with it the right to write"
	lesson.Expected, lesson.Found = "the open file that the check has seen", "another one"
	lab.Require(t, f == asked, says(lesson, "OpenForReplace gave back another open file than the one it asked about"))
}

func TestOpenForReplaceCreatesNothing(t *testing.T) {
	path := lab.Path(t, "lokcs.json")
	lesson := lab.Lesson{
		Did:   "OpenForReplace was called with a misspelt name, lokcs.json",
		Means: "a typing error has become an empty document, in which nobody has locked anything",
		Read:  `lessons/01_open_modes, "Missing is not empty"`,
	}

	f, err := openmodes.OpenForReplace(path, func(*os.File) error { return nil })
	if err == nil {
		closeFile(t, f)
	}
	lab.RequireErrorIs(t, err, fs.ErrNotExist, says(lesson, "OpenForReplace did not say that the file is missing"))
	lab.RequireNoFile(t, path, says(lesson, "OpenForReplace created a file that nobody asked for"))
}

// creators are the functions that bring a file into being.
var creators = map[string]func(path string) (*os.File, error){
	"OpenForUpdate": openmodes.OpenForUpdate,
	"OpenForAppend": openmodes.OpenForAppend,
	"CreateNew":     openmodes.CreateNew,
}

func TestANewFileCanBeOpenedAgain(t *testing.T) {
	t.Parallel()
	for name := range creators {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lesson := lab.Lesson{
				Did:   name + " was called in an empty folder, a line was written, the file closed; the same user then opened it for update",
				Means: "the program works once, on the day the file is made, and never again",
				Read:  `lessons/01_open_modes, "Permission and umask"`,
			}
			path := filepath.Join(lab.SharedDir(t), "new")
			// The tests may run as root, whom no permission stops: the worker is an ordinary user.
			worker := lab.Launch(t, lab.Options{Unprivileged: true}, "create and open again", name, path)
			worker.Reached("created", says(lesson, name+" did not create a missing file"))
			worker.Continue()
			worker.Reached("written", lab.Lesson{
				Says:  name + " created a file that it does not let write",
				Did:   name + " was called in an empty folder, and a line was written",
				Means: "the file is there and stays empty",
				Read:  `lessons/01_open_modes, "The flags"`,
			})
			worker.Continue()
			lab.RequireNoError(t, worker.Wait(), says(lesson, name+" created a file that its owner cannot open again"))
		})
	}
}

func createAndOpenAgain(w *lab.Worker) error {
	f, err := creators[w.Arg(0)](w.Arg(1))
	if err != nil {
		return err
	}
	w.Reached("created")
	_, err = f.WriteString("alice\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	w.Reached("written")
	f, err = os.OpenFile(w.Arg(1), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func says(lesson lab.Lesson, headline string) lab.Lesson {
	lesson.Says = headline
	return lesson
}

func closeFile(t *testing.T, f *os.File) {
	t.Helper()
	lab.RequireNoError(t, f.Close(), lab.Lesson{
		Says: "the file could not be closed", Did: "the test closed a file that your function had opened",
		Means: "the function has closed it already, or did not open it", Read: `lessons/01_open_modes, "The way out"`,
	})
}
