package document_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/exercises/11_locked_file/filelock"
	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/13_document/format"
	"example/turnstile/exercises/13_document/lockfile"
	"example/turnstile/internal/lab"
)

// recovered calls Recover, which must succeed.
func recovered(t *testing.T, path string, l lab.Lesson) (done document.Recovery) {
	t.Helper()
	succeed(t, l.Say("Recover failed"), func() (err error) { done, err = open(path).Recover(context.Background()); return err })
	return done
}

func TestRecoverBringsBackTheBackup(t *testing.T) {
	t.Parallel()
	for name, text := range damage {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", text)
			lab.RequireSetUp(t, os.WriteFile(path+".bak", []byte(good), 0o644))
			l := lab.Lesson{
				Did:   "Recover; the document was " + name + ", and its backup generation 7",
				Means: "what is left of the last change is gone, or the workshop stands still", Read: recovery,
			}
			done := recovered(t, path, l)
			requireCheckouts(t, path, l.Say("Recover did not bring back the backup"), "bracket.step=alice")
			lab.RequireFile(t, path+".damaged-1", text, l.Say("Recover did not set the damaged document aside as PATH.damaged-1"))
			lab.RequireEqual(t, filepath.Base(path)+".damaged-1", filepath.Base(done.Aside),
				l.Say("Recover did not return where the damaged document is"))
			generation, _ := read(t, path, l)
			l.Means = "the generation that was lost, 8, comes back with another content, and whoever has seen it notices nothing"
			lab.RequireEqual(t, 9, generation, l.Say("Recover did not skip the number of the lost generation"))
			lab.RequireEqual(t, 9, done.Restored, l.Say("Recover did not return the generation that it has brought back"))
			lab.RequireFile(t, path+".bak", good, l.Say("Recover changed the backup"))
			lab.RequireEqual(t, "locks.json locks.json.bak locks.json.damaged-1", entries(t, path),
				l.Say("Recover left other files, or removed one"))
			l.Did += "; then Recover again"
			now, _ := os.ReadFile(path)
			again := recovered(t, path, l)
			lab.RequireFile(t, path, string(now), l.Say("Recover changed a good document"))
			lab.Require(t, again.Aside == "" && again.Restored == 0, l.Say("Recover did something the second time"))
		})
	}
	t.Run("a document that is missing", func(t *testing.T) {
		t.Parallel()
		for _, perm := range []os.FileMode{0o600, 0o666} { // of which the umask takes nothing, and something
			path := lab.Path(t, "locks.json")
			lab.RequireSetUp(t, os.WriteFile(path+".bak", []byte(good), 0o600))
			lab.RequireSetUp(t, os.Chmod(path+".bak", perm))
			l := lab.Lesson{
				Did:   fmt.Sprintf("Recover; the document was missing, and its backup generation 7, with the mode %o", perm),
				Means: "the workshop stands still although the last generation but one is there", Read: recovery,
			}
			done := recovered(t, path, l)
			requireCheckouts(t, path, l.Say("Recover did not bring back the backup"), "bracket.step=alice")
			lab.RequireEqual(t, 9, done.Restored, l.Say("Recover did not skip the number of the lost generation"))
			lab.RequireEqual(t, "", done.Aside, l.Say("Recover named a damaged document that there was not"))
			if runtime.GOOS != "windows" {
				l.Means = "all users can read what only some could, or its own can no longer"
				lab.RequireEqual(t, perm.String(), mode(t, path), l.Say("Recover gave the document another mode than its backup has"))
			}
		}
	})
}

