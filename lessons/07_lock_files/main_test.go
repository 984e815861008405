package lockfiles_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m, workers) }

// workers of files with build tags are added in their init.
var workers = lab.Workers{
	"lock":               lock,
	"create, then sign":  createThenSign,
	"exit with the lock": exitWithLock,
	"kernel lock":        kernelLock,
	"break by name":      breakByName,
	"read again":         readAgain,
	"move aside":         moveAside,
	"lock for breakers":  lockForBreakers,
	"stay":               stay,
}

// stay does nothing, for as long as the test wants.
func stay(w *lab.Worker) error {
	w.Reached("staying")
	return nil
}

// create creates a lock file the plain way: O_EXCL, then the owner's name.
func create(path, owner string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(owner); err != nil {
		return err
	}
	return f.Close()
}

// makeDirectoryLock makes a lock as a directory with one file in it, which is named after the owner's token.
func makeDirectoryLock(path, token string) error {
	aside := path + "." + token
	if err := os.Mkdir(aside, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(aside, "owner."+token), []byte(token), 0o600); err != nil {
		return err
	}
	return os.Rename(aside, path)
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}
