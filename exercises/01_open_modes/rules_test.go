package openmodes_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	openmodes "example/turnstile/exercises/01_open_modes"
	"example/turnstile/internal/lab"
)

// What the package's comment says of all four functions.

// A refusedOpen is an open that the kernel refuses, and the error that must come of it.
type refusedOpen struct {
	name    string
	prepare func(t *testing.T, dir, name string) (path string)
	did     string
	want    func(fn function) error // nil: this function is not asked
}

var refusedOpens = []refusedOpen{
	{
		name: "a missing directory", did: "was called with a path in a directory that does not exist",
		prepare: func(_ *testing.T, dir, name string) string { return filepath.Join(dir, "missing", name) },
		want:    func(function) error { return fs.ErrNotExist },
	},
	{
		name: "a directory of that name", did: "was called with the path of a directory",
		prepare: func(t *testing.T, dir, name string) string {
			requireTool(t, os.Mkdir(filepath.Join(dir, name), 0o700))
			return filepath.Join(dir, name)
		},
		want: func(fn function) error {
			if fn.name == newTicket.name {
				return fs.ErrExist
			}
			return syscall.EISDIR
		},
	},
	{
		name: "a file in the place of the directory", did: "was called with a path below a file",
		prepare: func(t *testing.T, dir, name string) string {
			requireTool(t, os.WriteFile(filepath.Join(dir, "tickets"), nil, 0o600))
			return filepath.Join(dir, "tickets", name)
		},
		want: func(function) error {
			if runtime.GOOS == "windows" {
				return fs.ErrNotExist
			}
			return syscall.ENOTDIR
		},
	},
	{
		name: "a name that is too long", did: "was called with a name of 300 letters",
		prepare: func(_ *testing.T, dir, _ string) string { return filepath.Join(dir, strings.Repeat("x", 300)) },
		want: func(function) error {
			if runtime.GOOS == "windows" {
				return nil // Windows has several errors for it
			}
			return syscall.ENAMETOOLONG
		},
	},
}

func TestWhatTheKernelRefusesIsReported(t *testing.T) {
	for _, fn := range functions {
		for _, open := range refusedOpens {
			if open.want(fn) == nil {
				continue
			}
			t.Run(fn.name+", "+open.name, func(t *testing.T) {
				dir := t.TempDir()
				path := open.prepare(t, dir, "bracket")
				lesson := lab.Lesson{Did: fn.name + " " + open.did, Read: errorsOfOpen}
				requireReported(t, fn, fn.refused(t, path, lesson), open.want(fn), filepath.Base(path), lesson)
				lab.RequireNoFile(t, filepath.Join(dir, "missing"), means(lesson, fn.name+" created a directory that was missing",
					"a mistyped path becomes a new directory, and the program works beside the real files"))
			})
		}
	}
	for _, fn := range functions {
		for _, errno := range []syscall.Errno{
			syscall.EROFS, syscall.EPERM, syscall.ENOSPC, syscall.EBUSY, syscall.EMFILE, syscall.EIO, syscall.EISDIR,
		} {
			t.Run(fn.name+", "+errno.Error(), func(t *testing.T) {
				for _, existing := range []bool{true, false} {
					path := lab.Path(t, "bracket")
					if existing && fn.name != newTicket.name {
						requireTool(t, os.WriteFile(path, []byte("alice"), 0o600))
					}
					lesson := lab.Lesson{
						Did:  fmt.Sprintf("%s was called, and the kernel refused to open the file (%v)", fn.name, errno),
						Read: errorsOfOpen,
					}
					var made []string
					refusing := fn.within(t, func(call func()) (err error) {
						made, err = lab.RefuseOne(0, errno, call)
						return err
					})
					err := refusing.refused(t, path, lesson)
					if len(made) == 0 {
						t.Skip("the open was made by a call or in a thread that is not watched, and so it was not refused")
					}
					just := lesson
					just.Did += ", once"
					just.Expected, just.Found = "one open, and nothing else", strings.Join(made, ", ")
					lab.Require(t, len(made) == 1, means(just, fn.name+" did not make just one open",
						"the file is opened, created or changed in another way than the caller asked for, or the caller waits"))
					requireReported(t, fn, err, errno, "bracket", lesson)
				}
			})
		}
	}
	for _, fn := range functions {
		t.Run(fn.name+", again", func(t *testing.T) { requireForgets(t, fn) })
	}
}

