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
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// stateFolder is where the guide keeps what it must remember for one learner. The go command skips folders whose names
// begin with a dot, so nothing in it is ever part of a build.
const stateFolder = ".turnstile"

// notebookVersion is the version of notebook.json. A file with a higher one was written by a newer guide: it is left
// alone.
const notebookVersion = 1

// lockPatience is how long one guide waits for another that is just writing. Writing takes milliseconds.
const lockPatience = 5 * time.Second

// A notebook remembers which hints a learner has seen. It is all that the guide remembers: progress is what the tests
// say, each time.
//
// Updates are serialized between processes by an advisory lock on a sidecar that is never removed, and each replaces the
// file by a temporary file that was flushed first, so a reader sees the document before or after an update and nothing
// in between, and a process that is killed loses at most the update it was about to make. After a power cut the document
// is whole; whether the last update is in it depends on the file system, except on systems where a folder can be
// flushed (all but Windows).
type notebook struct {
	folder string
	// at is called before each step of a save; tests kill the process there.
	at func(step string)
	// patience is how long an update waits for another guide.
	patience time.Duration
}

// openNotebook returns the notebook of the workbook at root. It touches no file.
func openNotebook(root string) *notebook {
	return &notebook{folder: filepath.Join(root, stateFolder), at: func(string) {}, patience: lockPatience}
}

func (n *notebook) file() string { return filepath.Join(n.folder, "notebook.json") }

// page is the document in notebook.json.
type page struct {
	Version int `json:"version"`
	// Hints counts the hints shown for each exercise, by its folder name.
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
	var content []byte
	err := patiently(func() (err error) {
		content, err = os.ReadFile(n.file())
		return err
	})
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

// lock takes the lock that serializes updates. The sidecar is never removed: whoever waits for it would else wait for a
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
	// Closing the file releases the lock; there is nobody to tell about an error of it.
	return func() { _ = sidecar.Close() }, nil
}

// setAside renames the damaged document to a dated name that nothing has yet.
func (n *notebook) setAside() (string, error) {
	stamp := time.Now().Format("2006-01-02-150405")
	for i := 1; ; i++ {
		aside := filepath.Join(n.folder, "notebook.json.damaged-"+stamp+numbered(i))
		// The lock is held, so no other guide takes the name between this look and the rename.
		if _, err := os.Lstat(aside); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		return aside, patiently(func() error { return os.Rename(n.file(), aside) })
	}
}

// numbered makes the i-th name of one second different from the first.
func numbered(i int) string {
	if i == 1 {
		return ""
	}
	return fmt.Sprintf("_%d", i)
}

// save replaces the document. The caller holds the lock.
func (n *notebook) save(hints map[string]int) (err error) {
	content, err := json.MarshalIndent(page{Version: notebookVersion, Hints: hints}, "", "  ")
	if err != nil {
		return err
	}
	n.sweep()
	n.at("create")
	temp, err := os.CreateTemp(n.folder, tempPrefix+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	if err := n.fill(temp, append(content, '\n')); err != nil {
		return fmt.Errorf("write %s: %w", temp.Name(), err)
	}
	n.at("rename")
	if err := patiently(func() error { return os.Rename(temp.Name(), n.file()) }); err != nil {
		return err
	}
	n.at("sync folder")
	return syncFolder(n.folder)
}

const tempPrefix = "notebook.json.tmp-"

// fill writes content in two halves, so that the test which kills the process between them sees a torn file, and flushes it.
func (n *notebook) fill(temp *os.File, content []byte) error {
	half := len(content) / 2
	n.at("write")
	_, err := temp.Write(content[:half])
	if err == nil {
		n.at("write the rest")
		_, err = temp.Write(content[half:])
	}
	if err == nil {
		n.at("sync")
		err = temp.Sync()
	}
	n.at("close")
	return errors.Join(err, temp.Close())
}

// sweep removes what a killed guide left behind. The caller holds the lock, so no temporary file is in use.
func (n *notebook) sweep() {
	entries, _ := os.ReadDir(n.folder) // what cannot be listed cannot be swept: the next save tries again
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), tempPrefix) {
			_ = os.Remove(filepath.Join(n.folder, entry.Name()))
		}
	}
}
