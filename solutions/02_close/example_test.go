package close_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	close "example/turnstile/solutions/02_close"
)

func ExampleWith() {
	path, remove := temporary("locks.json")
	defer remove()

	err := close.With(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666, func(f *os.File) error {
		_, err := f.WriteString(`{"bracket.step":"alice"}`)
		return err
	})
	fmt.Println("write:", err)

	err = close.With(path, os.O_RDONLY, 0, func(f *os.File) error {
		content, err := io.ReadAll(f)
		fmt.Printf("read: %s\n", content)
		return err
	})
	fmt.Println("close:", err)
	// Output:
	// write: <nil>
	// read: {"bracket.step":"alice"}
	// close: <nil>
}

// Both errors arrive: the one of use, and the one of With's own Close, since use has closed the file already.
func ExampleWith_twoErrors() {
	path, remove := temporary("locks.json")
	defer remove()
	errTaken := errors.New("bracket.step is taken by alice")

	err := close.With(path, os.O_RDWR|os.O_CREATE, 0o666, func(f *os.File) error {
		return errors.Join(errTaken, f.Close())
	})
	fmt.Println(errors.Is(err, errTaken), errors.Is(err, fs.ErrClosed))
	// Output: true true
}

func ExampleWriteLines() {
	path, remove := temporary("report.txt")
	defer remove()

	fmt.Println(close.WriteLines(path, []string{"bracket.step alice", "gear.step bob"}))
	fmt.Println(close.CountLines(slices.Values([]string{path})))
	// Output:
	// <nil>
	// 2 <nil>
}

func temporary(name string) (path string, remove func()) {
	dir, err := os.MkdirTemp("", "turnstile-")
	if err != nil {
		panic(err)
	}
	return filepath.Join(dir, name), func() { _ = os.RemoveAll(dir) }
}