func TestRecoverNeverResets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		document, backup string
		is               string // of View's error
	}{
		"a damaged document without a backup":      {torn, "", "damaged"},
		"an empty one without a backup":            {"", "", "damaged empty"},
		"a damaged one with a damaged backup":      {torn, before[:40], "damaged"},
		"a damaged one with a backup of no bytes":  {torn, "no bytes", "damaged"},
		"a damaged one with a newer backup":        {torn, newer, "damaged"},
		"one with a backup that Validate refuses":  {torn, strings.Replace(good, "alice", "", 1), "damaged"},
		"a missing one without a backup":           {"missing", "", "missing"},
		"a missing one with a damaged backup":      {"missing", torn, "missing"},
		"one of a newer version":                   {newer, before, "newer"},
		"one of a newer version, without a backup": {newer, "", "newer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "locks.json")
			if c.document != "missing" {
				lab.RequireSetUp(t, os.WriteFile(path, []byte(c.document), 0o644))
			}
			if c.backup != "" {
				lab.RequireSetUp(t, os.WriteFile(path+".bak", []byte(strings.TrimPrefix(c.backup, "no bytes")), 0o644))
			}
			was := documents(t, path)
			temp := leftover(t, path)
			l := lab.Lesson{
				Says: "Recover returned nil for " + name, Did: "Recover of " + name,
				Means: "the workshop starts again with an empty list while parts are checked out", Read: recovery,
			}
			var done document.Recovery
			err := fail(t, l, func() (err error) { done, err = open(path).Recover(t.Context()); return err })
			left := l.Say("Recover left a temporary file beside %s", name)
			left.Means = "leftovers fill the disk"
			lab.Require(t, !exists(temp), left)
			lab.RequireEqual(t, was, documents(t, path), l.Say("Recover changed what it could not repair: %s", name))
			lab.RequireEqual(t, fmt.Sprint([]string{filepath.Base(temp)}), fmt.Sprint(baseNames(done.Removed)),
				l.Say("Recover did not return what it had removed when it failed later"))
			l.Means = "the caller takes what is wrong with the backup for what is wrong with the document"
			lab.RequireEqual(t, c.is, kind(err), l.Say("Recover did not return the error of View for %s", name))
			l.Means = "no one finds what is left of the work, be it half a backup"
			corrupt, is := errors.AsType[*document.CorruptError](err)
			lab.Require(t, !is || (corrupt.Backup != "") == (c.backup != ""),
				l.Say("Recover returned another path of the backup than View for %s", name))
			requireFree(t, path, l.Say("Recover left the document locked"))
		})
	}
}

// baseNames returns the last element of each path, whose directory may have several names; and a relative path as it is.
func baseNames(paths []string) (names []string) {
	for _, path := range paths {
		if filepath.IsAbs(path) {
			path = filepath.Base(path)
		} else {
			path = "the relative path " + path
		}
		names = append(names, path)
	}
	return names
}

func isCorrupt(err error) bool { _, is := errors.AsType[*document.CorruptError](err); return is }

// kind returns all that an error of View says of a document.
func kind(err error) string {
	var all []string
	_, newer := errors.AsType[*document.VersionError](err)
	for _, is := range []struct {
		name string
		is   bool
	}{
		{"damaged", isCorrupt(err)},
		{"empty", errors.Is(err, document.ErrEmpty)},
		{"missing", errors.Is(err, os.ErrNotExist)},
		{"newer", newer},
	} {
		if is.is {
			all = append(all, is.name)
		}
	}
	return strings.Join(all, " ")
}

// documents shows all files of a directory but those of the lock.
func documents(t *testing.T, path string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range strings.Fields(entries(t, path)) {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(path), name))
		lab.RequireSetUp(t, err)
		fmt.Fprintf(&all, "%s: %s; ", name, content)
	}
	return all.String()
}

func aGoodDocument(t *testing.T) {
	t.Parallel()
	for what, path := range map[string]string{"that has a backup": kept(t), "without a backup": shelf(t)} {
		was := documents(t, path)
		l := lab.Lesson{
			Says: "Recover changed a good document, or what is beside it", Did: "Recover of a good document " + what,
			Means: "the last change is taken back, or a backup is not the generation before", Read: recovery,
		}
		done := recovered(t, path, l)
		lab.RequireEqual(t, was, documents(t, path), l)
		lab.Require(t, done.Aside == "" && done.Restored == 0 && len(done.Removed) == 0, l.Say("Recover reported what it had not done"))
	}
}

func TestRecoverKeepsWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	t.Run("a good document", aGoodDocument)
	t.Run("leftovers go, and nothing else", func(t *testing.T) {
		t.Parallel()
		path := kept(t)
		dir := filepath.Dir(path)
		mine := leftover(t, path)
		others := []string{
			leftover(t, filepath.Join(dir, "other.json")), filepath.Join(dir, ".locks.json.swp"), filepath.Join(dir, ".locks.json.notes.tmp"),
			filepath.Join(dir, "locks.json.tmp"), path + ".damaged-1",
		}
		for _, other := range others[1:] {
			lab.RequireSetUp(t, os.WriteFile(other, []byte("mine"), 0o600))
		}
		l := lab.Lesson{
			Did:   "Recover; a process crash had left a temporary file, and there were files of other programs",
			Means: "leftovers fill the disk, or the work of others is destroyed", Read: recovery,
		}
		done := recovered(t, path, l)
		lab.Require(t, !exists(mine), l.Say("Recover left a temporary file that a process crash had left"))
		for _, other := range others {
			lab.Require(t, exists(other), l.Say("Recover removed a file that is not its own"))
		}
		lab.RequireEqual(t, fmt.Sprint([]string{filepath.Base(mine)}), fmt.Sprint(baseNames(done.Removed)),
			l.Say("Recover did not return what it had removed"))
	})
	t.Run("the damaged documents of earlier days, of which some were removed", func(t *testing.T) {
		t.Parallel()
		for _, left := range [][]int{{2}, {1, 3}, {3, 2}} {
			path := prepared(t, "Recover")
			l := lab.Lesson{
				Did: fmt.Sprintf("Recover of a damaged document; of the earlier ones there were the numbers %v", left), Read: recovery,
				Means: "what was left of an earlier change is gone",
			}
			free := 1
			for slices.Contains(left, free) {
				free++
			}
			for _, number := range left {
				lab.RequireSetUp(t, os.WriteFile(fmt.Sprint(path, ".damaged-", number), []byte("earlier"), 0o600))
			}
			done := recovered(t, path, l)
			for _, number := range left {
				lab.RequireFile(t, fmt.Sprint(path, ".damaged-", number), "earlier", l.Say("Recover overwrote what had been set aside before"))
			}
			aside := fmt.Sprint(path, ".damaged-", free)
			lab.RequireFile(t, aside, torn, l.Say("Recover did not set the document aside under the next name that was free"))
			lab.RequireEqual(t, filepath.Base(aside), filepath.Base(done.Aside), l.Say("Recover did not return where the damaged document is"))
		}
	})
	t.Run("the damaged documents of earlier days", func(t *testing.T) {
		t.Parallel()
		path := kept(t)
		lab.RequireSetUp(t, os.WriteFile(path, []byte(torn), 0o600))
		lab.RequireSetUp(t, os.Chmod(path, 0o600))
		lab.RequireSetUp(t, os.WriteFile(path+".damaged-1", []byte("earlier"), 0o600))
		taken := path + ".damaged-2"
		if err := os.Symlink("nowhere", taken); err != nil || !exists(taken) { // Wine makes none, and returns nil
			lab.RequireSetUp(t, os.WriteFile(taken, []byte("earlier"), 0o600))
		}
		l := lab.Lesson{
			Did:   "Recover of a damaged document; PATH.damaged-1 was another one, PATH.damaged-2 a link that leads nowhere",
			Means: "what was left of an earlier change is gone", Read: recovery,
		}
		done := recovered(t, path, l)
		lab.RequireFile(t, path+".damaged-1", "earlier", l.Say("Recover overwrote what had been set aside before"))
		lab.RequireFile(t, path+".damaged-3", torn, l.Say("Recover did not set the document aside under a name that was free"))
		lab.RequireEqual(t, "locks.json.damaged-3", filepath.Base(done.Aside), l.Say("Recover did not return where the damaged document is"))
		if runtime.GOOS != "windows" {
			lab.RequireEqual(t, "-rw-------", mode(t, done.Aside), l.Say("Recover let others read what it had set aside"))
			lab.RequireEqual(t, "-rw-------", mode(t, path), l.Say("Recover gave the document another mode than it had"))
		}
	})
}

