package atomicreplace_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

// What the code asks of its system, seen and changed with strace. What a power cut leaves cannot be seen by killing a process, but whether
// the disk was asked can.

// realPlace is place, as the system tells the path: the directory for temporary files may be reached by a link.
func realPlace(t *testing.T, content []byte) string {
	t.Helper()
	path := place(t, content)
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	must(t, err)
	return filepath.Join(dir, filepath.Base(path))
}

func TestCommitAsksTheDisk(t *testing.T) {
	t.Parallel()
	type disk struct {
		change
		save
		file string // the file that it is about
	}
	cases := make([]disk, 0, 10)
	same := change{"the same content", []byte(after), []byte(after)}
	for _, c := range append(changes(), same) {
		path := realPlace(t, c.old)
		cases = append(cases, disk{c, save{Path: path}, path})
	}
	file, link := realPlace(t, []byte(before)), filepath.Join(filepath.Dir(realPlace(t, nil)), "link.json")
	if os.Symlink(file, link) == nil {
		cases = append(cases, disk{longer.as("a file behind a link"), save{Path: link}, file})
	}
	file, link = realPlace(t, []byte(before)), filepath.Join(filepath.Dir(realPlace(t, nil)), "shortcut")
	deep := filepath.Join(filepath.Dir(file), "deep")
	if os.Mkdir(deep, 0o700) == nil && os.Symlink(deep, link) == nil {
		path := link + string(filepath.Separator) + filepath.Join("..", filepath.Base(file))
		cases = append(cases, disk{longer.as("a file in the directory that .. of a link leads to"), save{Path: path}, file})
	}
	file = realPlace(t, []byte(before))
	moved := save{Path: filepath.Base(file), From: filepath.Dir(file), To: filepath.Dir(realPlace(t, nil))}
	cases = append(cases, disk{longer.as("a relative path, and the working directory changes before the first Write"), moved, file})

	watched := "openat,linkat,umask,fchmod,fchmodat,fchown,fchownat," +
		trace.Writes + "," + trace.Syncs + "," + trace.Removes + "," + trace.Renames
	writer := lab.Trace(t, lab.Rule{Calls: watched}, lab.Options{}, "write")
	for _, c := range cases {
		c.Content = string(c.new)
		writer.Send(c.save)
		lesson := lab.Lesson{
			Says: "WriteFile (Create, Write, Commit) failed although nothing stood in its way",
			Did:  "WriteFile under strace: " + c.name,
			Read: fix,
		}
		var o lab.Returned
		writer.Result(&o, lesson)
		lab.RequireNoError(t, o.Err, lesson)
	}
	writer.Send(save{})
	lab.RequireNoError(t, writer.Wait(), lab.Lesson{Says: "the worker died"})
	calls := writer.Calls()
	for _, c := range cases {
		t.Run("for "+c.name, func(t *testing.T) {
			var seen []lab.Call
			for _, call := range calls {
				if strings.Contains(c.Path, "..") { // the log has names that were cleaned on paper
					call.Paths = slices.Clone(call.Paths)
					for i, path := range call.Paths {
						if name, below := strings.CutPrefix(path, filepath.Dir(c.Path)+string(filepath.Separator)); below {
							call.Paths[i] = filepath.Join(filepath.Dir(c.file), name)
						}
					}
				}
				if call.Within(filepath.Dir(c.file)) || call.Within(filepath.Dir(c.Path)) || call.Name == "sync" || call.Name == "syncfs" {
					seen = append(seen, call)
				}
			}
			requireAsked(t, seen, c.file, "WriteFile under strace, which shows its calls: "+c.name)
		})
	}
	t.Run("for each of several at once", askedForEachAtOnce)
	t.Run("and leaves the umask of the process alone", func(t *testing.T) {
		for _, call := range calls {
			lab.Require(t, call.Name != "umask", lab.Lesson{
				Says:     "Create changes the umask of the whole process",
				Did:      "WriteFile under strace",
				Expected: "no umask(2)",
				Found:    call.String(),
				Read:     carryOver,
				Means:    "what other goroutines create at that moment is open to every user",
			})
		}
	})
}

// as returns the change under another name.
func (c change) as(name string) change {
	c.name = name
	return c
}

