// Package objects is the part of lesson 14's repository that is given: names, directories, listing, removing, and the quota.
package objects

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"sync"

	"example/turnstile/exercises/06_atomic_replace/busy"
	"example/turnstile/exercises/06_atomic_replace/directory"
)

// Perm and DirPerm are what files and directories of a store are made with. The umask takes away from that what it takes away.
const (
	Perm    fs.FileMode = 0o644
	DirPerm fs.FileMode = 0o755
)

const (
	objectsDir = "objects"
	tempDir    = "tmp"
)

// Options are the choices of a store.
type Options struct {
	// Quota is how many bytes of content the store may hold. 0 is no limit. See Room.
	Quota int64
}

// A Store is a directory that holds objects. Its methods may be called from many goroutines, and many processes may have it open.
type Store struct {
	// Root is the open directory. Its methods take names relative to it, such as Name and TempName return, and refuse each one that leads
	// out of it, be it through a symbolic link (os.Root). It stays this directory when its path gets another meaning: after a Chdir, or
	// when the directory is renamed.
	Root *os.Root

	quota   int64
	durable sync.Map // directories of which this process knows that their names are on the disk

	mutex    sync.Mutex // guards these:
	counted  int64      // bytes of all objects, when they were last counted
	since    int64      // bytes of uploads that have ended since then
	underway int64      // bytes of uploads that have not ended
}

// Create makes a new store in the directory at dir, which must exist: a mistyped path is an error that matches fs.ErrNotExist, and does
// not become a directory. If there is a store, the error matches fs.ErrExist.
func Create(dir string, options Options) (*Store, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("create a repository: %w; the directory must exist: is the path right?", err)
	}
	// The objects' directory comes last: Open takes no store that is half made.
	if err = root.Mkdir(tempDir, DirPerm); errors.Is(err, fs.ErrExist) {
		err = nil // a Create that was killed has made it, or one that runs now
	}
	if err == nil {
		err = root.Mkdir(objectsDir, DirPerm)
	}
	if err == nil {
		err = syncDirectory(root, ".")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create a repository in %s: %w; Open opens one that exists", dir, err), root.Close())
	}
	return newStore(root, options), nil
}

// Open opens the store in the directory at dir. It makes nothing: where there is no store, the error matches fs.ErrNotExist.
func Open(dir string, options Options) (*Store, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open a repository: %w; is the path right?", err)
	}
	for _, name := range []string{objectsDir, tempDir} {
		info, err := root.Stat(name)
		if err == nil && !info.IsDir() {
			err = &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("not a directory: %w", fs.ErrInvalid)}
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open the repository in %s: %w; is the path right? Create makes a new one", dir, err), root.Close())
		}
	}
	return newStore(root, options), nil
}

func newStore(root *os.Root, options Options) *Store {
	return &Store{Root: root, quota: options.Quota, counted: math.MaxInt64} // not counted yet
}

// Close closes the directory. Handles of objects stay open.
func (s *Store) Close() error { return s.Root.Close() }

// TempName returns a name for a new temporary file, relative to Root: on the same file system as the objects, and with 128 random bits, so
// that no two calls return the same name, in no process, ever.
func (s *Store) TempName() string { return path.Join(tempDir, rand.Text()) }

// RemoveTemp removes a temporary file. If a Sweep was faster, that is not an error.
func (s *Store) RemoveTemp(name string) error {
	if err := s.Root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// OpenFile opens the object's file for reading, through Root, and returns its size. If there is none, the error matches fs.ErrNotExist.
// What is not a regular file is an error, a symbolic link too.
func (s *Store) OpenFile(id ID) (file *os.File, size int64, err error) {
	if _, err := s.lstat(id); err != nil { // before it is opened: the open of a pipe waits for a writer
		return nil, 0, err
	}
	file, err = s.Root.Open(Name(id))
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat() // Put may have replaced it
	if err != nil {
		_ = file.Close() // nothing was read from it
		return nil, 0, err
	}
	return file, info.Size(), nil
}

// lstat returns what has the object's name, which must be a regular file.
func (s *Store) lstat(id ID) (fs.FileInfo, error) {
	info, err := s.Root.Lstat(Name(id))
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("not a regular file (%v): %w; move it out of the repository", info.Mode(), fs.ErrInvalid)
	}
	return info, err
}

// A Directory is the one that an object belongs in, open. Its Sync returns once the names in it are on the disk, or with the error of the
// kernel; on Windows it does nothing.
type Directory = directory.Directory

// Directory opens the directory for the object, and makes it if it is missing. Once it returns, the name of the directory is on the disk.
// Close it.
func (s *Store) Directory(id ID) (*Directory, error) {
	name := directoryOf(id)
	opened, err := directory.OpenIn(s.Root, name)
	if _, known := s.durable.Load(name); known && err == nil {
		return opened, nil
	}
	// It may exist, made by a process that has been killed since: its name need not be on the disk.
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.Root.MkdirAll(name, DirPerm); err == nil {
			opened, err = directory.OpenIn(s.Root, name)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(syncDirectory(s.Root, path.Dir(name)), syncDirectory(s.Root, objectsDir)); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	s.durable.Store(name, true)
	return opened, nil
}

// Rename gives the temporary file the object's name, in one step, whatever has that name now. On Windows it tries again while another
// program has one of the two files open, as long as lesson 06's package busy does.
func (s *Store) Rename(temp string, id ID) error { return busy.RenameIn(s.Root, temp, Name(id)) }

// Stat returns the object if it exists, without a look at its content. Otherwise the error matches fs.ErrNotExist.
func (s *Store) Stat(ctx context.Context, id ID) (Object, error) {
	if err := ctx.Err(); err != nil {
		return Object{}, fmt.Errorf("object %v: %w", id, err)
	}
	info, err := s.lstat(id)
	if err != nil {
		return Object{}, fmt.Errorf("object %v: %w", id, err)
	}
	return Object{id, info.Size()}, nil
}

// Remove removes the object. If there is none, the error matches fs.ErrNotExist. A reader that has it open can read on to the end, on Unix
// and on Windows. A power cut may bring the object back.
func (s *Store) Remove(ctx context.Context, id ID) error {
	if _, err := s.Stat(ctx, id); err != nil {
		return fmt.Errorf("remove %w", err)
	}
	if err := s.Root.Remove(Name(id)); err != nil {
		return fmt.Errorf("remove object %v: %w", id, err)
	}
	return nil
}

func syncDirectory(root *os.Root, name string) error {
	opened, err := directory.OpenIn(root, name)
	if err != nil {
		return err
	}
	err = opened.Sync()
	_ = opened.Close() // it was open for reading
	return err
}

// Until returns a reader that reads from content until ctx ends, which it asks before each Read. Then it fails with the context's error.
func Until(ctx context.Context, content io.Reader) io.Reader { return &until{ctx, content} }

type until struct {
	ctx context.Context
	io.Reader
}

func (u *until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Reader.Read(p)
}