// requireForgets calls the function for a file in a missing directory, for the file, and once more when the file has been removed.
func requireForgets(t *testing.T, fn function) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "missing")
	path := filepath.Join(dir, "bracket")
	lesson := lab.Lesson{
		Did:  fn.name + " was called with a path in a missing directory; then the directory was made, and it was called again",
		Read: errorsOfOpen, Means: "the answer to one call is used for another: the file is there, and the program goes on without it",
	}
	requireReported(t, fn, fn.refused(t, path, lesson), fs.ErrNotExist, "bracket", lesson)
	requireTool(t, os.Mkdir(dir, 0o700))
	if fn.name != newTicket.name {
		requireTool(t, os.WriteFile(path, nil, 0o600))
	}
	closeFile(t, fn, fn.opened(t, path, lesson))
	requireTool(t, os.Remove(path))
	lesson.Did = fn.name + " opened a file; the file was closed and removed, and " + fn.name + " was called with its path again"
	if fn.creates {
		closeFile(t, fn, fn.opened(t, path, lesson))
	} else {
		requireReported(t, fn, fn.refused(t, path, lesson), fs.ErrNotExist, "bracket", lesson)
	}
}

// within is the function, called by way of run: in a thread that is watched, or to which the kernel refuses something. Where the system
// cannot do that, the test is skipped.
func (fn function) within(t *testing.T, run func(call func()) error) function {
	t.Helper()
	lab.RequireRefuse(t, run(func() {}))
	inner := fn.open
	fn.open = func(path string) (f *os.File, err error) {
		if err := run(func() { f, err = inner(path) }); err != nil {
			return nil, err
		}
		return f, err
	}
	return fn
}

// requireReported demands that err is the kernel's refusal and names the file.
func requireReported(t *testing.T, fn function, err, want error, name string, lesson lab.Lesson) {
	t.Helper()
	const wrongWay = "the program takes the wrong way on: it waits for a ticket that is free, or starts a new document beside the old one"
	lab.RequireErrorIs(t, err, want, means(lesson, fn.name+" did not report why the file cannot be opened", wrongWay))
	for _, other := range []error{fs.ErrExist, fs.ErrNotExist, fs.ErrPermission} {
		if !errors.Is(want, other) && errors.Is(err, other) {
			lesson.Expected, lesson.Found = fmt.Sprintf("an error that does not match %q", other), err.Error()
			lab.Fail(t, means(lesson, fn.name+" reported a reason that is not the kernel's", wrongWay))
		}
	}
	lesson.Expected, lesson.Found = "an error that names the file", err.Error()
	named := strings.Contains(err.Error(), name[:min(len(name), 20)])
	lab.Require(t, named, means(lesson, fn.name+" returned an error that does not name the file",
		"the person who reads the message does not know which file to look at"))
}

// An asking is one call of a function by a worker: in a directory, with a path.
type asking struct {
	Function, Dir, Path string
	Refuse              bool // what allowed does
}

// An opening is what came of it.
type opening struct {
	Err        lab.Returned
	Descriptor int // of the open file
}

var handleFirst = regexp.MustCompile(`^\d+<`)

func TestOneOpenAndNothingElse(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("strace, which shows the system calls, is a Linux tool")
	}
	root, err := filepath.EvalSymlinks(t.TempDir()) // as strace shows it
	requireTool(t, err)
	var askings []asking
	for _, fn := range functions {
		dir := filepath.Join(root, fn.name)
		requireTool(t, errors.Join(
			os.MkdirAll(filepath.Join(dir, "far", "away"), 0o700), os.Symlink("far/away", filepath.Join(dir, "link")),
			os.WriteFile(filepath.Join(dir, "bracket"), []byte("alice"), 0o600),
			os.WriteFile(filepath.Join(dir, "far", "bracket"), nil, 0o600), os.Symlink("2026", filepath.Join(dir, "this year")),
		))
		for _, path := range []string{"bracket", dir + "/link/../bracket", "missing", "missing/bracket", "link", "this year", "./bracket/"} {
			askings = append(askings, asking{Function: fn.name, Dir: dir, Path: path})
		}
	}
	askings = append(askings, asking{Function: forReplace.name, Dir: filepath.Join(root, forReplace.name), Path: "bracket", Refuse: true})
	text, err := json.Marshal(askings)
	requireTool(t, err)
	// The umask takes a bit from the owner too, so that it shows who gives it back.
	worker := lab.Trace(t, lab.Rule{Calls: "%file,%desc,umask"}, lab.Options{Umask: "0277"}, "open between marks", string(text))
	came := make([]opening, len(askings))
	for i, a := range askings {
		worker.Result(&came[i], lab.Lesson{
			Says: a.Function + " did not return", Did: fmt.Sprintf("%s was called with the path %q", a.Function, a.Path), Read: theFix,
		})
	}
	requireTool(t, worker.Wait())
	marked := worker.Marked()
	for i, a := range askings {
		var named, onHandle []lab.Call // those that name a file, or are umask(2), and those on a handle of a file
		for _, call := range marked[fmt.Sprint(i)] {
			switch {
			case call.Interrupted() || call.Errno == "EINTR":
			case handleFirst.MatchString(call.Args) && !strings.HasPrefix(call.Name, "open"):
				if call.Within(root) { // and not a pipe of the runtime
					onHandle = append(onHandle, call)
				}
			case call.Name == "umask" || strings.Contains(call.Args, `"`):
				named = append(named, call)
			}
		}
		requireOneOpen(t, a, named, came[i])
		requireHandleLeft(t, a, onHandle)
	}
}

