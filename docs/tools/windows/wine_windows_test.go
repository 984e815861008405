package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// These tests measure what docs/wine.md says of Wine. The page names what Windows does otherwise.

var (
	kernel32     = syscall.NewLazyDLL("kernel32.dll")
	lockFileEx   = kernel32.NewProc("LockFileEx")
	unlockFileEx = kernel32.NewProc("UnlockFileEx")
	replaceFile  = kernel32.NewProc("ReplaceFileW")

	getProcessHandleCount = kernel32.NewProc("GetProcessHandleCount")
)

const (
	failImmediately = 1
	exclusive       = 2
	shared          = 0
)

func TestMain(m *testing.M) {
	if path := os.Getenv("TURNSTILE_LOCK"); path != "" {
		lockWorker(path)
	}
	os.Exit(m.Run())
}

// lockWorker takes an exclusive lock, says what came of it, and holds it until its input ends.
func lockWorker(path string) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		err = lock(file, exclusive, 0, 1)
	}
	fmt.Println(outcome(err))
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(7)
}

type worker struct {
	command *exec.Cmd
	input   io.WriteCloser
	lines   *bufio.Reader
}

func startLockWorker(t *testing.T, path string) *worker {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	command := exec.CommandContext(t.Context(), self)
	command.Env = append(os.Environ(), "TURNSTILE_LOCK="+path)
	input, err := command.StdinPipe()
	must(t, err)
	output, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	return &worker{command: command, input: input, lines: bufio.NewReader(output)}
}

func (w *worker) line(t *testing.T) string {
	t.Helper()
	line, err := w.lines.ReadString('\n')
	must(t, err)
	return strings.TrimSpace(line)
}

func TestWine(t *testing.T) {
	if syscall.NewLazyDLL("ntdll.dll").NewProc("wine_get_version").Find() != nil {
		t.Skip("these are measurements of Wine, and this is Windows")
	}
	page, err := os.ReadFile("../../wine.md")
	must(t, err)
	for _, fact := range facts {
		t.Run(fact.name, func(t *testing.T) {
			t.Parallel()
			if found := fact.measure(t, filepath.Join(t.TempDir(), "file")); found != fact.found {
				t.Errorf("found %q, expected %q; fix the test and docs/wine.md, and look at the lessons that build on it", found, fact.found)
			}
			if row := "| " + fact.name + " | `" + fact.found + "` |"; !strings.Contains(string(page), row) {
				t.Errorf("docs/wine.md has no row that begins\n%s", row)
			}
		})
	}
}

