//go:build unix

package jsonfiles_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func TestWhatTheSystemRefuses(t *testing.T) {
	t.Parallel()

	// open(2), EACCES.
	t.Run("a file that may not be read is not missing", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(lab.SharedDir(t), "locks.json")
		require.NoError(t, os.WriteFile(path, []byte(ofAlice), 0o600))
		require.NoError(t, os.Chmod(path, 0))
		err := lab.Launch(t, lab.Options{Unprivileged: true}, "read", path).Wait()
		require.ErrorIs(t, err, fs.ErrPermission)
		require.NotErrorIs(t, err, fs.ErrNotExist)
	})

	// open(2), ENAMETOOLONG.
	t.Run("a name that is too long is another error than a name that is taken", func(t *testing.T) {
		t.Parallel()
		_, err := os.OpenFile(lab.Path(t, strings.Repeat("x", 300)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		require.Error(t, err)
		require.NotErrorIs(t, err, fs.ErrExist)
	})

	// write(2), EFBIG: nothing is written where nothing fits; where a part fits, that part is written.
	t.Run("a write over the old bytes that is refused as a whole leaves the old document", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, generation7, writtenOverWithRoomFor(t, 0, generation8))
	})

	t.Run("a write over the old bytes that stops where the file must grow leaves neither document", func(t *testing.T) {
		t.Parallel()
		longer := strings.TrimSuffix(generation8, "}") + `,"queue":["dave","erin"]}`
		room := len(generation7) + 5
		require.Equal(t, longer[:room], writtenOverWithRoomFor(t, room, longer))
		require.False(t, json.Valid([]byte(longer[:room])))
	})

	// write(2), EFBIG: the limit refuses the write after os.WriteFile has truncated.
	t.Run("os.WriteFile without room leaves an empty file", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", generation7)
		writer := lab.Start(t, "write without room", path, generation8)
		var failed bool
		writer.Result(&failed)
		require.NoError(t, writer.Wait())
		require.True(t, failed)
		require.Empty(t, read(t, path), "encoding first protects from a bad document, not from a refused write")
	})
}

// writtenOverWithRoomFor returns what a file with generation 7 holds after a write over it that failed, since the file may have no more
// than room bytes.
func writtenOverWithRoomFor(t *testing.T, room int, content string) string {
	t.Helper()
	path := lab.WriteFile(t, "locks.json", generation7)
	writer := lab.Start(t, "write over with little room", path, content, strconv.Itoa(room))
	var failed bool
	writer.Result(&failed)
	require.NoError(t, writer.Wait())
	require.True(t, failed)
	return read(t, path)
}
