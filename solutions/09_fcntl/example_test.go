//go:build linux

package fcntl_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example/turnstile/exercises/09_fcntl/rows"
	fcntl "example/turnstile/solutions/09_fcntl"
)

// Rows that do not overlap are locked independently of each other; a row that is taken is not waited for.
func ExampleTryLock() {
	path, remove := table()
	defer remove()

	bracket, err := fcntl.Lock(path, fcntl.Rows{First: 0, Count: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	hinge, err := fcntl.TryLock(path, fcntl.Rows{First: 1, Count: 1})
	fmt.Println("another row:", err)

	_, err = fcntl.TryRLock(path, fcntl.Rows{First: 0, Count: fcntl.All})
	fmt.Println("all rows are refused:", errors.Is(err, fcntl.ErrLocked))

	fmt.Println("given back:", bracket.Unlock(), hinge.Unlock())
	locked, err := fcntl.Locked(path, fcntl.Rows{First: 0, Count: fcntl.All})
	fmt.Println("locked:", locked, err)
	// Output:
	// another row: <nil>
	// all rows are refused: true
	// given back: <nil> <nil>
	// locked: false <nil>
}

// Parts are moved from one row to another, so that no one who views the table sees them in neither row, or in both.
func ExampleMove() {
	path, remove := table()
	defer remove()

	fmt.Println(fcntl.Move(path, 1, 0, 3))
	fmt.Println("too few:", errors.Is(fcntl.Move(path, 1, 0, 3), fcntl.ErrTooFew))
	err := fcntl.View(path, func(all []rows.Row) error {
		fmt.Println(all)
		return nil
	})
	fmt.Println(err)
	// Output:
	// <nil>
	// too few: true
	// [{bracket 4} {hinge 1}]
	// <nil>
}

// table returns the path of a new table in a directory of its own, and what removes the directory.
func table() (path string, remove func()) {
	directory, err := os.MkdirTemp("", "lesson-09-")
	if err != nil {
		panic(err)
	}
	path = filepath.Join(directory, "parts.table")
	err = os.WriteFile(path, nil, 0o600)
	for n, row := range []rows.Row{{Part: "bracket", Number: 1}, {Part: "hinge", Number: 4}} {
		err = errors.Join(err, rows.Write(path, int64(n), row))
	}
	if err != nil {
		panic(err)
	}
	return path, func() { _ = os.RemoveAll(directory) }
}
