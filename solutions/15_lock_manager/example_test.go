package lockmanager_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	lockmanager "example/turnstile/solutions/15_lock_manager"
)

// One of two has the part, and the other one learns who it is.
func ExampleManager_Lock() {
	directory, remove := temporary()
	defer remove()
	ctx := context.Background()
	manager := lockmanager.New(filepath.Join(directory, "locks.json"), lockmanager.Options{})
	fmt.Println("created:", manager.Create(ctx))

	hers, err := manager.Lock(ctx, "alice", "parts/bracket.step")
	fmt.Println("alice:", err)

	_, err = manager.Lock(ctx, "bob", "parts/Bracket.step")
	var held *lockmanager.HeldError
	if errors.As(err, &held) {
		fmt.Println("bob: it is out to", held.Checkout.Owner)
	}

	_, err = manager.Unlock(ctx, "alice", hers.ID, false)
	fmt.Println("given back:", err)
	_, err = manager.Unlock(ctx, "alice", hers.ID, true)
	fmt.Println("once more:", errors.Is(err, lockmanager.ErrNotFound))
	// Output:
	// created: <nil>
	// alice: <nil>
	// bob: it is out to alice
	// given back: <nil>
	// once more: true
}

// A list in pieces, of which some are given back on the way.
func ExampleManager_List() {
	directory, remove := temporary()
	defer remove()
	ctx := context.Background()
	manager := lockmanager.New(filepath.Join(directory, "locks.json"), lockmanager.Options{})
	if err := manager.Create(ctx); err != nil {
		fmt.Println(err)
	}
	for _, part := range []string{"axle", "bracket", "cog", "dowel"} {
		if _, err := manager.Lock(ctx, "alice", part); err != nil {
			fmt.Println(err)
		}
	}
	for query := (lockmanager.Query{Limit: 2}); ; {
		page, err := manager.List(ctx, query)
		if err != nil {
			fmt.Println(err)
		}
		for _, c := range page.Checkouts {
			fmt.Println(c.Path)
			if _, err := manager.Unlock(ctx, "alice", c.ID, false); err != nil {
				fmt.Println(err)
			}
		}
		if page.Next == "" {
			break
		}
		query.Cursor = page.Next
	}
	// Output:
	// axle
	// bracket
	// cog
	// dowel
}

// Alice's machine sleeps for longer than her lease. When it wakes up, Bob has the part.
func ExampleArchive_Write() {
	directory, remove := temporary()
	defer remove()
	ctx := context.Background()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	options := lockmanager.Options{Lease: time.Hour, Now: func() time.Time { return now }}
	manager := lockmanager.New(filepath.Join(directory, "locks.json"), options)
	archive := lockmanager.NewArchive(filepath.Join(directory, "archive.json"), manager)
	if err := errors.Join(manager.Create(ctx), archive.Create(ctx)); err != nil {
		fmt.Println(err)
	}
	alice, err := manager.Lock(ctx, "alice", "bracket.step")
	fmt.Println("alice has token", alice.Token, err)

	now = now.Add(2 * time.Hour)
	bob, err := manager.Lock(ctx, "bob", "bracket.step")
	fmt.Println("bob has token", bob.Token, err)
	fmt.Println("bob writes:", archive.Write(ctx, bob, "bob's"))
	fmt.Println("alice is refused:", errors.Is(archive.Write(ctx, alice, "alice's"), lockmanager.ErrFenced))
	content, err := archive.Read(ctx, bob)
	fmt.Println(content, err)
	// Output:
	// alice has token 1 <nil>
	// bob has token 2 <nil>
	// bob writes: <nil>
	// alice is refused: true
	// bob's <nil>
}

func temporary() (directory string, remove func()) {
	directory, err := os.MkdirTemp("", "lesson-15-")
	if err != nil {
		panic(err)
	}
	return directory, func() { _ = os.RemoveAll(directory) }
}
