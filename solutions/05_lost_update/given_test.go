package lostupdate_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/05_lost_update/document"
)

// The package that the exercise gives ready-made keeps what its comments promise.

func open(t *testing.T, content string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.json")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	return file
}

func requireContent(t *testing.T, want string, file *os.File) {
	t.Helper()
	content, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	require.Equal(t, want, string(content))
}

func TestReadCounter(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]int{`{"counter":41}`: 41, " {\n\"counter\" : -7 }\r\n": -7} {
		counter, err := document.ReadCounter(open(t, content))
		require.NoError(t, err, content)
		require.Equal(t, want, counter)
	}
	for _, content := range []string{
		"", "null", "41", "[41]", "{}", `{"counter":41`, `{"counter":41}}`, `{"counter":41,"counter":42}`, `{"Counter":41}`,
		`{"counter":41,"year":2026}`, `{"counter":null}`, `{"counter":"41"}`, `{"counter":41.0}`, `{"counter":4e1}`, `{"counter":{}}`,
		`{"counter":92233720368547758070}`, "\ufeff{\"counter\":41}",
	} {
		file := open(t, content)
		_, err := document.ReadCounter(file)
		require.ErrorContains(t, err, "damaged", content)
		requireContent(t, content, file)
	}
}

func TestReadCheckouts(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]map[string]string{
		"{}": {}, `{"lid.step":"bob","Lid.step":"eve"}`: {"lid.step": "bob", "Lid.step": "eve"}, "{\"a\\u0062\":\"\u00e9\"}": {"ab": "é"},
	} {
		holders, err := document.ReadCheckouts(open(t, content))
		require.NoError(t, err, content)
		require.Equal(t, want, holders)
	}
	for _, content := range []string{
		"", "null", "[]", `{"lid.step":"bo`, `{"lid.step":""}`, `{"lid.step":null}`, `{"lid.step":7}`, `{"lid.step":["bob"]}`,
		`{"lid.step":"bob"}{}`, `{"lid.step":"bob","lid.step":"eve"}`, `{"lid.step":"bob","l\u0069d.step":"eve"}`, "{\"lid.step\":\"\xff\"}",
	} {
		_, err := document.ReadCheckouts(open(t, content))
		require.ErrorContains(t, err, "damaged", content)
	}
}

func TestWrites(t *testing.T) {
	t.Parallel()
	file := open(t, `{"counter":1000}  `)
	require.NoError(t, document.WriteCounter(file, 7))
	requireContent(t, `{"counter":7}`, file)

	require.NoError(t, document.WriteCheckouts(file, map[string]string{"lid.step": "bob"}))
	requireContent(t, `{"lid.step":"bob"}`, file)
	for part, person := range map[string]string{"lid.step": "", "\xff": "bob", "hinge.step": "\xff"} {
		require.Error(t, document.WriteCheckouts(file, map[string]string{part: person}))
		requireContent(t, `{"lid.step":"bob"}`, file)
	}
	require.NoError(t, document.WriteCheckouts(file, nil))
	requireContent(t, "{}", file)

	readOnly, err := os.Open(file.Name())
	require.NoError(t, err)
	require.Error(t, document.WriteCounter(readOnly, 8))
	require.NoError(t, readOnly.Close())
	requireContent(t, "{}", file)
}
