package seektruncate_test

import (
	"io"
	"os"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

const (
	locksOfAlice = `{"bracket.step":"alice"}`
	locksOfBob   = `{"bracket.step":"bob"}`
	withTail     = locksOfBob + `"}`
	firstLine    = "alice took bracket.step\n"
)

// printVariable makes a copy of this program print its value and exit: a child that writes to what it has inherited.
const printVariable = "TURNSTILE_LESSON_03_PRINT"

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(printVariable); ok {
		if _, err := os.Stdout.WriteString(text); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	lab.Main(m, lab.Workers{
		"write, then truncate":           writeThenTruncate,
		"truncate, then write":           truncateThenWrite,
		"seek, then write":               seekThenWrite,
		"open, then append":              openThenAppend,
		"append in two writes":           appendInTwoWrites,
		"append many lines":              appendManyLines,
		"write within a limit":           writeWithinLimit,
		"append a length within a limit": appendLengthWithinLimit,
		"append and cut back":            appendAndCutBack,
		"rewrite within a limit":         rewriteWithinLimit,
	})
}

// create returns a new file with the given content, open for reading and writing, at offset 0.
func create(t *testing.T, content string) *os.File {
	t.Helper()
	return open(t, lab.WriteFile(t, "locks.json", content), os.O_RDWR)
}

func open(t *testing.T, path string, flag int) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, flag, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	return file
}

func offset(t *testing.T, file *os.File) int64 {
	t.Helper()
	at, err := file.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	return at
}

func content(t *testing.T, path string) string {
	t.Helper()
	bytes, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(bytes)
}

func write(t *testing.T, file *os.File, text string) {
	t.Helper()
	n, err := file.WriteString(text)
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}

func read(t *testing.T, file *os.File, n int) string {
	t.Helper()
	bytes := make([]byte, n)
	_, err := io.ReadFull(file, bytes)
	require.NoError(t, err)
	return string(bytes)
}

func seek(t *testing.T, file *os.File, at int64) {
	t.Helper()
	_, err := file.Seek(at, io.SeekStart)
	require.NoError(t, err)
}
