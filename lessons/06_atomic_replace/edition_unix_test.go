//go:build unix

package atomicreplace_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func init() {
	workers["publish"] = func(w *lab.Worker) error {
		return lab.Steps(w, func(order string) any {
			var drawings map[string]string
			if err := json.Unmarshal([]byte(order), &drawings); err != nil {
				return lab.Returned{Err: err}
			}
			return lab.Returned{Err: publish(w.Arg(0), drawings)}
		})
	}
}

// publish makes a new edition of the drawings in dir: a directory that holds all of them. "current" is a symbolic link to the
// edition that readers use.
func publish(dir string, drawings map[string]string) error {
	edition, err := os.MkdirTemp(dir, "edition-") // a name of its own
	if err != nil {
		return err
	}
	for name, drawing := range drawings {
		if err := writeSynced(filepath.Join(edition, name), drawing); err != nil {
			return errors.Join(err, os.RemoveAll(edition))
		}
	}
	link := edition + ".link"
	err = os.Symlink(filepath.Base(edition), link)
	// The drawings, their names, and the name of the edition reach the disk before "current" leads to them.
	err = errors.Join(err, os.Chmod(edition, 0o755), syncDirectory(edition), syncDirectory(dir))
	if err == nil {
		err = os.Rename(link, filepath.Join(dir, "current"))
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(edition), os.Remove(link))
	}
	return syncDirectory(dir)
}

// writeSynced creates the file at path. When it returns nil, the content is on the disk.
func writeSynced(path, content string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	return errors.Join(err, file.Sync(), file.Close())
}

func TestEditions(t *testing.T) {
	t.Parallel()
	edition := func(number int) map[string]string {
		return map[string]string{"bracket.dwg": fmt.Sprint("edition ", number), "hinge.dwg": fmt.Sprint("edition ", number)}
	}
	requireEdition := func(t *testing.T, dir string, allowed ...map[string]string) {
		t.Helper()
		current, err := os.Readlink(filepath.Join(dir, "current")) // a reader decides for an edition once
		require.NoError(t, err)
		found := map[string]string{}
		for _, name := range []string{"bracket.dwg", "hinge.dwg"} {
			found[name] = read(t, filepath.Join(dir, current, name))
		}
		require.Contains(t, allowed, found)
	}

	t.Run("at each call of publish a reader finds one whole edition", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		require.NoError(t, publish(dir, edition(1)))
		publisher := lab.Step(t, "%file,%desc", dir, "publish", dir)
		order, err := json.Marshal(edition(2))
		require.NoError(t, err)
		var o lab.Returned
		publisher.Call(string(order), &o, func(lab.Stop) { requireEdition(t, dir, edition(1), edition(2)) })
		require.NoError(t, o.Err)
		requireEdition(t, dir, edition(2))
	})

	t.Run("an edition that cannot be written changes nothing", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		require.NoError(t, publish(dir, edition(1)))
		require.Error(t, publish(dir, map[string]string{"bracket.dwg": "edition 2", "no/such/directory.dwg": ""}))
		requireEdition(t, dir, edition(1))
	})
}
