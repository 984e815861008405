package lockfiles_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	lockfiles "example/turnstile/exercises/07_lock_files"
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
	t.Run("a link to an empty directory", func(t *testing.T) {
		t.Parallel()
		path := newPath(t)
		if err := os.Symlink(t.TempDir(), path); err != nil {
			t.Skip("this user may not create symbolic links here: ", err)
		}
		if _, err := os.Readlink(path); err != nil {
			t.Skip("no link was created, as under Wine: ", err)
		}
		requireUntouched(t, path, "a symbolic link to an empty directory")
	})
	t.Run("what others have put beside a lock", func(t *testing.T) {
		t.Parallel()
		path, _ := stale(t)
		lab.RequireSetUp(t, os.WriteFile(path+".bak", []byte("mine"), 0o600))
		lab.RequireSetUp(t, os.Mkdir(path+".old", 0o700))
		lab.RequireSetUp(t, os.WriteFile(filepath.Join(path+".old", "notes.txt"), []byte("mine"), 0o600))
		lab.Age(t, filepath.Dir(path), 400*24*time.Hour)
		l := lab.Lesson{
			Did: "beside the lock of a dead process were a person's file locks.json.lock.bak and directory locks.json.lock.old, 400 days old; " +
				"the lock was broken, and released",
			Means: "a file that a person needs is gone", Read: notYours,
		}
		lock := requireAcquired(t, path, allDead, l.Say("Acquire did not break a lock that Alive judged dead"))
		lab.RequireNoError(t, release(t, lock, l), l.Say("Release failed although the lock was held"))
		for _, name := range []string{path + ".bak", filepath.Join(path+".old", "notes.txt")} {
			lab.RequireFile(t, name, "mine", l.Say("Acquire or Release removed a file beside the lock that is not its own"))
		}
	})
	type damage struct{ name, content string }
	damages := []damage{
		{"nothing", ""},
		{"half an object", `{"host":{"name":"bench"},"pid":4711`},
		{"an object without an owner", "{}"},
		{"null", "null"},
		{"a mebibyte", strings.Repeat("x", 1<<20)},
	}
	paths := []string{newPath(t)}
	for range damages {
		paths = append(paths, newPath(t))
	}
	gone := abandon(t, paths...)
	damages = append(damages, damage{"the owner of another lock", contentOf(t, paths[0])})
	for i, c := range damages {
		t.Run("a lock whose files hold "+c.name, func(t *testing.T) {
			t.Parallel()
			requireDamageSeen(t, paths[i], gone, c.name, c.content)
		})
	}
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
	lab.Age(t, filepath.Dir(path), 400*24*time.Hour)
	_, err := acquire(t, path, allDead, l)
	lab.RequireError(t, err, l.Say("Acquire took a lock whose owner it could not read"))
	lab.RequireEqual(t, before, listing(t, filepath.Dir(path)), l.Say("Acquire changed what is not its own lock"))
	l.Means = "the program cannot distinguish a lock that a person has to look at from one that is taken"
	requireIs(t, err, lockfiles.ErrUnknown, l.Say("Acquire did not report that it does not know what is at the path"))
	l.Expected, l.Found = "an error that does not match ErrLocked", err.Error()
	lab.Require(t, !errors.Is(err, lockfiles.ErrLocked), l.Say("Acquire reported an owner where it knows of none"))
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

// requireDamageSeen puts content into every file of a lock whose owner is dead. An answer whose files' contents mean nothing may
// still break the lock, if it has asked about the right owner.
func requireDamageSeen(t *testing.T, path string, gone int, name, content string) {
	t.Helper()
	l := lab.Lesson{
		Did: fmt.Sprintf("a lock's owner was killed, and each file of the lock was made to hold %s; Acquire was called, "+
			"with an Alive that calls every owner dead", name),
		Means: "a lock that was damaged is taken from an owner whom Alive has not judged",
		Read:  notYours,
	}
	lab.RequireSetUp(t, filepath.WalkDir(path, func(name string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		return os.WriteFile(name, []byte(content), 0o600)
	}))
	before := standing(t, path)

	var asked atomic.Bool // about the owner that was killed
	_, err := acquire(t, path, lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
		if owner.PID == gone {
			asked.Store(true)
		}
		return false
	}}, l)
	if err == nil && asked.Load() {
		return
	}
	lab.RequireError(t, err, l.Say("Acquire took a lock whose owner it could not read"))
	lab.RequireEqual(t, before, standing(t, path), l.Say("Acquire changed a lock whose owner it could not read"))
	l.Expected, l.Found = "an error that matches ErrUnknown", err.Error()
	l.Means = "the program cannot distinguish a lock that a person has to look at from a fault of the system"
	lab.Require(t, errors.Is(err, lockfiles.ErrUnknown), l.Say("Acquire did not report that the lock is damaged"))
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