// askedForEachAtOnce lets one call return while another call, in the same directory, is stopped before its fsync of the directory. An fsync
// that began before a rename says nothing about it.
func askedForEachAtOnce(t *testing.T) {
	first := realPlace(t, nil)
	second := filepath.Join(filepath.Dir(first), "parts.json")
	lesson := lab.Lesson{
		Says:     "Commit takes the disk's answer to another Commit for its own",
		Did:      "one WriteFile was stopped before its fsync of the directory; meanwhile another WriteFile replaced a second file there",
		Expected: "after its rename, the second WriteFile calls fsync for the directory as well",
		Means:    "that fsync began before this rename: a power cut takes back a save that returned nil", Read: powerCut,
	}
	var failed [2]error
	var seen []string
	calls, ended := make(chan string, 1000), make(chan error, 1)
	renamed, stands := false, false
	err := lab.Watch(func() { failed[0] = atomicreplace.WriteFile(first, []byte(after), 0o644) }, func(name string) {
		renamed = renamed || isRename(name)
		if stands || !renamed || !isSync(name) {
			return
		}
		stands = true
		go func() {
			ended <- lab.Watch(func() { failed[1] = atomicreplace.WriteFile(second, []byte(after), 0o644) }, func(name string) { calls <- name })
			close(calls)
		}()
		seen = untilQuiet(calls)
	})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	lab.RequireNoError(t, err, lesson)
	if !stands {
		return // it calls fsync in another thread, or not at all, which the other cases find
	}
	lab.RequireNoError(t, <-ended, lesson)
	for name := range calls {
		seen = append(seen, name)
	}
	lab.RequireNoError(t, errors.Join(failed[:]...), lesson.Say("WriteFile (Create, Write, Commit) failed although nothing stood in its way"))
	for slices.ContainsFunc(seen, isRename) {
		seen = seen[slices.IndexFunc(seen, isRename)+1:]
	}
	lesson.Found = "after the rename: " + strings.Join(seen, ", ")
	lab.Require(t, slices.ContainsFunc(seen, isSync), lesson)
}

func isRename(call string) bool { return strings.HasPrefix(call, "rename") || call == "linkat" }
func isSync(call string) bool   { return strings.Contains(call, "sync") }

// untilQuiet returns what comes until the channel is closed, or until nothing has come for a second: the sender waits for something else.
func untilQuiet(calls <-chan string) (seen []string) {
	for {
		select {
		case name, more := <-calls:
			if !more {
				return seen
			}
			seen = append(seen, name)
		case <-time.After(time.Second):
			return seen
		}
	}
}

// putInPlace returns the index of the last call that gave a complete file the name of file, or -1, and the name that it had until then: a
// rename, or a link where there was no file.
func putInPlace(seen []lab.Call, file string) (index int, temp string) {
	index = last(seen, func(c lab.Call) bool {
		return (strings.HasPrefix(c.Name, "rename") || c.Name == "linkat") && c.Errno == "" && len(c.Paths) >= 2 && c.Paths[1] == file
	})
	switch {
	case index < 0:
		return index, ""
	case seen[index].Name == "linkat" && strings.HasPrefix(seen[index].Paths[0], "/proc/"): // it had no name (O_TMPFILE)
		return index, file
	}
	return index, seen[index].Paths[0]
}

