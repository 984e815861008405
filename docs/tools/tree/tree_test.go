package tree_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/docs/tools/tree"
)

// write puts a file at the slash-separated name below root.
func write(t *testing.T, root, name, content string) {
	t.Helper()
	path := filepath.Join(root, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

func git(t *testing.T, root string, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", arguments...)
	command.Dir = root
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func TestFilesOfACopyWithoutGit(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, root, "a.go", "")
	write(t, root, "lessons/x.md", "")
	write(t, root, ".turnstile/state", "")
	write(t, root, "docs/site/node_modules/x/README.md", "")
	write(t, root, "docs/site/build/dist/index.html", "")
	names, err := tree.Files(t.Context(), root)
	require.NoError(t, err)
	require.Equal(t, []string{"a.go", "lessons/x.md"}, names)
}

func TestFilesOfAClone(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	root := t.TempDir()
	write(t, root, "a.go", "")
	write(t, root, "größe x.md", "")
	write(t, root, ".gitignore", "/ignored\n")
	write(t, root, "ignored", "")
	write(t, root, "deleted.md", "")
	git(t, root, "init", "-q")
	git(t, root, "add", "a.go", "deleted.md")
	require.NoError(t, os.Remove(filepath.Join(root, "deleted.md")))
	names, err := tree.Files(t.Context(), root)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"a.go", "größe x.md", ".gitignore"}, names)
}

func TestAHashTellsEveryChange(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	seen := make(map[string]string)
	see := func(state string) {
		hash, err := tree.Hash(t.Context(), root)
		require.NoError(t, err)
		require.Empty(t, seen[hash], "%s has the hash of an earlier state", state)
		seen[hash] = state
	}
	see("empty")
	write(t, root, "a.md", "bc")
	see("one file")
	write(t, root, "a.md", "bd")
	see("other content")
	require.NoError(t, os.Rename(filepath.Join(root, "a.md"), filepath.Join(root, "a.mdb")))
	write(t, root, "a.mdb", "d")
	see("a byte moved from the content to the name")
	write(t, root, "new/b.md", "")
	see("an empty file more")
	before, err := tree.Hash(t.Context(), root)
	require.NoError(t, err)
	write(t, root, "a.mdb", "d")
	after, err := tree.Hash(t.Context(), root)
	require.NoError(t, err)
	require.Equal(t, before, after, "the same bytes, written anew")
}
