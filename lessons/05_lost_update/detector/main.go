//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Command detector is what the lesson builds with -race: a race in memory, one in a file, and memory that only a file lock guards. It
// imports little, because building a package with -race begins with building all that it imports that way.
package main

import (
	"sync"
	"syscall"
)

func main() {
	what, _ := syscall.Getenv("DETECTOR_CASE")
	path, _ := syscall.Getenv("DETECTOR_FILE")
	switch what {
	case "memory":
		inMemory()
	case "file":
		inFile(path)
	case "lock":
		underFileLock(path)
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
	println(counter)
}

// inFile lets two goroutines read the counter, one digit in the file, before either of them writes.
func inFile(path string) {
	var read, written sync.WaitGroup
	read.Add(2)
	for range 2 {
		written.Go(func() {
			file, err := syscall.Open(path, syscall.O_RDWR, 0)
			check(err)
			digit := make([]byte, 1)
			_, err = syscall.Pread(file, digit, 0)
			check(err)
			read.Done()
			read.Wait()
			digit[0]++
			_, err = syscall.Pwrite(file, digit, 0)
			check(err)
			check(syscall.Close(file))
		})
	}
	written.Wait()
}

// underFileLock lets two goroutines change one variable, each while it holds a lock on the file.
func underFileLock(path string) {
	counter := 0
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			file, err := syscall.Open(path, syscall.O_RDWR, 0)
			check(err)
			check(syscall.Flock(file, syscall.LOCK_EX))
			counter++
			check(syscall.Flock(file, syscall.LOCK_UN))
			check(syscall.Close(file))
		})
	}
	both.Wait()
	println(counter)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