var facts = []struct {
	name    string
	found   string
	measure func(t *testing.T, path string) string
}{
	// Locks
	{"exclusive, then exclusive on another handle of the same process", "error 33", func(t *testing.T, path string) string {
		first, second := create(t, path), open(t, path)
		must(t, lock(first, exclusive, 0, 1))
		return outcome(lock(second, exclusive|failImmediately, 0, 1))
	}},
	{"exclusive, then exclusive on the same handle", "error 33", func(t *testing.T, path string) string {
		first := create(t, path)
		must(t, lock(first, exclusive, 0, 1))
		return outcome(lock(first, exclusive|failImmediately, 0, 1))
	}},
	{"shared, then shared on another handle", "ok", func(t *testing.T, path string) string {
		first, second := create(t, path), open(t, path)
		must(t, lock(first, shared, 0, 1))
		return outcome(lock(second, shared|failImmediately, 0, 1))
	}},
	{"shared, then exclusive on another handle", "error 33", func(t *testing.T, path string) string {
		first, second := create(t, path), open(t, path)
		must(t, lock(first, shared, 0, 1))
		return outcome(lock(second, exclusive|failImmediately, 0, 1))
	}},
	{"exclusive, then shared on the same handle", "ok", func(t *testing.T, path string) string {
		first := create(t, path)
		must(t, lock(first, exclusive, 0, 1))
		return outcome(lock(first, shared|failImmediately, 0, 1))
	}},
	{
		"exclusive and shared on one handle: another handle after one unlock, after two", "error 33, then ok",
		func(t *testing.T, path string) string {
			first, second := create(t, path), open(t, path)
			must(t, lock(first, exclusive, 0, 1))
			if err := lock(first, shared|failImmediately, 0, 1); err != nil {
				return outcome(err)
			}
			must(t, unlock(first, 0, 1))
			before := outcome(lock(second, exclusive|failImmediately, 0, 1))
			must(t, unlock(first, 0, 1))
			return before + ", then " + outcome(lock(second, exclusive|failImmediately, 0, 1))
		},
	},
	{"a range beside a locked one, and one that overlaps it", "ok, error 33", func(t *testing.T, path string) string {
		first, second := create(t, path), open(t, path)
		must(t, lock(first, exclusive, 0, 4))
		return outcome(lock(second, exclusive|failImmediately, 4, 4)) + ", " + outcome(lock(second, exclusive|failImmediately, 3, 1))
	}},
	{"a range beyond the end of the file, twice", "error 33", func(t *testing.T, path string) string {
		first, second := create(t, path), open(t, path)
		must(t, lock(first, exclusive, 1<<62, 1))
		return outcome(lock(second, exclusive|failImmediately, 1<<62, 1))
	}},
	{"the byte at offset 1<<64-1, twice", "ok, error 33", func(t *testing.T, path string) string {
		first, second := create(t, path), open(t, path)
		a := outcome(lock(first, exclusive|failImmediately, 1<<64-1, 1))
		return a + ", " + outcome(lock(second, exclusive|failImmediately, 1<<64-1, 1))
	}},
	{"a range of no bytes: twice, and a byte at the same place", "ok, error 33, error 33", func(t *testing.T, path string) string {
		first, second := create(t, path), open(t, path)
		a := outcome(lock(first, exclusive|failImmediately, 0, 0))
		return a + ", " + outcome(lock(second, exclusive|failImmediately, 0, 0)) + ", " + outcome(lock(second, exclusive|failImmediately, 0, 1))
	}},
	{"unlock of a part of a locked range", "error 33", func(t *testing.T, path string) string {
		first := create(t, path)
		must(t, lock(first, exclusive, 0, 4))
		return outcome(unlock(first, 0, 2))
	}},
	{"unlock of a range that is not locked", "error 33", func(t *testing.T, path string) string {
		return outcome(unlock(create(t, path), 0, 1))
	}},
	{"exclusive, close, then exclusive on another handle", "ok", func(t *testing.T, path string) string {
		first, second := create(t, path), open(t, path)
		must(t, lock(first, exclusive, 0, 1))
		must(t, first.Close())
		return outcome(lock(second, exclusive|failImmediately, 0, 1))
	}},
	{"exclusive on a handle opened for reading", "ok", func(t *testing.T, path string) string {
		create(t, path)
		f, err := os.Open(path)
		must(t, err)
		defer f.Close()
		return outcome(lock(f, exclusive|failImmediately, 0, 1))
	}},
	{"exclusive on an O_APPEND and O_WRONLY handle", "ok", func(t *testing.T, path string) string {
		create(t, path)
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		defer f.Close()
		return outcome(lock(f, exclusive|failImmediately, 0, 1))
	}},
	{
		"a second process waits, the holder is killed; its status, the second's lock and its status", "ok, exit status 1, ok, exit status 7",
		func(t *testing.T, path string) string {
			create(t, path).Close()
			holder := startLockWorker(t, path)
			said := holder.line(t)
			second := startLockWorker(t, path)
			got := make(chan string, 1)
			go func() { line, _ := second.lines.ReadString('\n'); got <- strings.TrimSpace(line) }()
			select {
			case line := <-got:
				return "no wait: " + line
			case <-time.After(200 * time.Millisecond):
			}
			must(t, holder.command.Process.Kill())
			said += ", " + fmt.Sprint(holder.command.Wait()) + ", " + <-got
			must(t, second.input.Close())
			return said + ", " + fmt.Sprint(second.command.Wait())
		},
	},
	// Mandatory
	{"read of a range that another handle locked", "ok", func(t *testing.T, path string) string {
		first, second := create(t, path), open(t, path)
		must(t, lock(first, exclusive, 0, 4))
		_, err := second.ReadAt(make([]byte, 1), 0)
		return outcome(err)
	}},
	{"write into a range that another handle locked", "ok", func(t *testing.T, path string) string {
		first, second := create(t, path), open(t, path)
		must(t, lock(first, exclusive, 0, 4))
		_, err := second.WriteAt([]byte("x"), 0)
		return outcome(err)
	}},
	{"write into a range that this handle locked shared", "ok", func(t *testing.T, path string) string {
		first := create(t, path)
		must(t, lock(first, shared, 0, 4))
		_, err := first.WriteAt([]byte("x"), 0)
		return outcome(err)
	}},
	{"truncate a file with a range that another handle locked", "ok", func(t *testing.T, path string) string {
		first, second := create(t, path), open(t, path)
		must(t, lock(first, exclusive, 0, 4))
		return outcome(second.Truncate(0))
	}},
	{"os.WriteFile (O_TRUNC) on a locked file", "ok", func(t *testing.T, path string) string {
		first := create(t, path)
		must(t, lock(first, exclusive, 0, 4))
		return outcome(os.WriteFile(path, nil, 0o644))
	}},
	// Share modes
	{"os.Remove of a file that os.Open opened", "error 32", func(t *testing.T, path string) string {
		create(t, path)
		return outcome(os.Remove(path))
	}},
	{"os.Rename of a file that os.Open opened", "error 32", func(t *testing.T, path string) string {
		create(t, path)
		return outcome(os.Rename(path, path+"2"))
	}},
	{"os.Rename over a file that os.Open opened", "error 5", func(t *testing.T, path string) string {
		create(t, path)
		create(t, path+"2").Close()
		return outcome(os.Rename(path+"2", path))
	}},
	{"os.Rename of a directory with an open file", "ok", func(t *testing.T, path string) string {
		must(t, os.Mkdir(path, 0o755))
		create(t, filepath.Join(path, "x"))
		return outcome(os.Rename(path, path+"2"))
	}},
	{
		"os.Remove of a file opened with FILE_SHARE_DELETE: the name, a new file, a read through the handle",
		"ok; stat ok; create error 80; read content ok", func(t *testing.T, path string) string {
			create(t, path).Close()
			f := openShared(t, path, 7)
			err := os.Remove(path)
			_, stat := os.Stat(path)
			_, again := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
			b := make([]byte, 8)
			n, read := syscall.Read(f, b)
			return outcome(err) + "; stat " + outcome(stat) + "; create " + outcome(again) + "; read " + string(b[:n]) + " " + outcome(read)
		},
	},
	{"os.Rename over a file opened with FILE_SHARE_DELETE", "error 5", func(t *testing.T, path string) string {
		create(t, path).Close()
		create(t, path+"2").Close()
		openShared(t, path, 7)
		return outcome(os.Rename(path+"2", path))
	}},
	{"os.Rename of a file opened with FILE_SHARE_DELETE", "ok", func(t *testing.T, path string) string {
		create(t, path).Close()
		openShared(t, path, 7)
		return outcome(os.Rename(path, path+"2"))
	}},
	{"os.Open of a file opened with share mode 0", "error 32", func(t *testing.T, path string) string {
		create(t, path).Close()
		openShared(t, path, 0)
		_, err := os.Open(path)
		return outcome(err)
	}},
	{"ReplaceFile over a closed file", "ok new", func(t *testing.T, path string) string {
		create(t, path).Close()
		must(t, os.WriteFile(path+"2", []byte("new"), 0o644))
		return outcome(replace(path, path+"2")) + " " + read(path)
	}},
	{"ReplaceFile over a file that os.Open opened", "error 32 content", func(t *testing.T, path string) string {
		create(t, path)
		must(t, os.WriteFile(path+"2", []byte("new"), 0o644))
		return outcome(replace(path, path+"2")) + " " + read(path)
	}},
	{"os.Rename over a read-only file", "error 5", func(t *testing.T, path string) string {
		create(t, path).Close()
		must(t, os.Chmod(path, 0o444))
		create(t, path+"2").Close()
		return outcome(os.Rename(path+"2", path))
	}},
	{"os.Rename of a directory over a file, and over an empty directory", "ok, error 5", func(t *testing.T, path string) string {
		must(t, os.Mkdir(path+"1", 0o755))
		must(t, os.Mkdir(path+"2", 0o755))
		must(t, os.Mkdir(path+"3", 0o755))
		create(t, path).Close()
		return outcome(os.Rename(path+"1", path)) + ", " + outcome(os.Rename(path+"2", path+"3"))
	}},
	{"os.RemoveAll of a directory with an open file", "error 32", func(t *testing.T, path string) string {
		must(t, os.Mkdir(path, 0o755))
		create(t, filepath.Join(path, "x"))
		return outcome(os.RemoveAll(path))
	}},
	// Sync
	{"File.Sync, opened for writing", "ok", func(t *testing.T, path string) string { return outcome(create(t, path).Sync()) }},
	{"File.Sync, opened for reading", "error 5", func(t *testing.T, path string) string {
		create(t, path)
		f, err := os.Open(path)
		must(t, err)
		defer f.Close()
		return outcome(f.Sync())
	}},
	{"File.Sync of a directory", "error 5", func(t *testing.T, path string) string {
		f, err := os.Open(filepath.Dir(path))
		must(t, err)
		defer f.Close()
		return outcome(f.Sync())
	}},
	// Modes
	{"os.Chmod 0444: the mode, open for writing, os.Remove", "-r--r--r--, error 5, ok", func(t *testing.T, path string) string {
		create(t, path).Close()
		must(t, os.Chmod(path, 0o444))
		info, err := os.Stat(path)
		must(t, err)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		f.Close()
		return info.Mode().String() + ", " + outcome(err) + ", " + outcome(os.Remove(path))
	}},
	{"the mode of a file created with 0600", "-rw-rw-rw-", func(t *testing.T, path string) string {
		must(t, os.WriteFile(path, nil, 0o600))
		info, err := os.Stat(path)
		must(t, err)
		return info.Mode().String()
	}},
	{"create with 0444: write, the mode, open for writing again", "ok, -r--r--r--, error 5", func(t *testing.T, path string) string {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o444)
		must(t, err)
		defer f.Close()
		_, err = f.WriteString("x")
		info, _ := os.Stat(path)
		g, again := os.OpenFile(path, os.O_RDWR, 0)
		g.Close()
		return outcome(err) + ", " + info.Mode().String() + ", " + outcome(again)
	}},
	{"os.Chmod 0555 on a directory, then create a file in it", "ok", func(t *testing.T, path string) string {
		must(t, os.Mkdir(path, 0o755))
		must(t, os.Chmod(path, 0o555))
		return outcome(os.WriteFile(filepath.Join(path, "x"), nil, 0o644))
	}},
	// Append
	{"O_APPEND: writes through two handles in turn", "ababab", func(t *testing.T, path string) string {
		must(t, os.WriteFile(path, nil, 0o644))
		a, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		defer a.Close()
		b, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		defer b.Close()
		for range 3 {
			a.WriteString("a")
			b.WriteString("b")
		}
		return read(path)
	}},
	{"O_APPEND and O_WRONLY: a write after Seek to 0", "ok, 123x", func(t *testing.T, path string) string {
		must(t, os.WriteFile(path, []byte("123"), 0o644))
		a, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		defer a.Close()
		_, err = a.Seek(0, 0)
		a.WriteString("x")
		return outcome(err) + ", " + read(path)
	}},
	{"O_APPEND and O_RDWR: a write after Seek to 0", "ok, 123x", func(t *testing.T, path string) string {
		must(t, os.WriteFile(path, []byte("123"), 0o644))
		a, err := os.OpenFile(path, os.O_APPEND|os.O_RDWR, 0)
		must(t, err)
		defer a.Close()
		_, err = a.Seek(0, 0)
		a.WriteString("x")
		return outcome(err) + ", " + read(path)
	}},
	{"a write beyond the end, what the file holds", "ok \"content\\x00x\"", func(t *testing.T, path string) string {
		f := create(t, path)
		_, err := f.WriteAt([]byte("x"), 8)
		return outcome(err) + fmt.Sprintf(" %q", read(path))
	}},
	{"O_RDONLY and O_TRUNC, what the file holds", "error 87 \"content\"", func(t *testing.T, path string) string {
		create(t, path).Close()
		f, err := os.OpenFile(path, os.O_RDONLY|os.O_TRUNC, 0)
		if err == nil {
			f.Close()
		}
		return outcome(err) + fmt.Sprintf(" %q", read(path))
	}},
	// Links
	{"os.Symlink, then os.Lstat of the link", "ok, error 2", func(t *testing.T, path string) string {
		create(t, path)
		err := os.Symlink("file", path+".link")
		_, missing := os.Lstat(path + ".link")
		return outcome(err) + ", " + outcome(missing)
	}},
	// Root
	{"os.Root: a name with .., and one without", "openat ../x: path escapes from parent, ok", func(t *testing.T, path string) string {
		must(t, os.Mkdir(path, 0o755))
		r, err := os.OpenRoot(path)
		must(t, err)
		defer r.Close()
		return outcome(r.WriteFile("../x", nil, 0o644)) + ", " + outcome(r.WriteFile("x", nil, 0o644))
	}},
	{"os.WriteFile to NUL, to a?b", "error 6, error 123", func(t *testing.T, path string) string {
		dir := filepath.Dir(path)
		return outcome(os.WriteFile(filepath.Join(dir, "NUL"), nil, 0o644)) + ", " +
			outcome(os.WriteFile(filepath.Join(dir, "a?b"), nil, 0o644))
	}},
	{"os.WriteFile to a:b, the names in the directory", "ok, a:b", func(t *testing.T, path string) string {
		dir := filepath.Dir(path)
		written := outcome(os.WriteFile(filepath.Join(dir, "a:b"), nil, 0o644))
		entries, err := os.ReadDir(dir)
		must(t, err)
		for _, entry := range entries {
			written += ", " + entry.Name()
		}
		return written
	}},
	{
		"os.Root: NUL and COM1", "openat NUL: path escapes from parent, openat COM1: path escapes from parent",
		func(t *testing.T, path string) string {
			must(t, os.Mkdir(path, 0o755))
			r, err := os.OpenRoot(path)
			must(t, err)
			defer r.Close()
			return outcome(r.WriteFile("NUL", nil, 0o644)) + ", " + outcome(r.WriteFile("COM1", nil, 0o644))
		},
	},
	// Names
	{"2,000 open handles", "opened", func(t *testing.T, path string) string {
		for i := range 2000 {
			f, err := os.Create(fmt.Sprint(path, i))
			if err != nil {
				return fmt.Sprint(i, outcome(err))
			}
			t.Cleanup(func() { f.Close() })
		}
		return "opened"
	}},
	{"GetProcessHandleCount after 50 files more", "not counted: 0, 0", func(t *testing.T, path string) string {
		before := handleCount(t)
		for i := range 50 {
			create(t, fmt.Sprint(path, i))
		}
		if after := handleCount(t); after < before+50 {
			return fmt.Sprint("not counted: ", before, ", ", after)
		}
		return "counted"
	}},
	{
		"the text of errors 2, 5, 32, 33 and 80", "File not found. Access denied. Sharing violation. Lock violation. File exists.",
		func(t *testing.T, path string) string {
			return fmt.Sprint(syscall.Errno(2), " ", syscall.Errno(5), " ", syscall.Errno(32), " ", syscall.Errno(33), " ", syscall.Errno(80))
		},
	},
	{"os.Interrupt sent to a process", "not supported by windows", func(t *testing.T, path string) string {
		create(t, path).Close()
		other := startLockWorker(t, path)
		said := fmt.Sprint(other.command.Process.Signal(os.Interrupt))
		must(t, other.command.Process.Kill())
		_ = other.command.Wait() // killed
		return said
	}},
}

