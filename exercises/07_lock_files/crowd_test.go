package lockfiles_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/internal/lab"
)

// crowd acquires the lock in FOLDER until it has had it TURNS times. Each second time it does not release it, and says in a file
// of the folder that the owner of that token is dead. It sends what it saw of a second owner, or "".
func crowd(w *lab.Worker) error {
	folder, overlap := w.Arg(0), ""
	path, inside := filepath.Join(folder, "locks.json.lock"), filepath.Join(folder, "inside")
	alive := func(owner lockfiles.Owner) bool {
		_, err := os.Stat(filepath.Join(folder, "dead."+owner.Token))
		return err != nil
	}
	for turn := 0; turn < w.Int(1) && overlap == ""; {
		lock, err := lockfiles.Acquire(path, lockfiles.Options{Alive: alive})
		if errors.Is(err, lockfiles.ErrLocked) {
			time.Sleep(200 * time.Microsecond) // Acquire does not wait, and there is nothing to wait on
			continue
		}
		if err != nil {
			return err
		}
		turn++
		if overlap, err = work(inside, lock.Owner()); err != nil {
			return err
		}
		if turn%2 == 0 {
			err = os.WriteFile(filepath.Join(folder, "dead."+lock.Owner().Token), nil, 0o600)
		} else {
			err = lock.Release()
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
