package lockedfile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	lockedfile "example/turnstile/exercises/11_locked_file"
	"example/turnstile/internal/lab"
)

const document = `{"bracket.step":"alice"}`

func TestOpenFileLocksBeforeItTruncates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, flags, owner, before string }{
		{"w beside r+", "w", "r+", document},
		{"w beside r", "w", "r", document},
		{"w+ beside r+", "w+", "r+", document},
		{"w+ beside r", "w+", "r", document},
		{"w beside the first words", "w", "r+", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "checkouts.json", c.before)
			a, b := start(t, path), start(t, path)
			l := lab.Lesson{
				Says: "TryOpenFile emptied a file that another owner had locked", Read: order,
				Did:   "a process had the file open (" + c.owner + "); another one called TryOpenFile with O_TRUNC, which failed",
				Means: "the owner's document is gone, and the call that destroyed it reports only that it came too late",
			}
			a.get("OpenFile first " + c.owner)
			b.refused("TryOpenFile second "+c.flags, l.Say("TryOpenFile did not find the other owner"))
			a.requireContent("first", c.before, l)
			l.Says = "OpenFile emptied a file that another owner had locked"
			l.Did = "a process had the file open (" + c.owner + "); another one called OpenFile with O_TRUNC, and waits"
			l.Means = "whoever has the lock finds its document gone under its hands"
			b.Send("OpenFile second " + c.flags)
			waits := l.Say("OpenFile does not wait in the kernel")
			waits.Means = "its turn depends on luck: whoever asks at the right moment goes in first"
			b.WaitBlocked(waits)
			if c.before == "" {
				a.Succeed("write first "+document, l.Say("OpenFile returned a file that cannot be written"))
				l.Did += "; the first wrote into the file, which had been empty"
			}
			a.requireContent("first", document, l)
			a.Succeed("Close first", l.Say("Close failed"))
			l.Says = "OpenFile did not empty the file"
			l.Means = "what is written is shorter than what was there, and a tail of the old document is left"
			l.Did += "; then the first called Close"
			lab.RequireNoError(t, b.Reply(l).Returned.Err, l)
			b.requireContent("second", "", l)
		})
	}
	for _, flags := range []string{"w", "r"} {
		t.Run(flags+" of the file, and not of its name", func(t *testing.T) { t.Parallel(); keepsToTheFileThatItLocked(t, flags) })
	}
	t.Run("with no other owner", func(t *testing.T) {
		t.Parallel()
		p := start(t, lab.Path(t, "checkouts.json"))
		for _, c := range []struct{ call, flags, want string }{
			{"OpenFile", "w", ""},
			{"OpenFile", "w+", ""},
			{"OpenFile", "r+", document},
			{"OpenFile", "r", document},
			{"OpenFile", "a", document},
			{"TryOpenFile", "w", ""},
			{"TryOpenFile", "wronly", document},
			{"TryOpenFile", "r", document},
		} {
			path := lab.WriteFile(t, "checkouts.json", document)
			l := lab.Lesson{
				Says: c.call + " did not do with the file's content what the flags say", Did: c.call + " with the flags of " + c.flags + ", and Close",
				Means: "a document is lost, or the tail of an old one is left", Read: order,
			}
			p.Succeed("at "+path+" "+c.call+" it "+c.flags, l.Say("%s failed although nothing stood in its way", c.call))
			readable := l.Say("%s returned a file that cannot be read", c.call)
			readable.Means = "what reads before it writes, as Edit does, fails"
			p.Succeed("content it", readable)
			if c.flags == "r" {
				l := l.Say("%s returned a file that a reader can write", c.call)
				l.Means = "a reader has a shared lock: it writes while others read"
				lab.RequireError(t, p.Do("write it x", l), l)
			}
			p.get("Close it")
			lab.RequireFile(t, path, c.want, l)
		}
	})
}

