package openmodes_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	openmodes "example/turnstile/exercises/01_open_modes"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/trace"
)

// Two processes at one file. First Alice's process is stopped after each of its system calls, and Bob's acts at that moment. No step of
// an answer is named: whatever calls it makes, it is stopped between them. Then a crowd runs freely.

// calls are those after which Alice's process is stopped.
const calls = trace.Files + ",ftruncate," + trace.Writes

// An order is what Alice's process is to do: open a file with one of the functions, and write a line.
type order struct{ Function, Path, Line string }

// step does what it is ordered to, and returns what came of it.
func step(w *lab.Worker) error {
	return lab.Steps(w, func(text string) any {
		var o order
		err := json.Unmarshal([]byte(text), &o)
		if err == nil {
			err = o.run()
		}
		return lab.Returned{Err: err}
	})
}

var errRefused = errors.New("bracket.step is Alice's")

func (o order) run() error {
	open := functionNamed(o.Function).open
	if o.Function == forReplace.name {
		open = func(path string) (*os.File, error) {
			return openmodes.OpenForReplace(path, func(*os.File) error { return errRefused })
		}
	}
	f, err := open(o.Path)
	if err != nil {
		return err
	}
	if o.Line != "" {
		_, err = f.WriteString(o.Line)
	}
	return errors.Join(err, f.Close())
}

// claimWhenTold and appendWhenTold are Bob's process. It does its work for each path that it is sent, and stands still again.
func claimWhenTold(w *lab.Worker) error { return whenTold(w, newTicket) }

func appendWhenTold(w *lab.Worker) error { return whenTold(w, forAppend) }

func whenTold(w *lab.Worker, fn function) error {
	for {
		var path string
		if err := w.Receive(&path); err != nil {
			return err
		}
		if err := w.Result(lab.Returned{Err: order{fn.name, path, "bob\n"}.run()}); err != nil {
			return err
		}
		w.Reached("done")
	}
}

// moments bounds how many of Alice's calls are tried: an answer needs a handful.
const moments = 60

// meet has Alice's process do its work on one new path after another; Bob's process does the same after her first call, after her second,
// and so on. judge gets what each of them returned. If Bob has to wait for her, as behind a lock, that is fine: she goes on as soon as he
// can do no more by himself.
func meet(
	t *testing.T, fn function, bobs string, prepare func(path string), did string,
	judge func(path string, alice, bob error, lesson lab.Lesson),
) {
	t.Helper()
	dir := t.TempDir()
	alice := lab.Step(t, calls, dir, "step")
	bob := lab.Start(t, bobs)
	for moment := 1; moment <= moments; moment++ {
		path := filepath.Join(dir, fmt.Sprint(moment))
		prepare(path)
		lesson := lab.Lesson{Did: did}
		hers, his, acted, free := lab.Returned{}, lab.Returned{}, false, false
		text, err := json.Marshal(order{fn.name, path, "alice\n"})
		requireTool(t, err)
		alice.Call(string(text), &hers, func(stop lab.Stop) {
			if stop.Number == moment && !stop.Waits {
				state := bob.Begin(path)
				_, err := os.Lstat(path)
				free = state == process.AtStep && errors.Is(err, fs.ErrNotExist) // he has returned, and she has not created the file
				acted = true
				lesson.Did = fmt.Sprintf("%s; Bob's process came right after Alice's system call %s", did, stop.Call.Name)
			}
		}, lesson)
		if !acted {
			return // she has made all her calls
		}
		bob.Reached("done", lesson.Say("%s does not return beside another process", fn.name))
		bob.Result(&his)
		bob.Continue()
		taken := lesson
		taken.Expected, taken.Found = "no error that matches fs.ErrExist: no file had the name", fmt.Sprint(his.Err)
		lab.Require(t, !free || !errors.Is(his.Err, fs.ErrExist), means(taken, fn.name+" reported a free name as taken",
			"if the other process is killed at that moment, the ticket has no owner, and no process gets it"))
		judge(path, hers.Err, his.Err, lesson)
	}
}

