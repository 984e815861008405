package lockfileex

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"example/turnstile/exercises/10_lockfileex/winfile"
)

// Add adds a job to the list in the file at path, as a line of its number, a blank and its text, and returns the number: one more than the
// number of lines that the list has when Add has the lock, empty ones included. It waits as Lock does for an exclusive lock on the file,
// calls describe once for the text, which may be empty, writes the line byte for byte as it is, however long, and gives the lock back.
//
// Add opens path once, which creates a missing list, with mode 0600, and does nothing else by name: it removes no list and changes no mode.
// Nothing is added if describe returns an error, panics or ends its goroutine (both go on), if the text has a newline in it, or if the list
// ends in half a line. A write that fails may leave half a line, and this Add writes nothing after it.
//
// However Add ends, it has given the lock back, so that the next one need not wait for the system to tidy up, and has closed the file. In
// its error, errors.Is finds every error of the lock, of the file and of describe. After an error the number means nothing.
//
// A program that does not lock, such as the board on the wall, can read the list at any time. Different lists never wait for each other.
func Add(path string, describe func(number int) (text string, err error)) (number int, err error) {
	f, err := winfile.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, fmt.Errorf("add a job: %w; does its directory exist, and may this user write the list?", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// TODO: only Close gives this lock back. When?
	if err := Lock(f); err != nil {
		return 0, err
	}
	lines, err := read(f)
	if err != nil {
		return 0, err
	}
	number = len(lines) + 1
	text, err := describe(number)
	if err != nil {
		return 0, err
	}
	if strings.Contains(text, "\n") {
		return 0, fmt.Errorf("add job %d to %s: %q is more than one line", number, path, text)
	}
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	if _, err := f.WriteAt(fmt.Appendf(nil, "%d %s\n", number, text), size); err != nil {
		return 0, fmt.Errorf("add job %d: %w; make room, and look at the end of %s", number, err, path)
	}
	return number, nil
}

// Jobs calls use once with the lines of the list in the file at path, while it has a shared lock on the file, for which it waits as RLock
// does: no Add writes meanwhile, and any number of Jobs may be at work. It opens path once, for reading alone, and does nothing else by
// name: without a file, the error matches fs.ErrNotExist. A list that ends in half a line is an error. However it ends, Jobs gives back,
// closes and reports as Add does, with use in the place of describe.
func Jobs(path string, use func(lines []string) error) (err error) {
	f, err := winfile.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("read the jobs: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// TODO: and this lock?
	if err := RLock(f); err != nil {
		return err
	}
	lines, err := read(f)
	if err != nil {
		return err
	}
	return use(lines)
}

func read(f *winfile.File) ([]string, error) {
	content, err := f.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the jobs: %w", err)
	}
	if len(content) > 0 && !bytes.HasSuffix(content, []byte("\n")) {
		return nil, fmt.Errorf("read the jobs: %s ends in half a line; finish it, or cut it off", f.Name())
	}
	return strings.Split(string(content), "\n")[:bytes.Count(content, []byte("\n"))], nil
}
