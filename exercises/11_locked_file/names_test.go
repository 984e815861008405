package lockedfile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lockedfile "example/turnstile/exercises/11_locked_file"
	"example/turnstile/internal/lab"
)

// asked are calls for a file that exists. Each makes one open, as os.OpenFile does with flag and perm, or none if flag is noOpen. A call
// whose locks are not 0 asks for a lock as often as that.
var asked = []struct {
	name  string
	held  bool // another owner has the file
	call  func(path string) error
	flag  int
	perm  os.FileMode
	locks int
}{
	{"OpenFile (w), Write and Close", false, func(path string) error {
		file, err := lockedfile.OpenFile(context.Background(), path, flagsOf("w"), 0o640|os.ModeSticky)
		return hold(file, err)(func(file *lockedfile.File) error { _, err := file.WriteString(document); return err })
	}, os.O_RDWR | os.O_CREATE, 0o640 | os.ModeSticky, 0},
	{"OpenFile (r) and Close", false, func(path string) error {
		return hold(lockedfile.OpenFile(context.Background(), path, os.O_RDONLY, 0))(nothing)
	}, os.O_RDONLY, 0, 0},
	{"OpenFile with a context that has ended", false, func(path string) error {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return is(hold(lockedfile.OpenFile(ctx, path, os.O_RDWR, 0))(nothing), context.Canceled)
	}, noOpen, 0, 0},
	{"TryOpenFile (a) and Close", false, func(path string) error {
		return hold(lockedfile.TryOpenFile(path, flagsOf("a"), 0))(nothing)
	}, os.O_RDWR | os.O_CREATE | os.O_APPEND, 0, 1},
	{"TryOpenFile (w) of a file that another owner had locked", true, func(path string) error {
		return is(hold(lockedfile.TryOpenFile(path, flagsOf("w"), 0o600))(nothing), lockedfile.ErrLocked)
	}, os.O_RDWR | os.O_CREATE, 0o600, 1},
	{"With", false, func(path string) error {
		return lockedfile.With(context.Background(), path, os.O_RDWR, 0, nothing)
	}, os.O_RDWR, 0, 0},
	{"Edit", false, func(path string) error {
		return lockedfile.Edit(context.Background(), path, func(old []byte) ([]byte, error) { return append(old, old...), nil })
	}, os.O_RDWR, 0, 0},
}

const noOpen = -1

func nothing(*lockedfile.File) error { return nil }

func is(err, target error) error {
	if !errors.Is(err, target) {
		return fmt.Errorf("%w instead of: %w", err, target)
	}
	return nil
}

// model stands before the name of a call in the trace when os.OpenFile makes the open.
const model = "os.OpenFile as "

// ask makes each of these calls for a file of its own in the current directory.
func ask(w *lab.Worker) (err error) {
	for i, c := range asked {
		path := fmt.Sprint("document ", i)
		failed := os.WriteFile(path, []byte(document), 0o600)
		var held *lockedfile.File
		if c.flag != noOpen {
			lab.Mark(model + c.name)
			file, err := os.OpenFile(path, c.flag, c.perm)
			failed = errors.Join(failed, err, file.Close())
		}
		lab.Mark("")
		if c.held {
			var err error
			held, err = lockedfile.OpenFile(context.Background(), path, os.O_RDWR, 0)
			failed = errors.Join(failed, err)
		}
		lab.Mark(c.name)
		failed = errors.Join(failed, c.call(path))
		lab.Mark("")
		if held != nil {
			failed = errors.Join(failed, held.Close())
		}
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", c.name, failed))
		}
	}
	return err
}

// What is asked for by name is another file's as soon as the name is. So there is one open, and all else is asked of what it has opened.
func TestNothingIsAskedByNameButOneOpen(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	dir := filepath.Dir(lab.Path(t, "document"))
	l := lab.Lesson{Did: "each function, with files on which nothing else works", Means: "the program cannot work at all", Read: order}
	p := lab.Trace(t, lab.Rule{Calls: "%file,flock"}, lab.Options{Dir: dir}, "ask")
	lab.RequireNoError(t, p.Wait(l), l.Say("A function failed although nothing stood in its way"))
	names, locks := map[string][]string{}, map[string]int{}
	for name, calls := range p.Marked() {
		for _, call := range calls {
			switch {
			case call.Name == "flock" && !strings.Contains(call.Args, "LOCK_UN"):
				locks[name]++
			case call.Name != "flock" && (call.Within(dir) || strings.Contains(call.Args, "O_CREAT")): // not the runtime's own files
				names[name] = append(names[name], call.Short(dir))
			}
		}
	}
	for _, c := range asked {
		function, _, _ := strings.Cut(c.name, " ")
		l.Did, l.Expected, l.Found = c.name, "no call that names a file", strings.Join(names[c.name], "\n")
		if c.flag == noOpen {
			l.Means = "what a client has given up is done, or fails for a reason that it does not ask for"
			lab.Require(t, len(names[c.name]) == 0, l.Say("%s went on although its context had ended before", function))
			continue
		}
		l.Expected = "one call that names a file: " + names[model+c.name][0]
		l.Means = "what is done by name may hit another file than the one that is locked, or a file that is the user's own"
		lab.Require(t, len(names[c.name]) == 1, l.Say("%s asked the kernel by name for something else than one open", function))
		l.Means = "it opens another file than os.OpenFile, or in another way than its caller has asked for"
		lab.Require(t, names[c.name][0] == names[model+c.name][0], l.Say("%s did not open the file as os.OpenFile does", function))
		l.Expected, l.Found = "1 flock(2)", fmt.Sprint(locks[c.name])
		l.Means = "it waits, if only for a moment, although the caller asked it not to"
		lab.Require(t, c.locks == 0 || locks[c.name] == c.locks, l.Say("%s asked for the lock more than once", function))
	}
}
