package lostupdate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"example/turnstile/exercises/05_lost_update"
	"example/turnstile/internal/lab"
)

// slowness makes the crowds smaller where opening and locking a file takes many times as long.
var slowness = 1

func init() {
	if runtime.GOOS == "windows" {
		slowness = 5
	}
}

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{
		"update":         update,
		"two goroutines": twoGoroutines,
		"count":          count,
		"panic":          panicInside,
		"refused":        updateRefused,
		"changes":        changes,
		"all":            all,
		"checkouts":      story,
		"refused list":   listRefused,
	}, lostupdate.ErrTaken, lostupdate.ErrNotHolder)
}

// start runs a worker in a folder of its own: programs that share a file seldom share a working directory.
func start(t *testing.T, name string, args ...string) *lab.Process {
	t.Helper()
	return lab.Launch(t, lab.Options{Dir: t.TempDir()}, name, args...)
}

// startHeld is start for a worker of a crowd: it waits for Continue.
func startHeld(t *testing.T, name string, args ...string) *lab.Process {
	t.Helper()
	return lab.Launch(t, lab.Options{Dir: t.TempDir(), Hold: true}, name, args...)
}

func counterFile(t *testing.T, counter int) (path string) {
	t.Helper()
	return lab.WriteFile(t, "counter.json", fmt.Sprintf(`{"counter":%d}`, counter))
}

// requireCounter demands that the file at path holds the counter and nothing else. How the JSON is laid out is nobody's business.
func requireCounter(t *testing.T, path string, want int, lesson lab.Lesson) {
	t.Helper()
	requireDocument(t, path, fmt.Sprintf(`{"counter":%d}`, want), lesson)
}

func requireDocument(t *testing.T, path, want string, lesson lab.Lesson) {
	t.Helper()
	content, err := os.ReadFile(path)
	lab.RequireNoError(t, err, lesson)
	lesson.Expected, lesson.Found = want, lab.Show(content)
	var compact bytes.Buffer
	lab.Require(t, json.Compact(&compact, content) == nil && compact.String() == want, lesson)
}

// answer names what a Take or a Return returned.
func answer(err error) string {
	switch {
	case err == nil:
		return "yes"
	case errors.Is(err, lostupdate.ErrTaken):
		return "taken"
	case errors.Is(err, lostupdate.ErrNotHolder):
		return "not the holder"
	}
	return err.Error()
}

func readList(t *testing.T, path string, lesson lab.Lesson) (holders map[string]string) {
	t.Helper()
	content, err := os.ReadFile(path)
	lab.RequireNoError(t, err, lesson)
	lesson.Expected, lesson.Found = "a list that can be read", lab.Show(content)
	lab.Require(t, json.Unmarshal(content, &holders) == nil, lesson)
	return holders
}

// repair gives the file new content, in place.
func repair(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatalf("the test cannot write its own file: %v", err)
	}
}

// beside creates another file in the folder of path.
func beside(t *testing.T, path, name, content string) string {
	t.Helper()
	other := filepath.Join(filepath.Dir(path), name)
	repair(t, other, content)
	return other
}
