package jsonfiles_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	jsonfiles "example/turnstile/solutions/04_json_files"
)

// A program loads the document, changes it and saves it. Whether a missing file is a first start is for the program to decide.
func Example() {
	path, remove := store()
	defer remove()

	doc, err := jsonfiles.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		doc, err = jsonfiles.New(), nil // this program has an option --new, and it was given
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	doc.Checkouts["bracket.step"] = jsonfiles.Checkout{Person: "alice", Since: time.Now()}
	if err := jsonfiles.Save(path, doc); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("saved generation", doc.Generation)
	// Output: saved generation 1
}

// Two programs load one generation. The second save is refused: load again and repeat the change.
func ExampleSave() {
	path, remove := store()
	defer remove()
	fmt.Println(jsonfiles.Save(path, jsonfiles.New()))

	one, _ := jsonfiles.Load(path)
	two, _ := jsonfiles.Load(path)
	one.Checkouts["lid.step"] = jsonfiles.Checkout{Person: "bob", Since: time.Now()}
	fmt.Println(jsonfiles.Save(path, one))
	two.Checkouts["lid.step"] = jsonfiles.Checkout{Person: "carol", Since: time.Now()}
	fmt.Println(errors.Is(jsonfiles.Save(path, two), jsonfiles.ErrChanged))
	// Output:
	// <nil>
	// <nil>
	// true
}

// A damaged file is set aside for a person to look at, and work goes on.
func ExampleSetAside() {
	path, remove := store()
	defer remove()
	_ = os.WriteFile(path, []byte(`{"version":1,"gener`), 0o600)

	_, err := jsonfiles.Load(path)
	if jsonfiles.IsDamaged(err) {
		aside, err := jsonfiles.SetAside(path)
		fmt.Println(filepath.Base(aside), err)
	}
	fmt.Println(jsonfiles.Save(path, jsonfiles.New()))
	// Output:
	// locks.json.damaged-1 <nil>
	// <nil>
}

// store returns the path of a file in a directory of its own, and what removes the directory.
func store() (path string, remove func()) {
	directory, err := os.MkdirTemp("", "lesson-04-")
	if err != nil {
		panic(err)
	}
	return filepath.Join(directory, "locks.json"), func() { _ = os.RemoveAll(directory) }
}
