package seektruncate_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	seektruncate "example/turnstile/solutions/03_seek_truncate"
)

func ExampleRewrite() {
	path, remove := temporary("locks.json", `{"bracket.step":"alice"}`)
	defer remove()

	fmt.Println(seektruncate.Rewrite(path, []byte(`{"bracket.step":"bob"}`)))
	show(path)
	// Output:
	// <nil>
	// {"bracket.step":"bob"}
}

func ExampleAppendLine() {
	path, remove := temporary("checkouts.log", "alice took bracket.step\n")
	defer remove()

	fmt.Println(seektruncate.AppendLine(path, "bob took hinge.step"))
	show(path)
	// Output:
	// <nil>
	// alice took bracket.step
	// bob took hinge.step
}

// A torn record is an error of its own, which a loop that stops at io.EOF does not mistake for the end.
func ExampleReadRecord() {
	whole := fmt.Sprintf("%-32s", "bracket.step shelf 4")
	path, remove := temporary("shelf.tab", whole+"hinge.step sh")
	defer remove()
	file, err := os.Open(path)
	check(err)
	defer func() { check(file.Close()) }()

	for n := range 3 {
		record, err := seektruncate.ReadRecord(file, n)
		fmt.Printf("%q %t %t\n", strings.TrimRight(string(record), " "), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF))
	}
	// Output:
	// "bracket.step shelf 4" false false
	// "" true false
	// "" false true
}

func ExampleReadHeader() {
	part := strings.NewReader("ISO-10303-21 v1;the part")
	header, err := seektruncate.ReadHeader(part)
	fmt.Printf("%s %v, %d bytes are left\n", header, err, part.Len())
	// Output: ISO-10303-21 v1; <nil>, 8 bytes are left
}

func temporary(name, content string) (path string, remove func()) {
	dir, err := os.MkdirTemp("", "turnstile-example-03-")
	check(err)
	path = filepath.Join(dir, name)
	check(os.WriteFile(path, []byte(content), 0o600))
	return path, func() { check(os.RemoveAll(dir)) }
}

func show(path string) {
	content, err := os.ReadFile(path)
	check(err)
	fmt.Println(strings.TrimSuffix(string(content), "\n"))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
