package openmodes_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	openmodes "example/turnstile/exercises/01_open_modes"
	"example/turnstile/internal/lab"
)

// people is how many processes there are in a crowd.
const people = 4

// interruptions is how often a process is stopped in the middle of its work, and crowdFiles how many files a crowd opens, one
// after the other. The process that creates a file is slower than those that find it, so the processes of a crowd catch up with
// one another and meet at every file anew.
var interruptions, crowdFiles = lab.Rounds(30), lab.Rounds(200)

func TestCreateNewGivesEachTicketToOne(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:     "CreateNew gave one ticket to two owners",
		Expected: "one CreateNew returns no error, the other one an error that matches fs.ErrExist",
		Means:    "both owners work on the part, and one of them will lose the day's work",
		Read:     `lessons/01_open_modes, "Asking and doing"`,
	}

	lesson.Did = "Alice called CreateNew for one ticket after another; she was interrupted, and Bob called CreateNew for the next ticket"
	interrupt(t, "claim", says(lesson, "CreateNew failed or hung beside another process"), func(ticket string, alice, bob bool) {
		lesson.Found = "both were told that the ticket is new"
		lab.Require(t, !alice || !bob, lesson)
		lesson.Found = "each was told that the other one has it"
		lab.Require(t, alice || bob, says(lesson, "CreateNew gave a free ticket to nobody"))
	})

	lesson.Did = fmt.Sprintf("%d processes called CreateNew for the same %d tickets, one after the other", people, crowdFiles)
	dir, owners := t.TempDir(), make(map[string][]string)
	for i, process := range crowd(t, "claim", dir) {
		var outcomes []outcome
		process.Result(&outcomes, says(lesson, "CreateNew failed with another error than fs.ErrExist"))
		for _, outcome := range outcomes {
			if outcome.Created {
				owners[outcome.File] = append(owners[outcome.File], fmt.Sprint(i+1))
			}
		}
		lab.RequireNoError(t, process.Wait(), says(lesson, "CreateNew failed with another error than fs.ErrExist"))
	}
	for number := range crowdFiles {
		of := owners[fileName(number)]
		lesson.Found = fmt.Sprintf("the processes %s were told that %s is new", strings.Join(of, " and "), fileName(number))
		lab.Require(t, len(of) < 2, lesson)
		lesson.Found = fileName(number) + " was given to nobody"
		lab.Require(t, len(of) > 0, says(lesson, "CreateNew gave a free ticket to nobody"))
	}
}

// claim calls CreateNew for one ticket.
func claim(path string, _ int) (created bool, err error) {
	f, err := openmodes.CreateNew(path)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

func TestCreateNewRefusesANameThatIsTaken(t *testing.T) {
	lesson := lab.Lesson{
		Means: "the ticket has two owners, and both of them work on the part",
		Read:  `lessons/01_open_modes, "Asking and doing"`,
	}

	t.Run("by a file with a name in it", func(t *testing.T) {
		path := lab.WriteFile(t, "bracket.ticket", "alice")
		lesson := lesson
		lesson.Did = "Alice has the ticket, her name is in the file; CreateNew was called with its path"
		requireTaken(t, path, lesson)
		lab.RequireFile(t, path, "alice", says(lesson, "CreateNew refused a ticket and still changed its file"))
	})
	t.Run("by a file that is still empty", func(t *testing.T) {
		path := lab.WriteFile(t, "bracket.ticket", "")
		lesson := lesson
		lesson.Did = "Alice has just created the ticket, her name is not in it yet; CreateNew was called with its path"
		requireTaken(t, path, lesson)
	})
	t.Run("by a link that leads nowhere", func(t *testing.T) {
		if lab.Wine() {
			t.Skip("Wine follows the link where Windows opens it (FILE_FLAG_OPEN_REPARSE_POINT)")
		}
		path := lab.Path(t, "bracket.ticket")
		target := filepath.Join(filepath.Dir(path), "elsewhere")
		if err := os.Symlink(target, path); err != nil {
			t.Skipf("this system lets no ordinary user make a symbolic link: %v", err)
		}
		lesson := lesson
		lesson.Did = "bracket.ticket was a symbolic link to a file that does not exist; CreateNew was called with its path"
		lesson.Means = "a name that is taken was taken for a free one, and a file came into being in a place that somebody else chose"
		requireTaken(t, path, lesson)
		lab.RequireNoFile(t, target, says(lesson, "CreateNew followed a link and created the file at its other end"))
	})
}

func requireTaken(t *testing.T, path string, lesson lab.Lesson) {
	t.Helper()
	f, err := openmodes.CreateNew(path)
	if err == nil {
		closeFile(t, f)
	}
	lab.RequireErrorIs(t, err, fs.ErrExist, says(lesson, "CreateNew did not say that the name is taken"))
}

func TestOpenForUpdateByManyFirstStarters(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:  "OpenForUpdate emptied a file that another process had just created",
		Means: "two programs that start at the same time on a new computer: one throws away what the other has written",
		Read:  `lessons/01_open_modes, "Asking and doing"`,
	}

	lesson.Did = "Alice was interrupted while she opened a missing file; Bob opened it and wrote 2 at byte 1; then Alice wrote 1 at byte 0"
	interrupt(t, "start", says(lesson, "OpenForUpdate failed or hung beside another process"), func(file string, _, _ bool) { lab.RequireFile(t, file, "12", lesson) })

	lesson.Did = fmt.Sprintf("%d processes opened the same %d missing files; each wrote its number into each file, at its own place", people, crowdFiles)
	dir := t.TempDir()
	for _, process := range crowd(t, "start", dir) {
		lab.RequireNoError(t, process.Wait(), says(lesson, "OpenForUpdate failed where others open the same file"))
	}
	for number := range crowdFiles {
		lab.RequireFile(t, filepath.Join(dir, fileName(number)), "1234", lesson)
	}
}

