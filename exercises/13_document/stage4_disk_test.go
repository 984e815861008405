//go:build !plan9

package document_test

import (
	"context"
	"errors"
	"fmt"
	"math"
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

// watched returns the names of the calls that an Update makes, and calls at before each of them.
func watched(t *testing.T, path string, l lab.Lesson, at func(name string)) {
	t.Helper()
	var err error
	lab.RequireRefuse(t, lab.Watch(func() {
		err = open(path).Update(context.Background(), checkOut("hinge.step", "bob"))
	}, at))
	lab.RequireNoError(t, err, says(l, "Update failed"))
}

func TestUpdateAsksTheDisk(t *testing.T) {
	t.Parallel()
	path := shelf(t)
	l := lab.Lesson{Did: "Update of a document, watched at each system call", Read: durable}
	var calls []string
	replaced := -1 // the call after which the file is another one
	watched(t, path, l, func(name string) {
		if content, _ := os.ReadFile(path); replaced < 0 && string(content) != good {
			replaced = len(calls) - 1
		}
		calls = append(calls, name)
	})
	l.Found = strings.Join(calls, " ")
	lab.Require(t, replaced >= 0 && strings.HasPrefix(calls[replaced], "rename"), says(l, "Update renames nothing over the document"))
	sync := func(calls []string) bool {
		return slices.ContainsFunc(calls, func(name string) bool { return strings.HasSuffix(name, "sync") || name == "syncfs" })
	}
	l.Expected = "fsync of the temporary file before the rename"
	l.Means = "a power cut keeps the new name and loses the bytes: the document is empty"
	lab.Require(t, sync(calls[:replaced]), says(l, "Update renames a file whose bytes the disk does not have yet"))
	l.Expected, l.Means = "fsync of the directory after the rename", "Update returned nil, and after a power cut the generation before is back"
	lab.Require(t, sync(calls[replaced:]), says(l, "Update does not ask the disk for the new name"))
}

// At every moment of an Update the document is whole. A process that dies there leaves a directory that Recover can put in order.
func TestUpdateMayDieAtAnyMoment(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"with a backup": kept(t), "without": shelf(t)} {
		l := lab.Lesson{
			Did:   "Update of a document " + name + ", looked at before each of its system calls",
			Means: "a process crash at this moment costs the document", Read: durable,
		}
		var moments []string // copies of the directory
		watched(t, path, l, func(string) {
			if len(moments) == 0 || documents(t, path) != documents(t, filepath.Join(moments[len(moments)-1], "locks.json")) {
				moments = append(moments, copyDir(t, filepath.Dir(path)))
			}
		})
		for _, moment := range moments {
			path := filepath.Join(moment, "locks.json")
			generation, _ := read(t, path, says(l, "Update leaves half a document if it dies"))
			lab.Require(t, generation == 7 || generation == 8, says(l, "Update wrote another generation than the next"))
			l := l
			l.Did = "a process crash in the middle of an Update; then Recover, and Update"
			d := open(path)
			succeed(t, says(l, "Recover failed after a process crash"), func() error { _, err := d.Recover(t.Context()); return err })
			now, _ := read(t, path, says(l, "Recover left no good document"))
			lab.RequireEqual(t, generation, now, says(l, "Recover changed a good document"))
			lab.Require(t, !strings.Contains(entries(t, path), ".tmp"), says(l, "Recover left a temporary file"))
			succeed(t, says(l, "Update failed after a process crash"), func() error { return d.Update(t.Context(), checkOut("hinge.step", "bob")) })
			lab.Require(t, exists(path+".bak"), says(l, "Update kept no backup after a process crash"))
		}
		lab.Require(t, len(moments) > 2, says(l, "Update wrote nothing that a process crash could cut"))
	}
}

func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	lab.RequireSetUp(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

// Each call of an Update that the kernel may refuse is refused once, with two error numbers.
func TestUpdateReportsWhatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	lab.EachErrno(t, func(t *testing.T, errno error) {
		for made := 0; ; made++ {
			path := kept(t)
			d := open(path)
			l := lab.Lesson{Means: "the caller goes on as if the change were saved", Read: durable}
			var err error
			names, refused := lab.RefuseOne(made, errno, func() { err = d.Update(context.Background(), checkOut("hinge.step", "bob")) })
			lab.RequireRefuse(t, refused)
			if made >= len(names) {
				return
			}
			l.Did = fmt.Sprintf("Update; its system call number %d, which is %s, failed with %v", made+1, names[made], errno)
			requireWhole(t, path, names[made], errno, err, l)
			requireFree(t, path, says(l, "Update left the document locked when the kernel had refused a step"))
			if names[made] != "unlinkat" && names[made] != "close" {
				lab.Require(t, !strings.Contains(entries(t, path), ".tmp"), says(l, "Update left a temporary file when the kernel had refused a step"))
			}
			l.Did += "; then View of the same Document"
			found := ""
			succeed(t, says(l, "View failed after an Update that had failed"), func() error {
				return d.View(t.Context(), func(content *shop) error { found = list(content); return nil })
			})
			_, content := read(t, path, l)
			lab.RequireEqual(t, list(content), found, says(l, "View showed what an Update that had failed did not write"))
		}
	}, syscall.EIO, syscall.ENOSPC)
	l := lab.Lesson{Means: "it works beside programs that keep to the lock", Read: fix}
	t.Run("the lock", refused("flock", "the kernel had refused the lock", l, syscall.ENOLCK, syscall.ENOSYS, syscall.EOPNOTSUPP))
	l = lab.Lesson{Means: "a good document is replaced by an old one, or by an empty one", Read: strict}
	t.Run("reading", refused("open for reading", "the document could not be read", l, syscall.EIO, syscall.EACCES))
	t.Run("the end of the lock", givingBack)
	t.Run("of the bytes", func(t *testing.T) {
		t.Parallel()
		for _, what := range []string{"write", "sync", "rename", "flock"} {
			lab.EachErrno(t, func(t *testing.T, errno error) {
				path := kept(t)
				l := lab.Lesson{
					Did: "Update; every " + what + " failed with " + errno.Error(), Means: "the caller goes on as if the change were saved",
					Read: durable,
				}
				var err, refused error
				lab.Finishes(t, func() {
					refused = lab.Refuse(what, errno, func() { err = open(path).Update(context.Background(), checkOut("hinge.step", "bob")) })
				}, says(l, "Update does not come to its end when the kernel refuses"))
				lab.RequireRefuse(t, refused)
				lab.RequireErrorIs(t, err, errno, says(l, "Update did not report that the kernel had refused %s", what))
				lab.RequireFile(t, path, good, says(l, "Update changed the document although the kernel had refused %s", what))
				lab.RequireEqual(t, "locks.json locks.json.bak", entries(t, path), says(l, "Update left a file when the kernel had refused %s", what))
			}, syscall.EIO, syscall.EDQUOT)
		}
	})
}

