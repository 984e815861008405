package lockfiles_test

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// saveDraft adds a draft to the directory, and returns its name. No other draft has had that name or will have it.
func saveDraft(dir string, text []byte) (name string, err error) {
	token := rand.Text()
	aside, name := "unfinished."+token, "draft."+token
	if err := os.WriteFile(filepath.Join(dir, aside), text, 0o600); err != nil {
		return "", err
	}
	return name, os.Rename(filepath.Join(dir, aside), filepath.Join(dir, name))
}

// discardDraft removes the draft of that name. It may be called late, twice, and by several processes.
func discardDraft(dir, name string) error {
	err := os.Remove(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another cleaner was faster: the draft is gone, which is the purpose
	}
	return err
}

// The sibling of the exercise that "The fix" shows.
func TestDrafts(t *testing.T) {
	t.Parallel()

	t.Run("a cleaner that comes late discards no newer draft", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		old, err := saveDraft(dir, []byte("old"))
		require.NoError(t, err)
		require.NoError(t, discardDraft(dir, old), "the faster cleaner")
		fresh, err := saveDraft(dir, []byte("new"))
		require.NoError(t, err)
		require.NoError(t, discardDraft(dir, old), "the slower one, which has judged the same draft")
		require.Equal(t, "new", read(t, filepath.Join(dir, fresh)))
	})
}
