package seektruncate_test

import (
	"fmt"
	"log"
	"os"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// setLabel replaces the text on a display, which is a file that stays open.
func setLabel(display *os.File, text string) error {
	n, err := display.WriteAt([]byte(text), 0)
	if err != nil {
		return fmt.Errorf("set the label: %w", err)
	}
	return display.Truncate(int64(n))
}

// newJournal returns a logger for a file that several programs write to.
func newJournal(path, program string) (*log.Logger, *os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the journal: %w", err)
	}
	return log.New(file, program+": ", 0), file, nil
}

// The siblings of the exercise that "The fix" shows.
func TestLabelPrinter(t *testing.T) {
	t.Parallel()

	t.Run("a shorter label leaves nothing of the longer one", func(t *testing.T) {
		t.Parallel()
		display := create(t, "")
		seek(t, display, 7) // the offset does not matter
		for _, text := range []string{"bracket.step", "lid.step", ""} {
			require.NoError(t, setLabel(display, text))
			require.Equal(t, text, content(t, display.Name()))
		}
		require.EqualValues(t, 7, offset(t, display))
	})

	t.Run("two journals of one file keep each other's lines", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "journal")
		first, file, err := newJournal(path, "printer")
		require.NoError(t, err)
		defer func() { require.NoError(t, file.Close()) }()
		second, other, err := newJournal(path, "scanner")
		require.NoError(t, err)
		defer func() { require.NoError(t, other.Close()) }()
		first.Print("label 1")
		second.Print("scan 1")
		first.Print("label 2")
		require.Equal(t, "printer: label 1\nscanner: scan 1\nprinter: label 2\n", content(t, path))
	})
}