// keepsToTheFileThatItLocked renames the file while OpenFile waits for it.
func keepsToTheFileThatItLocked(t *testing.T, flags string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not rename an open file")
	}
	path := lab.WriteFile(t, "checkouts.json", document)
	a, b := start(t, path), start(t, path)
	l := lab.Lesson{
		Says: "OpenFile emptied another file than the one that it had opened", Read: order,
		Did:   "a process had the file open (r+); another one called OpenFile (" + flags + ")",
		Means: "the file at the path is another owner's by then, and its document is gone",
	}
	a.get("OpenFile first r+")
	b.Send("OpenFile second " + flags)
	b.WaitBlocked(l.Say("OpenFile does not wait in the kernel"))
	lab.RequireSetUp(t, os.Rename(path, path+".moved"))
	lab.RequireSetUp(t, os.WriteFile(path, []byte("{}"), 0o600))
	a.get("Close first")
	l.Did += "; while it waited, the file was renamed, and another one created at the path; then the first called Close"
	lab.RequireNoError(t, b.Reply(l).Returned.Err, l.Say("OpenFile failed although it had only to wait"))
	lab.RequireFile(t, path, "{}", l)
	want := document
	l.Says = "OpenFile returned another file than the one that it had opened"
	l.Means = "after the wait it went by the name again, which leads to another file by then"
	if flags == "w" {
		want = ""
		l.Says, l.Means = "OpenFile did not empty the file that it had opened", "a tail of the old document is left behind the new one"
	}
	b.requireContent("second", want, l)
	lab.RequireFile(t, path+".moved", want, l)
}

// A pair is two opens of one file.
type pair struct {
	first, second string
	together      bool // both may have it
}

var pairs = []pair{
	{"r+", "r+", false},
	{"r+", "r", false},
	{"r", "r+", false},
	{"r", "r", true},
	{"rc", "rc", true},
	{"wronly", "r", false},
	{"r", "wronly", false},
	{"a", "a", false},
	{"w", "w", false},
}

func TestOpenFileKeepsOthersOut(t *testing.T) {
	t.Parallel()
	t.Run("of another process", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", document)
		tryPairs(t, start(t, path), start(t, path), path, "in another process")
	})
	t.Run("of the same process", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", document)
		p := start(t, path)
		tryPairs(t, p, p, path, "in the same process")
	})
	t.Run("under another name of the file", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", document)
		name := filepath.Join(filepath.Dir(path), "other.json")
		lab.RequireSetUp(t, os.Link(path, name))
		a, b := start(t, path), start(t, path)
		tryPairs(t, a, b, name, "by another name of the file")
		tryPairs(t, a, a, name, "by another name of the file, in the same process")
		if runtime.GOOS != "windows" { // where not every user may make a symbolic link
			link := filepath.Join(filepath.Dir(path), "link.json")
			lab.RequireSetUp(t, os.Symlink(path, link))
			tryPairs(t, a, b, link, "by a symbolic link")
		}
	})
	t.Run("of the file, and not of its name", ofTheFileAndNotOfItsName)
}

func ofTheFileAndNotOfItsName(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not rename an open file, and not every user may make a symbolic link")
	}
	path := lab.WriteFile(t, "checkouts.json", document)
	moved, link := filepath.Join(filepath.Dir(path), "moved.json"), filepath.Join(filepath.Dir(path), "link.json")
	a, b := start(t, path), start(t, path)
	l := lab.Lesson{
		Says: "TryOpenFile reported another owner of a file that has none", Read: waiting,
		Did:   "OpenFile (r+); the file was renamed, and another one created at the path; then TryOpenFile at that path",
		Means: "the lock is on the name: by a relative path, or after a rename, it keeps out whom it should let in",
	}
	a.get("OpenFile first r+")
	lab.RequireSetUp(t, os.Rename(path, moved))
	lab.RequireSetUp(t, os.WriteFile(path, []byte("{}"), 0o600))
	for _, p := range []program{a, b} {
		p.Succeed("TryOpenFile second r+", l)
		p.Succeed("Close second", l.Say("Close failed"))
	}
	b.refused("at "+moved+" TryOpenFile second r+", l.Say("TryOpenFile did not find the owner of a file that was renamed"))
	l = lab.Lesson{
		Says: "OpenFile did not create the file that a link leads to", Did: "OpenFile with O_CREATE of a link to a file that does not exist",
		Means: "it opens another file than os.OpenFile, or none", Read: order,
	}
	lab.RequireSetUp(t, os.Symlink("target.json", link))
	b.Succeed("at "+link+" OpenFile it a", l)
	_, err := os.Stat(filepath.Join(filepath.Dir(path), "target.json"))
	lab.RequireNoError(t, err, l)
}