// requireAsked demands that the calls replace file, and ask the disk for the bytes before that and for the name after it.
func requireAsked(t *testing.T, seen []lab.Call, file, did string) {
	t.Helper()
	renamed, temp := putInPlace(seen, file)
	lab.Require(t, renamed >= 0, lab.Lesson{
		Says:     "Commit renames nothing over the file",
		Did:      did,
		Expected: "a rename (or a link, for the first document) of a complete temporary file to " + filepath.Base(file),
		Found:    names(seen, file, temp),
		Means:    "there is no single step that turns the old content into the new one", Read: fix,
	})
	lab.Require(t, durable(seen[:renamed+1], temp, isWrite), lab.Lesson{
		Says:     "Commit renames a file whose bytes the disk does not have yet",
		Did:      did,
		Expected: "write, then fsync of the temporary file, then rename",
		Found:    names(seen, file, temp), Read: powerCut,
		Means: "a power cut keeps the new name and loses the bytes: an empty list of locks, minutes after the program said \"saved\"",
	})
	lab.Require(t, durable(seen[:renamed+1], temp, isChangeOfMode), lab.Lesson{
		Says:     "Commit renames a file whose mode and owner the disk does not have yet",
		Did:      did,
		Expected: "mode and owner, then fsync of the temporary file, then rename",
		Found:    names(seen, file, temp), Read: powerCut,
		Means: "after a power cut the file has the mode and the owner of the temporary file: those who shared it may not open it any more",
	})
	lab.Require(t, synced(seen[renamed:], filepath.Dir(file)) >= 0, lab.Lesson{
		Says:     "Commit does not ask the disk for the new name",
		Did:      did,
		Expected: "fsync of the directory after the rename",
		Found:    names(seen, file, temp),
		Means:    "Commit returned nil, and after a power cut the old list of checkouts is back", Read: powerCut,
	})
	requireExclusive(t, seen, file, did)
	removed := last(seen[renamed:], func(c lab.Call) bool {
		return strings.HasPrefix(c.Name, "unlink") && len(c.Paths) > 0 && c.Paths[0] == temp
	})
	stays := seen[renamed].Name == "linkat" || strings.Contains(seen[renamed].Args, "RENAME_EXCHANGE")
	lab.Require(t, removed < 0 || stays, lab.Lesson{
		Says:     "Commit or Discard removes the temporary name after the rename",
		Did:      did,
		Expected: "no remove after the rename",
		Found:    names(seen, file, temp),
		Means:    "the name is free by then: what the remove finds is another writer's file, whose save then fails", Read: refusal,
	})
}

// requireExclusive demands that no file in file's directory is created without O_EXCL.
func requireExclusive(t *testing.T, seen []lab.Call, file, did string) {
	t.Helper()
	shared := last(seen, func(c lab.Call) bool {
		inPlace := c.Name == "openat" && len(c.Paths) > 0 && filepath.Dir(c.Paths[0]) == filepath.Dir(file)
		return inPlace && strings.Contains(c.Args, "O_CREAT") && !strings.Contains(c.Args, "O_EXCL")
	})
	if shared >= 0 {
		lab.Fail(t, lab.Lesson{
			Says:     "Create opens a file that may be another program's",
			Did:      did,
			Expected: "the temporary file created exclusively: O_EXCL, or O_TMPFILE",
			Found:    seen[shared].String(),
			Means:    "whatever has that name already, such as a link that another user planted, is opened and emptied", Read: ownName,
		})
	}
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

func isWrite(c lab.Call) bool        { return strings.Contains(c.Name, "write") }
func isChangeOfMode(c lab.Call) bool { return strings.HasPrefix(c.Name, "fch") } // fchmod, fchown and theirs with "at"

// durable reports whether temp was synced after the last such change of it, or opened so that every write is (O_SYNC, O_DSYNC).
func durable(seen []lab.Call, temp string, isChange func(lab.Call) bool) bool {
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
	changed := last(seen, func(c lab.Call) bool { return isChange(c) && len(c.Paths) > 0 && c.Paths[0] == temp })
	always := last(seen, func(c lab.Call) bool {
		return c.Name == "openat" && len(c.Paths) > 0 && c.Paths[0] == temp &&
			(strings.Contains(c.Args, "O_SYNC") || strings.Contains(c.Args, "O_DSYNC"))
	})
	return always >= 0 || synced(seen, temp) > changed
}

func last(seen []lab.Call, is func(lab.Call) bool) int {
	for i := len(seen) - 1; i >= 0; i-- {
		if is(seen[i]) {
			return i
		}
	}
	return -1
}

// names shows the calls that write, sync and rename, in their order.
func names(seen []lab.Call, file, temp string) string {
	known := map[string]string{temp: "temp", file: filepath.Base(file), filepath.Dir(file): "directory"}
	var shown []string
	for _, call := range seen {
		if call.Name == "openat" {
			continue
		}
		what := []string{call.Name}
		for _, path := range call.Paths {
			name, ok := known[path]
			if !ok {
				name = filepath.Base(path)
			}
			what = append(what, name)
		}
		if line := strings.Join(what, " "); len(shown) == 0 || shown[len(shown)-1] != line {
			shown = append(shown, line)
		}
	}
	if len(shown) > 8 {
		shown = append(shown[:7:7], "…", shown[len(shown)-1])
	}
	if len(shown) == 0 {
		return "no such call"
	}
	return strings.Join(shown, ", ")
}

// TestAtEachCallAReaderOrACrashFindsOldOrNew stops the writer before each of its calls. What a reader finds there is also what a process
// crash at that moment leaves: a dead process changes nothing more.
func TestAtEachCallAReaderOrACrashFindsOldOrNew(t *testing.T) {
	t.Parallel()
	for _, c := range []change{longer, first, longer.as("a secret"), first.as("a first secret")} {
		path, perm := place(t, c.old), fs.FileMode(0o644)
		secret := strings.HasSuffix(c.name, "secret")
		if secret && c.old != nil {
			makeSecret(t, path)
		} else if secret {
			perm = 0o600
		}
		lesson := lab.Lesson{
			Did:   "Create, two Writes and Commit of " + c.name,
			Read:  why,
			Means: "a reader, or a process crash, finds that moment",
		}
		isNew, last := false, "the start"
		var err error
		failed := lab.Watch(func() { err = inTwoWrites(path, c.new, perm) }, func(call string) {
			requireOldOrNew(t, path, c, &isNew, "after "+last+", before "+call, lesson)
			if last = call; secret {
				requireNoSecretShown(t, path, call)
			}
		})
		lab.RequireRefuse(t, failed)
		lesson.Says = "Commit failed although nothing stood in its way"
		lab.RequireNoError(t, err, lesson)
		lesson.Says = "Commit returned nil, and the file does not hold the new content"
		lab.RequireFile(t, path, string(c.new), lesson)
	}
}

func inTwoWrites(path string, content []byte, perm fs.FileMode) error {
	pending, err := atomicreplace.Create(path, perm)
	if err != nil {
		return err
	}
	half := len(content) / 2
	_, first := pending.Write(content[:half])
	_, second := pending.Write(content[half:])
	return errors.Join(first, second, pending.Commit())
}

// requireOldOrNew demands the old content or the new one, and after the new one no other.
func requireOldOrNew(t *testing.T, path string, c change, isNew *bool, when string, lesson lab.Lesson) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err == nil && bytes.Equal(content, c.new) {
		*isNew = true
		return
	}
	lesson.Says = "Create, Write or Commit leaves the file neither old nor new"
	lesson.Expected, lesson.Found = "the old content or the new one, whole", when+": "+lab.Show(content)
	if err != nil {
		lesson.Found = when + ": no file"
	}
	lab.Require(t, !*isNew && (err != nil) == (c.old == nil) && bytes.Equal(content, c.old), lesson)
}

