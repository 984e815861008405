package lockfiles_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	lockfiles "example/turnstile/solutions/07_lock_files"
)

func ExampleAcquire() {
	dir, remove := temporary()
	defer remove()
	path := filepath.Join(dir, "locks.json.lock")

	lock, err := lockfiles.Acquire(path, lockfiles.Options{})
	check(err)
	_, err = lockfiles.Acquire(path, lockfiles.Options{})
	fmt.Println("while it is held:", errors.Is(err, lockfiles.ErrLocked))
	check(lock.Release())

	lock, err = lockfiles.Acquire(path, lockfiles.Options{})
	fmt.Println("after Release:", err)
	check(lock.Release())
	// Output:
	// while it is held: true
	// after Release: <nil>
}

// A caller that knows more than the system judges by itself: here, that no owner is at work. The owner that was judged wrongly learns
// of it from Release.
func ExampleOptions() {
	dir, remove := temporary()
	defer remove()
	path := filepath.Join(dir, "locks.json.lock")

	alice, err := lockfiles.Acquire(path, lockfiles.Options{})
	check(err)
	bob, err := lockfiles.Acquire(path, lockfiles.Options{Alive: func(lockfiles.Owner) bool { return false }})
	check(err)
	fmt.Println("alice has lost the lock:", errors.Is(alice.Release(), lockfiles.ErrLost))
	fmt.Println("bob:", bob.Release())
	// Output:
	// alice has lost the lock: true
	// bob: <nil>
}

func ExampleAlive() {
	dir, remove := temporary()
	defer remove()
	lock, err := lockfiles.Acquire(filepath.Join(dir, "locks.json.lock"), lockfiles.Options{})
	check(err)
	owner := lock.Owner()
	check(lock.Release())

	fmt.Println("this process:", lockfiles.Alive(owner))
	owner.Host.Name = "bench-2"
	fmt.Println("a process on another machine, of which nothing is known:", lockfiles.Alive(owner))
	// Output:
	// this process: true
	// a process on another machine, of which nothing is known: true
}

func temporary() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "turnstile-example-07-")
	check(err)
	return dir, func() { check(os.RemoveAll(dir)) }
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
