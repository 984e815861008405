// Package gate keeps uploads and the collection of garbage apart, in all programs that work in one directory.
//
// An object that has just been put has no home yet: no version has it. A collection at that moment takes it for garbage. So an upload goes
// through the gate, stays inside until its version is published, and any number of uploads are inside at once. A collection goes through
// alone. The gate is a file that is locked, and holds nothing: when a program dies, the kernel gives its pass back.
package gate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example/turnstile/exercises/06_atomic_replace/directory"
	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/exercises/13_document/files"
)

var (
	// ErrBusy is matched by the error of a Collect that finds an upload inside.
	ErrBusy = errors.New("an upload is under way")
	// ErrBarred is matched by the error of a Collect after a Bar.
	ErrBarred = errors.New("versions were lost, and what looks like garbage may be their content")
)

// A Gate is the file at a path, which is never removed.
type Gate string

// New returns the gate at path. A relative path is one in the directory that is the working directory now.
func New(path string) Gate { return Gate(files.Absolute(path)) }

// A Pass is the right to be inside, until Leave, or until the program ends.
type Pass struct {
	file   *os.File
	handle *filelock.Handle
}

// Upload waits until no collection is inside, or until ctx ends, and lets an upload in.
func (g Gate) Upload(ctx context.Context) (*Pass, error) {
	return g.enter("upload", func(h *filelock.Handle) error { return h.Lock(ctx, filelock.Shared) })
}

// Collect lets a collection in if no upload, and no other collection, is inside. It does not wait, because an upload may take hours: the
// error matches ErrBusy. After a Bar, it matches ErrBarred.
func (g Gate) Collect() (*Pass, error) {
	if err := g.barred(); err != nil {
		return nil, err
	}
	pass, err := g.enter("collect", func(h *filelock.Handle) error {
		err := h.TryLock(filelock.Exclusive)
		if errors.Is(err, filelock.ErrLocked) {
			err = ErrBusy
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := g.barred(); err != nil { // since the first look, before the lock
		return nil, errors.Join(err, pass.Leave())
	}
	return pass, nil
}

// barred returns an error that matches ErrBarred after a Bar.
func (g Gate) barred() error {
	if _, err := os.Lstat(g.bar()); err == nil {
		return fmt.Errorf("collect: %w; look at the objects, then remove %s", ErrBarred, g.bar())
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("collect: %w", err)
	}
	return nil
}

// Bar keeps all collections out, until a person removes the file PATH.barred. It survives a power cut.
func (g Gate) Bar() error {
	file, err := os.OpenFile(g.bar(), os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("bar the gate: %w", err)
	}
	err = errors.Join(file.Sync(), file.Close())
	dir, failed := directory.Open(filepath.Dir(g.bar()))
	if failed == nil {
		failed = errors.Join(dir.Sync(), dir.Close())
	}
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("bar the gate: %w", err)
	}
	return nil
}

func (g Gate) bar() string { return string(g) + ".barred" }

func (g Gate) enter(op string, lock func(*filelock.Handle) error) (*Pass, error) {
	file, err := os.OpenFile(string(g), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; this user must have access to the directory", op, err)
	}
	handle, err := filelock.New(file)
	if err == nil {
		err = lock(handle)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s through %s: %w", op, string(g), err), file.Close())
	}
	return &Pass{file, handle}, nil
}

// Leave gives the pass back, even if it returns an error: that may be passed over. A second Leave changes nothing.
func (p *Pass) Leave() error {
	if err := errors.Join(p.handle.Unlock(), p.file.Close()); err != nil {
		return fmt.Errorf("leave %s: %w", p.file.Name(), err)
	}
	return nil
}
