package seektruncate_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
)

const (
	locksOfAlice = `{"bracket.step":"alice","hinge.step":"alice"}`
	locksOfBob   = `{"hinge.step":"bob"}`
)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{
		"rewrite without room": rewriteWithoutRoom,
		"append":               appendLines,
		"append without room":  appendWithoutRoom,
		"append until stopped": appendUntilStopped,
		"fail to append":       failToAppend,
		"read records":         readRecords,
	})
}

// outcome is what a worker tells of a call that is meant to fail.
type outcome struct {
	Failed bool
	Error  string
}

func outcomeOf(err error) outcome {
	if err == nil {
		return outcome{}
	}
	return outcome{Failed: true, Error: err.Error()}
}

func skipWithoutFileSizeLimit(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no limit of the file size (RLIMIT_FSIZE), by which this test makes a write fail")
	}
}

// record returns record n of the tests' table: its number, then dots up to the record's size.
func record(n int) string {
	number := fmt.Sprintf("record %d ", n)
	return number + strings.Repeat(".", seektruncate.RecordSize-len(number))
}

func table(records int) string {
	var b strings.Builder
	for n := range records {
		b.WriteString(record(n))
	}
	return b.String()
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatalf("the test cannot open its own file: %v", err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Errorf("the test cannot close its own file: %v", err)
		}
	})
	return file
}

// skipUnderWine: Wine asks for the length of the file and then writes there, in two steps, where Windows does both as one.
func skipUnderWine(t *testing.T) {
	t.Helper()
	if lab.Wine() {
		t.Skip("Wine does not append as one step: it looks for the end of the file, then writes there")
	}
}