func tryPairs(t *testing.T, a, b program, path, where string) {
	t.Helper()
	for _, first := range []string{"OpenFile", "TryOpenFile"} {
		for _, c := range pairs {
			l := lab.Lesson{Did: first + " (" + c.first + "); then TryOpenFile (" + c.second + ") " + where, Read: readers}
			a.get(first + " first " + c.first)
			err := b.Do("at "+path+" TryOpenFile second "+c.second, l)
			if c.together {
				l.Says, l.Means = first+" kept a second reader out", "readers wait for one another, although none of them changes anything"
				lab.RequireNoError(t, err, l)
				b.Succeed("Close second", l.Say("Close failed"))
			} else {
				l.Says, l.Means = first+" did not keep another owner out", "two owners are inside at once, and one of them writes"
				_, removed := os.Stat(path)
				lab.RequireNoError(t, removed, l.Say("TryOpenFile removed the file when it was refused"))
				requireLocked(t, err, l)
			}
			a.Succeed("Close first", l.Say("Close failed"))
		}
	}
}

func TestOpenFileWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ first, second, third string }{{"r+", "r+", "r"}, {"r+", "r", "r+"}, {"r", "r+", "r"}} {
		t.Run(c.second+" for "+c.first, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "checkouts.json", document)
			a, b := start(t, path), start(t, path)
			l := lab.Lesson{
				Says:  "OpenFile does not wait in the kernel",
				Did:   "a process had the file open (" + c.first + "); another one called OpenFile (" + c.second + ")",
				Means: "it goes in beside the owner, gives up, or asks again and again and comes too late", Read: waiting,
			}
			a.get("OpenFile first " + c.first)
			b.Send("OpenFile second " + c.second)
			b.WaitBlocked(l)
			l.Did += "; then the first called Close"
			a.Succeed("Close first", l.Say("Close failed"))
			l.Says, l.Means = "OpenFile did not return the file after it had waited for it", "the program gives up although the file is free"
			lab.RequireNoError(t, b.Reply(l).Returned.Err, l)
			l.Did += "; then the first called TryOpenFile (" + c.third + ")"
			l.Says, l.Means = "OpenFile returned no error, and has no lock", "it goes in, and so does the next one"
			a.refused("TryOpenFile third "+c.third, l)
		})
	}
	t.Run("as long as it takes", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", document)
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Says:  "OpenFile stopped waiting although its context had not ended",
			Did:   "a process kept the file open for a while; another one called OpenFile",
			Means: "it goes in beside the owner, or fails although it was to wait", Read: waiting,
		}
		a.get("OpenFile first r+")
		b.Send("OpenFile second r+")
		b.WaitBlocked(l.Say("OpenFile does not wait in the kernel"))
		lab.Age(t, path, 48*60*60*1e9)
		for range lab.Rounds(12) {
			b.StillWaiting(l)
		}
		a.get("Close first")
		lab.RequireNoError(t, b.Reply(l).Returned.Err, l)
	})
	t.Run("a hundred goroutines with one thread", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", document)
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Says:  "OpenFile costs a thread for each goroutine that waits",
			Did:   "a process had the file open; 100 goroutines of another one called OpenFile",
			Means: "a server in which 10,000 requests wait for one file reaches Go's limit of threads, and dies", Read: waiting,
		}
		a.get("OpenFile first r+")
		b.tell("go crowd r+ 100", l)
		lab.RequireWaiters(t, path, 1, l, b.Process)
		for range 3 {
			b.StillWaitingFor(t, path, l)
		}
		free := l.Say("OpenFile waits for the owner of another file")
		free.Did, free.Means = l.Did+"; then it called OpenFile for another file", "one busy file stops all requests of a server"
		b.tell("at "+path+".free OpenFile it a", free)
		a.get("Close first")
		l.Says, l.Means = "OpenFile failed in some of 100 goroutines", "a request fails for no reason"
		b.tell("ended crowd", l)
	})
}

