package guide

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"example/turnstile/internal/atomicfile"
)

// stateFolder is where the guide keeps what it must remember for one learner. The go command skips directories whose names
// begin with a dot, so nothing in it is ever part of a build.
const stateFolder = ".turnstile"

// notebookVersion is the version of notebook.json. A file with a higher one was written by a newer guide: it is left
// alone.
const notebookVersion = 1

// lockPatience is how long one guide waits for another that is writing. Writing takes milliseconds.
const lockPatience = 5 * time.Second

// A notebook remembers which hints a learner has seen. The guide remembers nothing else: progress is what the tests
// report, each time.
//
// Updates are serialized between processes by an advisory lock on a sidecar that is never removed, and each replaces the
// file as a whole (package atomicfile), so a reader sees the document before or after an update and nothing in between, and a
// process that is killed loses at most the update that it was about to make.
type notebook struct {
	folder string
	// patience is how long an update waits for another guide.
	patience time.Duration
}

// openNotebook returns the notebook of the workbook at root. It touches no file.
func openNotebook(root string) *notebook {
	return &notebook{folder: filepath.Join(root, stateFolder), patience: lockPatience}
}

func (n *notebook) file() string { return filepath.Join(n.folder, "notebook.json") }

// page is the document in notebook.json.
type page struct {
	Version int `json:"version"`
	// Hints counts the hints shown for each exercise, by its directory name.
	Hints map[string]int `json:"hints"`
}

// A damagedError says that the document cannot be read as one.
type damagedError struct {
	path  string
	cause error
}

func (e *damagedError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.path, e.cause) }
func (e *damagedError) Unwrap() error { return e.cause }

// errNewerGuide says that the document belongs to a newer guide.
var errNewerGuide = errors.New("it was written by a newer version of the guide; take the newer workbook, or remove the file")

// hints returns the number of hints shown for each exercise. A notebook that does not exist yet is an empty one.
// It takes no lock: the file is only ever replaced as a whole. It may return a *damagedError, errNewerGuide, or the
// error of reading the file.
func (n *notebook) hints() (map[string]int, error) {
	content, err := atomicfile.Read(n.file())
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]int{}, nil
	}
	if err != nil {
		return nil, err
	}
	return decodePage(n.file(), content)
}

func decodePage(path string, content []byte) (map[string]int, error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	var p page
	if err := decoder.Decode(&p); err != nil {
		return nil, &damagedError{path, err}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, &damagedError{path, errors.New("there is something after the document")}
	}
	if p.Version > notebookVersion {
		return nil, fmt.Errorf("%s: %w", path, errNewerGuide)
	}
	if p.Version < 1 || p.Hints == nil {
		return nil, &damagedError{path, errors.New("it is JSON, but not a notebook of the guide")}
	}
	for id, count := range p.Hints {
		if count < 0 {
			return nil, &damagedError{path, fmt.Errorf("%d hints for %s", count, id)}
		}
	}
	return p.Hints, nil
}

// update changes the notebook under the lock. If the document on disk is damaged it is set aside first, and asideName is
// the path it has now; the change then starts from an empty notebook. update waits at most n.patience for another guide.
func (n *notebook) update(ctx context.Context, change func(hints map[string]int)) (asideName string, err error) {
	if err := os.MkdirAll(n.folder, 0o755); err != nil {
		return "", err
	}
	unlock, err := n.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()

	hints, err := n.hints()
	if damaged := (*damagedError)(nil); errors.As(err, &damaged) {
		if asideName, err = n.setAside(); err != nil {
			return "", err
		}
		hints = map[string]int{}
	}
	if err != nil {
		return asideName, err
	}
	change(hints)
	return asideName, n.save(hints)
}

// lock takes the lock that serializes updates. The sidecar is never removed: otherwise a process that waits for it would wait for a
// file that the next one no longer finds.
func (n *notebook) lock(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, n.patience)
	defer cancel()
	sidecar := flock.New(filepath.Join(n.folder, "notebook.lock"), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o644))
	_, err = sidecar.TryLockContext(ctx, 10*time.Millisecond)
	if errors.Is(err, context.DeadlineExceeded) {
		_ = sidecar.Close()
		return nil, fmt.Errorf("another guide has held %s for %v; end it and try again", sidecar.Path(), n.patience)
	}
	if err != nil {
		_ = sidecar.Close()
		return nil, fmt.Errorf("lock %s: %w", sidecar.Path(), err)
	}
	// Closing the file releases the lock; no caller could act on its error.
	return func() { _ = sidecar.Close() }, nil
}

// setAside renames the damaged document to a dated name that does not exist yet.
func (n *notebook) setAside() (string, error) {
	stamp := time.Now().Format("2006-01-02-150405")
	for i := 1; ; i++ {
		aside := filepath.Join(n.folder, "notebook.json.damaged-"+stamp+numbered(i))
		// The lock is held, so no other guide takes the name between this check and the rename.
		if _, err := os.Lstat(aside); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		return aside, atomicfile.Rename(n.file(), aside)
	}
}

// numbered makes the i-th name of one second different from the first.
func numbered(i int) string {
	if i == 1 {
		return ""
	}
	return fmt.Sprintf("_%d", i)
}

// save replaces the document. The caller holds the lock, so no temporary file is in use.
func (n *notebook) save(hints map[string]int) error {
	content, err := json.MarshalIndent(page{Version: notebookVersion, Hints: hints}, "", "  ")
	if err != nil {
		return err
	}
	atomicfile.Sweep(n.file())
	return atomicfile.Replace(n.file(), append(content, '\n'))
}
