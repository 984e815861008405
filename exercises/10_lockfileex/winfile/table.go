//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package winfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A table is a directory that holds what all processes know of one file: an empty file, an entry, for each open handle and for each lock.
//
// The process that an entry belongs to has a lock of flock(2) on it, which the kernel drops if the process dies. So an entry that is not
// locked is dead, and the next process that finds it removes it; and one that waits for a lock of the model waits in flock(2) for its
// entry. The file "turn" is locked by whoever reads or changes the table.
type table string

const turnFile = "turn"

func root() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("turnstile-winfile-%d", os.Getuid()))
}

// tableOf returns the table of a file, by whatever name it was opened.
func tableOf(info os.FileInfo) table {
	stat := info.Sys().(*syscall.Stat_t)
	return table(filepath.Join(root(), fmt.Sprintf("%x-%x", uint64(stat.Dev), stat.Ino))) //nolint:unconvert // Dev is an int32 on some systems
}

// use runs work while no one else uses the table.
func (t table) use(work func() error) (err error) {
	var turn *os.File
	for turn == nil {
		if turn, err = t.enter(); err != nil {
			return fmt.Errorf("the model's table of locks: %w", err)
		}
	}
	defer func() {
		t.discard()
		err = errors.Join(err, release(turn))
	}()
	return work()
}

// enter returns the locked turn, or nil if the table was discarded in the same moment.
//
// It asks again and again instead of waiting in the kernel. The turn is over in microseconds, and a test that asks the kernel which
// process waits for a lock must see only those that wait for one of the model's.
func (t table) enter() (*os.File, error) {
	err := os.MkdirAll(string(t), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil, nil // MkdirAll found the directory, and another process discarded it before MkdirAll looked what it was
	}
	if err != nil {
		return nil, err
	}
	path := filepath.Join(string(t), turnFile)
	turn, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, time.Millisecond) {
		err := flock(turn, syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(err, turn.Close())
		}
		time.Sleep(pause)
	}
	mine, err := turn.Stat()
	there, err2 := os.Stat(path)
	if err != nil || err2 != nil || !os.SameFile(mine, there) {
		return nil, turn.Close()
	}
	return turn, nil
}

// discard removes the table if no entry is left in it.
func (t table) discard() {
	if names, err := t.names(); err == nil && len(names) == 0 {
		_ = os.Remove(filepath.Join(string(t), turnFile))
		_ = os.Remove(string(t))
	}
}

func (t table) names() (names []string, err error) {
	dir, err := os.Open(string(t))
	if err != nil {
		return nil, err
	}
	all, err := dir.Readdirnames(-1)
	for _, name := range all {
		if name != turnFile {
			names = append(names, name)
		}
	}
	return names, errors.Join(err, dir.Close())
}

// A handle is the entry of an open handle.
type handle struct {
	access, share uint32
	owner         string
}

func (h handle) String() string { return fmt.Sprintf("handle %d %d %s", h.access, h.share, h.owner) }

// A heldLock is the entry of a lock. Its number tells it from all others that the process ever had.
type heldLock struct {
	lock
	number uint64
}

func (l heldLock) String() string {
	return fmt.Sprintf("lock %d %d %t %s %d", l.offset, l.length, l.exclusive, l.owner, l.number)
}

// read returns the entries of processes that live, and removes the others.
func (t table) read() (handles []handle, locks []heldLock, err error) {
	names, err := t.names()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		alive, err := t.alive(name)
		if err != nil {
			return nil, nil, err
		}
		var h handle
		var l heldLock
		switch {
		case !alive:
			err = os.Remove(filepath.Join(string(t), name))
		case strings.HasPrefix(name, "handle "):
			_, err = fmt.Sscanf(name, "handle %d %d %s", &h.access, &h.share, &h.owner)
			handles = append(handles, h)
		default:
			_, err = fmt.Sscanf(name, "lock %d %d %t %s %d", &l.offset, &l.length, &l.exclusive, &l.owner, &l.number)
			locks = append(locks, l)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return handles, locks, nil
}

func (t table) alive(name string) (bool, error) {
	file, err := os.OpenFile(filepath.Join(string(t), name), os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	err = flock(file, syscall.LOCK_SH|syscall.LOCK_NB) // shared, as in await: those who ask do not look like the owner
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, file.Close()
	}
	return false, errors.Join(err, release(file))
}

// await returns when the entry's process has let go of it, or has removed it. The caller must not have the turn.
func (t table) await(name string) error {
	file, err := os.OpenFile(filepath.Join(string(t), name), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(flock(file, syscall.LOCK_SH), file.Close())
}

// An entry is one of this process.
type entry struct {
	path string
	file *os.File
}

func (t table) add(name string) (*entry, error) {
	path := filepath.Join(string(t), name)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(file, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, os.Remove(path), file.Close())
	}
	return &entry{path, file}, nil
}

// remove takes the entry out of the table. The caller has the turn.
func (e *entry) remove() error { return errors.Join(os.Remove(e.path), release(e.file)) }

// release unlocks and closes: a child that is just being started may have the file for a moment longer.
func release(file *os.File) error { return errors.Join(flock(file, syscall.LOCK_UN), file.Close()) }

func flock(file *os.File, how int) error {
	for {
		if err := syscall.Flock(int(file.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// sweep removes, once in a process, the entries and tables that processes left behind which did not close their files.
var sweep = sync.OnceFunc(func() {
	tables, err := os.ReadDir(root())
	if err != nil {
		return // there are none, or open will report why
	}
	for _, dir := range tables {
		t := table(filepath.Join(root(), dir.Name()))
		_ = t.use(func() error { _, _, err := t.read(); return err })
	}
})
