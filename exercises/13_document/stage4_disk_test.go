//go:build !plan9

package document_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/13_document/format"
	"example/turnstile/internal/lab"
)

// watched calls the method of the document at path, and calls at before each of its system calls, with the name.
func watched(t *testing.T, path, name string, l lab.Lesson, at func(call string)) {
	t.Helper()
	var err error
	lab.RequireRefuse(t, lab.Watch(func() { err = methods[name](context.Background(), open(path), checkOut("hinge.step", "bob")) }, at))
	lab.RequireNoError(t, err, l.Say("%s failed", name))
}

// requireOwnGoroutine demands that the method works in its caller's goroutine. System calls of another one are neither seen nor refused by
// the tests of this file, which would judge what they did not see.
func requireOwnGoroutine(t *testing.T, name string) {
	t.Helper()
	path := prepared(t, name)
	l := lab.Lesson{
		Did: name + ", watched at each system call of its caller's goroutine", Read: failing,
		Expected: "it starts no goroutine: what appears, goes or is replaced in the directory is the work of these calls",
		Means:    "a panic of Validate in a goroutine of its own ends the whole program: no caller can recover it",
	}
	type view struct {
		names string
		file  os.FileInfo
	}
	look := func() (v view) {
		found, err := os.ReadDir(filepath.Dir(path))
		lab.RequireSetUp(t, err)
		v.file, _ = os.Stat(path) // nil if there is none
		for _, entry := range found {
			v.names += " " + entry.Name()
		}
		return v
	}
	last, was := "its first call", look()
	compare := func(next string) {
		now := look()
		does := slices.ContainsFunc([]string{"open", "link", "rename", "mkdir"}, func(s string) bool { return strings.Contains(last, s) })
		same := now.names == was.names && (now.file == nil || os.SameFile(now.file, was.file))
		l.Found = fmt.Sprintf("the directory changed between two calls that change nothing, %s and %s; now it holds%s", last, next, now.names)
		lab.Require(t, does || same, l.Say("%s does its work in another goroutine than its caller's", name))
		last, was = next, now
	}
	watched(t, path, name, l, compare)
	compare("its return")
}

// saves are the methods that write a document.
var saves = []string{"Update", "Create", "Recover"}

func TestUpdateAsksTheDisk(t *testing.T) {
	t.Parallel()
	for _, name := range saves {
		t.Run(name, func(t *testing.T) { asksTheDisk(t, name) })
	}
}

func asksTheDisk(t *testing.T, name string) {
	t.Helper()
	requireOwnGoroutine(t, name)
	path := prepared(t, name)
	l := lab.Lesson{Did: name + ", watched at each system call", Read: durable}
	was, _ := os.ReadFile(path) // there is none before Create
	var calls []string
	replaced := -1 // the call after which the file is another one
	look := func() {
		if content, err := os.ReadFile(path); replaced < 0 && err == nil && (string(content) != string(was) || name == "Create") {
			replaced = len(calls) - 1
		}
	}
	watched(t, path, name, l, func(call string) { look(); calls = append(calls, call) })
	look()
	l.Found = strings.Join(calls, " ")
	named := replaced >= 0 && (strings.HasPrefix(calls[replaced], "rename") || name == "Create" && strings.HasPrefix(calls[replaced], "link"))
	l.Expected, l.Means = "a finished file gets the document's name", "a process crash in the middle leaves half a document"
	lab.Require(t, named, l.Say("%s renames nothing over the document", name))
	sync := func(calls []string) bool {
		return slices.ContainsFunc(calls, func(name string) bool { return strings.HasSuffix(name, "sync") || name == "syncfs" })
	}
	l.Expected = "fsync of the temporary file before the rename"
	l.Means = "a power cut keeps the new name and loses the bytes: the document is empty"
	lab.Require(t, sync(calls[:replaced]), l.Say("%s renames a file without fsync(2) of it before", name))
	l.Expected, l.Means = "fsync of the directory after the rename", name+" returned nil, and after a power cut the generation before is back"
	lab.Require(t, sync(calls[replaced:]), l.Say("%s does not ask the disk for the new name", name))
}

