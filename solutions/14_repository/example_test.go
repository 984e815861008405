package repository_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	repository "example/turnstile/solutions/14_repository"
)

// A program makes a repository once, and stores what it reads from a stream.
func ExampleRepository_Put() {
	parts, remove := create()
	defer remove()
	object, err := parts.Put(context.Background(), strings.NewReader("solid bracket"))
	if err != nil {
		fmt.Println("not stored:", err)
		return
	}
	fmt.Println(object.ID.String()[:8], object.Size)

	content, err := parts.Get(context.Background(), object.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer content.Close()
	text, err := io.ReadAll(content) // a damaged object is an error here
	fmt.Println(string(text), err)
	// Output:
	// fc7cc571 13
	// solid bracket <nil>
}

// A server stores what a client has announced, or nothing.
func ExampleRepository_PutExpected() {
	parts, remove := create()
	defer remove()
	id, err := repository.ParseID("fc7cc571" + strings.Repeat("0", 56))
	if err != nil {
		fmt.Println(err)
		return
	}
	err = parts.PutExpected(context.Background(), repository.Object{ID: id, Size: 13}, strings.NewReader("solid bracket"))
	fmt.Println(errors.Is(err, repository.ErrMismatch))
	for object := range parts.List(context.Background()) {
		fmt.Println("stored:", object)
	}
	// Output: true
}

// A server sweeps at its start. A day is longer than any pause of an upload.
func ExampleRepository_Sweep() {
	parts, remove := create()
	defer remove()
	fmt.Println(parts.Sweep(context.Background(), 24*time.Hour))
	// Output: 0 <nil>
}

// create returns a new repository in a directory of its own, and what removes the two.
func create() (parts *repository.Repository, remove func()) {
	dir, err := os.MkdirTemp("", "lesson-14-")
	if err != nil {
		panic(err)
	}
	parts, err = repository.Create(dir, repository.Options{})
	if err != nil {
		panic(err)
	}
	return parts, func() { _ = errors.Join(parts.Close(), os.RemoveAll(dir)) }
}