func requireOneOpen(t *testing.T, a asking, made []lab.Call, came opening) {
	t.Helper()
	lesson := lab.Lesson{
		Did:      fmt.Sprintf("%s was called with the path %q, and the test looked at its system calls", a.Function, a.Path),
		Expected: "one open, of this path", Found: "no open",
		Means: "between two calls another process can act: what the first one saw is out of date, and what it did may stay half done",
		Read:  askAndAct,
	}
	var found []string
	for _, call := range made {
		if len(found) < 3 {
			text, _, cut := strings.Cut(call.Short(a.Dir), ", {") // without what a stat has found
			if cut {
				text += ", …)"
			}
			found = append(found, text)
		}
	}
	if len(found) > 0 {
		lesson.Found = strings.Join(found, "; ")
	}
	if more := len(made) - len(found); more > 0 {
		lesson.Found += fmt.Sprintf("; and %d more", more)
	}
	for _, call := range made {
		lab.Require(t, call.Name != "umask", means(lesson, a.Function+" changed the umask for a moment",
			"the umask belongs to the whole process: another goroutine creates a file then, with the wrong permission"))
	}
	lab.Require(t, len(made) == 1, lesson.Say("%s did not make just one open", a.Function))
	args := made[0].Args
	lab.Require(t, strings.HasPrefix(made[0].Name, "open") && strings.Contains(args, `"`+a.Path+`"`),
		means(lesson, a.Function+" did not open the path as it is given", "the kernel follows another path, to another file or to none"))
	access := "O_RDWR"
	if a.Function == forAppend.name {
		access = "O_WRONLY"
	}
	if a.Function != newTicket.name { // the process that creates a file may do both
		lesson.Expected, lesson.Read = "an open with "+access, accessModes
		lab.Require(t, strings.Contains(args, access), means(lesson, a.Function+" asked for another access than its comment names",
			"a log that may be written and not read is refused, and gets no line"))
	}
	lesson.Expected, lesson.Read = "an open with O_CLOEXEC", whoElseHas
	lab.Require(t, strings.Contains(args, "O_CLOEXEC"), means(lesson, a.Function+" opened the file without close-on-exec",
		"a program that is started at that moment has the file open as long as it runs"))
	if came.Err.Err == nil {
		lesson.Expected, lesson.Found = "descriptor "+made[0].Result+", as the open returned it", fmt.Sprint("descriptor ", came.Descriptor)
		lab.Require(t, made[0].Result == fmt.Sprint(came.Descriptor), means(lesson, a.Function+" returned another handle than the one it opened",
			"nothing is known of the other one: a program that is started may inherit it"))
	}
}

// requireHandleLeft demands that the function asks nothing of the handle but what its comment says.
func requireHandleLeft(t *testing.T, a asking, onHandle []lab.Call) {
	t.Helper()
	lesson := lab.Lesson{
		Did:      fmt.Sprintf("%s was called with the path %q, and the test looked at its system calls", a.Function, a.Path),
		Expected: "an open, and no call on the handle",
		Means:    "no caller asked for it: such a call can wait, move the handle, let go of a lock, or change the file or its permission",
		Read:     theFix,
	}
	if a.Function == forReplace.name {
		lesson.Expected = "a truncation and a move to byte 0, and no other call on the handle"
	}
	if a.Refuse {
		lesson.Did, lesson.Expected = lesson.Did+"; allowed refused", "an open and a close, and no other call on the handle"
	}
	for _, call := range onHandle {
		if !expected(a, call) {
			lesson.Found = call.Short(a.Dir)
			lab.Fail(t, lesson.Say("%s did more with the file than its comment says", a.Function))
		}
	}
}

// expected also lets pass what Go does for each os.File, and what changes nothing: a look at the file, or a move to where it stands.
func expected(a asking, call lab.Call) bool {
	switch name := strings.TrimSuffix(call.Name, "64"); name {
	case "epoll_ctl", "fstat":
		return true
	case "fcntl":
		return strings.Contains(call.Args, "F_GETF") || strings.Contains(call.Args, "F_SETF") // and no lock
	case "lseek", "_llseek":
		return call.Result == "0" || a.Function == forAppend.name // whose writes find the end by themselves
	case "ftruncate":
		return a.Function == forReplace.name && !a.Refuse
	case "close":
		return a.Refuse
	}
	return false
}