// requireWhole demands that the error and the file agree.
func requireWhole(t *testing.T, path, name string, errno, err error, l lab.Lesson) {
	t.Helper()
	data, readErr := os.ReadFile(path)
	lab.RequireSetUp(t, readErr)
	generation, _, damaged := format.Decode(path, data, validate)
	lab.RequireNoError(t, damaged, says(l, "Update left no good document when the kernel had refused a step"))
	synced := strings.HasSuffix(name, "sync")
	if synced || strings.HasPrefix(name, "rename") {
		lab.RequireErrorIs(t, err, errno, says(l, "Update did not report that the kernel had refused %s", name))
	}
	switch {
	case err == nil:
		lab.RequireEqual(t, 8, generation, says(l, "Update did not write although it returned nil"))
		return
	case errors.Is(err, document.ErrSaved):
		lab.RequireEqual(t, 8, generation, says(l, "Update did not write although its error matches ErrSaved"))
	default:
		lab.RequireEqual(t, 7, generation, says(l, "Update wrote although it returned an error that does not match ErrSaved"))
	}
	lab.RequireErrorIs(t, err, errno, says(l, "Update hid what the kernel had refused"))
	if synced && generation == 8 {
		lab.RequireErrorIs(t, err, document.ErrNotDurable, says(l, "Update hid that the new generation may not survive a power cut"))
	}
}

// refused makes the kernel refuse what in each method: it must report that, and leave the document alone.
func refused(what, did string, l lab.Lesson, errnos ...error) func(t *testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			for method, call := range calls {
				path := kept(t)
				l := l
				l.Did = method + " of a good document that has a backup; " + what + " failed with " + errno.Error()
				var err, unsupported error
				called := false
				lab.Finishes(t, func() {
					unsupported = lab.Refuse(what, errno, func() {
						err = call(context.Background(), path, func(*shop) error { called = true; return nil })
					})
				}, says(l, "%s does not come to its end when the kernel refuses", method))
				lab.RequireRefuse(t, unsupported)
				lab.Require(t, err != nil, says(l, "%s went on although %s", method, did))
				lab.RequireErrorIs(t, err, errno, says(l, "%s did not report that %s", method, did))
				lab.Require(t, !called, says(l, "%s called its function although %s", method, did))
				lab.Require(t, !isCorrupt(err), says(l, "%s mistook a refusal for damage", method))
				lab.RequireFile(t, path, good, says(l, "%s changed the document although %s", method, did))
				lab.RequireEqual(t, "locks.json locks.json.bak", entries(t, path), says(l, "%s left a file although %s", method, did))
			}
		}, errnos...)
	}
}

// The calls at the end of each method close files. One of them is the lock file, and that error is the caller's.
func givingBack(t *testing.T) {
	t.Parallel()
	lab.EachErrno(t, func(t *testing.T, errno error) {
		for _, method := range []string{"View", "Update", "Create", "Recover"} {
			l := lab.Lesson{
				Says:  method + " did not report that the lock could not be given back",
				Did:   method + "; close(2) of the lock file failed with " + errno.Error(),
				Means: "every program may wait for a call that is over, and no one is told", Read: failing,
			}
			names, _ := refusedAt(t, method, math.MaxInt, errno) // none, to see them
			reported := false
			for at := len(names) - 1; at >= 0 && names[at] == "close"; at-- {
				_, err := refusedAt(t, method, at, errno)
				if err == nil { // a file that it has only read
					continue
				}
				reported = true
				lab.RequireErrorIs(t, err, errno, l)
				if method == "Update" || method == "Create" {
					lab.RequireErrorIs(t, err, document.ErrSaved, says(l, "%s hid that all was saved when the lock could not be given back", method))
				}
			}
			lab.Require(t, reported, l)
		}
	}, syscall.EIO)
}

// refusedAt calls the method of a document, and has the kernel refuse the call after made others.
func refusedAt(t *testing.T, method string, made int, errno error) (names []string, err error) {
	t.Helper()
	path := shelf(t)
	call := calls[method]
	if method == "Create" {
		lab.RequireSetUp(t, os.Remove(path))
		call = func(ctx context.Context, path string, _ func(*shop) error) error {
			return open(path).Create(ctx, &shop{Checkouts: map[string]string{}})
		}
	}
	names, refused := lab.RefuseOne(made, errno, func() { err = call(context.Background(), path, func(*shop) error { return nil }) })
	lab.RequireRefuse(t, refused)
	return names, err
}