// makeSecret and requireNoSecretShown are about users and groups, see stage2.
var (
	makeSecret           = func(*testing.T, string) {}
	requireNoSecretShown = func(*testing.T, string, string) {}
)

// fsyncErrnos are what an fsync fails with. Some mean that this file system cannot do it, and none of them means that the disk has it.
var fsyncErrnos = []error{syscall.EIO, syscall.EINVAL, syscall.ENOTSUP, syscall.ENOSYS, syscall.EROFS, syscall.ENOTTY}

// A refused is a set of calls that the kernel refuses, and with what.
type refused struct {
	calls, what string // see lab.Refuse
	function    string
	errnos      []error // the usual ones and one that the code cannot expect
}

func TestEachRefusalOfTheKernelIsReported(t *testing.T) {
	t.Parallel()
	for _, r := range []refused{
		{"create exclusively", "the temporary file cannot be created", "Create", []error{syscall.EACCES, syscall.ENOSPC}},
		{"open for reading", "the directory cannot be opened", "Create", []error{syscall.EMFILE, syscall.EACCES}},
		{"write", "a write is refused", "Commit", []error{syscall.ENOSPC, syscall.EIO}},
		{"sync", "an fsync fails", "Commit", fsyncErrnos},
		{"close", "a close fails", "Commit", []error{syscall.EIO, syscall.EDQUOT}},
		{
			"rename or link", "the rename (or link) to locks.json fails", "Commit",
			[]error{syscall.EXDEV, syscall.EBUSY, syscall.ENOENT, syscall.ESTALE, syscall.EIO},
		},
	} {
		t.Run(r.what, func(t *testing.T) {
			for _, c := range []change{longer, first} { // with an old file, and without
				requireRefusalReported(t, r, place(t, c.old), c)
			}
		})
	}
}

