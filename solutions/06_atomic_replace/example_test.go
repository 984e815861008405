package atomicreplace_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	atomicreplace "example/turnstile/solutions/06_atomic_replace"
)

// A program saves a document that it has in memory.
func ExampleWriteFile() {
	path, remove := store()
	defer remove()
	err := atomicreplace.WriteFile(path, []byte(`{"bracket.step":"alice"}`), 0o644)
	switch {
	case errors.Is(err, atomicreplace.ErrNotDurable):
		fmt.Println("saved, and a power cut may undo it:", err)
	case err != nil:
		fmt.Println("not saved:", err)
	}
	content, _ := os.ReadFile(path)
	fmt.Printf("%s\n", content)
	// Output: {"bracket.step":"alice"}
}

// A stream that ends too early is given up: the file stays as it was.
func ExampleCreate() {
	path, remove := store()
	defer remove()
	receive := func(upload io.Reader) error {
		pending, err := atomicreplace.Create(path, 0o644)
		if err != nil {
			return err
		}
		defer pending.Discard() // does nothing after Commit
		if _, err := io.Copy(pending, upload); err != nil {
			return err
		}
		return pending.Commit()
	}

	fmt.Println(receive(strings.NewReader("solid bracket")))
	broken := io.MultiReader(strings.NewReader("solid hin"), failing{})
	fmt.Println(receive(broken))
	content, _ := os.ReadFile(path)
	fmt.Printf("%s\n", content)
	// Output:
	// <nil>
	// the connection was lost
	// solid bracket
}

// A service sweeps at its start. An hour is longer than its slowest upload takes between two writes.
func ExampleSweep() {
	path, remove := store()
	defer remove()
	removed, err := atomicreplace.Sweep(path, time.Hour)
	fmt.Println(len(removed), err)
	// Output: 0 <nil>
}

// A missing directory is the caller's decision: WriteFile makes none.
func ExampleWriteFile_missingDirectory() {
	path, remove := store()
	defer remove()
	err := atomicreplace.WriteFile(filepath.Join(path, "nowhere", "locks.json"), nil, 0o644)
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output: true
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the connection was lost") }

// store returns the path of a file in a directory of its own, and what removes the directory.
func store() (path string, remove func()) {
	directory, err := os.MkdirTemp("", "lesson-06-")
	if err != nil {
		panic(err)
	}
	return filepath.Join(directory, "locks.json"), func() { _ = os.RemoveAll(directory) }
}