func handleCount(t *testing.T) int {
	t.Helper()
	self, err := syscall.GetCurrentProcess()
	must(t, err)
	var count uint32
	if ok, _, err := getProcessHandleCount.Call(uintptr(self), uintptr(unsafe.Pointer(&count))); ok == 0 {
		t.Fatal(err)
	}
	return int(count)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, path string) *os.File {
	t.Helper()
	must(t, os.WriteFile(path, []byte("content"), 0o644))
	return open(t, path)
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { file.Close() })
	return file
}

func openShared(t *testing.T, path string, mode uint32) syscall.Handle {
	t.Helper()
	name, err := syscall.UTF16PtrFromString(path)
	must(t, err)
	handle, err := syscall.CreateFile(name, syscall.GENERIC_READ, mode, nil, syscall.OPEN_EXISTING, 0, 0)
	must(t, err)
	t.Cleanup(func() { _ = syscall.CloseHandle(handle) })
	return handle
}

func read(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return outcome(err)
	}
	return string(content)
}

func replace(path, by string) error {
	a, _ := syscall.UTF16PtrFromString(path)
	b, _ := syscall.UTF16PtrFromString(by)
	ok, _, err := replaceFile.Call(uintptr(unsafe.Pointer(a)), uintptr(unsafe.Pointer(b)), 0, 0, 0, 0)
	if ok == 0 {
		return err
	}
	return nil
}

func outcome(err error) string {
	var number syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &number):
		return fmt.Sprint("error ", uint32(number))
	default:
		return err.Error()
	}
}

func lock(file *os.File, flags uint32, offset, length uint64) error {
	return lockCall(lockFileEx, file, uintptr(flags), offset, length)
}

func unlock(file *os.File, offset, length uint64) error {
	at := syscall.Overlapped{Offset: uint32(offset), OffsetHigh: uint32(offset >> 32)}
	ok, _, err := unlockFileEx.Call(file.Fd(), 0, uintptr(uint32(length)), uintptr(length>>32), uintptr(unsafe.Pointer(&at)))
	if ok == 0 {
		return err
	}
	return nil
}

func lockCall(proc *syscall.LazyProc, file *os.File, flags uintptr, offset, length uint64) error {
	at := syscall.Overlapped{Offset: uint32(offset), OffsetHigh: uint32(offset >> 32)}
	ok, _, err := proc.Call(file.Fd(), flags, 0, uintptr(uint32(length)), uintptr(length>>32), uintptr(unsafe.Pointer(&at)))
	if ok == 0 {
		return err
	}
	return nil
}
