package atomicreplace_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/trace"
)

const theSteps = `lessons/06_atomic_replace, "The steps"`

// killAtEachStep kills the writer as it is about to make the system call, which then does not happen.
func killAtEachStep(t *testing.T) {
	tests := []struct {
		name, calls string
		when        int
	}{
		// The first write of the worker's main thread tells the parent that it is there; the next is WriteFile's.
		{"killed at the write", "write,pwrite64,writev", 2},
		{"killed at the first fsync", "fsync,fdatasync", 1},
		{"killed at the rename", trace.Renames, 1},
		{"killed at the second fsync", "fsync,fdatasync", 2},
	}
	for _, test := range tests[:lab.Rounds(len(tests))] {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", before)
			killAt(t, test.calls, test.when, "write", path, "0")
			requireOldOrNew(t, path, "the process was "+test.name+" of WriteFile", before, after)
		})
	}

	for _, kill := range []struct {
		name, calls string
		when        int
	}{
		{"killed at the write, with a secret", tests[0].calls, tests[0].when},
		{"killed at a change of owner, with a secret", "?chown,?lchown,fchown,fchownat", 1},
		{"killed at a change of mode, with a secret", "?chmod,fchmod,fchmodat,?fchmodat2", 1},
	} {
		t.Run(kill.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", before)
			if os.Getuid() == 0 {
				_ = os.Chown(path, 65534, 65534) // in some containers root may not: then the group is the same, and the test asks less
			}
			lab.RequireNoError(t, os.Chmod(path, 0o640), lab.Lesson{Says: "the test could not change the mode of its own file"})
			killAt(t, kill.calls, kill.when, "overwrite", path, "0644", "0000")
			requireNoSecretShown(t, path, kill.name)
		})
	}
}

// requireNoSecretShown demands that what a crash has left beside path lets nobody in who might not read the file itself, of mode 0640.
func requireNoSecretShown(t *testing.T, path, how string) {
	t.Helper()
	group := func(path string) (uint32, os.FileMode) {
		info, err := os.Stat(path)
		lab.RequireNoError(t, err, lab.Lesson{Says: "the test could not look at a file"})
		if info.IsDir() && info.Mode().Perm()&0o077 == 0 {
			return info.Sys().(*syscall.Stat_t).Gid, 0 // nobody else can look into it
		}
		return info.Sys().(*syscall.Stat_t).Gid, info.Mode().Perm()
	}
	theirs, _ := group(path)
	for _, name := range others(t, path) {
		gid, mode := group(filepath.Join(filepath.Dir(path), name))
		allowed, expected := os.FileMode(0o640), "0640 or less"
		if gid != theirs {
			allowed, expected = 0o600, fmt.Sprintf("0600 or less, as long as its group is %d", gid)
		}
		lab.Require(t, mode&^allowed == 0, lab.Lesson{
			Says: "WriteFile's temporary file is more open than the file",
			Did:  fmt.Sprintf("the file had mode 0640 and group %d; the process was %s; a look at the temporary file", theirs, how), Expected: expected,
			Found: fmt.Sprintf("%04o, group %d", mode, gid), Means: "what only Alice and her group may read is open to others while it is written, and after a crash for good",
			Read: `lessons/06_atomic_replace, "What a rename does not carry over"`,
		})
	}
}

// killAt runs a worker that is killed as it is about to make a system call for the when-th time, which then does not happen. A
// worker that never makes that call comes to its end.
func killAt(t *testing.T, calls string, when int, worker string, args ...string) {
	t.Helper()
	writer := lab.Trace(t, lab.Rule{Calls: calls, Kill: true, When: when}, lab.Options{}, worker, args...)
	err := writer.Wait()
	var returned *process.Error
	if (err == nil || errors.As(err, &returned)) && len(writer.Calls()) >= when {
		t.Skip("strace let the call pass: the code makes it from a thread of its own")
	}
}

