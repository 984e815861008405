package atomicfile

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain lets the test binary be a process that replaces a file and dies before a step.
func TestMain(m *testing.M) {
	path, dieAt := os.Getenv("ATOMICFILE_TEST_PATH"), os.Getenv("ATOMICFILE_TEST_DIE_AT")
	if path == "" {
		os.Exit(m.Run())
	}
	step = func(name string) {
		if name == dieAt {
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {} // the signal is on its way
		}
	}
	if err := Replace(path, []byte("the new document")); err != nil {
		panic(err)
	}
}

func TestAProcessThatDiesInTheMiddleLeavesTheOldFileOrTheNew(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{
		"create": "the old one", "write": "the old one", "write the rest": "the old one", "sync": "the old one", "close": "the old one",
		"rename": "the old one", "sync directory": "the new document",
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "notes.json")
			require.NoError(t, os.WriteFile(path, []byte("the old one"), 0o640))
			command := exec.CommandContext(t.Context(), os.Args[0])
			command.Env = append(os.Environ(), "ATOMICFILE_TEST_PATH="+path, "ATOMICFILE_TEST_DIE_AT="+at)
			require.Error(t, command.Run(), "the process was to die")
			requireContent(t, path, want)
			Sweep(path)
			require.Equal(t, []string{"notes.json"}, names(t, path), "what it left is swept away")
			require.NoError(t, Replace(path, []byte("third")))
			requireContent(t, path, "third")
		})
	}
}

func TestReplaceKeepsTheMode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notes.json")
	require.NoError(t, Replace(path, []byte("first")))
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, Replace(path, []byte("second")))
	requireContent(t, path, "second")
	if info, err := os.Stat(path); runtime.GOOS != "windows" {
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	}
	require.Error(t, Replace(filepath.Join(path, "below a file"), nil))
	require.Equal(t, []string{"notes.json"}, names(t, path))
}

func TestCreateTouchesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "copy.go")
	require.NoError(t, Create(path, []byte("mine")))
	require.ErrorIs(t, Create(path, []byte("yours")), fs.ErrExist)
	requireContent(t, path, "mine")
}

func requireContent(t *testing.T, path, want string) {
	t.Helper()
	content, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, want, string(content))
}

func names(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}
