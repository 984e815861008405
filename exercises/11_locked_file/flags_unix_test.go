//go:build unix

package lockedfile_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	lockedfile "example/turnstile/exercises/11_locked_file"
	"example/turnstile/internal/lab"
)

// OpenFile changes two flags: O_TRUNC comes after the lock, and O_WRONLY becomes O_RDWR. The others are for os.OpenFile.
func TestOpenFilePassesTheOtherFlagsOn(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	path := lab.WriteFile(t, "checkouts.json", document)
	for name, flag := range map[string]int{
		"O_RDWR|O_SYNC":                  os.O_RDWR | os.O_SYNC,
		"O_WRONLY|O_SYNC":                os.O_WRONLY | os.O_SYNC,
		"O_WRONLY|O_APPEND|O_SYNC":       os.O_WRONLY | os.O_APPEND | os.O_SYNC,
		"O_RDWR|O_CREATE|O_TRUNC|O_SYNC": os.O_RDWR | os.O_CREATE | os.O_TRUNC | os.O_SYNC,
		"O_RDONLY":                       os.O_RDONLY,
	} {
		model, err := os.OpenFile(path, flag, 0)
		lab.RequireSetUp(t, err)
		want := statusFlags(t, model)
		for call, open := range map[string]func() (*lockedfile.File, error){
			"OpenFile":    func() (*lockedfile.File, error) { return lockedfile.OpenFile(t.Context(), path, flag, 0o600) },
			"TryOpenFile": func() (*lockedfile.File, error) { return lockedfile.TryOpenFile(path, flag, 0o600) },
		} {
			l := lab.Lesson{
				Says: call + " lost a flag", Did: call + " with the flags " + name + "; then fcntl(2) with F_GETFL", Read: order,
				Means: "without O_SYNC, a write that was to be durable when it returns is not; without O_APPEND, it overwrites others",
			}
			file, err := open()
			lab.RequireNoError(t, err, l.Say("%s failed although nothing stood in its way", call))
			lab.RequireNotNil(t, file, call, l)
			lab.RequireEqual(t, want, statusFlags(t, file), l)
		}
	}
	link := filepath.Join(filepath.Dir(path), "link.json")
	lab.RequireSetUp(t, os.Symlink(path, link))
	l := lab.Lesson{
		Says: "OpenFile followed a link although its flags forbid that", Did: "OpenFile with the flag O_NOFOLLOW of a symbolic link",
		Means: "the flag was lost, or the link was resolved before the open: a file is opened to which another user's link leads", Read: order,
	}
	_, err := lockedfile.OpenFile(t.Context(), link, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	lab.RequireError(t, err, l)
}

// statusFlags names those of the flags that this test asks for with which the kernel has the file open, and closes it.
func statusFlags(t *testing.T, file interface {
	syscall.Conn
	io.Closer
},
) string {
	t.Helper()
	raw, err := file.SyscallConn()
	lab.RequireSetUp(t, err)
	var flags int
	var failed error
	lab.RequireSetUp(t, raw.Control(func(descriptor uintptr) { flags, failed = unix.FcntlInt(descriptor, unix.F_GETFL, 0) }))
	lab.RequireSetUp(t, errors.Join(failed, file.Close()))
	var names []string
	if flags&unix.O_APPEND != 0 {
		names = append(names, "O_APPEND")
	}
	if flags&unix.O_SYNC == unix.O_SYNC {
		names = append(names, "O_SYNC")
	}
	return fmt.Sprint(names)
}
