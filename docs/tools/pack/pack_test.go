package main

import (
	"archive/zip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/docs/tools/tree"
	"example/turnstile/internal/curriculum"
)

// emptyCache makes the test begin with an empty build cache as well, as on a machine where Go was installed a minute ago. That compiles
// the standard library anew, so .ci/run asks for it, and no one else.
const emptyCache = "TURNSTILE_EMPTY_CACHE"

// The pack works without a network and with an empty module cache.
func TestThePackWorksWithoutANetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it compiles the workbook in another directory")
	}
	_ = os.Getenv(tree.Variable) // go runs this again when a file of the repository has changed
	root, err := curriculum.Root(".")
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		t.Skip("this copy of the workbook is not a clone, so it has no commit to pack")
	}
	target := filepath.Join(t.TempDir(), "pack of the class.zip")
	_, err = write(t.Context(), root, target)
	require.NoError(t, err)
	again := filepath.Join(t.TempDir(), "again.zip")
	_, err = write(t.Context(), root, again)
	require.NoError(t, err)
	first, err := os.ReadFile(target)
	require.NoError(t, err)
	second, err := os.ReadFile(again)
	require.NoError(t, err)
	require.True(t, string(first) == string(second), "one commit, one zip")

	home := t.TempDir()
	unpack(t, target, filepath.Join(home, "Müller's class"))
	cache := filepath.Join(home, "cache")
	if os.Getenv(emptyCache) == "" {
		said, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
		require.NoError(t, err)
		cache = strings.TrimSpace(string(said))
	}
	class := learner{filepath.Join(home, "Müller's class", top), home, cache}
	require.NoDirExists(t, filepath.Join(class.root, ".git"))
	require.FileExists(t, filepath.Join(class.root, "vendor", "modules.txt"))

	screen := class.run(t, nil, "run", "./exercises")
	require.Contains(t, screen, "01 · Open modes")
	require.Contains(t, screen, "exercises/01_open_modes/open.go:")
	require.Contains(t, class.run(t, nil, "run", "./exercises", "-solution", "race", "1"), "no race: ")
	require.Contains(t, class.run(t, nil, "test", "-count=1", "./lessons/03_seek_truncate"), "ok")
	// A module that is missing for another system is missing here, too: list resolves all imports.
	for _, system := range []string{"linux", "windows", "darwin", "freebsd"} {
		class.run(t, []string{"GOOS=" + system, "CGO_ENABLED=0"}, "list", "-deps", "-test", "./...")
	}
	if os.Getenv(emptyCache) != "" {
		class.run(t, []string{"GOOS=windows", "CGO_ENABLED=0"}, "build", "-o", filepath.Join(home, "guide.exe"), "./exercises")
	}
}

// A learner has unpacked the pack to root, and has go and a home directory, and nothing else.
type learner struct{ root, home, cache string }

func (l learner) run(t *testing.T, variables []string, arguments ...string) string {
	t.Helper()
	goCommand, err := exec.LookPath("go")
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), goCommand, arguments...)
	command.Dir = l.root
	command.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + l.home, "USERPROFILE=" + l.home, "SYSTEMROOT=" + os.Getenv("SYSTEMROOT"),
		"TMPDIR=" + os.TempDir(), "TMP=" + os.TempDir(), "GOENV=off", "GOPROXY=off", "GOTOOLCHAIN=local", "NO_COLOR=1",
		"GOPATH=" + filepath.Join(l.home, "go"), "GOCACHE=" + l.cache,
		"http_proxy=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9",
	}, variables...)
	said, err := command.CombinedOutput()
	require.NoError(t, err, "go %s\n%s", strings.Join(arguments, " "), said)
	return string(said)
}

func unpack(t *testing.T, archive, to string) {
	t.Helper()
	reader, err := zip.OpenReader(archive)
	require.NoError(t, err)
	defer reader.Close()
	for _, file := range reader.File {
		require.True(t, filepath.IsLocal(file.Name), file.Name)
		content, err := file.Open()
		require.NoError(t, err)
		require.NoError(t, writeFile(filepath.Join(to, filepath.FromSlash(file.Name)), content, file.Mode().Perm()))
		require.NoError(t, content.Close())
	}
}

func TestTheScriptStaysExecutable(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such bit")
	}
	from, target := t.TempDir(), filepath.Join(t.TempDir(), "it.zip")
	require.NoError(t, os.WriteFile(filepath.Join(from, "run"), []byte("#!"), 0o755))
	require.NoError(t, compress(from, target, time.Unix(1, 0)))
	reader, err := zip.OpenReader(target)
	require.NoError(t, err)
	defer reader.Close()
	require.Equal(t, os.FileMode(0o755), reader.File[0].Mode().Perm())
	content, err := reader.File[0].Open()
	require.NoError(t, err)
	text, err := io.ReadAll(content)
	require.NoError(t, err)
	require.Equal(t, "#!", string(text))
}