func TestCreateNewGivesEachTicketToOne(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Expected: "one CreateNew returns no error, the other one an error that matches fs.ErrExist",
		Means:    "both owners work on the part, and one of them will lose the day's work",
		Read:     askAndAct,
	}
	t.Run("step by step", func(t *testing.T) {
		t.Parallel()
		did := "Alice's process and Bob's called CreateNew for one ticket, and wrote their names"
		meet(t, newTicket, "claim when told", func(string) {}, did, func(path string, alice, bob error, met lab.Lesson) {
			lesson := lesson
			lesson.Did = met.Did
			requireOneOwner(t, "process", alice, bob, lesson)
			name := "bob\n"
			if alice == nil {
				name = "alice\n"
			}
			lesson.Expected, lesson.Found = "", ""
			lab.RequireFile(t, path, name, means(lesson, "CreateNew changed the ticket of the process that was first",
				"the owner's name is gone: the next process finds another owner, or none"))
		})
	})
	t.Run("in two goroutines", func(t *testing.T) {
		t.Parallel()
		dir := longWay(t.TempDir())
		for number := range lab.Rounds(60) {
			lesson := lesson
			lesson.Did = "two goroutines of one process called CreateNew for one ticket"
			path := dir + string(os.PathSeparator) + fmt.Sprint(number)
			var errs [2]error
			lab.Finishes(t, func() {
				var both sync.WaitGroup
				for i := range errs {
					both.Go(func() { errs[i] = order{newTicket.name, path, "alice\n"}.run() })
				}
				both.Wait()
			}, lesson.Say("CreateNew did not return beside another goroutine"))
			requireOneOwner(t, "goroutine", errs[0], errs[1], lesson)
		}
	})
	t.Run("in a crowd", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Did = fmt.Sprintf("%d processes called CreateNew for the same %d tickets, one after the other", people, crowdFiles)
		owners := make([][]string, crowdFiles)
		for i, process := range crowd(t, "claim in a crowd", t.TempDir()) {
			var claimed []int
			process.Result(&claimed, lesson.Say("CreateNew did not return in a crowd"))
			for _, number := range claimed {
				owners[number] = append(owners[number], fmt.Sprint(i+1))
			}
			lab.RequireNoError(t, process.Wait(), lesson.Say("CreateNew failed in a crowd"))
		}
		for number, of := range owners {
			lesson.Found = fmt.Sprintf("for ticket %d, CreateNew returned no error in the processes %s", number, strings.Join(of, " and "))
			lab.Require(t, len(of) < 2, lesson.Say("CreateNew gave one ticket to two owners"))
			lesson.Found = fmt.Sprintf("for ticket %d, CreateNew returned fs.ErrExist in each process", number)
			lab.Require(t, len(of) > 0, lesson.Say("CreateNew gave a free ticket to no process"))
		}
	})
}

// requireOneOwner demands that of two callers of CreateNew, each a goroutine or a process, one got the ticket.
func requireOneOwner(t *testing.T, caller string, one, other error, lesson lab.Lesson) {
	t.Helper()
	for _, err := range []error{one, other} {
		if err != nil {
			lab.RequireErrorIs(t, err, fs.ErrExist, lesson.Say("CreateNew failed beside another %s", caller))
		}
	}
	lesson.Found = "both returned no error"
	lab.Require(t, one != nil || other != nil, lesson.Say("CreateNew gave one ticket to two owners"))
	lesson.Found = "both returned an error that matches fs.ErrExist"
	lab.Require(t, one == nil || other == nil, means(lesson, "CreateNew gave a free ticket to no "+caller,
		"no one works on the part, and each "+caller+" mistakes the other one for the owner"))
}

