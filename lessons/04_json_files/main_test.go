package jsonfiles_test

import (
	"encoding/json"
	"os"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// document is a workshop's file as this lesson's programs see it.
type document struct {
	Version    int                 `json:"version"`
	Generation int64               `json:"generation"`
	Checkouts  map[string]checkout `json:"checkouts"`
}

type checkout struct {
	Person string `json:"person"`
	Since  string `json:"since,omitempty"`
}

const ofAlice = `{"version":1,"generation":7,"checkouts":{"bracket.step":{"person":"alice"}}}`

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{
		"write in pieces":             writeInPieces,
		"write over":                  writeOver,
		"write over with little room": writeOverWithLittleRoom,
		"write without room":          writeWithoutRoom,
		"read":                        readFile,
		"write on a full disk":        writeOnAFullDisk,
	})
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

func unmarshal[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	return v
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}
