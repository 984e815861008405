// Command detector is what the lesson builds with -race: a race in memory, one in a file, and memory that only a file lock guards.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/gofrs/flock"
)

func main() {
	what, path := os.Args[1], os.Args[2]
	switch what {
	case "memory":
		inMemory()
	case "file":
		inFile(path)
	case "steps":
		inSteps(path)
	case "lock":
		underFileLock(path, func() {})
	case "lock and file":
		underFileLock(path+".lock", func() { save(path, load(path)+1) })
	}
}

// inMemory lets two goroutines read and write one variable.
func inMemory() {
	counter := 0
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { counter++ })
	}
	both.Wait()
	fmt.Println(counter)
}

// inFile lets two goroutines read the counter in the file before either of them writes.
func inFile(path string) {
	var read, written sync.WaitGroup
	read.Add(2)
	for range 2 {
		written.Go(func() {
			counter := load(path)
			read.Done()
			read.Wait()
			save(path, counter+1)
		})
	}
	written.Wait()
	fmt.Println(load(path))
}

// inSteps reads the counter, and writes it when a line comes.
func inSteps(path string) {
	counter := load(path)
	fmt.Println("read", counter)
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		fail(err)
	}
	save(path, counter+1)
}

// underFileLock lets two goroutines change one variable, each while it holds the file lock, and calls also before and after that, still inside.
func underFileLock(path string, also func()) {
	counter := 0
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			guard := flock.New(path)
			if err := guard.Lock(); err != nil {
				fail(err)
			}
			also()
			counter++
			also()
			if err := guard.Unlock(); err != nil {
				fail(err)
			}
		})
	}
	both.Wait()
	fmt.Println(counter)
}

func load(path string) int {
	content, err := os.ReadFile(path)
	if err != nil {
		fail(err)
	}
	counter, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		fail(err)
	}
	return counter
}

func save(path string, counter int) {
	if err := os.WriteFile(path, []byte(strconv.Itoa(counter)), 0o600); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
