package lostupdate_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	lostupdate "example/turnstile/solutions/05_lost_update"
)

// Goroutines number job cards in one file. Other processes may do the same at the same time.
func ExampleUpdate() {
	path, remove := file("counter.json", `{"counter":41}`)
	defer remove()

	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, err := lostupdate.Update(path, func(counter int) int { return counter + 1 }); err != nil {
				fmt.Println(err)
			}
		})
	}
	all.Wait()
	fmt.Println(lostupdate.Update(path, func(counter int) int { return counter + 1 }))
	// Output: 52 <nil>
}

// Two programs have one list open. Each call goes by what the file holds at that moment.
func ExampleCheckouts() {
	path, remove := file("locks.json", `{}`)
	defer remove()

	alices, err := lostupdate.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer alices.Close()
	bobs, err := lostupdate.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bobs.Close()

	fmt.Println(alices.Take("bracket.step", "alice"))
	err = bobs.Take("bracket.step", "bob")
	fmt.Println(errors.Is(err, lostupdate.ErrTaken), err)
	fmt.Println(alices.Return("bracket.step", "alice"))
	fmt.Println(bobs.Take("bracket.step", "bob"))
	// Output:
	// <nil>
	// true take bracket.step: the part is taken by alice; ask for it back, or wait
	// <nil>
	// <nil>
}

// file returns the path of a new file in a directory of its own, and what removes the directory.
func file(name, content string) (path string, remove func()) {
	directory, err := os.MkdirTemp("", "lesson-05-")
	if err != nil {
		panic(err)
	}
	path = filepath.Join(directory, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		panic(err)
	}
	return path, func() { _ = os.RemoveAll(directory) }
}
