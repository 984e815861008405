//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package winfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"
)

// What a handle may do.
const (
	mayRead  = 1
	mayWrite = 2
)

// A file is a handle of the model. Its entries in the table stand for itself and for its locks.
type file = *modelFile

type modelFile struct {
	data       *os.File
	table      table
	owner      string // names the handle among those of all processes
	number     Handle
	access     uint32
	overlapped bool

	mu     sync.Mutex // guards what is below, against requests that are pending
	closed bool
	opened *entry
	locks  []ownLock
}

var (
	lastOwner atomic.Uint64
	files     sync.Map // the open handles: a Handle to a weak.Pointer, so that a File that nothing refers to is closed
)

func open(path string, flag int, perm fs.FileMode, share, flags uint32) (file, error) {
	sweep()
	data, err := os.OpenFile(path, flag&^os.O_TRUNC, perm)
	if err != nil {
		return nil, err
	}
	f := &modelFile{data: data, access: accessOf(flag), overlapped: flags&FILE_FLAG_OVERLAPPED != 0}
	if err := f.register(share); err != nil {
		return nil, errors.Join(err, data.Close())
	}
	if flag&os.O_TRUNC != 0 {
		if err := data.Truncate(0); err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	return f, nil
}

// accessOf returns what Go asks Windows for: an append-only handle gets neither GENERIC_READ nor GENERIC_WRITE.
func accessOf(flag int) (access uint32) {
	switch flag & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR) {
	case os.O_RDONLY:
		access = mayRead
	case os.O_WRONLY:
		access = mayWrite
	case os.O_RDWR:
		access = mayRead | mayWrite
	}
	if flag&os.O_CREATE != 0 {
		access |= mayWrite
	}
	if flag&os.O_APPEND != 0 && flag&os.O_TRUNC == 0 {
		access &^= mayWrite
	}
	return access
}

// register puts the handle among those of the file, unless the share modes keep it out.
func (f *modelFile) register(share uint32) (err error) {
	info, err := f.data.Stat()
	if err != nil {
		return err
	}
	f.table = tableOf(info)
	f.owner = fmt.Sprintf("%d-%d", os.Getpid(), lastOwner.Add(1))
	err = f.table.use(func() error {
		others, _, err := f.table.read()
		if err != nil {
			return err
		}
		for _, other := range others {
			if f.access&^other.share != 0 || other.access&^share != 0 {
				return ERROR_SHARING_VIOLATION
			}
		}
		f.opened, err = f.table.add(handle{access: f.access, share: share, owner: f.owner}.String())
		return err
	})
	if err == nil {
		f.number = number(f)
	}
	return err
}

// number gives the handle the lowest number that is free. As on Windows, it is given away again after a close.
func number(f *modelFile) Handle {
	pointer := weak.Make(f)
	for n := Handle(0x100); ; n += 4 {
		if _, taken := files.LoadOrStore(n, pointer); !taken {
			runtime.AddCleanup(f, func(n Handle) { files.CompareAndDelete(n, pointer) }, n)
			return n
		}
	}
}

func (f *modelFile) handle() Handle {
	if f.closed {
		return ^Handle(0) // INVALID_HANDLE_VALUE
	}
	return f.number
}

var errOverlapped = fmt.Errorf("%w: this file was opened with FILE_FLAG_OVERLAPPED, for locks alone", errors.ErrUnsupported)

func (f *modelFile) size() (int64, error) {
	if f.overlapped {
		return 0, errOverlapped
	}
	info, err := f.data.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *modelFile) truncate(size int64) error {
	if f.overlapped {
		return errOverlapped
	}
	return f.data.Truncate(size)
}

func (f *modelFile) readAt(p []byte, offset int64) (int, error) {
	return f.transfer(f.data.ReadAt, p, offset, false)
}

func (f *modelFile) writeAt(p []byte, offset int64) (int, error) {
	return f.transfer(f.data.WriteAt, p, offset, true)
}

// transfer reads or writes unless a lock is in the way. No lock comes or goes meanwhile.
func (f *modelFile) transfer(call func([]byte, int64) (int, error), p []byte, offset int64, writes bool) (n int, err error) {
	if f.overlapped {
		return 0, errOverlapped
	}
	if f.closed || offset < 0 || len(p) == 0 {
		return call(p, offset)
	}
	err = f.table.use(func() error {
		_, locks, err := f.table.read()
		if err != nil {
			return err
		}
		access := lock{span: span{uint64(offset), uint64(len(p))}, exclusive: writes, owner: f.owner}
		if slices.ContainsFunc(locks, func(held heldLock) bool { return access.keptOut(held.lock) }) {
			return ERROR_LOCK_VIOLATION
		}
		n, err = call(p, offset)
		return err
	})
	return n, err
}

func (f *modelFile) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return fs.ErrClosed
	}
	f.closed = true
	files.Delete(f.number)
	locks := f.locks
	f.locks = nil
	if len(locks) == 0 {
		return errors.Join(f.table.use(f.opened.remove), f.data.Close())
	}
	// The data stays open until the locks are gone, so that its number cannot become another file's.
	time.AfterFunc(Late, func() {
		_ = f.table.use(func() error {
			for _, held := range locks {
				_ = held.remove()
			}
			return nil
		})
		_ = f.data.Close()
	})
	return f.table.use(f.opened.remove)
}

func find(h Handle) (*modelFile, error) {
	if pointer, ok := files.Load(h); ok {
		if f := pointer.(weak.Pointer[modelFile]).Value(); f != nil {
			return f, nil
		}
	}
	return nil, ERROR_INVALID_HANDLE
}

func nameOf(h Handle) string {
	if f, err := find(h); err == nil {
		return f.data.Name()
	}
	return ""
}

func remove(path string) error {
	err := inTurn([]string{path}, func() error {
		if named(path, 0) {
			return ERROR_SHARING_VIOLATION
		}
		return os.Remove(path)
	})
	if err != nil {
		return &fs.PathError{Op: "remove", Path: path, Err: bare(err)}
	}
	return nil
}

func rename(from, to string) error {
	err := inTurn([]string{from, to}, func() error {
		switch {
		case named(from, 0):
			return ERROR_SHARING_VIOLATION
		case named(to, FILE_SHARE_DELETE):
			return ERROR_ACCESS_DENIED
		}
		return os.Rename(from, to)
	})
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		err = link.Err
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// inTurn has the turn of each path's table, always in the same order, while change runs.
func inTurn(paths []string, change func() error) error {
	var tables []table
	for _, path := range paths {
		if t, ok := tableAt(path); ok {
			tables = append(tables, t)
		}
	}
	slices.Sort(tables)
	for _, t := range slices.Compact(tables) {
		next := change
		change = func() error { return t.use(next) }
	}
	return change()
}

func tableAt(path string) (table, bool) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return "", false // it has no handles, or change will report what is wrong
	}
	return tableOf(info), true
}

// named reports whether a handle keeps the name of the file at path: one that does not share deletion, or any if forbidden has that mode.
func named(path string, forbidden uint32) bool {
	t, ok := tableAt(path)
	if !ok {
		return false
	}
	handles, _, err := t.read()
	return err != nil || slices.ContainsFunc(handles, func(h handle) bool {
		return h.share&FILE_SHARE_DELETE == 0 || forbidden == FILE_SHARE_DELETE
	})
}
