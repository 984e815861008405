//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package flock_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example/turnstile/exercises/08_flock/bins"
	flock "example/turnstile/solutions/08_flock"
)

// Two readers share a lock, and keep a writer out.
func ExampleTryLock() {
	path, remove := file("stock.json.lock", "")
	defer remove()

	one, err := flock.RLock(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	other, err := flock.TryRLock(path)
	fmt.Println("a second reader:", err)

	_, err = flock.TryLock(path)
	fmt.Println("a writer is refused:", errors.Is(err, flock.ErrLocked))

	fmt.Println("given back:", one.Unlock(), other.Unlock())
	writer, err := flock.TryLock(path)
	fmt.Println("a writer:", err)
	fmt.Println("given back:", writer.Unlock())
	// Output:
	// a second reader: <nil>
	// a writer is refused: true
	// given back: <nil> <nil>
	// a writer: <nil>
	// given back: <nil>
}

// A part is handed out once. change decides by what the file holds when no other program can write it.
func ExampleUpdate() {
	path, remove := file("stock.json", `{"bracket":1}`)
	defer remove()

	for _, person := range []string{"Alice", "Bob"} {
		got := false
		err := flock.Update(path, func(stock bins.Stock) (write bool, err error) {
			got = stock["bracket"] > 0
			if got {
				stock["bracket"]--
			}
			return got, nil
		})
		fmt.Println(person, got, err)
	}
	// Output:
	// Alice true <nil>
	// Bob false <nil>
}

// file returns the path of a new file in a directory of its own, and what removes the directory.
func file(name, content string) (path string, remove func()) {
	directory, err := os.MkdirTemp("", "lesson-08-")
	if err != nil {
		panic(err)
	}
	path = filepath.Join(directory, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		panic(err)
	}
	return path, func() { _ = os.RemoveAll(directory) }
}