// requireRefusalReported lets WriteFile run into each of the refusals, and judges what it returns and leaves.
// The file at path is as c says.
func requireRefusalReported(t *testing.T, r refused, path string, c change) {
	t.Helper()
	for _, errno := range r.errnos {
		lesson := lab.Lesson{
			Did:  fmt.Sprintf("WriteFile of %s; %s: %s (the test makes the kernel refuse it)", c.name, r.what, trace.ErrnoName(errno)),
			Read: refusal,
		}
		oldBytes := witness(t, path, c.old)
		var err, failed error
		lesson.Says = r.function + " does not return"
		lab.Finishes(t, func() {
			failed = lab.Refuse(r.calls, errno, func() { err = atomicreplace.WriteFile(path, c.new, 0o644) })
		}, lesson)
		if failed != nil {
			t.Skip("this test cannot make the kernel refuse calls: ", failed)
		}
		inAnotherWay := err == nil && r.calls == "open for reading" // it may bring names to the disk in another way
		durable := errors.Is(err, atomicreplace.ErrNotDurable)
		if oldBytes != "" {
			inPlace := lesson.Say("%s falls back on writing in place", r.function)
			inPlace.Means = "the next refusal, or a process crash, takes the only good copy"
			requireContent(t, oldBytes, c.old, inPlace)
			must(t, os.Remove(oldBytes))
		}
		if r.calls == "create exclusively" {
			shared := lesson.Say("Create falls back on a temporary file that it does not make exclusively")
			shared.Expected, shared.Found = "an error", "no error: another file was opened"
			shared.Means = "whatever has that name already, such as a link that another user planted, is opened and emptied"
			lab.Require(t, err != nil, shared)
		}
		judgeRefusal(t, path, c, r.function, err, durable || inAnotherWay, lesson)
		requireCause(t, r.function, err, errno, lesson)
		lesson.Says = r.function + " fails and leaves its temporary file behind"
		requireAlone(t, path, lesson)
		if durable || inAnotherWay { // the next errno begins anew
			must(t, os.RemoveAll(path))
			if c.old != nil {
				must(t, os.WriteFile(path, c.old, 0o600))
			}
		}
	}
}

// judgeRefusal demands an error, and the content that belongs to it: the new one if isNew, which only ErrNotDurable may say.
func judgeRefusal(t *testing.T, path string, c change, function string, err error, isNew bool, lesson lab.Lesson) {
	t.Helper()
	content, readErr := os.ReadFile(path)
	lesson.Found = orNil(err) + "; the file holds " + lab.Show(content)
	if readErr != nil {
		lesson.Found = orNil(err) + "; there is no file"
	}
	switch {
	case isNew:
		lesson.Says, lesson.Expected = function+" returns ErrNotDurable, and the new content is not in place", "the new content"
		lesson.Means = "the caller believes that readers see the new content"
		lab.Require(t, readErr == nil && bytes.Equal(content, c.new), lesson)
	case err != nil:
		lesson.Says, lesson.Expected = function+" fails and has changed the file", "the old content, or an error that matches ErrNotDurable"
		lesson.Means = "a caller that gets this error mistakes the old content for what the file holds"
		lab.Require(t, (readErr != nil) == (c.old == nil) && bytes.Equal(content, c.old), lesson)
	default:
		lesson.Says, lesson.Expected = function+" mistakes a refusal for a success", "an error"
		lesson.Means = "the program tells its user that the change is saved, and it is not, or not for long"
		lab.Fail(t, lesson)
	}
}

// requireCause demands that an error wraps the one of the kernel.
func requireCause(t *testing.T, function string, err, errno error, lesson lab.Lesson) {
	t.Helper()
	if err == nil {
		return
	}
	lesson.Says, lesson.Means = function+" hides the error of the kernel", "the caller cannot tell a full disk from a missing permission"
	lab.RequireErrorIs(t, err, errno, lesson)
}