// At every moment of an Update the document is whole, and at every moment of a Create it is missing or whole. A process that dies there
// leaves a directory that Recover can put in order.
func TestUpdateMayDieAtAnyMoment(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		name, path  string
		generations []int64
	}{
		"Update of a document with a backup": {"Update", kept(t), []int64{7, 8}},
		"Update of a document without":       {"Update", shelf(t), []int64{7, 8}},
		"Create":                             {"Create", prepared(t, "Create"), []int64{1}},
	} {
		requireOwnGoroutine(t, c.name)
		l := lab.Lesson{
			Did: what + ", looked at before each of its system calls", Means: "a process crash at this moment costs the document", Read: durable,
		}
		var moments []string // copies of the directory
		watched(t, c.path, c.name, l, func(string) {
			if len(moments) == 0 || documents(t, c.path) != documents(t, filepath.Join(moments[len(moments)-1], "locks.json")) {
				moments = append(moments, copyDir(t, filepath.Dir(c.path)))
			}
		})
		for _, moment := range moments {
			requireRecoverable(t, filepath.Join(moment, "locks.json"), c.name, c.generations, l)
		}
		least := 3 // before, between and after; a link can give a file without a name the name of the document
		if c.name == "Create" {
			least = 2
		}
		lab.Require(t, len(moments) >= least, l.Say("%s wrote nothing that a process crash could cut", c.name))
	}
}

// requireRecoverable demands that the directory is one that a process crash in the middle of the method may leave.
func requireRecoverable(t *testing.T, path, name string, generations []int64, l lab.Lesson) {
	t.Helper()
	d, then := open(path), "Update"
	if exists(path) {
		generation, _ := read(t, path, l.Say("%s leaves half a document if it dies", name))
		lab.Require(t, slices.Contains(generations, generation), l.Say("%s wrote another generation than the next", name))
		l.Did = "a process crash in the middle of " + name + "; then Recover, and Update"
		succeed(t, l.Say("Recover failed after a process crash"), func() error { _, err := d.Recover(t.Context()); return err })
		now, _ := read(t, path, l.Say("Recover left no good document"))
		lab.RequireEqual(t, generation, now, l.Say("Recover changed a good document"))
	} else {
		lab.Require(t, name == "Create", l.Say("%s leaves no document if it dies", name))
		l.Did, then = "a process crash in the middle of Create; then Recover, and Create again", "Create"
		_ = fail(t, l.Say("Recover made a document of nothing"), func() error { _, err := d.Recover(t.Context()); return err })
	}
	lab.Require(t, !strings.Contains(entries(t, path), ".tmp"), l.Say("Recover left a temporary file"))
	succeed(t, l.Say("%s failed after a process crash", then), func() error {
		return methods[then](t.Context(), d, checkOut("hinge.step", "bob"))
	})
	l.Means = "if the document is damaged one day, nothing is left to go back to"
	lab.Require(t, then == "Create" || exists(path+".bak"), l.Say("Update kept no backup"))
}

