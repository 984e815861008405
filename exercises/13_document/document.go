// Package document keeps a JSON document in a file that many goroutines and many programs share: what they read is whole and valid, what
// they change is not lost, and what has been acknowledged survives a power cut.
//
// It puts together a lock around every call (lessons 05, 11, 12), strict loading (04), and a durable replacement in one step (06). The file
// looks like this (package format):
//
//	{"version":1,"generation":7,"content":{…}}
//
// Beside the document at PATH are PATH.bak, the generation before, and the lock's two files, PATH.lock and PATH.lock.next (package
// lockfile). They are empty. Never remove them while a program may use the document.
package document

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"example/turnstile/exercises/06_atomic_replace/place"
	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/exercises/13_document/files"
	"example/turnstile/exercises/13_document/format"
	"example/turnstile/exercises/13_document/lockfile"
)

// A CorruptError reports that a file is not exactly one valid document. Nothing overwrites such a file; Recover sets it aside.
type CorruptError = format.CorruptError

// A VersionError reports that a newer program has written the document, which is not damaged.
type VersionError = format.VersionError

var (
	// ErrEmpty is what errors.Is finds in the error for a file of no bytes, which is a *CorruptError.
	ErrEmpty = format.ErrEmpty
	// ErrSaved is matched by the error of a call that failed only when all that it had to save was in place: to call again would make the
	// change twice. After any other error the file is as it was; so it is after an error of change, whatever that matches.
	ErrSaved = files.ErrSaved
	// ErrNotDurable is matched by an error that matches ErrSaved, if a power cut may bring the old generation back.
	ErrNotDurable = files.ErrNotDurable
)

// Options say how a document is kept. The zero Options are ready to use.
type Options[T any] struct {
	// Validate returns an error, which calls wrap, for a content that no file may hold. It judges what is loaded, or would be after a save,
	// and perhaps what change has left; it judges by the content alone, and must not change it. Nil accepts everything.
	Validate func(*T) error
	// Perm is the mode of a document that Create makes, and of new lock files, less the umask; 0 means 0644. A document that exists
	// keeps its mode.
	Perm fs.FileMode
}

// A Document is a JSON document in a file. Any number of goroutines may call its methods, and any number of Documents and of programs may
// share the file.
//
// A call waits in the kernel, without polling, and in line (package lockfile). It gives the lock back and begins again only if a symbolic
// link leads elsewhere by then. All its work is done in the goroutine of its caller, who can recover each panic.
//
// The lock is advisory: a program that writes the file without it may destroy the work of others.
type Document[T any] struct {
	path     string
	finder   files.Finder
	validate func(*T) error
	perm     fs.FileMode
}

// New returns the document in the file at path. It reads and creates nothing: Create makes a new document.
//
// A relative path is one in the directory that is the working directory now. All symbolic links on the path are followed when the lock is
// taken, and the work is done on the file that they lead to at that moment, and beside it: all names of a document but hard links have one
// lock.
func New[T any](path string, options Options[T]) *Document[T] {
	d := &Document[T]{path: files.Absolute(path), validate: options.Validate, perm: options.Perm}
	if d.perm == 0 {
		d.perm = 0o644
	}
	return d
}

// View calls use with the content of the document. No Update is at work meanwhile, in any process; other Views may be.
//
// The content belongs to use, which may change and keep it. View writes nothing but the lock files, if they do not exist. Its error wraps
// that of use. Whatever the end, nothing stays locked; if the kernel refuses that, the error wraps the refusal too.
//
// Without calling use it fails, with an error that names the file,
//
//   - if ctx has ended, or ends before the lock is there: the error matches ctx.Err()
//   - if there is no file: the error matches fs.ErrNotExist
//   - if the file is not exactly one valid document, or Validate refuses its content: a *CorruptError, with the path of the backup if
//     there is one, good or not
//   - if the document is of a newer version: a *VersionError
//   - if the kernel refuses a step, such as the lock: the error wraps the refusal
//
// It judges what the file holds now, whatever is kept in memory.
func (d *Document[T]) View(ctx context.Context, use func(content *T) error) (err error) {
	at, held, err := d.lock(ctx, filelock.Shared)
	if err != nil {
		return fmt.Errorf("view: %w", err)
	}
	content, _, err := d.load(at)
	if err != nil {
		return fmt.Errorf("view: %w", errors.Join(err, held.Unlock()))
	}
	// TODO: how many ways lead out of use, and which of them give the lock back?
	return errors.Join(use(content), held.Unlock())
}

// Update calls change with the content of the document, and makes what change leaves in it the next generation. Nothing else is at work on
// the document meanwhile, in any process: no Update is lost.
//
// When it returns nil, the new generation is in the file and, by fsync(2) of it and of the directory, survives a power cut; the one before
// is the backup. At every moment, even after a process crash, the file is the old generation or the new one, whole. Both have the mode that
// the file had, and its owner as far as the system lets them.
//
// The file stays as it was
//
//   - where View would fail: change is not called then
//   - if change returns an error, which Update wraps, or if change or Validate panics or ends its goroutine
//   - if JSON has no form for what change has left, or the bytes could not be loaded again, strictly and with Validate
//   - if the kernel refuses a step: the error wraps the refusal. Only if it matches ErrSaved, the new generation is in place
//
// So does the backup, but after a refusal it may be missing, or be the same as the file. Whatever the end, nothing stays locked or open.
//
// ctx limits the waiting, for the lock and for other Updates, and nothing after that. Updates of one Document that wait together may share
// the next lock and write. Each has its own answer, made of what is written. If what change has seen is not, it may be called again, with
// another content: what it notes elsewhere it must set, and not add up.
//
// change must not use the same document, and would wait for itself. What it keeps of the content is its own afterwards.
func (d *Document[T]) Update(ctx context.Context, change func(content *T) error) error {
	b, err := d.open(ctx)
	if err != nil {
		return err
	}
	// TODO: change may fail, and it may panic. commit has to end the batch then too, but what may it write?
	err = b.apply(change)
	return errors.Join(err, b.commit())
}