// TestWhicheverCallIsRefusedTheErrorIsTrue lets each call of a save fail once. Whether it must be reported is the code's affair, with two
// exceptions: an fsync before the rename must, and a nil means that the disk has the name. But what the error says of the file must be so.
func TestWhicheverCallIsRefusedTheErrorIsTrue(t *testing.T) {
	t.Parallel()
	path := place(t, nil)
	all := changes()
	large := all[len(all)-1] // for code that asks the disk in between
	for i, errno := range append([]error{syscall.EACCES}, fsyncErrnos...) {
		c := longer
		if i == 0 {
			c = large
		}
		for made := 0; ; made++ {
			must(t, os.WriteFile(path, c.old, 0o600))
			var pending *atomicreplace.Pending
			var err error
			calls, failed := lab.RefuseOne(made, errno, func() {
				if pending, err = atomicreplace.Create(path, 0o644); err == nil {
					_, err = pending.Write(c.new)
					err = errors.Join(err, pending.Commit())
				}
			})
			if failed != nil {
				t.Skip("this test cannot make the kernel refuse one call: ", failed)
			}
			if made >= len(calls) {
				break
			}
			lesson := lab.Lesson{
				Did: fmt.Sprintf("Create, Write and Commit of %s; %s, call number %d without the writes, is refused: %s",
					c.name, calls[made], made+1, trace.ErrnoName(errno)),
				Read: refusal,
			}
			requireTrue(t, path, c, err, errno, calls, made, lesson)
			if content, _ := os.ReadFile(path); pending != nil { // what requireTrue has found to be right
				requireEnded(t, pending, path, "a Commit that returned "+orNil(err), content, lesson)
			}
		}
	}
}

// requireTrue judges what a save returned although one of its calls was refused: the one after made others.
func requireTrue(t *testing.T, path string, c change, err, errno error, calls []string, made int, lesson lab.Lesson) {
	t.Helper()
	isRename := func(call string) bool { return strings.HasPrefix(call, "rename") }
	isSync := func(call string) bool { return strings.HasSuffix(call, "sync") || call == "syncfs" }
	lesson.Says = "Create or Commit returns an error and the new content is in place"
	lesson.Means = "the caller mistakes the old content for what the file holds: only ErrNotDurable says that readers see the new one"
	if slices.ContainsFunc(calls[:made], isRename) {
		lesson.Says = "Commit returns an error that is not ErrNotDurable after the rename"
	}
	expected := c.old
	if err == nil || errors.Is(err, atomicreplace.ErrNotDurable) {
		expected = c.new
		lesson.Says = "Commit returns " + orNil(err) + ", and the file does not hold the new content"
		lesson.Means = "the caller believes that readers see it"
	}
	lab.RequireFile(t, path, string(expected), lesson)
	requireCause(t, "Create or Commit", err, errno, lesson)
	if err != nil {
		return
	}
	asked := false // since the last rename
	for i, call := range calls {
		asked = !isRename(call) && (asked || i != made && isSync(call))
	}
	lesson.Says, lesson.Expected, lesson.Found = "Write or Commit mistakes a refused fsync for a success", "an error", "nil"
	lesson.Means = "a power cut leaves the new name and not the bytes, and no error reported it"
	lab.Require(t, !isSync(calls[made]) || slices.ContainsFunc(calls[:made], isRename), lesson)
	lesson.Says = "Commit does without the disk where the kernel refuses a call"
	lesson.Expected = "an error, or an fsync of the directory after the rename"
	calls = slices.Clone(calls)
	calls[made] += " (REFUSED)"
	lesson.Found = "nil, after " + strings.Join(calls, ", ")
	lesson.Means = "a power cut may bring the old list of checkouts back, and no error reported it"
	lab.Require(t, asked, lesson)
}

func discardReportsWhatStays(t *testing.T) {
	t.Helper()
	for _, c := range []struct {
		calls string
		errno error
	}{{"remove", syscall.EACCES}, {"remove", syscall.EPERM}, {"remove", syscall.EIO}, {"remove", syscall.EROFS}, {"close", syscall.EIO}} {
		path := place(t, []byte(before))
		lesson := lab.Lesson{
			Says: "Discard hides that the temporary file stays", Read: refusal,
			Did:   "Create, Write, Discard; the kernel refuses to " + c.calls + " a file: " + trace.ErrnoName(c.errno),
			Means: "a copy of the data stays, and no error reports it",
		}
		pending := create(t, path, lesson)
		requireWritten(t, pending, []byte(after), lesson)
		var err error
		if failed := lab.Refuse(c.calls, c.errno, func() { err = pending.Discard() }); failed != nil {
			t.Skip("this test cannot make the kernel refuse calls: ", failed)
		}
		if c.calls == "close" {
			requireAlone(t, path, lesson.Say("Discard leaves a file that it could have removed"))
		} else if len(others(t, path)) > 0 { // otherwise there was none, or it is gone in a way that the test does not know
			lab.RequireErrorIs(t, err, c.errno, lesson)
		}
	}
}