func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	lab.RequireSetUp(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

// Each call of an Update and of a Create that the kernel may refuse is refused once. The second error number is one that a program may know
// a reason to overlook.
func TestUpdateReportsWhatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		requireOwnGoroutine(t, name)
	}
	for name, errnos := range map[string][]error{"Update": {syscall.EIO, syscall.EINVAL, syscall.EPERM}, "Create": {syscall.ENOSPC}} {
		t.Run("each call of "+name, func(t *testing.T) {
			t.Parallel()
			lab.EachErrno(t, func(t *testing.T, errno error) { eachCall(t, name, errno) }, errnos...)
		})
	}
	l := lab.Lesson{Means: "it works beside programs that keep to the lock", Read: fix}
	t.Run("the lock", refused("flock", "the kernel had refused the lock", l, syscall.ENOLCK, syscall.ENOSYS, syscall.EOPNOTSUPP))
	t.Run("the lock file", refused("open for writing", "its lock files could not be created", l, syscall.EACCES, syscall.EPERM, syscall.EROFS))
	l = lab.Lesson{Means: "a good document is replaced by an old one, or by an empty one", Read: strict}
	t.Run("reading", refused("open for reading", "the document could not be read", l, syscall.EIO, syscall.EACCES))
	t.Run("the end of the lock", givingBack)
	t.Run("each call that has nothing to write", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, nothingToWrite, syscall.EIO, syscall.EACCES)
	})
	for _, name := range saves {
		for _, what := range []string{"write", "sync", "rename", "flock"} {
			if name == "Create" && what == "rename" {
				continue // a link does it as well
			}
			t.Run("every "+what+" of "+name, func(t *testing.T) {
				t.Parallel()
				unexpected := syscall.EDQUOT
				if what == "rename" {
					unexpected = syscall.EBUSY // a file that is mounted by itself, as containers have them
				}
				lab.EachErrno(t, func(t *testing.T, errno error) { everyCall(t, name, what, errno) }, syscall.EIO, unexpected)
			})
		}
	}
}

// eachCall has the kernel refuse one call of the method, then another one, until all were refused once.
func eachCall(t *testing.T, name string, errno error) {
	t.Helper()
	for made := 0; ; made++ {
		path := prepared(t, name)
		if name == "Update" {
			lab.RequireSetUp(t, os.Chmod(path, 0o664)) // which no new file has by itself
		}
		perm := modeAfter(t, path)
		d := open(path)
		l := lab.Lesson{Means: "the caller goes on as if the change were saved", Read: durable}
		var err error
		names, refused := lab.RefuseOne(made, errno, func() { err = methods[name](context.Background(), d, checkOut("hinge.step", "bob")) })
		lab.RequireRefuse(t, refused)
		if made >= len(names) {
			return
		}
		l.Did = fmt.Sprintf("%s; its system call number %d, which is %s, failed with %v", name, made+1, names[made], errno)
		saved := requireWhole(t, path, name, names[made], errno, err, l)
		requireKept(t, path, name, perm, err, l)
		requireFree(t, path, l.Say("%s left the document locked when the kernel had refused a step", name))
		if names[made] != "unlinkat" && names[made] != "close" {
			lab.Require(t, !strings.Contains(entries(t, path), ".tmp"), l.Say("%s left a temporary file when the kernel had refused a step", name))
		}
		if name == "Create" && !saved {
			continue
		}
		l.Did += "; then View of the same Document"
		found := ""
		succeed(t, l.Say("View failed after %s had failed", name), func() error {
			return d.View(t.Context(), func(content *shop) error { found = list(content); return nil })
		})
		_, content := read(t, path, l)
		lab.RequireEqual(t, list(content), found, l.Say("View showed what %s that had failed did not write", name))
	}
}

// requireWhole demands that the error and the file agree, and returns whether the method has saved something.
func requireWhole(t *testing.T, path, name, refused string, errno, err error, l lab.Lesson) (saved bool) {
	t.Helper()
	was, next := int64(7), int64(8)
	if name == "Create" {
		was, next = 0, 1
	}
	generation := int64(0)
	if data, readErr := os.ReadFile(path); name != "Create" || !errors.Is(readErr, os.ErrNotExist) {
		lab.RequireSetUp(t, readErr)
		var damaged error
		generation, _, damaged = format.Decode(path, data, validate)
		lab.RequireNoError(t, damaged, l.Say("%s left no good document when the kernel had refused a step", name))
	}
	synced := strings.HasSuffix(refused, "sync")
	if synced || strings.HasPrefix(refused, "rename") {
		lab.RequireErrorIs(t, err, errno, l.Say("%s did not report that the kernel had refused %s", name, refused))
	}
	switch {
	case err == nil:
		lab.RequireEqual(t, next, generation, l.Say("%s did not write although it returned nil", name))
		return true
	case errors.Is(err, document.ErrSaved):
		lab.RequireEqual(t, next, generation, l.Say("%s did not write although its error matches ErrSaved", name))
	default:
		lab.RequireEqual(t, was, generation, l.Say("%s wrote although it returned an error that does not match ErrSaved", name))
	}
	lab.RequireErrorIs(t, err, errno, l.Say("%s hid what the kernel had refused", name))
	if synced && generation == next {
		lab.RequireErrorIs(t, err, document.ErrNotDurable, l.Say("%s hid that the new generation may not survive a power cut", name))
	}
	return generation == next
}

