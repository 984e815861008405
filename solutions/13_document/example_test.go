package document_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	document "example/turnstile/solutions/13_document"
)

// Checkouts says who has which part.
type Checkouts map[string]string

var errTaken = errors.New("another person has the part")

// A program checks a part out. Whoever comes second is told so, and nothing is written.
func ExampleDocument_Update() {
	path, remove := shelf()
	defer remove()
	ctx := context.Background()
	checkouts := document.New(path, document.Options[Checkouts]{})
	fmt.Println(checkouts.Create(ctx, &Checkouts{}))

	checkOut := func(part, person string) error {
		return checkouts.Update(ctx, func(all *Checkouts) error {
			if (*all)[part] != "" {
				return errTaken
			}
			(*all)[part] = person
			return nil
		})
	}
	fmt.Println(checkOut("bracket.step", "alice"))
	fmt.Println(checkOut("bracket.step", "bob"))
	content, _ := os.ReadFile(path)
	fmt.Printf("%s", content)
	// Output:
	// <nil>
	// <nil>
	// another person has the part
	// {"version":1,"generation":2,"content":{"bracket.step":"alice"}}
}

// A missing document is an error, and not an empty one: the caller decides whether this is a first start.
func ExampleDocument_View() {
	path, remove := shelf()
	defer remove()
	err := document.New(path, document.Options[Checkouts]{}).View(context.Background(), func(*Checkouts) error { return nil })
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output: true
}

// A program that starts puts in order what a process crash has left. Here the document is torn, and the generation before comes back.
func ExampleDocument_Recover() {
	path, remove := shelf()
	defer remove()
	ctx := context.Background()
	checkouts := document.New(path, document.Options[Checkouts]{})
	_ = checkouts.Create(ctx, &Checkouts{"bracket.step": "alice"})
	_ = checkouts.Update(ctx, func(all *Checkouts) error { (*all)["hinge.step"] = "bob"; return nil })
	_ = os.Truncate(path, 40) // by a program that knows nothing of the lock

	var corrupt *document.CorruptError
	err := checkouts.View(ctx, func(*Checkouts) error { return nil })
	fmt.Println(errors.As(err, &corrupt))
	done, err := checkouts.Recover(ctx)
	fmt.Println(filepath.Base(done.Aside), done.Restored, err)
	_ = checkouts.View(ctx, func(all *Checkouts) error { fmt.Println(*all); return nil })
	// Output:
	// true
	// locks.json.damaged-1 3 <nil>
	// map[bracket.step:alice]
}

// shelf returns a path in a directory of its own, and what removes the directory.
func shelf() (path string, remove func()) {
	directory, err := os.MkdirTemp("", "lesson-13-")
	if err != nil {
		panic(err)
	}
	return filepath.Join(directory, "locks.json"), func() { _ = os.RemoveAll(directory) }
}