// TestAFailedFsyncOfTheBytesIsOneThingAndOfTheNameAnother lets the first, third and fifth fsync of a process fail.
func TestAFailedFsyncOfTheBytesIsOneThingAndOfTheNameAnother(t *testing.T) {
	t.Parallel()
	errnos := []error{syscall.EIO, syscall.EINVAL}
	for _, errno := range errnos[:min(2, lab.Rounds(len(errnos)))] {
		t.Run(trace.ErrnoName(errno), func(t *testing.T) {
			t.Parallel()
			wrap, log := lab.Strace(t, "-y", "-e", "trace=linkat,"+trace.Syncs+","+trace.Renames,
				"-e", "inject="+trace.Syncs+":error="+trace.ErrnoName(errno)+":when=1+2")
			writer := lab.Launch(t, lab.Options{Wrap: wrap}, "write")
			paths, errs := make([]string, 3), make([]error, 3)
			for i := range paths {
				paths[i] = realPlace(t, []byte(before))
				writer.Send(save{Path: paths[i], Content: after})
				var o lab.Returned
				writer.Result(&o, lab.Lesson{Did: "WriteFile; an fsync fails", Read: refusal})
				errs[i] = o.Err
			}
			writer.Send(save{})
			lab.RequireNoError(t, writer.Wait(), lab.Lesson{Says: "the worker died"})
			text, err := os.ReadFile(log)
			must(t, err)
			for i, path := range paths {
				requireFsyncBelieved(t, path, trace.Parse(string(text)), errs[i], trace.ErrnoName(errno))
			}
		})
	}
}

func requireFsyncBelieved(t *testing.T, path string, calls []lab.Call, err error, errno string) {
	t.Helper()
	dir := filepath.Dir(path)
	ofDirectory := last(calls, func(c lab.Call) bool { return c.Injected && c.On(dir) })
	renamed, _ := putInPlace(calls, path)
	ofBytes := last(calls, func(c lab.Call) bool { return c.Injected && c.Within(dir) && !c.On(dir) })
	if ofDirectory < 0 && ofBytes < 0 {
		lab.RequireNoError(t, err, lab.Lesson{
			Says: "Commit failed although nothing stood in its way",
			Did:  "WriteFile, after another save whose fsync had failed",
			Read: refusal,
		})
		return
	}
	lesson := lab.Lesson{Read: refusal}
	if ofBytes >= 0 || renamed < 0 || ofDirectory < renamed {
		lesson.Did = "WriteFile; fsync of the directory, before the rename, failed with " + errno + " (strace refuses it)"
		again := -1
		if ofBytes >= 0 {
			lesson.Did = "WriteFile; fsync of the temporary file failed once with " + errno + " (strace refuses it)"
			again = last(calls, func(c lab.Call) bool {
				return strings.HasSuffix(c.Name, "sync") && c.On(calls[ofBytes].Paths[0]) && !c.Injected
			})
		}
		lesson.Says = "Commit asks the disk again after its refusal"
		lesson.Expected = "one fsync of the temporary file"
		lesson.Found = "a second one"
		lesson.Means = "the kernel may have thrown the new bytes away; the next fsync returns nil all the same"
		lab.Require(t, again < 0, lesson)
		judgeRefusal(t, path, longer, "Commit", err, false, lesson)
		lesson.Says = "Commit calls a file that is as it was not durable"
		lesson.Expected = "an error that does not match ErrNotDurable"
		lesson.Found = orNil(err)
		lesson.Means = "the caller believes that readers see the new content"
		lab.Require(t, !errors.Is(err, atomicreplace.ErrNotDurable), lesson)
	} else {
		lesson.Did = "WriteFile; fsync of the directory, after the rename, failed with " + errno + " (strace refuses it)"
		lesson.Says = "Commit hides that its rename may not last"
		lesson.Means = "a power cut may bring the old list of checkouts back, and no error reported it"
		lab.RequireErrorIs(t, err, atomicreplace.ErrNotDurable, lesson)
		lesson.Says, lesson.Means = "Commit took a done rename back", "there is no safe way back: readers have seen the new content"
		lab.RequireFile(t, path, after, lesson)
	}
	requireAlone(t, path, lab.Lesson{Says: "Commit fails and leaves its temporary file behind", Did: lesson.Did, Read: refusal})
}