// StillWaitingFor demands one waiting thread, again, a moment later.
func (p program) StillWaitingFor(t *testing.T, path string, l lab.Lesson) {
	t.Helper()
	p.Handles() // the time of an order
	lab.RequireWaiters(t, path, 1, l, p.Process)
}

func TestOpenFileOpensAsItsFlagsSay(t *testing.T) {
	t.Parallel()
	t.Run("creates with the mode", createsWithTheMode)
	t.Run("opens the path that it is given", opensThePathThatItIsGiven)
	t.Run("refuses flags that cannot work", refusesFlagsThatCannotWork)
	t.Run("reports a file that cannot be opened", reportsAFileThatCannotBeOpened)
	t.Run("reads what is read-only", readsWhatIsReadOnly)
	t.Run("names the path in its errors", namesThePath)
	t.Run("appends, and creates exclusively", appendsAndCreatesExclusively)
}

func createsWithTheMode(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	for _, c := range []struct {
		umask      string
		perm, want fs.FileMode
		call       string
	}{
		{"0000", 0o666, 0o666, "OpenFile"},
		{"0000", 0o600, 0o600, "With"},
		{"0000", 0o440, 0o440, "OpenFile"},
		{"0027", 0o666, 0o640, "OpenFile"},
	} {
		path := lab.Path(t, "checkouts.json")
		p := lab.Launch(t, lab.Options{Umask: c.umask}, "edit", path, "create by "+c.call, fmt.Sprintf("%o", c.perm))
		l := lab.Lesson{
			Says: c.call + " created the file with another mode than perm, less the umask",
			Did:  fmt.Sprintf(c.call+" with O_CREATE and perm %v; the umask was %s", c.perm, c.umask), Read: order,
			Means: "others can read what is private, or cannot read what is theirs too",
		}
		lab.RequireNoError(t, p.Wait(l), l.Say("%s did not create the file", c.call))
		info, err := os.Stat(path)
		lab.RequireNoError(t, err, l.Say("OpenFile created no file, or Close removed it"))
		lab.RequireEqual(t, c.want.String(), info.Mode().String(), l)
	}
}

func refusesFlagsThatCannotWork(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	for _, flag := range []int{os.O_RDONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND | os.O_TRUNC, os.O_RDWR | os.O_APPEND | os.O_TRUNC} {
		path := lab.WriteFile(t, "checkouts.json", document)
		l := lab.Lesson{
			Says:  "OpenFile accepted flags with which it cannot keep its promise",
			Did:   fmt.Sprintf("OpenFile with the flags %#x, O_TRUNC among them", flag),
			Means: "a document is emptied by a reader, or is not emptied at all, depending on the system", Read: order,
		}
		_, err := lockedfile.OpenFile(t.Context(), path, flag, 0o600)
		lab.RequireErrorIs(t, err, fs.ErrInvalid, l)
		_, err = lockedfile.TryOpenFile(path, flag, 0o600)
		lab.RequireErrorIs(t, err, fs.ErrInvalid, l.Say("TryOpenFile accepted flags with which it cannot keep its promise"))
		lab.RequireFile(t, path, document, l)
		requireNamed(t, named(err, path), "TryOpenFile", l)
	}
}

func reportsAFileThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	dir := lab.SharedDir(t)
	lab.RequireSetUp(t, os.Mkdir(filepath.Join(dir, "directory"), 0o755))
	lab.RequireSetUp(t, os.WriteFile(filepath.Join(dir, "private"), nil, 0o600))
	lab.RequireSetUp(t, os.Chmod(filepath.Join(dir, "private"), 0))
	lab.RequireSetUp(t, os.WriteFile(filepath.Join(dir, "mailbox"), nil, 0o600))
	lab.RequireSetUp(t, os.Chmod(filepath.Join(dir, "mailbox"), 0o222))
	lab.RequireSetUp(t, os.Chmod(dir, 0o777)) //nolint:gosec // so that a missing directory could be made
	type failure struct {
		name, flags, did string
		reason           error
	}
	cases := []failure{
		{"missing/checkouts.json", "r+", "a path whose directory does not exist", fs.ErrNotExist},
		{"missing/checkouts.json", "a", "a path whose directory does not exist, with O_CREATE", fs.ErrNotExist},
		{"missing.json", "r+", "a file that does not exist, without O_CREATE", fs.ErrNotExist},
	}
	if runtime.GOOS != "windows" {
		cases = append(cases, []failure{
			{"directory", "r+", "a path at which a directory is", syscall.EISDIR},
			{"private", "r+", "a file that this user may not open", fs.ErrPermission},
			{"mailbox", "wronly", "a file that this user may write and not read, with O_WRONLY", fs.ErrPermission},
		}...)
	}
	for _, c := range cases {
		p := launch(t, lab.Options{Unprivileged: true}, filepath.Join(dir, filepath.FromSlash(c.name)))
		for _, call := range []string{"OpenFile", "TryOpenFile"} {
			l := lab.Lesson{
				Says: call + " did not report why it could not open the file", Did: call + " of " + c.did,
				Means: "the program goes on without a file, or waits for an owner who does not exist", Read: refusals,
			}
			err := p.Do(call+" it "+c.flags, l)
			opened := l.Say("%s opened what os.OpenFile does not open", call)
			opened.Means = "a mistyped path becomes a new document, or a file is written that its user may not read"
			lab.RequireError(t, err, opened)
			lab.RequireErrorIs(t, err, c.reason, l)
			l.Expected, l.Found = "an error that does not match ErrLocked", fmt.Sprint(err)
			lab.Require(t, !errors.Is(err, lockedfile.ErrLocked), l)
			requireNamed(t, err, call, l)
		}
	}
	l := lab.Lesson{
		Says: "OpenFile created a file without O_CREATE, or a directory", Did: "OpenFile of a path that does not exist",
		Means: "a mistyped path becomes an empty document", Read: order,
	}
	lab.RequireNoFile(t, filepath.Join(dir, "missing"), l)
	lab.RequireNoFile(t, filepath.Join(dir, "missing.json"), l)
}

// A program that only reads must not need a right to write: not to the file, not to its directory (kubernetes/kubernetes#67676).
func readsWhatIsReadOnly(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no read-only directories")
	}
	dir := lab.SharedDir(t)
	path := filepath.Join(dir, "checkouts.json")
	lab.RequireSetUp(t, os.WriteFile(path, []byte(document), 0o444))
	lab.RequireSetUp(t, os.Chmod(dir, 0o555))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	p := launch(t, lab.Options{Unprivileged: true}, path)
	l := lab.Lesson{
		Says:  "OpenFile needs a right to write where it only reads",
		Did:   "OpenFile with O_RDONLY of a file with mode 0444 in a directory with mode 0555",
		Means: "a report, or a backup, fails with permission denied", Read: readers,
	}
	p.Succeed("OpenFile it r", l)
	p.requireContent("it", document, l)
	start(t, path).refused("TryOpenFile second r+", l.Say("OpenFile does not lock a file that it may only read"))
	p.Succeed("Close it", l)
}