func openBetweenMarks(w *lab.Worker) error {
	_ = os.Stderr.Close() // the first file gets the number of a standard stream, as in a daemon
	var askings []asking
	if err := json.Unmarshal([]byte(w.Arg(0)), &askings); err != nil {
		return err
	}
	for i, a := range askings {
		if err := os.Chdir(a.Dir); err != nil {
			return err
		}
		open := functionNamed(a.Function).open
		if a.Refuse {
			open = func(path string) (*os.File, error) {
				return openmodes.OpenForReplace(path, func(*os.File) error { return errRefused })
			}
		}
		lab.Mark(fmt.Sprint(i))
		f, err := open(a.Path)
		lab.Mark("")
		came := opening{Err: lab.Returned{Err: err}}
		if err == nil {
			came.Descriptor = int(f.Fd())
			_ = f.Close()
		}
		if err := w.Result(came); err != nil {
			return err
		}
	}
	return nil
}

func TestThePermissionDecidesWhatIsOpened(t *testing.T) {
	t.Parallel()
	t.Run("a file of a colleague", requireColleague)
	for _, c := range []struct {
		name, did string
		files     []function  // whose file exists, and belongs to the user who calls them
		mode      fs.FileMode // of these files
		directory fs.FileMode
		want      map[string]error
	}{
		{
			name: "a file that may only be read", files: []function{forUpdate, forAppend, forReplace}, mode: 0o444, directory: 0o777,
			did: "was called by the owner of a file whose permission is 0444",
			want: map[string]error{
				forUpdate.name: fs.ErrPermission, forAppend.name: fs.ErrPermission, forReplace.name: fs.ErrPermission,
			},
		},
		{
			name: "a file that may only be written", files: []function{forUpdate, forReplace}, mode: 0o222, directory: 0o777,
			did:  "was called by the owner of a file whose permission is 0222",
			want: map[string]error{forUpdate.name: fs.ErrPermission, forReplace.name: fs.ErrPermission},
		},
		{
			name: "a directory that may not be written", directory: 0o555,
			did: "was called for a missing file, by a user who may not create files in its directory",
			want: map[string]error{
				forUpdate.name: fs.ErrNotExist, forAppend.name: fs.ErrPermission, forReplace.name: fs.ErrNotExist, newTicket.name: fs.ErrPermission,
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && c.mode != 0o444 {
				t.Skip("on Windows the mode of a directory forbids nothing, and that of a file forbids no reading")
			}
			dir := lab.SharedDir(t)
			requireTool(t, os.Chmod(dir, c.directory))
			t.Cleanup(func() { requireTool(t, os.Chmod(dir, 0o755)) }) // so that it can be removed
			// The tests may run as root, whom no permission stops: the worker is an ordinary user.
			mode := fmt.Sprintf("%o", c.mode)
			worker := lab.Launch(t, lab.Options{Unprivileged: true}, "own and return", dir, mode, names(c.files))
			for _, fn := range functions {
				lesson := lab.Lesson{Did: fn.name + " " + c.did, Read: errorsOfOpen}
				var came lab.Returned
				worker.Result(&came, lesson.Say("%s did not return", fn.name))
				if want := c.want[fn.name]; want != nil {
					requireReported(t, fn, came.Err, want, fn.name, lesson)
				}
			}
			requireTool(t, worker.Wait())
			for _, fn := range c.files {
				lesson := lab.Lesson{Did: fn.name + " " + c.did, Read: errorsOfOpen}
				path := filepath.Join(dir, fn.name)
				info, err := os.Stat(path)
				requireTool(t, err)
				lab.RequireEqual(t, c.mode, info.Mode().Perm(), lesson.Say("%s changed the permission of a file that it may not open", fn.name))
				requireTool(t, os.Chmod(path, 0o644)) // so that the test may read it
				lab.RequireFile(t, path, "alice", lesson.Say("%s changed a file that it may not open", fn.name))
			}
		})
	}
}

// requireColleague opens files of another user: in a workshop they belong to several people.
func requireColleague(t *testing.T) {
	t.Helper()
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no mode that lets all users write")
	}
	dir := lab.SharedDir(t)
	requireTool(t, os.Chmod(dir, 0o777))
	for _, fn := range []function{forUpdate, forAppend, forReplace} {
		path := filepath.Join(dir, fn.name)
		requireTool(t, errors.Join(os.WriteFile(path, []byte("alice"), 0o600), os.Chmod(path, 0o666)))
	}
	worker := lab.Launch(t, lab.Options{Unprivileged: true}, "open and return", dir) // another user, if the tests run as root
	for _, fn := range functions {
		lesson := lab.Lesson{
			Did:   fn.name + " was called for a file that belongs to another user, and that all may read and write",
			Means: "the program works for the person who created the file, and for no colleague",
			Read:  permission,
		}
		var came lab.Returned
		worker.Result(&came, lesson.Say("%s did not return", fn.name))
		lab.RequireNoError(t, came.Err, lesson.Say("%s did not open the file of a colleague", fn.name))
	}
	requireTool(t, worker.Wait())
}

