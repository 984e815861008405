package gotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/overlay"
)

// A workspace is the temporary directory of one run: the answer that is laid over, go's own work and the tests' temporary directories. It
// is removed as a whole, so that tests that were killed leave nothing behind.
type workspace struct {
	root, goos string
	dir        string
	laid       *overlay.Overlay // nil: the files as they are
	laidMap    string           // what go's -overlay takes
}

func newWorkspace(root, goos string) (*workspace, error) {
	if goos == "" {
		goos = runtime.GOOS
	}
	dir, err := newTempDir()
	if err != nil {
		return nil, err
	}
	// On macOS the temporary directory is behind a link; go prints the resolved path, and tidy must know it.
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	w := &workspace{root: root, goos: goos, dir: dir}
	// A test that runs as root starts workers as another user, who needs access, as to any temporary directory.
	err = errors.Join(os.Chmod(dir, 0o755), os.Mkdir(w.temp(), 0o755), os.Chmod(w.temp(), 0o755))
	if err != nil {
		return nil, errors.Join(tempTrouble(err), w.remove())
	}
	return w, nil
}

// newTempDir makes a directory where go would: in GOTMPDIR if that is set.
func newTempDir() (string, error) {
	parent := os.Getenv("GOTMPDIR")
	if parent == "" {
		parent = os.TempDir()
	}
	if !filepath.IsAbs(parent) {
		return "", tempTrouble(fmt.Errorf("%q is not an absolute path", parent))
	}
	dir, err := os.MkdirTemp(parent, "turnstile-run-")
	if err != nil {
		return "", tempTrouble(err)
	}
	return dir, nil
}

func tempTrouble(cause error) error {
	variable := "TMPDIR"
	if runtime.GOOS == "windows" {
		variable = "TMP"
	}
	if os.Getenv("GOTMPDIR") != "" {
		variable = "GOTMPDIR"
	}
	return &MachineError{
		Cause: cause, Lines: []string{cause.Error()},
		Says: fmt.Sprintf("there is no directory for temporary files: let %s name "+
			"one that exists, by its full path, and in which you may write", variable),
	}
}

// enough is the room that tests and demos may count on in the directory for temporary files.
const enough = 1 << 20

// room returns an error if the workspace has none left beside what go has built: what tests and demos then say is about the disk.
func (w *workspace) room() error {
	path := filepath.Join(w.temp(), "room")
	err := errors.Join(os.WriteFile(path, make([]byte, enough), 0o600), os.Remove(path))
	if err != nil {
		return &MachineError{Cause: err, Lines: []string{err.Error()}, Says: "there is no room left in the directory for temporary files: make " +
			"room there, or let GOTMPDIR name one with room"}
	}
	return nil
}

// remove tries more than once: on Windows a test binary that was just ended is still busy for a moment, and a worker
// that outlived its test by milliseconds may be writing.
func (w *workspace) remove() error {
	var err error
	for attempt := range 5 {
		if err = os.RemoveAll(w.dir); err == nil {
			return nil
		}
		time.Sleep(time.Duration(attempt+1) * 50 * time.Millisecond)
	}
	return fmt.Errorf("remove the temporary directory of this run: %w; nothing needs it any more, so remove it yourself", err)
}

// overlay lays the answer over its exercise and returns the path of the map that go's -overlay takes.
func (w *workspace) overlay(e *curriculum.Exercise, a answer.Answer) (string, error) {
	w.laid = overlay.New(w.root, filepath.Join(w.dir, "laid"))
	if err := w.laid.Lay(e, a); err != nil {
		return "", err
	}
	var err error
	w.laidMap, err = w.laid.Write()
	return w.laidMap, err
}

// overlayAll lays answers over their exercises, each as it is, and returns the path of the map that go's -overlay takes.
func (w *workspace) overlayAll(answers map[string]answer.Answer) (string, error) {
	w.laid = overlay.New(w.root, filepath.Join(w.dir, "laid"))
	for id, a := range answers {
		if err := w.laid.Cover(&curriculum.Exercise{ID: id, Root: w.root}, a); err != nil {
			return "", fmt.Errorf("lay an answer over %s: %w", id, err)
		}
	}
	var err error
	w.laidMap, err = w.laid.Write()
	return w.laidMap, err
}

// tidy gives laid files the names of the files that they replace, in what go prints.
func (w *workspace) tidy(text string) string {
	if w.laid == nil {
		return text
	}
	return w.laid.Tidy(text)
}

// goCommand returns a go command in the root directory, in an environment that a learner's settings cannot change.
func (w *workspace) goCommand(ctx context.Context, env []string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = w.root
	target := []string{"GOOS=" + w.goos}
	if w.goos != runtime.GOOS {
		target = append(target, "CGO_ENABLED=0")
	}
	command.Env = Environment(w.root, append(target, env...)...)
	return command
}

// temp is the directory for go's own work and, with tempVariables, for what tests and demos put into temporary directories.
func (w *workspace) temp() string { return filepath.Join(w.dir, "tmp") }

// tempVariables make the workspace the temporary directory of go and of what it starts; t.TempDir looks at GOTMPDIR first.
func (w *workspace) tempVariables() []string {
	if runtime.GOOS == "windows" {
		return []string{"GOTMPDIR=" + w.temp(), "TMP=" + w.temp(), "TEMP=" + w.temp()}
	}
	return []string{"GOTMPDIR=" + w.temp(), "TMPDIR=" + w.temp()}
}