func namesThePath(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	path := lab.WriteFile(t, "checkouts.json", document)
	held, err := lockedfile.OpenFile(t.Context(), path, os.O_RDWR, 0)
	l := lab.Lesson{
		Says: "OpenFile failed although nothing stood in its way", Did: "OpenFile (r+)", Means: "the program cannot work at all",
		Read: fix,
	}
	lab.RequireNoError(t, err, l)
	lab.RequireNotNil(t, held, "OpenFile", l)
	defer held.Close() //nolint:errcheck // the test is over by then
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for call, open := range map[string]func() error{
		"TryOpenFile": func() error { _, err := lockedfile.TryOpenFile(path, os.O_RDWR, 0); return err },
		"OpenFile":    func() error { _, err := lockedfile.OpenFile(ended, path, os.O_RDWR, 0); return err },
	} {
		l := lab.Lesson{Did: call + " of a file that another owner had locked", Read: refusals}
		lab.Finishes(t, func() { err = open() }, l.Say("%s waits, and should not", call))
		requireNamed(t, named(err, path), call, l)
	}
}

// What stands before "..", or before a slash at the end, is for the kernel to find: a link leads elsewhere.
func opensThePathThatItIsGiven(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows itself takes .. out of a path, and not every user may make a symbolic link")
	}
	dir := filepath.Dir(lab.Path(t, "checkouts.json"))
	lab.RequireSetUp(t, os.MkdirAll(filepath.Join(dir, "office", "desk"), 0o755))
	lab.RequireSetUp(t, os.Symlink("office/desk", filepath.Join(dir, "link")))
	lab.RequireSetUp(t, os.WriteFile(filepath.Join(dir, "office", "checkouts.json"), []byte(document), 0o600))
	lab.RequireSetUp(t, os.WriteFile(filepath.Join(dir, "checkouts.json"), []byte("{}"), 0o600))
	path := dir + "/link/../checkouts.json"
	p := start(t, path)
	for _, call := range []string{"OpenFile", "TryOpenFile"} {
		for _, flags := range []string{"r", "r+"} {
			l := lab.Lesson{
				Says: call + " opened another file than os.OpenFile does", Read: order,
				Did:   call + " (" + flags + ") of link/../checkouts.json; link led to office/desk",
				Means: "the kernel follows the link first: .. is the directory above office/desk, and not the one above link",
			}
			p.Succeed(call+" it "+flags, l)
			p.requireContent("it", document, l)
			p.get("Close it")
			l.Did = call + " (" + flags + ") of checkouts.json/, with a slash at the end"
			l.Means = "the path names a directory, and a file was opened"
			lab.RequireErrorIs(t, p.Do("at "+dir+"/checkouts.json/ "+call+" it "+flags, l), syscall.ENOTDIR, l)
		}
	}
	l := lab.Lesson{
		Says: "Edit opened another file than os.OpenFile does", Did: "Edit of link/../checkouts.json; link led to office/desk",
		Means: "the kernel follows the link first: .. is the directory above office/desk, and not the one above link", Read: order,
	}
	err := lockedfile.Edit(t.Context(), path, func([]byte) ([]byte, error) { return []byte("[]"), nil })
	lab.RequireNoError(t, err, l)
	lab.RequireFile(t, filepath.Join(dir, "checkouts.json"), "{}", l)
	lab.RequireFile(t, filepath.Join(dir, "office", "checkouts.json"), "[]", l)
}

func appendsAndCreatesExclusively(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	path := lab.WriteFile(t, "log.txt", "one\n")
	l := lab.Lesson{
		Says: "OpenFile lost O_APPEND", Did: "OpenFile with O_WRONLY|O_APPEND, and Write", Read: order,
		Means: "an entry overwrites the first ones of the log",
	}
	file, err := lockedfile.OpenFile(t.Context(), path, os.O_WRONLY|os.O_APPEND, 0)
	lab.RequireNoError(t, err, l.Say("OpenFile failed although nothing stood in its way"))
	lab.RequireNotNil(t, file, "OpenFile", l)
	_, err = file.WriteString("two\n")
	lab.RequireNoError(t, errors.Join(err, file.Close()), l)
	lab.RequireFile(t, path, "one\ntwo\n", l)
	_, err = lockedfile.TryOpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	l.Says = "TryOpenFile lost O_EXCL"
	l.Did = "TryOpenFile with O_CREATE|O_EXCL of a file that exists"
	l.Means = "two programs create one file, and both begin it anew"
	lab.RequireErrorIs(t, err, fs.ErrExist, l)
}