// Create makes a document of generation 1 with that content, which stays the caller's own.
//
// If there is a file, whatever it holds, or a backup, nothing changes and the error matches fs.ErrExist: Recover brings a backup back. The
// directory must exist. Otherwise Create is like Update: in what it writes and when, in what ctx limits, and in what its errors mean.
func (d *Document[T]) Create(ctx context.Context, first *T) (err error) {
	at, held, err := d.lock(ctx, filelock.Exclusive)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	defer func() { err = release(held, err) }()
	for _, path := range []string{at.Path, backup(at)} {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("create %s: %w: %s; only Recover brings back a document", d.path, fs.ErrExist, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("create: %w", err)
		}
	}
	if err := d.save(at, 1, first, ""); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	return nil
}

// A batch is what one lock and one write are for: the work of an Update, or of several.
type batch[T any] struct {
	document   *Document[T]
	at         place.Place
	held       *lockfile.Held
	generation int64 // of the file
	content    *T    // with the changes so far
}

// open begins a batch: it takes the lock and loads the document. commit ends it, whether there is something to write or not.
func (d *Document[T]) open(ctx context.Context) (b *batch[T], err error) {
	at, held, err := d.lock(ctx, filelock.Exclusive)
	if err != nil {
		return nil, fmt.Errorf("update: %w", err)
	}
	defer func() {
		if b == nil { // load has failed, or Validate, which it calls, has panicked
			err = errors.Join(err, held.Unlock())
		}
	}()
	content, generation, err := d.load(at)
	if err != nil {
		return nil, fmt.Errorf("update: %w", err)
	}
	return &batch[T]{document: d, at: at, held: held, generation: generation, content: content}, nil
}

// apply makes one change. What Validate says of it is for save.
func (b *batch[T]) apply(change func(*T) error) error {
	return change(b.content)
}

// commit writes what the batch has become, and gives the lock back.
func (b *batch[T]) commit() (err error) {
	defer func() { err = release(b.held, err) }()
	if err := b.document.save(b.at, b.generation, b.content, backup(b.at)); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	return nil
}

// lock finds the file and locks it.
func (d *Document[T]) lock(ctx context.Context, mode filelock.Mode) (at place.Place, held *lockfile.Held, err error) {
	if err := ctx.Err(); err != nil {
		return at, nil, fmt.Errorf("%s: %w", d.path, err)
	}
	if at, err = d.finder.Find(d.path); err != nil {
		return at, nil, err
	}
	// TODO: the lock is on what has this name now. Which file has it when the next in line gets the lock?
	if held, err = lockfile.Lock(ctx, at.Path, mode, d.perm); err != nil {
		return at, nil, err
	}
	// What Find has seen may be gone: only now does the file hold still.
	now, err := d.finder.Find(d.path)
	if err != nil {
		return at, nil, errors.Join(err, held.Unlock())
	}
	if now.Path != at.Path { // a link leads elsewhere meanwhile, and this is the lock of another file
		if err := held.Unlock(); err != nil {
			return at, nil, err
		}
		return d.lock(ctx, mode)
	}
	return now, held, nil
}

// release gives the lock back and returns the error of a call that may have saved something: err, and what went wrong with the lock.
func release(held *lockfile.Held, err error) error {
	unlocked := held.Unlock()
	if err == nil && unlocked != nil {
		return fmt.Errorf("%w: %w", ErrSaved, unlocked)
	}
	return errors.Join(err, unlocked)
}

func backup(at place.Place) string { return at.Path + ".bak" }

// load returns the content of the file.
func (d *Document[T]) load(at place.Place) (content *T, generation int64, err error) {
	data, err := os.ReadFile(at.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("%w; Create makes a new document, Recover brings back a lost one", err)
	} else if err != nil {
		return nil, 0, err
	}
	// TODO: Unmarshal takes whatever fits. And what becomes of the bytes that it could not read?
	doc := struct {
		Version, Generation int64
		Content             *T
	}{Content: new(T)}
	if json.Unmarshal(data, &doc) != nil {
		return new(T), 0, nil
	}
	return doc.Content, doc.Generation, nil
}

// save replaces the file by one with that content, and keeps the old one at the path backup, if that is not empty.
func (d *Document[T]) save(at place.Place, generation int64, content *T, backup string) error {
	// TODO: what can be encoded, can it also be loaded? What does a power cut leave? And where is the generation before this one?
	data, _, err := format.Encode(at.Path, generation, content, nil)
	if err != nil {
		return err
	}
	temp := at.TempName()
	if err := os.WriteFile(temp, data, d.perm); err != nil {
		return err
	}
	return os.Rename(temp, at.Path)
}
