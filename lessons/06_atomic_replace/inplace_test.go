package atomicreplace_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func TestWritingInPlace(t *testing.T) {
	t.Parallel()

	// os.WriteFile: "Since WriteFile requires multiple system calls to complete, a failure mid-operation can leave the file
	// in a partially written state."
	t.Run("a reader finds an empty file first, and half a document then", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		writer := lab.Start(t, "write in place", path)
		writer.Reached("truncated")
		require.Empty(t, read(t, path))
		writer.Continue()
		writer.Reached("half written")
		require.Equal(t, `{"bracket.step":"ali`, read(t, path))
		writer.Continue()
		require.NoError(t, writer.Wait())
		require.Equal(t, after, read(t, path))
	})

	t.Run("a process crash makes that moment last", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		writer := lab.Start(t, "write in place", path)
		writer.Reached("truncated")
		writer.Kill()
		require.Empty(t, read(t, path), "neither the old nor the new content")
	})
}

// Example_theBug makes the calls of os.WriteFile one by one, with the write in two pieces, as the kernel may take it.
func Example_theBug() {
	directory, err := os.MkdirTemp("", "lesson-06-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(directory)
	path := directory + "/locks.json"
	show := func(call string) {
		content, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		fmt.Println(strings.TrimRight(fmt.Sprintf("%-15s %2d bytes  %s", call, len(content), content), " "))
	}
	_ = os.WriteFile(path, []byte(before), 0o600)
	show("before")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		panic(err)
	}
	show("open, O_TRUNC")
	_, _ = file.WriteString(after[:20])
	show("write, a part")
	_, _ = file.WriteString(after[20:])
	show("write, the rest")
	_ = file.Close()
	// Output:
	// before          24 bytes  {"bracket.step":"alice"}
	// open, O_TRUNC    0 bytes
	// write, a part   20 bytes  {"bracket.step":"ali
	// write, the rest 43 bytes  {"bracket.step":"alice","hinge.step":"bob"}
}

func TestWhatAReaderMakesOfIt(t *testing.T) {
	t.Parallel()

	t.Run("a JSON parser refuses an empty file and half a document", func(t *testing.T) {
		t.Parallel()
		var locks map[string]string
		for _, content := range []string{"", after[:20]} {
			require.ErrorContains(t, json.Unmarshal([]byte(content), &locks), "unexpected end of JSON input")
		}
	})
}
