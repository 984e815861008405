package lockfiles_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/exercises/07_lock_files/pid"
	"example/turnstile/internal/lab"
)

func TestAcquireLeavesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, content string }{
		{"an empty file, whose owner may be about to write into it", ""},
		{"half of a file", `{"host":{"name":"bench"},"pid":`},
		{"another program's PID file", "4711\n"},
		{"a file of a mebibyte", strings.Repeat("mine ", 1<<18)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			requireUntouched(t, lab.WriteFile(t, "locks.json.lock", c.content), c.name)
		})
	}
	t.Run("a directory with a person's file in it", func(t *testing.T) {
		t.Parallel()
		path := newPath(t)
		lab.RequireSetUp(t, os.Mkdir(path, 0o700))
		lab.RequireSetUp(t, os.WriteFile(filepath.Join(path, "notes.txt"), []byte("mine"), 0o600))
		requireUntouched(t, path, "a directory with a file notes.txt in it")
	})
	runCasesHere(t)
	t.Run("a directory with an empty directory in it", func(t *testing.T) {
		t.Parallel()
		path := newPath(t)
		lab.RequireSetUp(t, os.MkdirAll(filepath.Join(path, "drawings"), 0o700))
		requireUntouched(t, path, "a directory with an empty directory drawings in it")
	})
	t.Run("what others have put beside a lock", func(t *testing.T) {
		t.Parallel()
		requireOthersKept(t)
	})
	stale, second := newPath(t), newPath(t)
	abandon(t, stale, second)
	for _, c := range []struct{ name, target string }{
		{"a link to an empty directory", t.TempDir()},
		{"a link to nothing", "nothing"},
		{"a link to the lock of a dead process", stale},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			if err := os.Symlink(c.target, path); err != nil {
				t.Skip("this user may not create symbolic links here: ", err)
			}
			if _, err := os.Readlink(path); err != nil {
				t.Skip("no link was created, as under Wine: ", err)
			}
			requireUntouched(t, path, c.name)
		})
	}
	if info, err := os.Lstat(stale); err == nil && info.IsDir() { // a file is no lock then, whatever it says, nor are two owners
		owner := contentOf(t, stale)
		t.Run("a file that holds the owner of a lock", func(t *testing.T) {
			t.Parallel()
			requireUntouched(t, lab.WriteFile(t, "locks.json.lock", owner), "a file that holds what is in a lock whose owner is dead")
		})
		t.Run("a file as an older version makes it", func(t *testing.T) {
			t.Parallel()
			text, err := json.Marshal(lockfiles.Owner{Host: pid.Host{Name: "bench"}, PID: 4711, Token: "A"})
			lab.RequireSetUp(t, err)
			requireUntouched(t, lab.WriteFile(t, "locks.json.lock", string(text)), "a file that names an owner in JSON")
		})
		t.Run("a directory with two owners", func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			for _, lock := range []string{stale, second} {
				err := os.CopyFS(path, os.DirFS(lock))
				if err != nil {
					t.Skip("the lock cannot be copied: ", err)
				}
			}
			requireUntouched(t, path, "a directory with all that is in two locks whose owners are dead")
		})
	}
	var paths []string
	for range 9 {
		paths = append(paths, newPath(t))
	}
	gone := abandon(t, paths...)
	another := contentOf(t, paths[8])
	matters := false // what the files of a lock hold, to this answer
	for i, c := range []struct {
		name    string
		content func(text string) string
	}{
		{"nothing", func(string) string { return "" }},
		{"half an object", func(string) string { return `{"host":{"name":"bench"},"pid":4711` }},
		{"an object without an owner", func(string) string { return "{}" }},
		{"null", func(string) string { return "null" }},
		{"a mebibyte", func(string) string { return strings.Repeat("x", 1<<20) }},
		{"the owner and zeros, as after a power cut", func(text string) string { return text + strings.Repeat("\x00", 512) }},
		{"the owner twice", func(text string) string { return text + text }},
		{"the owner of another lock", func(string) string { matters = false; return another }}, // whole, and the same process
	} {
		t.Run("a lock whose files hold "+c.name, func(t *testing.T) {
			fillLock(t, paths[i], c.content)
			if requireDamageSeen(t, paths[i], gone, c.name, matters) {
				matters = true
			}
		})
	}
}

// requireOthersKept demands that nothing that others have put beside a lock is touched, whatever its name is like, however old it is.
func requireOthersKept(t *testing.T) {
	t.Helper()
	path, gone := stale(t)
	next := path + ".next"
	beside := requireAcquired(t, next, lockfiles.Options{}, freeLock)
	var kept []string
	for i, name := range []string{ // by turns a file and a directory
		"locks.json", "locks.json.lock.old", "locks.json.lock.bak", "locks.json.lock.d", "locks.json.lock~", "locks.json.lock.tmp",
		"locks.json.lock.lock", "locks.json.lock.new", "locks.json.lock." + rand.Text(), "locks.json.lock." + rand.Text(),
		fmt.Sprint("locks.json.lock.", gone), "locks.json.lock." + strings.ToLower(rand.Text()),
	} {
		name = filepath.Join(filepath.Dir(path), name)
		if i%2 > 0 {
			lab.RequireSetUp(t, os.Mkdir(name, 0o700))
			name = filepath.Join(name, "notes.txt")
		}
		lab.RequireSetUp(t, os.WriteFile(name, []byte("mine"), 0o600))
		kept = append(kept, name)
	}
	lab.Age(t, filepath.Dir(path), year)
	l := lab.Lesson{
		Did: "beside the lock of a dead process were files and directories of others with names such as locks.json.lock.bak, and the lock " +
			"locks.json.lock.next, which is held, all 400 days old; the lock was broken, and released",
		Means: "a file that a person needs is gone", Read: notYours,
	}
	lock := requireAcquired(t, path, dead(gone), l.Say("Acquire did not break a lock that Alive judged dead"))
	lab.RequireNoError(t, release(t, lock, l), l.Say("Release failed although the lock was held"))
	for _, name := range kept {
		lab.RequireFile(t, name, "mine", l.Say("Acquire or Release removed a file beside the lock that is not its own"))
	}
	lab.RequireNoError(t, release(t, beside, l), means(l, "Acquire or Release took away another lock beside its own",
		"the owner of the other lock is at work without it"))
}

