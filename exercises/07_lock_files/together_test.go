package lockfiles_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/internal/lab"
)

// crowd acquires the lock in DIR until it has had it TURNS times. Each second time it does not release it, and notes in a file of the
// directory that the owner of that token is dead. It sends what it saw of a second owner, or "".
func crowd(w *lab.Worker) error {
	dir, overlap := w.Arg(0), ""
	path, inside, latest := filepath.Join(dir, "lock", "locks.json.lock"), filepath.Join(dir, "inside"), filepath.Join(dir, "latest")
	var seen []byte
	alive := func(owner lockfiles.Owner) bool {
		_, err := os.Stat(filepath.Join(dir, "dead."+owner.Token))
		return err != nil
	}
	for turn := 0; turn < w.Int(1) && overlap == ""; {
		lock, err := lockfiles.Acquire(path, lockfiles.Options{Alive: alive})
		if errors.Is(err, lockfiles.ErrLocked) {
			// A process that is never the fastest has to wait for all others. That is no hang as long as they take their turns.
			if owner, err := os.ReadFile(latest); err == nil && !bytes.Equal(owner, seen) {
				seen = owner
				w.Progress()
			}
			time.Sleep(time.Millisecond) // Acquire does not wait, and there is nothing to wait on
			continue
		}
		if err != nil {
			return err
		}
		if lock == nil {
			return errNothing
		}
		turn++
		w.Progress()
		if err := os.WriteFile(latest, []byte(lock.Owner().Token), 0o600); err != nil {
			return err
		}
		if overlap, err = work(inside, lock.Owner()); err != nil {
			return err
		}
		if turn%2 == 0 {
			err = os.WriteFile(filepath.Join(dir, "dead."+lock.Owner().Token), nil, 0o600)
		} else {
			err = lock.Release()
		}
		if errors.Is(err, lockfiles.ErrLost) {
			overlap, err = fmt.Sprintf("process %d was at work, and its lock was taken away", lock.Owner().PID), nil
		}
		if err != nil && overlap == "" {
			return err
		}
	}
	return w.Result(overlap)
}

// work does what only the owner of the lock may do. It returns what it saw of another owner.
func work(inside string, owner lockfiles.Owner) (overlap string, err error) {
	f, err := os.OpenFile(inside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Sprintf("process %d got the lock while another owner was at work", owner.PID), nil
	}
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	time.Sleep(100 * time.Microsecond) // the work
	if err := os.Remove(inside); err != nil {
		return fmt.Sprintf("process %d had the lock, and another owner ended its work", owner.PID), nil
	}
	return "", nil
}

func TestACrowdOfBreakersAndOwners(t *testing.T) {
	t.Parallel()
	const people = 4
	turns := lab.Rounds(15)
	dir := t.TempDir()
	lab.RequireSetUp(t, os.Mkdir(filepath.Join(dir, "lock"), 0o700))
	l := lab.Lesson{
		Says: "Acquire gave one lock to two owners at once",
		Did: fmt.Sprintf("%d processes acquired one lock %d times each; each second time the owner left it behind, as a crash does, "+
			"and was known to be dead", people, turns),
		Expected: "never two at once",
		Means:    "two programs write the same file, each sure to be alone, and one of them loses its work",
		Read:     whyItHappens,
	}
	var crew []*lab.Process
	for range people {
		crew = append(crew, lab.Launch(t, lab.Options{Hold: true}, "crowd", dir, fmt.Sprint(turns)))
	}
	for _, process := range crew {
		process.Continue()
	}
	var met []string
	for _, process := range crew {
		var overlap string
		process.Result(&overlap, lab.Lesson{
			Says: "Acquire or Release failed in a crowd", Did: l.Did, Read: theFix,
			Means: "the program gives up with a puzzling message, where it should try again later",
		})
		if overlap != "" {
			met = append(met, overlap)
		}
	}
	l.Found = strings.Join(met, "; ")
	lab.Require(t, len(met) == 0, l)
}