func names(functions []function) string {
	var names []string
	for _, fn := range functions {
		names = append(names, fn.name)
	}
	return strings.Join(names, " ")
}

// ownAndReturn is openAndReturn for a user who owns the files: their permission and names are the other arguments.
func ownAndReturn(w *lab.Worker) error {
	mode, err := strconv.ParseUint(w.Arg(1), 8, 32)
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(w.Arg(2)) {
		path := filepath.Join(w.Arg(0), name)
		if err := errors.Join(os.WriteFile(path, []byte("alice"), 0o600), os.Chmod(path, fs.FileMode(mode))); err != nil {
			return err
		}
	}
	return openAndReturn(w)
}

// openAndReturn calls each function, in their order, for the file of its name in the directory, and tells what came back.
func openAndReturn(w *lab.Worker) error {
	for _, fn := range functions {
		f, err := fn.open(filepath.Join(w.Arg(0), fn.name))
		if f != nil && err == nil {
			_ = f.Close()
		}
		if err := w.Result(lab.Returned{Err: err}); err != nil {
			return err
		}
	}
	return nil
}

func TestOpenForReplaceReportsThatItCannotEmpty(t *testing.T) {
	for _, refused := range []struct{ what, calls string }{{"empty the file", "truncate"}, {"move to byte 0", "seek"}} {
		t.Run(refused.what, func(t *testing.T) {
			lab.EachErrno(t, func(t *testing.T, errno error) {
				path := lab.WriteFile(t, "locks.json", checkouts)
				lesson := lab.Lesson{
					Did:  fmt.Sprintf("OpenForReplace was called; allowed returned nil, and the kernel refused to %s (%v)", refused.what, errno),
					Read: whenBytesGo,
				}
				refusing := forReplace.within(t, func(call func()) error { return lab.Refuse(refused.calls, errno.(syscall.Errno), call) })
				err := refusing.refused(t, path, lesson)
				lab.RequireErrorIs(t, err, errno, means(lesson, "OpenForReplace did not report that it could not "+refused.what,
					"the new document is written over the beginning of the old one, or behind zero bytes"))
				named := lesson
				named.Expected, named.Found = "an error that names the file", err.Error()
				lab.Require(t, strings.Contains(err.Error(), "locks.json"), means(named,
					"OpenForReplace returned an error that does not name the file",
					"the person who reads the message does not know which file to look at"))
				open, err := lab.IsOpen(path)
				requireTool(t, err)
				lab.Require(t, !open, means(lesson, "OpenForReplace left the file open after an error",
					"each such error costs a file handle until the process has none left"))
			}, syscall.EIO, syscall.EFBIG, syscall.EINVAL, syscall.EPERM)
		})
	}
}

func TestANewFileHasThePermissionThatTheUmaskLeaves(t *testing.T) {
	t.Parallel()
	for _, fn := range []function{forAppend, newTicket} {
		for _, umask := range []string{"0022", "0077", "0000"} {
			t.Run(fn.name+" under umask "+umask, func(t *testing.T) {
				t.Parallel()
				lesson := lab.Lesson{
					Did:   fn.name + " was called in an empty directory, a line was written, the file closed; the same user then opened it for update",
					Means: "the program works once, on the day when the file is created, and never again",
					Read:  permission,
				}
				path := filepath.Join(lab.SharedDir(t), "new")
				worker := lab.Launch(t, lab.Options{Unprivileged: true, Umask: umask}, "create and reopen", fn.name, path)
				worker.Reached("created", lesson.Say("%s did not create a missing file", fn.name))
				worker.Continue()
				worker.Reached("written", lab.Lesson{
					Says: fn.name + " created a file and cannot write it", Did: fn.name + " was called in an empty directory, and a line was written",
					Means: "the file exists and stays empty", Read: whyItHappens,
				})
				worker.Continue()
				lab.RequireNoError(t, worker.Wait(), lesson.Say("%s created a file that its owner cannot open again", fn.name))
				if runtime.GOOS == "windows" {
					return // it has no umask
				}
				var mask fs.FileMode
				_, err := fmt.Sscanf(umask, "%o", &mask)
				requireTool(t, err)
				info, err := os.Stat(path)
				requireTool(t, err)
				allowed := 0o666 &^ mask
				lesson.Did = fmt.Sprintf("%s created a file in a process whose umask is %s", fn.name, umask)
				lesson.Expected, lesson.Found = fmt.Sprintf("%v, or less", allowed), info.Mode().Perm().String()
				lab.Require(t, info.Mode().Perm()&^allowed == 0, means(lesson, fn.name+" gave a new file more permission than the umask leaves",
					"other users read, change or run a file that its owner wanted to keep from them"))
				info, err = os.Stat(path + ".after")
				requireTool(t, err)
				lesson.Did = fmt.Sprintf("%s was called in a process whose umask is %s; then the program created a file of its own", fn.name, umask)
				lab.RequireEqual(t, allowed, info.Mode().Perm(), means(lesson, fn.name+" changed the umask of the process",
					"every file that the program creates from now on gets another permission, in all its goroutines"))
			})
		}
	}
}

