// Package primitives measures what the smallest steps cost, each as a multiple of one system call.
package primitives

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/alexflint/go-filemutex"
	gofrs "github.com/gofrs/flock"
	"github.com/natefinch/atomic"
	"github.com/rogpeppe/go-internal/lockedfile"

	"example/turnstile/bench/results"
	"example/turnstile/bench/rounds"
	"example/turnstile/exercises/11_locked_file/filelock"
	atomicreplace "example/turnstile/solutions/06_atomic_replace"
	ours "example/turnstile/solutions/11_locked_file"
	contention "example/turnstile/solutions/12_contention"
)

// The names of rows that others refer to.
const (
	SystemCall = "one system call"
	BareFlock  = "flock(2)"
	Handle     = "filelock.Handle (11)"
	Gofrs      = "gofrs/flock"
	OpenFile   = "OpenFile (11)"
	Fair       = "fair Lock (12)"
	WriteFile  = "WriteFile (06)"
	inPlace    = "in place"
)

// Goals are what lesson 11 promises about a lock that no one else wants.
var Goals = []results.Goal{
	{Part: "primitives", Series: "handle", Row: Handle, Beside: BareFlock, Unit: "ns/op", AtMost: 1.2},
	{Part: "primitives", Series: "path", Row: OpenFile, Beside: Gofrs, Unit: "ns/op", AtMost: 1},
}

// An op is a call that is made again and again.
type op struct {
	name, how string
	guarantee results.Guarantee
	call      func() error
	check     func(n int) error
}

// A systemLock is a pair of lock and unlock that the kernel has.
type systemLock struct {
	name      string
	guarantee results.Guarantee
	pair      func(*os.File) error
}

// Steps measures on handles, on paths, and on whole files, in a directory at the place.
func Steps(s rounds.Settings, place, dir string) []rounds.Step {
	step := func(series, title, reference string, make func(dir string) ([]op, func() error, error)) rounds.Step {
		c := results.Comparison{Part: "primitives", Series: series, Title: title, Place: place, Unit: "ns/op", Base: SystemCall, Ours: reference}
		return rounds.Step{Name: c.Name(), Run: func(ctx context.Context) (done []results.Comparison, err error) {
			dir, err := os.MkdirTemp(dir, "primitives-")
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
			ops, closing, err := make(dir)
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, closing()) }()
			var contestants []rounds.Contestant
			for _, o := range ops {
				contestants = append(contestants, rounds.Contestant{
					Name: o.name, How: o.how, Guarantee: o.guarantee, Round: rounds.Timed(o.call, o.check),
				})
			}
			return rounds.Compare(ctx, c, s.Rounds, s.Length, contestants)
		}}
	}
	return []rounds.Step{
		step("handle", "A lock and an unlock on an open file that no one else wants", Handle, onHandle),
		step("path", "Open, lock, unlock, close", OpenFile, onPath),
		step("replace", "Replace a file of 4 KiB", WriteFile, onFile),
	}
}

func onHandle(dir string) ([]op, func() error, error) {
	ops := systemOps()
	var files []*os.File
	closing := func() (err error) {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
		return err
	}
	for _, l := range systemLocks() {
		file, err := os.Create(filepath.Join(dir, fmt.Sprintf("kept-%d", len(files))))
		if err != nil {
			return nil, closing, err
		}
		files = append(files, file)
		ops = append(ops, op{l.name, "two bare system calls", l.guarantee, func() error { return l.pair(file) }, nil})
	}
	file, err := os.Create(filepath.Join(dir, "kept"))
	if err != nil {
		return nil, closing, err
	}
	files = append(files, file)
	handle, err := filelock.New(file)
	if err != nil {
		return nil, closing, err
	}
	return append(ops, op{Handle, "Lock and Unlock of one Handle, with a context that does not end", results.Exclusion, func() error {
		if err := handle.Lock(context.Background(), filelock.Exclusive); err != nil {
			return err
		}
		return handle.Unlock()
	}, nil}), closing, nil
}

func onPath(dir string) ([]op, func() error, error) {
	ctx := context.Background()
	path := func(name string) string { return filepath.Join(dir, name) }
	theirs, fair := path("lockedfile"), path("fair")
	ops := append(systemOps(), []op{
		{"open and close", "os.OpenFile with O_RDWR and O_CREATE", results.None, func() error {
			f, err := os.OpenFile(path("plain"), os.O_RDWR|os.O_CREATE, 0o600)
			if err != nil {
				return err
			}
			return f.Close()
		}, nil},
		{"O_EXCL lock file", "create with O_EXCL, close, remove", results.Stale, func() error { return exclusiveFile(path("excl")) }, nil},
		{Gofrs, "New, Lock, Unlock, as its documentation does: O_RDONLY and O_CREATE", results.Exclusion, func() error {
			l := gofrs.New(path("gofrs"))
			if err := l.Lock(); err != nil {
				return err
			}
			return l.Unlock()
		}, nil},
		{"lockedfile.Mutex", "MutexAt(path).Lock, then what it returns", results.Exclusion, func() error {
			unlock, err := lockedfile.MutexAt(theirs).Lock()
			if err != nil {
				return err
			}
			unlock()
			return nil
		}, nil},
		{"go-filemutex", "New, Lock, Close, which unlocks", results.Exclusion, func() error {
			m, err := filemutex.New(path("filemutex"))
			if err != nil {
				return err
			}
			return errors.Join(m.Lock(), m.Close())
		}, nil},
		{OpenFile, "OpenFile with O_RDWR and O_CREATE, Close", results.Exclusion, func() error {
			f, err := ours.OpenFile(ctx, path("ours"), os.O_RDWR|os.O_CREATE, 0o600)
			if err != nil {
				return err
			}
			return f.Close()
		}, nil},
		{Fair, "Lock, Unlock: two files, for the line", results.Exclusion, func() error {
			l, err := contention.Lock(ctx, fair)
			if err != nil {
				return err
			}
			return l.Unlock()
		}, nil},
	}...)
	if program, err := exec.LookPath("flock"); err == nil {
		ops = append(ops, op{"flock(1)", "util-linux: most of it is the start of two programs", results.None, func() error {
			return exec.Command(program, path("command"), "true").Run()
		}, nil})
	}
	return ops, func() error { return nil }, nil
}

func exclusiveFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(path))
}

// onFile has each contestant replace a file of its own. Each call writes another content; the check reads the last one back.
func onFile(dir string) ([]op, func() error, error) {
	kept, err := os.Create(filepath.Join(dir, "in place"))
	if err != nil {
		return nil, nil, err
	}
	contents := func() func() []byte {
		n, all := 0, [2][]byte{bytes.Repeat([]byte("a"), 4096), bytes.Repeat([]byte("b"), 4096)}
		return func() []byte { n++; return all[n%2] }
	}
	ops := systemOps()
	add := func(name, how string, guarantee results.Guarantee, write func(path string, data []byte) error) {
		path, next, last := filepath.Join(dir, fmt.Sprintf("file-%d", len(ops))), contents(), []byte(nil)
		if name == inPlace {
			path = kept.Name()
		}
		ops = append(ops, op{name, how, guarantee, func() error {
			last = next()
			return write(path, last)
		}, func(int) error {
			found, err := os.ReadFile(path)
			if err == nil && !bytes.Equal(found, last) {
				err = errors.New("the file does not hold what was written last")
			}
			return err
		}})
	}
	add(inPlace, "WriteAt on an open file", results.Unsafe, func(_ string, data []byte) error {
		_, err := kept.WriteAt(data, 0)
		return err
	})
	add("os.WriteFile", "which truncates, and writes", results.Unsafe, func(path string, data []byte) error {
		return os.WriteFile(path, data, 0o600)
	})
	add("temp and rename", "os.CreateTemp, Write, Close, os.Rename", results.KillSafe, func(path string, data []byte) error {
		return Replace(path, data, results.KillSafe)
	})
	add("temp, fsync, rename", "and Sync before Close", results.Whole, func(path string, data []byte) error {
		return Replace(path, data, results.Whole)
	})
	add("natefinch/atomic", "WriteFile, which has an fsync of the file", results.Whole, func(path string, data []byte) error {
		return atomic.WriteFile(path, bytes.NewReader(data))
	})
	add("google/renameio", "WriteFile, which has an fsync of the file", results.Whole, func(path string, data []byte) error {
		return RenameIO(path, data)
	})
	add("temp, two fsyncs, rename", "and an fsync of the directory after the rename", results.Durable, func(path string, data []byte) error {
		return Replace(path, data, results.Durable)
	})
	add("renameio, directory fsync", "WriteFile, then an fsync of the directory, which renameio leaves to its caller", results.Durable,
		func(path string, data []byte) error {
			return errors.Join(RenameIO(path, data), SyncDirectory(path))
		})
	add(WriteFile, "WriteFile of lesson 06", results.Durable, func(path string, data []byte) error {
		return atomicreplace.WriteFile(path, data, 0o600)
	})
	return ops, kept.Close, nil
}

// Replace replaces a file by hand, with as many fsyncs as the guarantee needs.
func Replace(path string, data []byte, guarantee results.Guarantee) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".by-hand-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if err == nil && guarantee != results.KillSafe {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil || guarantee != results.Durable {
		return err
	}
	return SyncDirectory(path)
}

// SyncDirectory brings the name of the file at path to the disk.
func SyncDirectory(path string) error {
	opened, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}

// Fsyncs returns a contestant that writes 4 KiB in place and waits for the disk, as often as it can: what the disk itself allows.
func Fsyncs(dir, unit string) rounds.Contestant {
	return rounds.Contestant{
		Name: "raw fsync", How: "4 KiB in place and an fsync, one after the other", Guarantee: results.None,
		Round: func(ctx context.Context, length time.Duration) (s rounds.Samples, err error) {
			file, err := os.CreateTemp(dir, "fsync-")
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
			data := make([]byte, 4096)
			timed, err := rounds.Timed(func() error {
				_, err := file.WriteAt(data, 0)
				return errors.Join(err, file.Sync())
			}, nil)(ctx, length)
			if err != nil {
				return nil, err
			}
			return rounds.Samples{unit: 1e9 / timed["ns/op"]}, nil
		},
	}
}
