package lockedfile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	lockedfile "example/turnstile/solutions/11_locked_file"
)

// `with LockedFile("checkouts.json", "r+") as f` of Python, in Go.
func ExampleWith() {
	path, remove := file(`{"bracket.step":"alice"}`)
	defer remove()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := lockedfile.With(ctx, path, os.O_RDWR, 0, func(file *lockedfile.File) error {
		text, err := io.ReadAll(file)
		fmt.Printf("%s\n", text)
		return err
	})
	fmt.Println(err)
	// Output:
	// {"bracket.step":"alice"}
	// <nil>
}

func ExampleEdit() {
	path, remove := file("1")
	defer remove()

	err := lockedfile.Edit(context.Background(), path, func(old []byte) ([]byte, error) {
		return append(old, '0'), nil
	})
	text, _ := os.ReadFile(path)
	fmt.Printf("%s %v\n", text, err)
	// Output:
	// 10 <nil>
}

// A File is one owner: a program that has the file open is refused as another program would be.
func ExampleTryOpenFile() {
	path, remove := file("{}")
	defer remove()

	reader, err := lockedfile.OpenFile(context.Background(), path, os.O_RDONLY, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = lockedfile.TryOpenFile(path, os.O_RDWR|os.O_TRUNC, 0)
	fmt.Println("a writer is refused:", errors.Is(err, lockedfile.ErrLocked))
	text, _ := io.ReadAll(reader)
	fmt.Printf("and has emptied nothing: %s\n", text)
	fmt.Println(reader.Close())
	// Output:
	// a writer is refused: true
	// and has emptied nothing: {}
	// <nil>
}

// file returns the path of a new file in a directory of its own, and what removes the directory.
func file(content string) (path string, remove func()) {
	directory, err := os.MkdirTemp("", "lesson-11-")
	if err != nil {
		panic(err)
	}
	path = filepath.Join(directory, "checkouts.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		panic(err)
	}
	return path, func() { _ = os.RemoveAll(directory) }
}