func createAndReopen(w *lab.Worker) error {
	fn, path := functionNamed(w.Arg(0)), w.Arg(1)
	f, err := fn.open(path)
	if err != nil {
		return err
	}
	w.Reached("created")
	_, err = f.WriteString("alice\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	w.Reached("written")
	if err := os.WriteFile(path+".after", nil, 0o666); err != nil {
		return err
	}
	f, err = os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func TestAnExistingFileStaysWhatItIs(t *testing.T) {
	for _, fn := range []function{forUpdate, forAppend, forReplace} {
		t.Run("the permission, "+fn.name, func(t *testing.T) { requireKeepsPermission(t, fn) })
		t.Run("a link to it, "+fn.name, func(t *testing.T) { requireFollowsLink(t, fn) })
	}
	t.Run("a link that leads nowhere, OpenForAppend", func(t *testing.T) {
		if lab.Wine() {
			t.Skip("Wine does not follow a relative link to a file in the same directory")
		}
		path := lab.Path(t, "history.log")
		this := filepath.Join(filepath.Dir(path), "this year")
		if err := os.Symlink("this year", path); err != nil {
			t.Skipf("this system lets no ordinary user make a symbolic link: %v", err)
		}
		for _, year := range []string{"2025.log", "2026.log"} {
			requireTool(t, errors.Join(os.RemoveAll(this), os.Symlink(year, this)))
			lesson := lab.Lesson{
				Did:   "history.log was a link to a link to " + year + ", which did not exist yet; OpenForAppend was called with history.log",
				Means: "the history of a new year cannot begin where its owner wants to keep it",
				Read:  askAndAct,
			}
			f := forAppend.opened(t, path, lesson)
			writeLine(t, forAppend, f, "alice\n", lesson.Did)
			closeFile(t, forAppend, f)
			lab.RequireFile(t, filepath.Join(filepath.Dir(path), year), "alice\n",
				lesson.Say("OpenForAppend did not create the log that a link leads to"))
		}
	})
	for _, fn := range []function{forUpdate, forAppend} {
		t.Run("3 GiB, "+fn.name, func(t *testing.T) { requireKeepsSize(t, fn) })
	}
}

func requireFollowsLink(t *testing.T, fn function) {
	t.Helper()
	if lab.Wine() {
		t.Skip("Wine does not follow a relative link to a file in the same directory")
	}
	target := lab.WriteFile(t, "locks.json", checkouts)
	path := filepath.Join(filepath.Dir(target), "link")
	if err := os.Symlink("locks.json", path); err != nil {
		t.Skipf("this system lets no ordinary user make a symbolic link: %v", err)
	}
	requireTool(t, os.Link(target, filepath.Join(filepath.Dir(target), "second name")))
	before, err := os.Stat(target)
	requireTool(t, err)
	lesson := lab.Lesson{
		Did:   fn.name + " was called with the path of a symbolic link to a file in the same directory, which has two names",
		Means: "a file that its owner keeps in another place cannot be used, or gets a twin",
		Read:  whyItHappens,
	}
	f := fn.opened(t, path, lesson)
	opened, err := f.Stat()
	requireTool(t, err)
	lesson.Expected, lesson.Found = "the file that the link leads to", "another one"
	lab.Require(t, os.SameFile(before, opened), lesson.Say("%s did not open the file that a link leads to", fn.name))
	requireSameFile(t, before, path, fn, lesson)
	closeFile(t, fn, f)
}

func requireKeepsSize(t *testing.T, fn function) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("on Windows a file of 3 GiB needs 3 GiB of disk")
	}
	const size = 3 << 30
	path := lab.WriteFile(t, "history.log", "")
	requireTool(t, os.Truncate(path, size)) // a hole: it takes no disk
	before, err := os.Stat(path)
	requireTool(t, err)
	lesson := lab.Lesson{
		Did:   fn.name + " opened a file of 3 GiB",
		Means: "a file is emptied, moved or cut because it has grown, which no caller asked for",
		Read:  whyItHappens,
	}
	closeFile(t, fn, fn.opened(t, path, lesson))
	requireSameFile(t, before, path, fn, lesson)
	after, err := os.Stat(path)
	requireTool(t, err)
	lab.RequireEqual(t, size, after.Size(), lesson.Say("%s changed the size of a large file", fn.name))
}