// TestTheDiskIsAsked looks at the system calls of one WriteFile: what a power cut leaves cannot be seen by killing a process.
func TestTheDiskIsAsked(t *testing.T) {
	t.Parallel()

	for _, test := range []struct {
		name, did string
		place     func(t *testing.T) (path, file string)
	}{
		{"for the bytes before the rename, for the name after it", "WriteFile", func(t *testing.T) (string, string) {
			path := realFile(t, before)
			return path, path
		}},
		{"also when the content is the same", "WriteFile, with the content that the file holds already,", func(t *testing.T) (string, string) {
			path := realFile(t, after)
			return path, path
		}},
		{"for the folder of the file and not that of a link", "WriteFile on a symbolic link to locks.json in another folder,", func(t *testing.T) (string, string) {
			path := realFile(t, before)
			link := filepath.Join(filepath.Dir(realFile(t, "")), "link.json")
			lab.RequireNoError(t, os.Symlink(path, link), lab.Lesson{Says: "the test could not make its own link"})
			return link, path
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path, file := test.place(t)
			requireAsked(t, path, file, test.did+" under strace, which shows its system calls")
		})
	}

	t.Run("its no to the rename is believed", func(t *testing.T) {
		t.Parallel()
		path := realFile(t, before)
		injected, err := writeInjected(t, path, lab.Rule{Calls: trace.Renames, Fail: syscall.EIO})
		if len(injected) == 0 {
			return // another design, which the first subtest judges
		}
		did := "the rename failed with EIO"
		lab.Require(t, plain(err), lab.Lesson{
			Says: "WriteFile hides that its rename has failed", Did: did, Expected: "an error that does not match ErrNotDurable", Found: orNil(err),
			Means: "the program tells its user that the change is saved, and it is not", Read: whenAStepFails,
		})
		lab.RequireFile(t, path, before, lab.Lesson{Says: "WriteFile failed and took the old content with it", Did: did, Means: "the list of locks is lost", Read: whenAStepFails})
		requireAlone(t, path, lab.Lesson{Says: "A failed WriteFile left its temporary file behind", Did: did, Read: whenAStepFails})
	})

	t.Run("its folder cannot be opened", func(t *testing.T) {
		t.Parallel()
		path := realFile(t, before)
		dir := filepath.Dir(path)
		injected, err := writeInjected(t, path, lab.Rule{Calls: "openat", Paths: []string{dir, dir + "/"}, Fail: syscall.EMFILE})
		if len(injected) == 0 || err == nil || errors.Is(err, atomicreplace.ErrNotDurable) {
			return // it opened the folder in another way, or said that the new content may not last
		}
		lab.RequireFile(t, path, before, lab.Lesson{
			Says: "WriteFile returned a plain error and had replaced the file", Did: "the folder could not be opened (EMFILE, too many open files)",
			Means: "whoever gets that error takes the old content for what the file holds, and it holds the new", Read: theSteps,
		})
		requireAlone(t, path, lab.Lesson{Says: "A failed WriteFile left its temporary file behind", Did: "the folder could not be opened (EMFILE)", Read: whenAStepFails})
	})

	for i, name := range []string{"its first no is believed", "its second no is believed"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := realFile(t, before)
			injected, err := writeInjected(t, path, lab.Rule{Calls: "fsync,fdatasync,syncfs", Fail: syscall.EIO, When: i + 1})
			for _, call := range injected {
				if len(call.Paths) > 0 {
					requireRefusalBelieved(t, path, call.Paths[0], err)
				}
			}
		})
	}
}

// realFile makes locks.json and returns its path as the system tells it: the folder for temporary files may be reached by a link.
func realFile(t *testing.T, content string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(lab.WriteFile(t, "locks.json", content))
	lab.RequireNoError(t, err, lab.Lesson{Says: "the test could not find its own file"})
	return path
}

// writeInjected does one WriteFile under the rule and returns the calls that strace made fail, and its error.
func writeInjected(t *testing.T, path string, r lab.Rule) ([]lab.Call, error) {
	t.Helper()
	writer := lab.Trace(t, r, lab.Options{}, "write", path, "0")
	var o lab.Returned
	writer.Result(&o)
	lab.RequireNoError(t, writer.Wait(), lab.Lesson{Says: "the worker died"})
	return writer.Injected(), o.Err
}

// plain reports whether err says that nothing was saved.
func plain(err error) bool { return err != nil && !errors.Is(err, atomicreplace.ErrNotDurable) }

// requireAsked demands that WriteFile on path replaces file, and asks the disk for the bytes before that and for the name after it.
func requireAsked(t *testing.T, path, file, did string) {
	t.Helper()
	seen := callsOf(t, path)
	renamed, temp := -1, ""
	for i, call := range seen {
		if strings.HasPrefix(call.Name, "rename") && len(call.Paths) >= 2 && call.Paths[1] == file {
			renamed, temp = i, call.Paths[0]
		}
	}
	lab.Require(t, renamed >= 0, lab.Lesson{
		Says: "WriteFile renames nothing over the file", Did: did, Expected: "a rename of a complete temporary file to locks.json",
		Found: "no such call", Means: "there is no single step that turns the old content into the new one, and none after which it is on the disk", Read: theSteps,
	})
	lab.Require(t, durableBytes(seen[:renamed], temp), lab.Lesson{
		Says: "WriteFile renames a file whose bytes the disk has not got yet", Did: did,
		Expected: "write, then fsync of the temporary file, then rename", Found: names(seen, file, temp),
		Means: "a power cut keeps the new name and loses the bytes: an empty list of locks, minutes after the program said \"saved\"", Read: `lessons/06_atomic_replace, "What a power cut leaves"`,
	})
	lab.Require(t, synced(seen[renamed:], filepath.Dir(file)) >= 0, lab.Lesson{
		Says: "WriteFile does not ask the disk for the new name", Did: did,
		Expected: "fsync of the folder after the rename", Found: names(seen, file, temp),
		Means: "WriteFile said nil, and after a power cut the old list of locks is back", Read: `lessons/06_atomic_replace, "What a power cut leaves"`,
	})
	removed := last(seen[renamed:], func(c lab.Call) bool {
		return strings.HasPrefix(c.Name, "unlink") && len(c.Paths) > 0 && c.Paths[0] == temp
	})
	lab.Require(t, removed < 0 || strings.Contains(seen[renamed].Args, "RENAME_EXCHANGE"), lab.Lesson{
		Says: "WriteFile removes its temporary name after the rename", Did: did, Expected: "no remove after the rename", Found: names(seen, file, temp),
		Means: "the name is free by then: what the remove finds there is another writer's file, whose save then fails", Read: whenAStepFails,
	})
}

