package atomicreplace_test

import (
	"encoding/json"
	"fmt"
	"os"
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

	t.Run("a crash makes that moment last", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		writer := lab.Start(t, "write in place", path)
		writer.Reached("truncated")
		writer.Kill()
		require.Empty(t, read(t, path), "neither the old nor the new content")
	})

	// os.Create: "If the file already exists, it is truncated."
	t.Run("a value that cannot be encoded leaves an empty file", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		f, err := os.Create(path)
		require.NoError(t, err)
		defer f.Close()
		err = json.NewEncoder(f).Encode(map[string]any{"bracket.step": func() {}})
		require.ErrorContains(t, err, "unsupported type")
		require.Empty(t, read(t, path))
	})
}

func Example_whatReadersGet() {
	var locks map[string]string
	for _, content := range []string{"", `{"bracket.step":"ali`} {
		err := json.Unmarshal([]byte(content), &locks)
		fmt.Printf("%2d bytes: %v\n", len(content), err)
	}
	// Output:
	//  0 bytes: unexpected end of JSON input
	// 20 bytes: unexpected end of JSON input
}