func requireKeepsPermission(t *testing.T, fn function) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has one bit of it: read-only or not")
	}
	for content, what := range map[string]string{checkouts: "a file", "": "an empty file"} {
		path := lab.WriteFile(t, "locks.json", content)
		requireTool(t, os.Chmod(path, 0o640))
		lesson := lab.Lesson{
			Did:   fn.name + " opened " + what + " with the permission 0640",
			Means: "a file that its owner keeps from other users is open to them, or closed to the group that works with it",
			Read:  permission,
		}
		closeFile(t, fn, fn.opened(t, path, lesson))
		info, err := os.Stat(path)
		requireTool(t, err)
		lab.RequireEqual(t, fs.FileMode(0o640), info.Mode().Perm(), lesson.Say("%s changed the permission of an existing file", fn.name))
	}
}

func TestNothingElseIsLeftInTheDirectory(t *testing.T) {
	for _, fn := range functions {
		for _, existing := range []bool{false, true} {
			dir := t.TempDir()
			path, did := filepath.Join(dir, "bracket"), "for a file that did not exist"
			if existing {
				requireTool(t, os.WriteFile(path, []byte("alice"), 0o600))
				did = "for a file that existed"
			}
			lesson := lab.Lesson{
				Did:      fn.name + " was called " + did + "; then the test listed the directory",
				Expected: "no file but the one whose path it was given",
				Means:    "each call leaves a file behind, and every program that lists the directory meets it",
				Read:     theFix,
			}
			if f, err := fn.call(t, path, lesson); err == nil {
				closeFile(t, fn, f)
			}
			entries, err := os.ReadDir(dir)
			requireTool(t, err)
			for _, entry := range entries {
				lesson.Found = "a file " + entry.Name()
				lab.Require(t, entry.Name() == "bracket", lesson.Say("%s left another file in the directory", fn.name))
			}
		}
	}
}

// A finding is what a worker saw of one call.
type finding struct {
	Err       lab.Returned
	Here      bool // the open file is the one that the path led to at that moment
	StillOpen bool // after the caller had closed it
}

// What a path means is the kernel's to say (path_resolution(7)).
func TestThePathIsFollowedAsItIs(t *testing.T) {
	t.Parallel()
	t.Run("from the directory of the moment", requireMoves)
	if runtime.GOOS == "windows" {
		t.Skip("Windows itself cleans a path before it follows it")
	}
	for _, fn := range functions {
		for _, way := range []struct{ name, path, file string }{
			{"a name that ends in a space", "bracket ", "bracket "},
			{"a name of letters and signs", "~$HOME%41 Ä*", "~$HOME%41 Ä*"},
			{"a name of 255 bytes", strings.Repeat("x", 255), strings.Repeat("x", 255)},
			{"the path link/../bracket, where link leads to another directory", "link/../bracket", "far/bracket"},
			{"the path missing/../bracket, where the directory is missing", "missing/../bracket", ""},
		} {
			dir := t.TempDir()
			requireTool(t, errors.Join(os.MkdirAll(filepath.Join(dir, "far", "away"), 0o700), os.Symlink("far/away", filepath.Join(dir, "link"))))
			for _, file := range []string{way.file, "bracket"} {
				if fn.name != newTicket.name && file != "" {
					requireTool(t, os.WriteFile(filepath.Join(dir, file), nil, 0o600))
				}
			}
			lesson := lab.Lesson{
				Did: fn.name + " was called with " + way.name, Expected: "the file that the kernel finds there", Found: "another one",
				Means: "the program does not work on the file that all others find at this path", Read: errorsOfOpen,
			}
			path := dir + "/" + way.path
			if way.file == "" {
				requireReported(t, fn, fn.refused(t, path, lesson), fs.ErrNotExist, "bracket", lesson)
				continue
			}
			f := fn.opened(t, path, lesson)
			opened, err := f.Stat()
			requireTool(t, err)
			there, err := os.Stat(filepath.Join(dir, way.file))
			lab.Require(t, err == nil && os.SameFile(there, opened), lesson.Say("%s opened a file at another path", fn.name))
			closeFile(t, fn, f)
		}
	}
}

func requireMoves(t *testing.T) {
	t.Helper()
	worker := lab.Start(t, "move", t.TempDir(), t.TempDir())
	for _, where := range []string{"a directory", "a second directory"} {
		for _, fn := range functions {
			lesson := lab.Lesson{
				Did:      "the process changed to " + where + ", and " + fn.name + " was called with a name without a directory",
				Expected: "the file of that name in the directory that the process was in",
				Found:    "another one",
				Means:    "the program works on a file in the directory in which it was started, or finds none",
				Read:     theFix,
			}
			var came finding
			worker.Result(&came, lesson.Say("%s did not return", fn.name))
			headline := fn.name + " did not look in the directory that the process was in"
			if came.Err.Err != nil {
				lesson.Found = came.Err.Err.Error()
			}
			lab.Require(t, came.Err.Err == nil && came.Here, lesson.Say("%s", headline))
		}
	}
	requireTool(t, worker.Wait())
}