// start writes the number of a person into a file, at the byte that belongs to that person.
func start(path string, person int) (created bool, err error) {
	f, err := openmodes.OpenForUpdate(path)
	if err != nil {
		return false, err
	}
	_, err = f.WriteAt(fmt.Append(nil, person), int64(person-1))
	return true, errors.Join(err, f.Close())
}

// An outcome is what became of one file in the hands of one process.
type outcome struct {
	File    string
	Created bool
}

// endless is the worker that goes from file to file and tells of each: folder, number of the person.
func endless(open func(path string, person int) (created bool, err error)) func(w *lab.Worker) error {
	return func(w *lab.Worker) error {
		for number := 0; ; number++ {
			created, err := open(w.Arg(0)+string(os.PathSeparator)+fileName(number), w.Int(1))
			if err != nil {
				return err
			}
			if err := w.Result(outcome{fileName(number), created}); err != nil {
				return err
			}
		}
	}
}

// inCrowd is the worker that opens the crowd's files as fast as it can and tells of all of them at the end: folder, number of
// the person.
func inCrowd(open func(path string, person int) (created bool, err error)) func(w *lab.Worker) error {
	return func(w *lab.Worker) error {
		var outcomes []outcome
		for number := range crowdFiles {
			created, err := open(w.Arg(0)+string(os.PathSeparator)+fileName(number), w.Int(1))
			if err != nil {
				return err
			}
			outcomes = append(outcomes, outcome{fileName(number), created})
		}
		return w.Result(outcomes)
	}
}

// oneFile is the worker that opens the file whose name it is sent: folder, number of the person.
func oneFile(open func(path string, person int) (created bool, err error)) func(w *lab.Worker) error {
	return func(w *lab.Worker) error {
		for {
			var name string
			if err := w.Receive(&name); err != nil {
				return err
			}
			created, err := open(filepath.Join(w.Arg(0), name), w.Int(1))
			if err != nil {
				return err
			}
			if err := w.Result(outcome{name, created}); err != nil {
				return err
			}
			w.Reached("opened")
		}
	}
}

// interrupt has Alice go through many files, stops her process again and again, wherever it happens to be, and lets Bob open
// the first file that is not there yet, which may be the one that Alice is about to create. When she has gone on and finished
// with it, judge is told whether each of them was told to have created it.
//
// Alice goes the long way, so that most of her time passes between one step of an open and the next. If Bob has to wait for
// her, as behind a lock, that is fine: she goes on as soon as he can do no more by himself.
func interrupt(t *testing.T, worker string, failed lab.Lesson, judge func(file string, alice, bob bool)) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return // no process can be stopped there: the crowd is all that remains
	}
	dir := t.TempDir()
	alice := lab.Start(t, worker+" endlessly", longWay(dir), "1")
	bob := lab.Start(t, worker+" one", dir, "2")
	next, told := 0, 0 // told counts the files of which Alice has told, in their order
	var hers outcome
	for range interruptions {
		// Without this she would always be met where she has just told of a file, on a machine that has no processor left.
		time.Sleep(rand.N(time.Millisecond))
		alice.Stop()
		for exists(filepath.Join(dir, fileName(next))) {
			next++
		}
		bob.Send(fileName(next))
		bob.Settle()
		alice.Resume()
		bob.Reached("opened", failed)
		var his outcome
		bob.Result(&his)
		bob.Continue()
		for ; told <= next; told++ {
			alice.Result(&hers, failed)
		}
		vanished := says(failed, "A file that Alice had created vanished when Bob was told that it exists")
		vanished.Expected, vanished.Found = "what Alice has created stays", fileName(next)+" is gone"
		vanished.Means = "whoever comes too late destroys the work of whoever was first"
		lab.Require(t, hers.File == fileName(next), vanished)
		judge(filepath.Join(dir, fileName(next)), hers.Created, his.Created)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// crowd starts the processes and lets them go once all of them are there.
func crowd(t *testing.T, worker, dir string) []*lab.Process {
	t.Helper()
	way := longWay(dir)
	processes := make([]*lab.Process, people)
	for i := range processes {
		processes[i] = lab.Launch(t, lab.Options{Hold: true}, worker+" in a crowd", way, fmt.Sprint(i+1))
	}
	for _, process := range processes {
		process.Continue()
	}
	return processes
}

func fileName(number int) string { return fmt.Sprintf("%03d.ticket", number) }

// longWay returns another path to the folder dir, on which the system needs longer to find a file: through a symbolic link
// that goes down and up again many times. Between two calls with such a path there is time for another process to act. On
// Windows, where a path with such a link is looked up in another way, it returns dir.
func longWay(dir string) string {
	if runtime.GOOS == "windows" {
		return dir
	}
	const detour = "down" + string(os.PathSeparator) + ".." + string(os.PathSeparator)
	if os.Mkdir(filepath.Join(dir, "down"), 0o700) != nil || os.Symlink(strings.Repeat(detour, 500), filepath.Join(dir, "way")) != nil {
		return dir
	}
	return dir + strings.Repeat(string(os.PathSeparator)+"way", 12)
}