func TestOpenForAppendLosesNoLineOfAnotherProcess(t *testing.T) {
	t.Parallel()
	for _, log := range []struct{ name, held, did string }{
		{"in a new log", "", "there was no history.log; Alice's process and Bob's each called OpenForAppend and wrote a line"},
		{"in an empty log", "(empty)", "history.log was empty; Alice's process and Bob's each called OpenForAppend and wrote a line"},
		{"in a log of one line", "carol\n", "history.log held one line; Alice's process and Bob's each called OpenForAppend and wrote a line"},
	} {
		t.Run(log.name+", step by step", func(t *testing.T) {
			t.Parallel()
			held := strings.TrimPrefix(log.held, "(empty)")
			prepare := func(path string) {
				if log.held != "" {
					requireTool(t, os.WriteFile(path, []byte(held), 0o600))
				}
			}
			meet(t, forAppend, "append when told", prepare, log.did, func(path string, alice, bob error, lesson lab.Lesson) {
				lesson.Read = whoFindsEnd
				lab.RequireNoError(t, errors.Join(alice, bob), lesson.Say("OpenForAppend failed beside another process"))
				lesson.Means = "one process has destroyed what another one had written, and each write returned no error"
				if content, err := os.ReadFile(path); err != nil || string(content) != held+"alice\nbob\n" {
					lab.RequireFile(t, path, held+"bob\nalice\n", lesson.Say("OpenForAppend lost a line of another process"))
				}
			})
		})
	}
	t.Run("in a crowd", func(t *testing.T) {
		t.Parallel()
		if lab.Wine() {
			t.Skip("Wine does not append as one step: it finds the end of the file, then writes there")
		}
		lesson := lab.Lesson{
			Did:   fmt.Sprintf("%d processes opened the same %d missing logs; each wrote its number into each log", people, crowdFiles),
			Means: "several programs start at the same time on a new computer: one destroys what another has written",
			Read:  whoFindsEnd,
		}
		dir := t.TempDir()
		for _, process := range crowd(t, "append in a crowd", dir) {
			err := process.Wait(lesson.Say("OpenForAppend did not return in a crowd"))
			lab.RequireNoError(t, err, lesson.Say("OpenForAppend failed in a crowd"))
		}
		for number := range crowdFiles {
			content, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(number)))
			requireTool(t, err)
			lesson.Expected, lesson.Found = "the lines 1, 2, 3 and 4, in any order", lab.Show(content)
			lab.Require(t, len(content) == 2*people, lesson.Say("OpenForAppend lost a line of another process"))
			for person := range people {
				own := fmt.Sprintf("%d\n", person+1)
				lab.Require(t, strings.Contains(string(content), own), lesson.Say("OpenForAppend lost a line of another process"))
			}
		}
	})
}

func TestAnExistingFileIsNeverSeenWithoutItsBytes(t *testing.T) {
	t.Parallel()
	for _, fn := range functions {
		t.Run(fn.name, func(t *testing.T) {
			t.Parallel()
			lesson := lab.Lesson{
				Did:   "locks.json held two checkouts; " + fn.name + " was called, and another process read the file after each of its calls",
				Means: "a process crash at that moment, or a reader, finds the checkouts gone",
				Read:  whenBytesGo,
			}
			if fn.name == forReplace.name {
				lesson.Did = "locks.json held two checkouts; OpenForReplace was called, allowed refused; another process read the file after each call"
			}
			path := lab.WriteFile(t, "locks.json", checkouts)
			alice := lab.Step(t, calls, filepath.Dir(path), "step")
			text, err := json.Marshal(order{fn.name, path, ""})
			requireTool(t, err)
			var came lab.Returned
			alice.Call(string(text), &came, func(stop lab.Stop) {
				headline := fmt.Sprintf("%s left the file without its bytes for a moment, after %s", fn.name, stop.Call.Name)
				lab.RequireFile(t, path, checkouts, lesson.Say("%s", headline))
			}, lesson)
			lab.RequireFile(t, path, checkouts, lesson.Say("%s changed the file", fn.name))
		})
	}
}

// people is how many processes there are in a crowd.
const people = 4

// crowdFiles is how many files a crowd opens, one after the other. The process that creates a file is slower than those that find it, so
// the processes catch up with one another and meet at every file anew.
var crowdFiles = lab.Rounds(200)

// crowd starts the processes and lets them go once all of them have begun.
func crowd(t *testing.T, worker, dir string) []*lab.Process {
	t.Helper()
	way := longWay(dir)
	processes := make([]*lab.Process, people)
	for i := range processes {
		processes[i] = lab.Launch(t, lab.Options{Hold: true}, worker, way, fmt.Sprint(i+1))
	}
	for _, process := range processes {
		process.Continue()
	}
	return processes
}

// claimInCrowd claims each ticket in the directory and tells which it has got.
func claimInCrowd(w *lab.Worker) error {
	claimed := []int{}
	for number := range crowdFiles {
		f, err := openmodes.CreateNew(w.Arg(0) + string(os.PathSeparator) + fmt.Sprint(number))
		w.Progress()
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		claimed = append(claimed, number)
	}
	return w.Result(claimed)
}

// appendInCrowd writes the number of its person, the second argument, into each log in the directory.
func appendInCrowd(w *lab.Worker) error {
	for number := range crowdFiles {
		err := order{forAppend.name, w.Arg(0) + string(os.PathSeparator) + fmt.Sprint(number), w.Arg(1) + "\n"}.run()
		w.Progress()
		if err != nil {
			return err
		}
	}
	return nil
}

// longWay returns another path to the directory, on which the kernel needs longer to find a file: through a symbolic link that goes down
// and up again many times. Between two calls with such a path there is time for another process to act. On Windows, where a path with
// such a link is resolved in another way, it returns dir.
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
