//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package flock_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// withLock runs work while it has a lock on the file at path. how is LOCK_SH or LOCK_EX.
func withLock(path string, how int, work func() error) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // a new open file description: a new owner
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }() // the file is in use until here, and so is the lock
	if err := syscall.Flock(int(file.Fd()), how); err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	return work()
}

// jobs returns the list of jobs. Any number of boards on the wall may show it at once.
func jobs(list string) (text []byte, err error) {
	err = withLock(list+".lock", syscall.LOCK_SH, func() (err error) {
		text, err = os.ReadFile(list)
		return err
	})
	return text, err
}

// nextJob takes the first job off the list. The write depends on the read, so the lock is exclusive before the read.
func nextJob(list string) (job string, err error) {
	err = withLock(list+".lock", syscall.LOCK_EX, func() error {
		text, err := os.ReadFile(list)
		if err != nil {
			return err
		}
		first, rest, _ := strings.Cut(string(text), "\n")
		job = first
		return os.WriteFile(list, []byte(rest), 0o600)
	})
	return job, err
}

func init() { workers["jobs"] = takeJobs }

// takeJobs takes N jobs off LIST, and sends them.
func takeJobs(w *lab.Worker) error {
	var taken []string
	for range w.Int(1) {
		job, err := nextJob(w.Arg(0))
		if err != nil {
			return err
		}
		taken = append(taken, job)
		if _, err := jobs(w.Arg(0)); err != nil {
			return err
		}
	}
	return w.Result(taken)
}

// The sibling of the exercise that "The fix" shows.
func TestJobs(t *testing.T) {
	t.Parallel()
	t.Run("three processes take each job once", func(t *testing.T) {
		t.Parallel()
		const each = 20
		var all []string
		for i := range 3 * each {
			all = append(all, fmt.Sprintf("job %02d", i))
		}
		list := lab.WriteFile(t, "jobs.txt", strings.Join(all, "\n"))
		var crew []*lab.Process
		for range 3 {
			crew = append(crew, lab.Start(t, "jobs", list, fmt.Sprint(each)))
		}
		var taken []string
		for _, p := range crew {
			var some []string
			p.Result(&some)
			require.NoError(t, p.Wait())
			taken = append(taken, some...)
		}
		slices.Sort(taken)
		require.Equal(t, all, taken)
	})
	t.Run("two boards read at the same time", func(t *testing.T) {
		t.Parallel()
		list := lab.WriteFile(t, "jobs.txt", "weld\n")
		require.NoError(t, withLock(list+".lock", syscall.LOCK_SH, func() error {
			text, err := jobs(list) // inside another reader's turn
			require.Equal(t, "weld\n", string(text))
			return err
		}))
	})
}