// requireRefusalBelieved demands the right answer to an fsync of the file named synced that failed with EIO.
func requireRefusalBelieved(t *testing.T, path, synced string, err error) {
	t.Helper()
	if synced == filepath.Dir(path) {
		lab.Require(t, errors.Is(err, atomicreplace.ErrNotDurable), lab.Lesson{
			Says: "WriteFile hides that its rename may not last", Did: "fsync of the folder, after the rename, failed with EIO", Expected: "an error that matches ErrNotDurable",
			Found: orNil(err), Means: "a power cut may bring the old list of locks back, and nobody was told", Read: whenAStepFails,
		})
		lab.RequireFile(t, path, after, lab.Lesson{Says: "WriteFile took a done rename back", Did: "fsync of the folder failed with EIO", Means: "there is no safe way back: readers have seen the new content", Read: whenAStepFails})
	} else {
		did := "fsync of the temporary file failed once with EIO"
		lab.Require(t, plain(err), lab.Lesson{
			Says: "WriteFile takes an fsync that failed for one that worked", Did: did, Expected: "an error, and the old content", Found: orNil(err),
			Means: "the system may have thrown the new bytes away; the next fsync says nil all the same", Read: whenAStepFails,
		})
		lab.RequireFile(t, path, before, lab.Lesson{Says: "WriteFile put a file in place that the disk had refused", Did: did, Means: "the old content was good, the new may be lost", Read: whenAStepFails})
	}
	requireAlone(t, path, lab.Lesson{Says: "A failed WriteFile left its temporary file behind", Did: "an fsync failed with EIO", Read: whenAStepFails})
}

func orNil(err error) string {
	if err == nil {
		return "nil"
	}
	return err.Error()
}

// callsOf returns the file system calls of one WriteFile.
func callsOf(t *testing.T, path string) []lab.Call {
	t.Helper()
	writer := lab.Trace(t, lab.Rule{Calls: "openat,write,pwrite64,writev,linkat," + trace.Syncs + "," + trace.Removes + "," + trace.Renames}, lab.Options{}, "write", path, "0")
	var o lab.Returned
	writer.Result(&o)
	lab.RequireNoError(t, errors.Join(o.Err, writer.Wait()), lab.Lesson{Says: "WriteFile failed although nothing stood in its way", Did: "WriteFile under strace", Read: theSteps})
	return writer.Calls()
}

// synced returns the index of the last call that brought path to the disk, or -1.
func synced(seen []lab.Call, path string) int {
	return last(seen, func(c lab.Call) bool {
		switch c.Name {
		case "fsync", "fdatasync":
			return len(c.Paths) > 0 && c.Paths[0] == path
		}
		return c.Name == "sync" || c.Name == "syncfs" // everything that waits, or everything on one file system: path is among it
	})
}

// durableBytes reports whether temp was synced after the last write to it, or opened so that every write is (O_SYNC, O_DSYNC).
func durableBytes(seen []lab.Call, temp string) bool {
	linked := last(seen, func(c lab.Call) bool {
		return c.Name == "linkat" && len(c.Paths) > 0 && slices.Contains(c.Paths, temp)
	})
	if linked >= 0 { // a file that was made without a name (O_TMPFILE): strace calls it #INODE
		seen = slices.Clone(seen)
		for i, call := range seen {
			if len(call.Paths) > 0 && strings.HasPrefix(filepath.Base(call.Paths[0]), "#") {
				seen[i].Paths = append([]string{temp}, call.Paths[1:]...)
			}
		}
	}
	written := last(seen, func(c lab.Call) bool {
		return strings.Contains(c.Name, "write") && len(c.Paths) > 0 && c.Paths[0] == temp
	})
	always := last(seen, func(c lab.Call) bool {
		return c.Name == "openat" && len(c.Paths) > 0 && c.Paths[0] == temp && (strings.Contains(c.Args, "O_SYNC") || strings.Contains(c.Args, "O_DSYNC"))
	})
	return always >= 0 || synced(seen, temp) > written
}

func last(seen []lab.Call, is func(lab.Call) bool) int {
	for i := len(seen) - 1; i >= 0; i-- {
		if is(seen[i]) {
			return i
		}
	}
	return -1
}

// names tells the calls on the temporary file, the target and the folder in order.
func names(seen []lab.Call, path, temp string) string {
	var told []string
	for _, call := range seen {
		for _, p := range call.Paths {
			what, known := map[string]string{temp: "temp", path: filepath.Base(path), filepath.Dir(path): "folder"}[p]
			if known {
				told = append(told, call.Name+" "+what)
				break
			}
		}
	}
	return strings.Join(told, ", ")
}
