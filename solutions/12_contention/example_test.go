package contention_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"example/turnstile/exercises/08_flock/bins"
	contention "example/turnstile/solutions/12_contention"
)

// A caller with little time does not get a lock that another one keeps.
func ExampleLock() {
	directory, remove := temporary()
	defer remove()
	path := filepath.Join(directory, "stock.json.lock")

	one, err := contention.Lock(context.Background(), path)
	fmt.Println("the first:", err)

	soon, stop := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer stop()
	_, err = contention.Lock(soon, path)
	fmt.Println("no time left:", errors.Is(err, context.DeadlineExceeded))

	fmt.Println("given back:", one.Unlock())
	two, err := contention.Lock(context.Background(), path)
	fmt.Println("the second:", err)
	fmt.Println("given back:", two.Unlock())
	// Output:
	// the first: <nil>
	// no time left: true
	// given back: <nil>
	// the second: <nil>
	// given back: <nil>
}

// Brackets go from one shelf to another. If there are too few, both stocks stay as they are.
func ExampleTransfer() {
	directory, remove := temporary()
	defer remove()
	front, back := filepath.Join(directory, "front.json"), filepath.Join(directory, "back.json")
	for _, path := range []string{front, back} {
		if err := os.WriteFile(path, []byte(`{"bracket":5}`), 0o600); err != nil {
			fmt.Println(err)
		}
	}
	carry := func(n int) func(from, to bins.Stock) error {
		return func(from, to bins.Stock) error {
			if from["bracket"] < n {
				return fmt.Errorf("only %d are left", from["bracket"])
			}
			from["bracket"] -= n
			to["bracket"] += n
			return nil
		}
	}
	for range 2 {
		fmt.Println(contention.Transfer(context.Background(), front, back, carry(3)))
	}
	text, err := os.ReadFile(back)
	fmt.Println(string(text), err)
	// Output:
	// <nil>
	// only 2 are left
	// {"bracket":8} <nil>
}

func temporary() (directory string, remove func()) {
	directory, err := os.MkdirTemp("", "lesson-12-")
	if err != nil {
		panic(err)
	}
	return directory, func() { _ = os.RemoveAll(directory) }
}
