package jsonfiles_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Example_theBug is the store that half of all programs begin with: what cannot be loaded is an empty document.
func Example_theBug() {
	folder, err := os.MkdirTemp("", "lesson-04-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "locks.json")
	show := func(when string) {
		content, err := os.ReadFile(path)
		fmt.Printf("%-18s %d bytes, %s  %s\n", when, len(content), verdict(err), content)
	}

	var locks map[string]string
	loadOrDefault := func() string {
		data, err := os.ReadFile(path)
		if err != nil || json.Unmarshal(data, &locks) != nil {
			locks = map[string]string{}
		}
		return fmt.Sprintf("%d locks", len(locks))
	}

	_ = os.WriteFile(path, []byte(`{"bracket.step":"alice","hinge.step":"alice"}`), 0o600)
	show("in the morning")
	_ = os.Truncate(path, 33) // what a crash in the middle of a write leaves
	show("after the crash")
	fmt.Println("bob's program sees", loadOrDefault())
	locks["lid.step"] = "bob"
	data, _ := json.Marshal(locks)
	_ = os.WriteFile(path, data, 0o600)
	show("after bob's save")
	// Output:
	// in the morning     45 bytes, no error  {"bracket.step":"alice","hinge.step":"alice"}
	// after the crash    33 bytes, no error  {"bracket.step":"alice","hinge.st
	// bob's program sees 0 locks
	// after bob's save   18 bytes, no error  {"lid.step":"bob"}
}
