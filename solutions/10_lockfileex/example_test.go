//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows

package lockfileex_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example/turnstile/exercises/10_lockfileex/winfile"
	lockfileex "example/turnstile/solutions/10_lockfileex"
)

// A lock keeps out those who ask for it, and a program that does not ask reads the file.
func ExampleTryLock() {
	dir, err := os.MkdirTemp("", "jobs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "jobs.txt")
	if err := os.WriteFile(path, []byte("1 hinge\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	one, err := winfile.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer one.Close()
	other, err := winfile.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer other.Close()

	fmt.Println("the first handle:", lockfileex.Lock(one))
	fmt.Println("another one is refused:", errors.Is(lockfileex.TryLock(other), lockfileex.ErrLocked))
	text, err := winfile.ReadFile(path)
	fmt.Printf("who does not ask reads: %q %v\n", text, err)

	fmt.Println("downgraded:", lockfileex.Downgrade(one))
	fmt.Println("now the other may share:", lockfileex.TryRLock(other))
	fmt.Println("given back:", errors.Join(lockfileex.Unlock(one), lockfileex.Unlock(other)))
	// Output:
	// the first handle: <nil>
	// another one is refused: true
	// who does not ask reads: "1 hinge\n" <nil>
	// downgraded: <nil>
	// now the other may share: <nil>
	// given back: <nil>
}

// Add numbers the jobs.
func ExampleAdd() {
	dir, err := os.MkdirTemp("", "jobs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "jobs.txt")
	for _, part := range []string{"bracket", "hinge"} {
		if _, err := lockfileex.Add(path, func(int) (string, error) { return part, nil }); err != nil {
			fmt.Println(err)
		}
	}
	err = lockfileex.Jobs(path, func(lines []string) error {
		fmt.Printf("%q\n", lines)
		return nil
	})
	fmt.Println(err)
	// Output:
	// ["1 bracket" "2 hinge"]
	// <nil>
}
