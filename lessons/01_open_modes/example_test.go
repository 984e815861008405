package openmodes_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
)

// temporary returns the path of a file in a directory that the returned function removes.
func temporary(name string) (path string, remove func()) {
	dir, err := os.MkdirTemp("", "turnstile-")
	if err != nil {
		log.Panic(err)
	}
	return filepath.Join(dir, name), func() { _ = os.RemoveAll(dir) }
}

func must(err error) {
	if err != nil {
		log.Panic(err)
	}
}

func show(label, path string) {
	content, err := os.ReadFile(path)
	must(err)
	fmt.Printf("%-8s %-42s %2d bytes\n", label, content, len(content))
}

// The bug in one call.
func Example_emptied() {
	path, remove := temporary("locks.json")
	defer remove()
	must(os.WriteFile(path, []byte(`{"axle.step":"bob","bracket.step":"alice"}`), 0o600))
	show("before", path)

	f, err := os.Create(path)
	fmt.Println("Create   error:", err)
	defer f.Close()
	// Here the process is killed.

	show("after", path)
	// Output:
	// before   {"axle.step":"bob","bracket.step":"alice"} 42 bytes
	// Create   error: <nil>
	// after                                                0 bytes
}

// Two people ask before either of them acts.
func Example_twoOwners() {
	path, remove := temporary("bracket.ticket")
	defer remove()
	for _, person := range []string{"alice", "bob"} {
		_, err := os.Stat(path)
		fmt.Printf("%-5s Stat   missing: %v\n", person, errors.Is(err, fs.ErrNotExist))
	}
	for _, person := range []string{"bob", "alice"} {
		f, err := os.Create(path)
		fmt.Printf("%-5s Create error: %v\n", person, err)
		_, err = f.WriteString(person)
		must(errors.Join(err, f.Close()))
		show("ticket", path)
	}
	// Output:
	// alice Stat   missing: true
	// bob   Stat   missing: true
	// bob   Create error: <nil>
	// ticket   bob                                         3 bytes
	// alice Create error: <nil>
	// ticket   alice                                       5 bytes
}

// The same two lines, with the end looked up once and with the end looked up for each write.
func Example_whoLooksForTheEnd() {
	path, remove := temporary("history.log")
	defer remove()

	alice, bob := openLog(path, os.O_WRONLY|os.O_CREATE), openLog(path, os.O_WRONLY|os.O_CREATE)
	_, _ = alice.Seek(0, io.SeekEnd)
	_, _ = bob.Seek(0, io.SeekEnd)
	write(alice, "alice bracket.step\n")
	write(bob, "bob gear.step\n")
	content, _ := os.ReadFile(path)
	fmt.Printf("Seek      %q\n", content)

	must(os.Truncate(path, 0))
	alice, bob = openLog(path, os.O_WRONLY|os.O_APPEND), openLog(path, os.O_WRONLY|os.O_APPEND)
	write(alice, "alice bracket.step\n")
	write(bob, "bob gear.step\n")
	content, _ = os.ReadFile(path)
	fmt.Printf("O_APPEND  %q\n", content)
	// Output:
	// Seek      "bob gear.step\nstep\n"
	// O_APPEND  "alice bracket.step\nbob gear.step\n"
}

func openLog(path string, flags int) *os.File {
	f, err := os.OpenFile(path, flags, 0o600)
	must(err)
	return f
}

func write(f *os.File, line string) {
	_, err := f.WriteString(line)
	must(errors.Join(err, f.Close()))
}
