package repository_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// files returns a directory with two in it: parts, which is opened as a root, and secret, beside it.
func beside(t *testing.T) (dir string, parts *os.Root) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "parts"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "parts", "bracket"), []byte(bracket), 0o600))
	parts, err := os.OpenRoot(filepath.Join(dir, "parts"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = parts.Close() })
	return dir, parts
}

func TestRoot(t *testing.T) {
	t.Parallel()

	t.Run("filepath.Join cleans a name that climbs, and leaves the directory", func(t *testing.T) {
		t.Parallel()
		dir, _ := beside(t)
		content, err := os.ReadFile(filepath.Join(dir, "parts", "../secret"))
		require.NoError(t, err)
		require.Equal(t, "secret", string(content))
	})

	// os.Root: "If any component of a file name passed to a method of Root references a location outside the root, the method returns
	// an error."
	t.Run("a Root refuses a name that climbs out, and an absolute one", func(t *testing.T) {
		t.Parallel()
		dir, parts := beside(t)
		require.NoError(t, parts.Mkdir("x", 0o700))
		for _, name := range []string{"../secret", "x/../../secret", filepath.Join(dir, "secret")} {
			_, err := parts.ReadFile(name)
			require.Error(t, err, name)
			require.NotErrorIs(t, err, fs.ErrNotExist, name) // not for want of a file
			require.Error(t, parts.WriteFile(name, nil, 0o600), name)
		}
		content, err := os.ReadFile(filepath.Join(dir, "secret"))
		require.NoError(t, err)
		require.Equal(t, "secret", string(content))
	})

	// os.Root: "Methods on Root will follow symbolic links, but symbolic links may not reference a location outside the root."
	t.Run("a Root refuses a symbolic link that leads out, and os.ReadFile follows it", func(t *testing.T) {
		t.Parallel()
		dir, parts := beside(t)
		symlink(t, filepath.Join(dir, "secret"), filepath.Join(dir, "parts", "link"))
		_, err := parts.ReadFile("link")
		require.Error(t, err)
		content, err := os.ReadFile(filepath.Join(dir, "parts", "link"))
		require.NoError(t, err)
		require.Equal(t, "secret", string(content))
	})

	// rename(2) replaces newpath, and a link is what it is called.
	t.Run("a rename over a link replaces the link", func(t *testing.T) {
		t.Parallel()
		dir, parts := beside(t)
		symlink(t, filepath.Join("..", "secret"), filepath.Join(dir, "parts", "link"))
		require.NoError(t, parts.Rename("bracket", "link"))
		info, err := parts.Lstat("link")
		require.NoError(t, err)
		require.True(t, info.Mode().IsRegular())
		content, err := os.ReadFile(filepath.Join(dir, "secret"))
		require.NoError(t, err)
		require.Equal(t, "secret", string(content))
	})

	// os.Root: "If the directory is moved, methods on Root reference the original directory in its new location."
	t.Run("a Root stays with its directory when another one gets its path", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows renames no directory that a program has open")
		}
		dir, parts := beside(t)
		path := filepath.Join(dir, "parts")
		require.NoError(t, os.Rename(path, path+".old"))
		require.NoError(t, os.Mkdir(path, 0o700))
		require.NoError(t, parts.WriteFile("hinge", []byte(hinge), 0o600))
		require.NoFileExists(t, filepath.Join(path, "hinge"))
		require.FileExists(t, filepath.Join(path+".old", "hinge"))
	})

	// os.MkdirAll: "creates a directory named path, along with any necessary parents, and returns nil".
	t.Run("MkdirAll makes a directory of a mistyped path, and OpenRoot does not", func(t *testing.T) {
		t.Parallel()
		dir, _ := beside(t)
		mistyped := filepath.Join(dir, "prats")
		_, err := os.OpenRoot(mistyped)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, os.MkdirAll(mistyped, 0o700))
		require.DirExists(t, mistyped)
	})
	t.Run("a Root takes many spellings for one name", func(t *testing.T) {
		t.Parallel()
		_, parts := beside(t)
		require.NoError(t, parts.Mkdir("x", 0o700))
		for _, name := range []string{"bracket", "./bracket", ".//bracket", "x/../bracket"} {
			content, err := parts.ReadFile(name)
			require.NoError(t, err, name)
			require.Equal(t, bracket, string(content))
		}
	})

	// On Linux a name is bytes (path_resolution(7)); Windows keeps the letters, and does not tell them apart.
	t.Run("Linux takes two letter cases for two names, and Windows for one", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "darwin" {
			t.Skip("macOS has both kinds of file system")
		}
		_, parts := beside(t)
		name := nameOf(bracket)
		require.NoError(t, parts.WriteFile(name, []byte(bracket), 0o600))
		_, err := parts.Stat(strings.ToUpper(name))
		if runtime.GOOS == "windows" {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
	})
}

func TestWorkingDirectory(t *testing.T) { // not parallel: the working directory belongs to the process
	t.Run("a Chdir changes what a relative path means, and not what a Root means", func(t *testing.T) {
		dir, _ := beside(t)
		t.Chdir(dir)
		parts, err := os.OpenRoot("parts")
		require.NoError(t, err)
		defer parts.Close()
		t.Chdir(t.TempDir())
		_, err = parts.Stat("bracket")
		require.NoError(t, err)
		_, err = os.Stat(filepath.Join(parts.Name(), "bracket"))
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}

// symlink makes a symbolic link, or skips the test where that is not possible.
func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Skip("this system or this user makes no symbolic links: ", err)
	}
	if _, err := os.Stat(path); err != nil { // Wine makes none, or one that leads nowhere, and returns nil
		t.Skip("symbolic links lead nowhere here: ", err)
	}
}
