package openmodes_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	openmodes "example/turnstile/exercises/01_open_modes"
	"example/turnstile/lessons/lab"
)

// A crowd is several processes that open the same files in the same order, as fast as they can. Whoever creates a file is
// slower than those who find it there, so the processes catch up with one another and meet at every file anew.
const (
	people = 4
	files  = 500
)

func TestCreateNewGivesEachTicketToOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lesson := lab.Lesson{
		Says:     "CreateNew gave one ticket to two owners",
		Did:      fmt.Sprintf("%d processes called CreateNew for the same %d tickets, one after the other", people, files),
		Expected: "of each ticket exactly one CreateNew returns no error",
		Means:    "both owners work on the part, and one of them will lose the day's work",
		Read:     `lessons/01_open_modes, "Asking and doing"`,
	}

	owners := make([][]int, files)
	for person, worker := range startCrowd(t, "claim", dir) {
		var won []int
		worker.Result(&won, says(lesson, "CreateNew did not come to its end"))
		lab.RequireNoError(t, worker.Wait(), says(lesson, "CreateNew failed with another error than fs.ErrExist"))
		for _, ticket := range won {
			owners[ticket] = append(owners[ticket], person+1)
		}
	}

	twice, none, first := 0, 0, -1
	for ticket, of := range owners {
		switch {
		case len(of) == 0:
			none++
		case len(of) > 1:
			if twice++; first < 0 {
				first = ticket
			}
		}
	}
	if twice > 0 {
		lesson.Found = fmt.Sprintf("%d tickets with two owners or more; ticket %d, for one, was given to the processes %s", twice, first,
			strings.Trim(strings.ReplaceAll(fmt.Sprint(owners[first]), " ", " and "), "[]"))
		lab.Fail(t, lesson)
	}
	lesson.Found = fmt.Sprintf("%d tickets that nobody got", none)
	lesson.Means = "each of them was told that somebody else has it: a part that nobody may ever work on"
	lab.Require(t, none == 0, says(lesson, "CreateNew gave a free ticket to nobody"))
}

// claim calls CreateNew for each ticket and reports which ones this process was given.
func claim(w *lab.Worker) error {
	won := []int{}
	for ticket := range files {
		f, err := openmodes.CreateNew(crowdFile(w.Arg(0), ticket))
		switch {
		case errors.Is(err, fs.ErrExist):
			continue
		case err != nil:
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		won = append(won, ticket)
	}
	return w.Result(won)
}

func TestOpenForUpdateByManyFirstStarters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lesson := lab.Lesson{
		Did:   fmt.Sprintf("%d processes opened the same %d missing files; in each file every process wrote one byte, at a place of its own", people, files),
		Means: "two programs that start at the same time on a new computer: the second one throws away what the first has written",
		Read:  `lessons/01_open_modes, "Asking and doing"`,
	}

	for _, worker := range startCrowd(t, "start", dir) {
		lab.RequireNoError(t, worker.Wait(), says(lesson, "OpenForUpdate failed where others open the same file"))
	}

	const want = "1234"
	damaged, example := 0, ""
	for number := range files {
		content, err := os.ReadFile(crowdFile(dir, number))
		lab.RequireNoError(t, err, says(lesson, "OpenForUpdate did not create the file"))
		if string(content) != want {
			if damaged++; example == "" {
				example = lab.Show(content)
			}
		}
	}
	lesson.Expected = want + " in each file"
	lesson.Found = fmt.Sprintf("%d files without somebody's byte; the first one holds %s", damaged, example)
	lab.Require(t, damaged == 0, says(lesson, "OpenForUpdate emptied a file that another process had just created"))
}

// start writes the number of this process into each file, at the byte that belongs to it.
func start(w *lab.Worker) error {
	person := w.Int(1)
	for number := range files {
		f, err := openmodes.OpenForUpdate(crowdFile(w.Arg(0), number))
		if err != nil {
			return err
		}
		_, err = f.WriteAt(fmt.Append(nil, person), int64(person-1))
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func crowdFile(dir string, number int) string { return filepath.Join(dir, fmt.Sprintf("%03d", number)) }

// startCrowd starts the processes and lets them go once all of them are there.
func startCrowd(t *testing.T, worker, dir string) []*lab.Process {
	t.Helper()
	crowd := make([]*lab.Process, people)
	for i := range crowd {
		crowd[i] = lab.Launch(t, lab.Options{Hold: true}, worker, dir, fmt.Sprint(i+1))
	}
	for _, process := range crowd {
		process.Continue()
	}
	return crowd
}