// modeAfter returns the mode that the document must have after each save: that of the file, or that of a new one.
func modeAfter(t *testing.T, path string) string {
	t.Helper()
	if exists(path) {
		return mode(t, path)
	}
	other := filepath.Join(t.TempDir(), "new")
	lab.RequireSetUp(t, os.WriteFile(other, nil, 0o644))
	return mode(t, other)
}

// requireKept demands that the document has its mode, and that the backup is what it may be after a call with this error: the generation
// before, and after an error of Update also the one before that, or missing.
func requireKept(t *testing.T, path, name, perm string, err error, l lab.Lesson) {
	t.Helper()
	l.Did += fmt.Sprintf("; its error was %v", err)
	l.Means = "other users can read the document, or its own can no longer"
	if exists(path) {
		lab.RequireEqual(t, perm, mode(t, path), l.Say("%s gave the document another mode when the kernel had refused a step", name))
	}
	content, readErr := os.ReadFile(path + ".bak")
	l.Means = "if the document is damaged one day, nothing is left to go back to"
	switch {
	case name == "Create":
		lab.RequireErrorIs(t, readErr, os.ErrNotExist, l.Say("Create made a backup of nothing"))
	case name == "Recover":
		lab.RequireFile(t, path+".bak", before, l.Say("Recover changed the backup when the kernel had refused a step"))
	case err == nil:
		lab.RequireFile(t, path+".bak", good, l.Say("Update kept no backup although it returned nil"))
	case readErr == nil && string(content) != before:
		lab.RequireFile(t, path+".bak", good, l.Say("Update left a backup that is neither generation when the kernel had refused a step"))
	}
	if name == "Update" && string(content) == good {
		l.Means = "a document that only some users may read can be read by all of them in its backup"
		lab.RequireEqual(t, perm, mode(t, path+".bak"), l.Say("Update gave the backup another mode when the kernel had refused a step"))
	}
}

// everyCall has the kernel refuse all calls of a kind.
func everyCall(t *testing.T, name, what string, errno error) {
	t.Helper()
	path := prepared(t, name)
	listed, perm := entries(t, path), modeAfter(t, path)
	was, _ := os.ReadFile(path) // there is none before Create
	l := lab.Lesson{
		Did: name + "; every " + what + " failed with " + errno.Error(), Means: "the caller goes on as if the change were saved", Read: durable,
	}
	var err, refused error
	lab.Finishes(t, func() {
		refused = lab.Refuse(what, errno, func() { err = methods[name](context.Background(), open(path), checkOut("hinge.step", "bob")) })
	}, l.Say("%s does not come to its end when the kernel refuses", name))
	lab.RequireRefuse(t, refused)
	lab.RequireErrorIs(t, err, errno, l.Say("%s did not report that the kernel had refused %s", name, what))
	requireKept(t, path, name, perm, err, l)
	if name == "Recover" {
		lab.RequireSetUp(t, os.RemoveAll(path+".damaged-1")) // the second name, which the next Recover uses
	}
	lab.RequireEqual(t, listed, entries(t, path), l.Say("%s left a file when the kernel had refused %s", name, what))
	now, _ := os.ReadFile(path)
	lab.RequireEqual(t, string(was), string(now), l.Say("%s changed the document although the kernel had refused %s", name, what))
}

