package openmodes_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	openmodes "example/turnstile/solutions/01_open_modes"
)

// The caller decides that a missing document is a first start, creates it, and works with it in place.
func ExampleOpenForUpdate() {
	path, remove := inWorkshop("locks.json")
	defer remove()

	if _, err := openmodes.OpenForUpdate(path); errors.Is(err, fs.ErrNotExist) {
		fmt.Println("no document yet")
	}
	f, err := openmodes.CreateNew(path) // this program was started with an option --new
	if err == nil {
		_, err = f.WriteString("{}")
		err = errors.Join(err, f.Close())
	}
	fmt.Println("created:", err)
	f, err = openmodes.OpenForUpdate(path)
	fmt.Println("opened:", err)
	_ = f.Close()
	show(path)
	// Output:
	// no document yet
	// created: <nil>
	// opened: <nil>
	// "{}"
}

// Two programs write into one log, each through a file of its own.
func ExampleOpenForAppend() {
	path, remove := inWorkshop("history.log")
	defer remove()

	alice, _ := openmodes.OpenForAppend(path)
	bob, _ := openmodes.OpenForAppend(path)
	_, err := fmt.Fprintln(bob, "bob gear.step")
	fmt.Println(errors.Join(err, bob.Close()))
	_, err = fmt.Fprintln(alice, "alice bracket.step")
	fmt.Println(errors.Join(err, alice.Close()))
	show(path)
	// Output:
	// <nil>
	// <nil>
	// "bob gear.step\nalice bracket.step\n"
}

// The error of the second claim is its result: the ticket has an owner.
func ExampleCreateNew() {
	path, remove := inWorkshop("bracket.ticket")
	defer remove()

	f, err := openmodes.CreateNew(path)
	fmt.Println("alice:", err)
	_, err = f.WriteString("alice")
	fmt.Println("her name:", errors.Join(err, f.Close()))
	_, err = openmodes.CreateNew(path)
	fmt.Println("bob comes too late:", errors.Is(err, fs.ErrExist))
	show(path)
	// Output:
	// alice: <nil>
	// her name: <nil>
	// bob comes too late: true
	// "alice"
}

// The document is emptied only if allowed returns nil.
func ExampleOpenForReplace() {
	path, remove := inWorkshop("locks.json")
	defer remove()
	_ = os.WriteFile(path, []byte(`{"bracket.step":"alice"}`), 0o600)

	_, err := openmodes.OpenForReplace(path, func(*os.File) error { return errors.New("bracket.step is Alice's") })
	fmt.Println(err)
	show(path)

	f, err := openmodes.OpenForReplace(path, func(*os.File) error { return nil })
	fmt.Println(err)
	_, err = f.WriteString("{}")
	fmt.Println(errors.Join(err, f.Close()))
	show(path)
	// Output:
	// bracket.step is Alice's
	// "{\"bracket.step\":\"alice\"}"
	// <nil>
	// <nil>
	// "{}"
}

// inWorkshop returns the path of a file in a directory of its own, and what removes the directory.
func inWorkshop(name string) (path string, remove func()) {
	directory, err := os.MkdirTemp("", "lesson-01-")
	if err != nil {
		panic(err)
	}
	return filepath.Join(directory, name), func() { _ = os.RemoveAll(directory) }
}

func show(path string) {
	content, err := os.ReadFile(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n", content)
}
