package jsonfiles_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Example_theBug is the store that many programs begin with: what cannot be loaded is an empty list.
func Example_theBug() {
	directory, err := os.MkdirTemp("", "lesson-04-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(directory)
	path := filepath.Join(directory, "locks.json")
	show := func(when string) {
		content, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%-19s %3d bytes  %s\n", when, len(content), content)
	}

	loadOrDefault := func() map[string]string {
		checkouts := map[string]string{}
		data, err := os.ReadFile(path)
		if err != nil || json.Unmarshal(data, &checkouts) != nil {
			return map[string]string{}
		}
		return checkouts
	}

	err = os.WriteFile(path, []byte(`{"bracket.step":"alice","hinge.step":"alice"}`), 0o600)
	show("in the morning")
	err = errors.Join(err, os.Truncate(path, 33)) // what a kill in the middle of a write leaves: file_test.go shows one
	show("after the kill")
	checkouts := loadOrDefault()
	fmt.Printf("%-19s %3d checkouts, no error\n", "Bob's program finds", len(checkouts))
	checkouts["lid.step"] = "bob"
	data, encodeErr := json.Marshal(checkouts)
	err = errors.Join(err, encodeErr, os.WriteFile(path, data, 0o600))
	show("after Bob's save")
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// in the morning       45 bytes  {"bracket.step":"alice","hinge.step":"alice"}
	// after the kill       33 bytes  {"bracket.step":"alice","hinge.st
	// Bob's program finds   0 checkouts, no error
	// after Bob's save     18 bytes  {"lid.step":"bob"}
}