// refused makes the kernel refuse what in each method: it must report that, and leave the document alone.
func refused(what, did string, l lab.Lesson, errnos ...error) func(t *testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			for method, call := range methods {
				path := kept(t)
				l := l
				l.Did = method + " of a good document that has a backup; " + what + " failed with " + errno.Error()
				if method == "Create" {
					if what == "open for reading" {
						continue // there is nothing to read
					}
					path = prepared(t, method)
					l.Did = "Create; " + what + " failed with " + errno.Error()
				}
				was := documents(t, path)
				var err, unsupported error
				called := false
				lab.Finishes(t, func() {
					unsupported = lab.Refuse(what, errno, func() {
						err = call(context.Background(), open(path), func(*shop) error { called = true; return nil })
					})
				}, l.Say("%s does not come to its end when the kernel refuses", method))
				lab.RequireRefuse(t, unsupported)
				lab.Require(t, err != nil, l.Say("%s went on although %s", method, did))
				hidden := l.Say("%s did not report that %s", method, did)
				hidden.Means = "the caller looks for the reason where it is not"
				lab.RequireErrorIs(t, err, errno, hidden)
				requireNamed(t, path, err, l.Say("%s returned an error that does not name the file although %s", method, did))
				lab.Require(t, !called, l.Say("%s called its function although %s", method, did))
				lab.Require(t, !isCorrupt(err), l.Say("%s mistook a refusal for damage", method))
				lab.RequireEqual(t, was, documents(t, path), l.Say("%s changed a document, or left a file, although %s", method, did))
			}
		}, errnos...)
	}
}

// In each row the kernel refuses to close PATH.lock. The error must tell of that and of whatever else has failed, and whether all is saved.
func givingBack(t *testing.T) {
	t.Parallel()
	lab.RequireRefuse(t, lab.Watch(func() {}, func(string) {})) // or there may be no symbolic links either
	const lost, unlocked, all, none = syscall.ENOSPC, syscall.EIO, "View Update Create Recover", "none"
	for what, c := range map[string]struct {
		methods string
		text    string // of the file; empty: one for which the method is there
		use     func(*shop) error
		then    func(path, link, other string) error // once the lock is there
		want    error
	}{
		"nothing else failed":              {methods: all},
		"the last fsync failed, too":       {methods: "Update Create Recover", want: document.ErrNotDurable},
		"its function failed":              {methods: "View Update", use: func(*shop) error { return errTest }, want: errTest},
		"Validate refused the new content": {methods: "Update", use: failures["Validate refuses the result"], want: errInvalid},
		"the document was damaged":         {methods: "View Update Recover", text: torn},
		"Validate refused the document":    {methods: "View Update Recover", text: strings.Replace(good, "alice", "", 1), want: errInvalid},
		"the document was missing":         {methods: "View Update Recover", text: none, want: os.ErrNotExist},
		"there was a document":             {methods: "Create", text: good, want: os.ErrExist},
		"its path led to a directory by then": {methods: all, then: func(path, _, _ string) error {
			_ = os.Remove(path) // there is none before Create
			return os.Mkdir(path, 0o755)
		}},
		"its path led to another document by then": {methods: all, then: func(_, link, other string) error {
			return errors.Join(os.Remove(link), os.Symlink(other, link))
		}},
	} {
		for _, name := range strings.Fields(c.methods) {
			path, other, link := prepared(t, name), prepared(t, name), lab.Path(t, "link.json")
			if c.text == none {
				path = lab.Path(t, "locks.json")
			} else if c.text != "" {
				path = lab.WriteFile(t, "locks.json", c.text)
			}
			lab.RequireSetUp(t, os.Symlink(path, link))
			dir, err := filepath.EvalSymlinks(filepath.Dir(path)) // as the kernel names it
			lab.RequireSetUp(t, err)
			held := func() string {
				one, _ := os.ReadFile(path)
				two, _ := os.ReadFile(other)
				return string(one) + string(two)
			}
			l := lab.Lesson{
				Did:   fmt.Sprintf("%s; close(2) of locks.json.lock failed with %v, and %s", name, unlocked, what),
				Means: "every program may wait for a call that is over, and no one is told", Read: failing,
			}
			was, closed, synced, then := held(), false, false, c.then
			use := c.use
			if use == nil {
				use = checkOut("hinge.step", "bob")
			}
			act := func() { err = methods[name](context.Background(), open(link), use) }
			lab.RequireRefuse(t, lab.RefuseWhere(act, func(call, file string) error {
				switch {
				case call == "close" && file == filepath.Join(dir, "locks.json.lock"):
					closed = true
					return unlocked
				case call == "close" && strings.HasSuffix(file, ".lock.next") && then != nil:
					lab.RequireSetUp(t, then(path, link, other))
					was, then = held(), nil
				case strings.HasSuffix(call, "sync") && errors.Is(c.want, document.ErrNotDurable) && held() != was:
					synced = true
					return lost
				}
				return nil
			}))
			lab.Require(t, closed, l.Say("%s did not give the lock back", name))
			lab.RequireErrorIs(t, err, unlocked, l.Say("%s did not report that the lock could not be given back", name))
			l.Means = "the caller looks for the reason where it is not, or trusts in what a power cut may take"
			if c.want != nil && (synced || !errors.Is(c.want, document.ErrNotDurable)) {
				lab.RequireErrorIs(t, err, c.want, l.Say("%s hid what else had failed when the lock could not be given back", name))
			}
			lab.Require(t, !synced || errors.Is(err, lost), l.Say("%s hid what else had failed when the lock could not be given back", name))
			l.Means = "the caller does not make its change again, or makes it twice"
			lab.Require(t, held() == was || errors.Is(err, document.ErrSaved),
				l.Say("%s hid that all was saved when the lock could not be given back", name))
			lab.Require(t, held() != was || !errors.Is(err, document.ErrSaved), l.Say("%s claimed that all was saved when nothing was", name))
		}
	}
}