// requireUntouched demands that Acquire refuses what is at path with ErrUnknown and leaves it as it was, however old it is.
func requireUntouched(t *testing.T, path, what string) {
	t.Helper()
	l := lab.Lesson{
		Did:   "at the lock's path was " + what + "; Acquire was called, with an Alive that calls every owner dead",
		Means: "another process is about to write its name there, or a person needs it, and it is taken away",
		Read:  notYours,
	}
	before := listing(t, filepath.Dir(path))
	lab.Age(t, filepath.Dir(path), year)
	asked := false
	_, err := acquire(t, path, lockfiles.Options{Alive: func(lockfiles.Owner) bool {
		asked = true
		return false
	}}, l)
	lab.RequireError(t, err, l.Say("Acquire took a lock whose owner it could not read"))
	lab.RequireEqual(t, before, listing(t, filepath.Dir(path)), l.Say("Acquire changed what is not its own lock"))
	l.Means = "the program cannot distinguish a lock that a person has to look at from one that is taken"
	requireIs(t, err, lockfiles.ErrUnknown, l.Say("Acquire did not report that it does not know what is at the path"))
	l.Expected, l.Found = "Alive is not called", "it was"
	lab.Require(t, !asked, means(l, "Acquire asked Alive about an owner that it had not found", "a person is asked about nobody"))
}

// contentOf returns what a file of the lock holds, or nothing if it has none.
func contentOf(t *testing.T, path string) (content string) {
	t.Helper()
	lab.RequireSetUp(t, filepath.WalkDir(path, func(name string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var text []byte
			text, err = os.ReadFile(name)
			content = string(text)
		}
		return err
	}))
	return content
}

// fillLock changes what every file of a lock holds.
func fillLock(t *testing.T, path string, change func(text string) string) {
	t.Helper()
	lab.RequireSetUp(t, filepath.WalkDir(path, func(name string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(name, []byte(change(string(text))), 0o600)
	}))
}

// requireDamageSeen asks for a lock whose owner is dead and whose files were damaged, and reports whether that was seen. An answer whose
// files' contents mean nothing may still break the lock, if it has asked about the right owner; it must, unless the contents matter.
func requireDamageSeen(t *testing.T, path string, gone int, name string, matter bool) (seen bool) {
	t.Helper()
	l := lab.Lesson{
		Did: fmt.Sprintf("a lock's owner was killed, and each file of the lock was made to hold %s; Acquire was called, "+
			"with an Alive that calls every owner dead", name),
		Means: "a lock that was damaged is taken from an owner whom Alive has not judged",
		Read:  notYours,
	}
	before := standing(t, path)

	var asked atomic.Bool // about the owner that was killed
	_, err := acquire(t, path, lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
		if owner.PID == gone {
			asked.Store(true)
		}
		return false
	}}, l)
	if err == nil && asked.Load() && !matter {
		return false
	}
	lab.RequireError(t, err, l.Say("Acquire took a lock whose owner it could not read"))
	lab.RequireEqual(t, before, standing(t, path), l.Say("Acquire changed a lock whose owner it could not read"))
	l.Expected, l.Found = "an error that matches ErrUnknown", err.Error()
	l.Means = "the program cannot distinguish a lock that a person has to look at from a fault of the system"
	lab.Require(t, errors.Is(err, lockfiles.ErrUnknown), l.Say("Acquire did not report that the lock is damaged"))
	return true
}

func TestAFileInALockSurvives(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"Acquire", "Release"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			lock := requireAcquired(t, path, lockfiles.Options{}, freeLock)
			notes := filepath.Join(path, "notes.txt")
			if err := os.WriteFile(notes, []byte("mine"), 0o600); err != nil {
				return // the lock is not a directory, so no file can be put into it
			}
			l := lab.Lesson{
				Did:   fmt.Sprintf("a person put a file notes.txt into the lock, which is a directory; then %s was called", verb),
				Means: "a file that a person needs is gone with the lock", Read: notYours,
			}
			if verb == "Acquire" {
				l.Did += ", with an Alive that calls the owner dead"
				_, _ = acquire(t, path, allDead, l) // whatever it returns
			} else {
				err := release(t, lock, l)
				l.Expected, l.Found = "an error that does not match ErrLost, or none", fmt.Sprint(err)
				lab.Require(t, !errors.Is(err, lockfiles.ErrLost), means(l, "Release reported a lock as lost that no other process has taken",
					"a person looks for damage where there is none, and the lock stays taken"))
				l.Expected, l.Found = "", ""
			}
			lab.RequireFile(t, notes, "mine", l.Say("%s removed a file that is not its own", verb))
		})
	}
}
