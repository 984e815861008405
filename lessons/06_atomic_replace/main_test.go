package atomicreplace_test

import (
	"os"
	"path/filepath"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { lab.Main(m, workers) }

// workers of files with build tags are added in their init.
var workers = lab.Workers{
	"write in place": writeInPlace, "replace in steps": replaceInSteps, "replace two files": replaceTwoFiles,
	"exit": exitWithDefer, "replace often": replaceOften,
}

const before, after = `{"bracket.step":"alice"}`, `{"bracket.step":"alice","hinge.step":"bob"}`

// writeInPlace does what os.WriteFile does, and stops after each step: PATH.
func writeInPlace(w *lab.Worker) error {
	f, err := os.OpenFile(w.Arg(0), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Reached("truncated")
	if _, err := f.WriteString(after[:20]); err != nil {
		return err
	}
	w.Reached("half written")
	_, err = f.WriteString(after[20:])
	return err
}

// replaceInSteps replaces a file the right way and stops after each step: PATH TEMP.
func replaceInSteps(w *lab.Worker) error {
	path, temp := w.Arg(0), w.Arg(1)
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Reached("created")
	if _, err := f.WriteString(after[:20]); err != nil {
		return err
	}
	w.Reached("half written")
	if _, err := f.WriteString(after[20:]); err != nil {
		return err
	}
	w.Reached("written")
	if err := f.Sync(); err != nil {
		return err
	}
	w.Reached("synced")
	if err := f.Close(); err != nil {
		return err
	}
	w.Reached("closed")
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	w.Reached("renamed")
	if err := syncDirectory(filepath.Dir(path)); err != nil {
		return err
	}
	w.Reached("directory synced")
	return nil
}

// replace is the whole of it in one go, with a temp file that nobody else uses. It syncs nothing: for facts that are not about
// the disk.
func replace(path, temp string, content []byte) error {
	if err := os.WriteFile(temp, content, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

// beside returns the path of another file in path's directory.
func beside(path, name string) string { return filepath.Join(filepath.Dir(path), name) }