// Where there is nothing to write, a call that is refused is no reason to begin.
func nothingToWrite(t *testing.T, errno error) {
	t.Helper()
	for what, c := range map[string]struct {
		method, text, backup string
		want                 error
	}{
		"View of a good document, whose function failed": {"View", good, before, errTest},
		"Update, whose change failed":                    {"Update", good, before, errTest},
		"Create beside a document":                       {"Create", good, "", os.ErrExist},
		"Create beside a backup":                         {"Create", "", good, os.ErrExist},
		"Recover of what is left, with half a backup":    {"Recover", "", torn, os.ErrNotExist},
	} {
		for made := 0; ; made++ {
			path := lab.Path(t, "locks.json")
			for name, text := range map[string]string{path: c.text, path + ".bak": c.backup} {
				if text != "" {
					lab.RequireSetUp(t, os.WriteFile(name, []byte(text), 0o644))
				}
			}
			was := documents(t, path)
			l := lab.Lesson{Means: "what was left of the work is gone, or is not found any more", Read: durable}
			var err error
			names, refused := lab.RefuseOne(made, errno, func() {
				err = methods[c.method](context.Background(), open(path), func(*shop) error { return errTest })
			})
			lab.RequireRefuse(t, refused)
			if made >= len(names) {
				break
			}
			l.Did = fmt.Sprintf("%s; its system call number %d, which is %s, failed with %v", what, made+1, names[made], errno)
			lab.RequireEqual(t, was, documents(t, path), l.Say("%s wrote when the kernel had refused a step", c.method))
			lab.RequireError(t, err, l.Say("%s returned nil when the kernel had refused a step", c.method))
			lab.Require(t, errors.Is(err, c.want) || errors.Is(err, errno), l.Say("%s hid why it had failed", c.method))
			if !errors.Is(err, errTest) {
				requireNamed(t, path, err, l.Say("%s returned an error that does not name the file", c.method))
			}
			requireFree(t, path, l.Say("%s left the document locked when the kernel had refused a step", c.method))
		}
	}
}
