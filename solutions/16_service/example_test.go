package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	service "example/turnstile/solutions/16_service"
)

// Alice checks a part in, her answer is lost, and she asks again; then Bob goes on with her work.
func ExampleService_CheckIn() {
	s, remove := temporary()
	defer remove()
	ctx := context.Background()

	hers, content, err := s.CheckOut(ctx, "alice", "parts/bracket.step")
	fmt.Println("alice:", err, content.Close())
	version, err := s.CheckIn(ctx, "alice", hers.ID, strings.NewReader("four holes"))
	fmt.Println("version", version.Number, err)
	version, err = s.CheckIn(ctx, "alice", hers.ID, strings.NewReader("four holes"))
	fmt.Println("version", version.Number, err)
	_, err = s.CheckIn(ctx, "alice", hers.ID, strings.NewReader("five holes"))
	fmt.Println("another content:", errors.Is(err, service.ErrEnded))

	_, content, err = s.CheckOut(ctx, "bob", "parts/bracket.step")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := io.ReadAll(content)
	fmt.Printf("bob has %q %v %v\n", text, err, content.Close())
	// Output:
	// alice: <nil> <nil>
	// version 1 <nil>
	// version 1 <nil>
	// another content: true
	// bob has "four holes" <nil> <nil>
}

// A program that starts recovers first.
func ExampleService_Recover() {
	s, remove := temporary()
	defer remove()
	done, err := s.Recover(context.Background())
	fmt.Println(len(done.GivenBack), "given back,", done.Removed, "removed, collected:", done.Collected, err)
	// Output:
	// 0 given back, 0 removed, collected: true <nil>
}

// temporary returns a new service, and what removes it.
func temporary() (s *service.Service, remove func()) {
	directory, err := os.MkdirTemp("", "service")
	if err == nil {
		s, err = service.Create(context.Background(), directory, service.Options{})
	}
	if err != nil {
		panic(err)
	}
	return s, func() { _ = errors.Join(s.Close(), os.RemoveAll(directory)) }
}