func TestRecoverWaitsForAnUpdate(t *testing.T) {
	t.Parallel()
	t.Run("and for another Recover", func(t *testing.T) {
		t.Parallel()
		path := prepared(t, "Recover")
		held, err := lockfile.Lock(t.Context(), path+".lock", filelock.Shared, 0o600)
		lab.RequireSetUp(t, err)
		l := lab.Lesson{
			Did:   "another program had a shared lock on locks.json.lock; Recover waited; the other one brought back the document, and updated it",
			Means: "a good document is set aside, and what was acknowledged since is gone", Read: recovery,
		}
		p := lab.Start(t, "recover", path)
		waits(t, p, l.Say("Recover does not wait for the lock on PATH.lock"))
		lab.RequireSetUp(t, os.WriteFile(path, []byte(good), 0o644))
		was := documents(t, path)
		lab.RequireSetUp(t, held.Unlock())
		var done document.Recovery
		p.Result(&done, l)
		lab.RequireNoError(t, p.Wait(l), l.Say("Recover failed"))
		lab.RequireEqual(t, was, documents(t, path), l.Say("Recover looked at the document before it had the lock, and not after"))
	})
	path := kept(t)
	l := lab.Lesson{
		Did:   "alice was inside her Update; another program called Recover",
		Means: "it takes a live writer's file for a leftover, or the document from under her", Read: recovery,
	}
	alice := begin(t, "update", path, "hinge.step", "alice")
	temp := leftover(t, path) // as if it were hers
	p := lab.Start(t, "recover", path)
	waits(t, p, l.Say("Recover does not wait for an Update that is at work"))
	lab.Require(t, exists(temp), l.Say("Recover removed the temporary file of a live writer"))
	finish(t, alice, l.Say("Update failed"))
	var done document.Recovery
	p.Result(&done, l)
	lab.RequireNoError(t, p.Wait(l), l.Say("Recover failed"))
	requireCheckouts(t, path, l.Say("Recover destroyed what an Update had written"), "bracket.step=alice hinge.step=alice")
}

// At every moment of a Recover there is a document, and the damaged bytes are somewhere.
func TestRecoverMayDieAtAnyMoment(t *testing.T) {
	t.Parallel()
	requireOwnGoroutine(t, "Recover")
	path := prepared(t, "Recover")
	l := lab.Lesson{
		Did:   "Recover of a damaged document, looked at before each of its system calls",
		Means: "a process crash at this moment costs what was left", Read: recovery,
	}
	var err error
	gone, lost := false, false
	lab.RequireRefuse(t, lab.Watch(func() { _, err = open(path).Recover(context.Background()) }, func(string) {
		gone = gone || !exists(path)
		found, _ := filepath.Glob(path + "*")
		lost = lost || !slices.ContainsFunc(found, func(name string) bool { content, _ := os.ReadFile(name); return string(content) == torn })
	}))
	lab.RequireNoError(t, err, l.Say("Recover failed"))
	lab.Require(t, !gone, l.Say("Recover leaves a moment in which there is no document"))
	lab.Require(t, !lost, l.Say("Recover leaves a moment in which the damaged bytes are nowhere"))
}

func TestRecoverReportsWhatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	requireOwnGoroutine(t, "Recover")
	t.Run("with leftovers beside a good document", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, leftoversStay, syscall.EACCES)
	})
	lab.EachErrno(t, func(t *testing.T, errno error) {
		for made := 0; ; made++ {
			path := prepared(t, "Recover")
			l := lab.Lesson{Means: "the caller believes that all is well", Read: recovery}
			var err error
			var done document.Recovery
			perm := mode(t, path)
			names, refused := lab.RefuseOne(made, errno, func() { done, err = open(path).Recover(context.Background()) })
			lab.RequireRefuse(t, refused)
			if made >= len(names) {
				return
			}
			l.Did = fmt.Sprintf("Recover of a damaged document; its system call number %d, which is %s, failed with %v", made+1, names[made], errno)
			lab.Require(t, exists(path), l.Say("Recover lost the document when the kernel had refused a step"))
			data, readErr := os.ReadFile(path)
			lab.RequireSetUp(t, readErr)
			generation, _, damaged := format.Decode(path, data, validate)
			if err != nil || strings.HasSuffix(names[made], "sync") {
				lab.RequireErrorIs(t, err, errno, l.Say("Recover did not report that the kernel had refused %s", names[made]))
			}
			if strings.HasSuffix(names[made], "sync") {
				lab.Require(t, damaged != nil || errors.Is(err, document.ErrNotDurable),
					l.Say("Recover hid that the new generation may not survive a power cut"))
			}
			switch {
			case err == nil:
				lab.RequireNoError(t, damaged, l.Say("Recover returned nil and brought back no document"))
			case errors.Is(err, document.ErrSaved):
				lab.Require(t, damaged == nil && generation == 8,
					l.Say("Recover returned an error that matches ErrSaved and brought back no document"))
			default:
				lab.RequireEqual(t, torn, string(data),
					l.Say("Recover replaced the document although it returned an error that does not match ErrSaved"))
			}
			found, _ := filepath.Glob(path + "*")
			lab.Require(t, slices.ContainsFunc(found, func(name string) bool { content, _ := os.ReadFile(name); return string(content) == torn }),
				l.Say("Recover lost the damaged bytes when the kernel had refused a step"))
			restored := int64(0)
			if damaged == nil {
				restored = generation
			}
			lab.RequireEqual(t, restored, done.Restored, l.Say("Recover did not return what it had done when it failed later"))
			lab.Require(t, (restored == 0 || done.Aside != "") && (done.Aside == "" || exists(done.Aside)),
				l.Say("Recover did not return where the damaged document is when it failed later"))
			requireKept(t, path, "Recover", perm, err, l)
			requireFree(t, path, l.Say("Recover left the document locked"))
			l.Did, l.Means = l.Did+"; then Recover again", "each start of the program on a full disk leaves one more file"
			_ = recovered(t, path, l)
			aside, _ := filepath.Glob(path + ".damaged-*")
			lab.RequireEqual(t, 1, len(aside), l.Say("Recover set the damaged document aside twice"))
		}
	}, syscall.EIO, syscall.EINVAL)
}

// leftoversStay has the kernel refuse one call of a Recover that has only a leftover to remove, then another one, until all were refused.
func leftoversStay(t *testing.T, errno error) {
	t.Helper()
	for made := 0; ; made++ {
		path := kept(t)
		temp := leftover(t, path)
		l := lab.Lesson{Means: "the caller believes that the leftovers are gone, and they fill the disk", Read: recovery}
		var err error
		names, refused := lab.RefuseOne(made, errno, func() { _, err = open(path).Recover(context.Background()) })
		lab.RequireRefuse(t, refused)
		if made >= len(names) {
			return
		}
		l.Did = fmt.Sprintf("Recover of a good document; its system call number %d, which is %s, failed with %v", made+1, names[made], errno)
		if exists(temp) {
			lab.RequireErrorIs(t, err, errno, l.Say("Recover left a temporary file, and did not report what the kernel had refused"))
		}
		lab.RequireFile(t, path, good, l.Say("Recover changed a good document when the kernel had refused a step"))
	}
}