// move calls each function with a relative path, in each of the directories that it is given.
func move(w *lab.Worker) error {
	start, err := os.Getwd()
	if err != nil {
		return err
	}
	for _, dir := range []string{w.Arg(0), w.Arg(1)} {
		if err := os.Chdir(dir); err != nil {
			return err
		}
		for _, fn := range functions {
			came, err := find(fn, fn.name, filepath.Join(dir, fn.name))
			if err := errors.Join(err, w.Result(came)); err != nil {
				return err
			}
		}
	}
	return os.Chdir(start) // Windows removes no directory that a process is in
}

// find calls the function with path, which leads to the file at full.
func find(fn function, path, full string) (finding, error) {
	if fn.name != newTicket.name {
		if err := os.WriteFile(full, []byte("alice"), 0o600); err != nil {
			return finding{}, err
		}
	}
	f, err := fn.open(path)
	if err != nil {
		return finding{Err: lab.Returned{Err: err}}, nil
	}
	opened, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return finding{}, err
	}
	info, err := os.Stat(full)
	if err != nil {
		return finding{}, nil // it is in another place
	}
	stillOpen, err := lab.IsOpen(full)
	return finding{Here: os.SameFile(opened, info), StillOpen: stillOpen}, err
}

func TestNoOtherHandleStaysOpen(t *testing.T) {
	t.Parallel()
	worker := lab.Start(t, "open and close", t.TempDir())
	for _, fn := range functions {
		lesson := lab.Lesson{
			Did:      fn.name + " opened a file, and the caller closed it",
			Expected: "no open handle to the file", Found: "one more",
			Means: "each call costs a file handle until the process has none left; on Windows the file cannot be deleted meanwhile",
			Read:  whoElseHas,
		}
		var came finding
		worker.Result(&came, lesson.Say("%s did not return", fn.name))
		lab.RequireNoError(t, came.Err.Err, lesson.Say("%s did not open the file", fn.name))
		lab.Require(t, !came.StillOpen, lesson.Say("%s left a handle open that the caller cannot close", fn.name))
	}
	requireTool(t, worker.Wait())
}

// openAndClose runs in a process of its own, in which no other test has files open.
func openAndClose(w *lab.Worker) error {
	for _, fn := range functions {
		path := filepath.Join(w.Arg(0), fn.name)
		came, err := find(fn, path, path)
		if err := errors.Join(err, w.Result(came)); err != nil {
			return err
		}
	}
	return nil
}

func TestNoneOfThemIsALock(t *testing.T) {
	const meaning = "a program that only looks at the file keeps all others from working; when to lock is the caller's decision"
	for _, first := range []function{forUpdate, forAppend, forReplace} {
		dir := t.TempDir()
		held := map[string]*os.File{} // by the function that is called second
		for _, second := range functions {
			if path := filepath.Join(dir, second.name); second.name != newTicket.name {
				requireTool(t, os.WriteFile(path, []byte(checkouts), 0o600))
				held[second.name] = first.opened(t, path, lab.Lesson{Did: first.name + " was called", Read: theFix})
			}
		}
		worker := lab.Start(t, "open and return", dir)
		for _, second := range functions {
			lesson := lab.Lesson{
				Did:   first.name + " had a file open; another process called " + second.name + " with the same path",
				Means: meaning, Read: theFix,
			}
			var came lab.Returned
			worker.Result(&came, lesson.Say("%s did not return", second.name))
			lab.RequireNoError(t, came.Err, lesson.Say("%s did not open a file that another process had open", second.name))
		}
		requireTool(t, worker.Wait())
		for _, second := range []function{forUpdate, forAppend, forReplace} {
			lesson := lab.Lesson{
				Did:   first.name + " had a file open; " + second.name + " was called with the same path",
				Means: meaning, Read: theFix,
			}
			closeFile(t, second, second.opened(t, filepath.Join(dir, second.name), lesson))
			closeFile(t, first, held[second.name])
		}
	}
	for _, fn := range functions {
		for _, which := range []string{"the same file", "another file"} {
			path, other := lab.WriteFile(t, "locks.json", checkouts), lab.Path(t, "other")
			switch {
			case fn.name == newTicket.name:
				which = "a new file"
			case which == "the same file":
				other = path
			default:
				requireTool(t, os.WriteFile(other, nil, 0o600))
			}
			lesson := lab.Lesson{
				Did:   "OpenForReplace called allowed; allowed called " + fn.name + " for " + which,
				Means: "while one caller asks a person or waits for a lock, every other caller waits too, or the process hangs for ever",
				Read:  whenBytesGo,
			}
			replace := function{name: "OpenForReplace", open: func(path string) (*os.File, error) {
				return openmodes.OpenForReplace(path, func(*os.File) error {
					f, err := fn.open(other)
					if err != nil {
						return err
					}
					return f.Close()
				})
			}}
			closeFile(t, replace, replace.opened(t, path, lesson))
		}
	}
}
