//go:build unix

package atomicreplace_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/internal/lab"
)

func init() {
	maps.Copy(workers, lab.Workers{"create new": createNew, "overwrite": overwrite, "write as a member": writeAsAMember})
	makeSpecial["a named pipe"] = func(path string) error { return syscall.Mkfifo(path, 0o600) }
	makeSpecial["a socket"] = func(path string) error { return syscall.Mknod(path, syscall.S_IFSOCK|0o600, 0) }
	makeSpecial["a device"] = func(path string) error { return syscall.Mknod(path, syscall.S_IFCHR|0o600, 1<<8|3) } // /dev/null, for root
	makeSecret, requireNoSecretShown = secretOf0640, secretIsShut
	earlierLife = createAndExec
}

// createAndExec is the earlier life of a worker that is started with EARLIER_LIFE=PATH: it calls Create for PATH, and in the middle of a
// document it starts its program anew (execve(2)). For what it leaves that is a process crash, and the next life has the same number.
func createAndExec() {
	path, asked := os.LookupEnv("EARLIER_LIFE")
	if !asked {
		return
	}
	if pending, err := atomicreplace.Create(path, 0o644); err == nil && pending != nil {
		_, _ = pending.Write([]byte(after[:10]))
	}
	executable, err := os.Executable()
	if err = errors.Join(err, os.Unsetenv("EARLIER_LIFE")); err == nil {
		err = syscall.Exec(executable, os.Args, os.Environ())
	}
	panic(err)
}

// A creation is the mode that a new file is asked for, under an umask.
type creation struct{ Perm, Umask fs.FileMode }

// creations give seven different modes.
var creations = []creation{{0o666, 0o022}, {0o660, 0o027}, {0o666, 0o007}, {0o600, 0}, {0o444, 0o022}, {0o666, 0}, {0, 0o022}}

// createNew makes two new files for each of creations, by os.WriteFile and by WriteFile, and sends the modes: DIR.
func createNew(w *lab.Worker) error {
	var modes [][2]string
	for i, c := range creations {
		syscall.Umask(int(c.Umask)) // of the whole process: that is why this is a worker
		theirs, yours := filepath.Join(w.Arg(0), fmt.Sprint("theirs", i)), filepath.Join(w.Arg(0), fmt.Sprint("yours", i))
		if err := os.WriteFile(theirs, nil, c.Perm); err != nil {
			return err
		}
		if err := atomicreplace.WriteFile(yours, nil, c.Perm); err != nil {
			return fmt.Errorf("with perm %04o: %w", uint32(c.Perm), err)
		}
		modes = append(modes, [2]string{mode(theirs), mode(yours)})
	}
	return w.Result(modes)
}

// An overwriting is a file that a process has saved twice, when it had mode 0604. Then its mode becomes Mode, and the process saves it with
// Perm under Umask. Meanwhile, between Create and Commit, another program changes its mode, or removes it.
type overwriting struct {
	Path              string
	Mode, Perm, Umask fs.FileMode
	Meanwhile         string
}

type overwritten struct {
	Mode string
	Save lab.Returned
}

const (
	wasRemoved = "another program removed it"
	wasOpened  = "another program changed its mode to 0666"
)

// overwrite does each overwriting that it receives, and sends the mode afterwards.
func overwrite(w *lab.Worker) error {
	for {
		var o overwriting
		if err := w.Receive(&o); err != nil {
			return nil // the test has seen enough
		}
		syscall.Umask(0o077)
		err := os.WriteFile(o.Path, []byte(before), 0o600)
		for range 2 {
			err = errors.Join(err, os.Chmod(o.Path, 0o604), atomicreplace.WriteFile(o.Path, []byte(before), o.Perm))
		}
		err = errors.Join(err, os.Chmod(o.Path, o.Mode))
		syscall.Umask(int(o.Umask))
		err = errors.Join(err, saveMeanwhile(o.Path, o.Perm, func() error {
			switch o.Meanwhile {
			case wasRemoved:
				return os.Remove(o.Path)
			case wasOpened:
				return os.Chmod(o.Path, 0o666)
			}
			return nil
		}))
		if err := w.Result(overwritten{mode(o.Path), lab.Returned{Err: err}}); err != nil {
			return err
		}
	}
}

// saveMeanwhile saves a document, and calls meanwhile between Create and Commit.
func saveMeanwhile(path string, perm fs.FileMode, meanwhile func() error) error {
	pending, err := atomicreplace.Create(path, perm)
	if err != nil {
		return err
	}
	_, err = pending.Write([]byte(after))
	return errors.Join(err, meanwhile(), pending.Commit())
}

// writeAsAMember is write, as a user who has a group beside the own one: UID GID.
func writeAsAMember(w *lab.Worker) error {
	err := errors.Join(syscall.Setgroups([]int{w.Int(1)}), syscall.Setgid(w.Int(0)), syscall.Setuid(w.Int(0)))
	if err != nil {
		return err
	}
	return write(w)
}

func mode(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%04o", info.Mode().Perm())
}

func TestTheMode(t *testing.T) {
	t.Parallel()
	t.Run("of a new file is that which os.WriteFile gives", func(t *testing.T) { t.Parallel(); modeOfANewFile(t, lab.Options{}) })
	t.Run("of an existing file stays", func(t *testing.T) { t.Parallel(); modeOfAnExistingFile(t, lab.Options{}) })
	if os.Geteuid() != 0 {
		return
	}
	user := lab.Options{Unprivileged: true} // root may open what its mode shuts
	t.Run("of a new file of an ordinary user", func(t *testing.T) { t.Parallel(); modeOfANewFile(t, user) })
	t.Run("of an existing file of an ordinary user", func(t *testing.T) { t.Parallel(); modeOfAnExistingFile(t, user) })
}

func modeOfANewFile(t *testing.T, as lab.Options) {
	t.Helper()
	lesson := lab.Lesson{
		Says: "Create or Commit failed although nothing stood in its way",
		Did:  "WriteFile of new files under different umasks, with perms down to 0",
		Read: carryOver,
	}
	worker := lab.Launch(t, as, "create new", lab.SharedDir(t))
	var modes [][2]string
	worker.Result(&modes, lesson)
	for i, c := range creations {
		lesson.Says = "Create gives a new file another mode than os.WriteFile"
		lesson.Did = fmt.Sprintf("WriteFile of a new file with perm %04o under umask %04o", uint32(c.Perm), uint32(c.Umask))
		lesson.Means = "either a colleague who should read the file cannot, or one who should not can"
		lab.RequireEqual(t, modes[i][0], modes[i][1], lesson)
	}
}

func modeOfAnExistingFile(t *testing.T, as lab.Options) {
	t.Helper()
	worker, dir := lab.Launch(t, as, "overwrite"), lab.SharedDir(t)
	for i, c := range []overwriting{
		{Mode: 0o640, Perm: 0o600, Umask: 0o077},
		{Mode: 0o600, Perm: 0o666, Umask: 0o077},
		{Mode: 0o664, Perm: 0o644, Umask: 0o077},
		{Mode: 0o444, Perm: 0o600, Umask: 0o077},
		{Mode: 0o755, Perm: 0o644, Umask: 0o077},
		{Mode: 0, Perm: 0o644, Umask: 0o077},
		{Mode: 0o700, Perm: 0o644, Umask: 0o177},
		{Mode: 0o600, Perm: 0o644, Umask: 0o077, Meanwhile: wasOpened},
		{Mode: 0o640, Perm: 0o644, Umask: 0o077, Meanwhile: wasRemoved},
	} {
		c.Path = filepath.Join(dir, fmt.Sprint("locks", i, ".json"))
		lesson := lab.Lesson{
			Says: "Create or Commit failed although nothing stood in its way",
			Did: fmt.Sprintf("a process saved its file of mode 0604; the mode became %04o; Create with perm %04o under umask %04o, Write, Commit",
				uint32(c.Mode), uint32(c.Perm), uint32(c.Umask)),
			Means: "the change that the user made is not saved: a rename does not ask the file, only its directory", Read: carryOver,
		}
		if c.Meanwhile != "" {
			lesson.Did += "; before the Commit, " + c.Meanwhile
		}
		worker.Send(c)
		var is overwritten
		worker.Result(&is, lesson)
		lab.RequireNoError(t, is.Save.Err, lesson)
		lesson.Means = "Alice gave Bob access to the file, or took it away; one save later that is undone, and no call reported it"
		if c.Meanwhile != "" {
			lesson.Means = "the new content is for those who might read the old one when it was begun, and others may read it now"
		}
		lab.RequireEqual(t, fmt.Sprintf("%04o", uint32(c.Mode)), is.Mode, lesson.Say("Create does not keep the mode of an existing file"))
	}
}

// foreignGroup returns an owner and a group that this process may give a file to and that a new file does not have: any for root, the user
// and one of the user's other groups for others.
func foreignGroup(t *testing.T) (uid, gid int) {
	t.Helper()
	if os.Geteuid() == 0 {
		return 65534, 65533
	}
	groups, err := os.Getgroups()
	must(t, err)
	for _, group := range groups {
		if group != os.Getegid() {
			return os.Geteuid(), group
		}
	}
	t.Skip("this user is not root and has no second group: no file can belong to another owner or group than a new one does")
	return 0, 0
}

// ofAnotherGroup returns the path of a file of that mode that has another group than a new one.
func ofAnotherGroup(t *testing.T, mode fs.FileMode) string {
	t.Helper()
	path := lab.WriteFile(t, "locks.json", before)
	uid, gid := foreignGroup(t)
	if err := os.Chown(path, uid, gid); err != nil {
		t.Skip("this user may not give files away (a container?): ", err)
	}
	must(t, os.Chmod(path, mode))
	return path
}

func TestAnExistingFileKeepsItsOwnerAndGroup(t *testing.T) {
	t.Parallel()
	uid, gid := foreignGroup(t)
	ours := func(path string) error { return atomicreplace.WriteFile(path, []byte(after), 0o600) }
	keepsOwnerAndGroup(t, uid, gid, "WriteFile", ours)
	did := fmt.Sprint("a new file gets its directory's group there (setgid), ", gid, "; WriteFile")
	keepsOwnerAndGroup(t, os.Geteuid(), os.Getegid(), did, func(path string) error {
		must(t, errors.Join(os.Chown(filepath.Dir(path), -1, gid), os.Chmod(filepath.Dir(path), 0o700|fs.ModeSetgid)))
		return ours(path)
	})
	if os.Geteuid() != 0 {
		return
	}
	keepsOwnerAndGroup(t, uid, gid, "Create, Write; another program gave it to root; Commit", func(path string) error {
		return saveMeanwhile(path, 0o600, func() error { return os.Chown(path, 0, 0) })
	})
	keepsOwnerAndGroup(t, 0, gid, "WriteFile by the same user", ours)
	keepsOwnerAndGroup(t, uid, 0, "WriteFile by another user of the same group", ours)
	keepsOwnerAndGroup(t, uid, gid, "WriteFile by its owner, a member of that group", func(path string) error {
		must(t, errors.Join(os.Chmod(filepath.Dir(path), 0o777), os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755)))
		member := lab.Start(t, "write as a member", fmt.Sprint(uid), fmt.Sprint(gid))
		member.Send(save{Path: path, Content: after})
		var o lab.Returned
		member.Result(&o)
		return o.Err
	})
}

// keepsOwnerAndGroup lets save replace a file of that owner and group.
func keepsOwnerAndGroup(t *testing.T, uid, gid int, did string, save func(path string) error) {
	t.Helper()
	path := lab.WriteFile(t, "locks.json", before)
	if err := os.Chown(path, uid, gid); err != nil {
		t.Skip("this user may not give files away (a container?): ", err)
	}
	must(t, os.Chmod(path, 0o640))
	lesson := lab.Lesson{
		Says:  "Create or Commit failed on a file of another group",
		Did:   fmt.Sprintf("the file had mode 0640, owner %d and group %d; %s", uid, gid, did),
		Read:  carryOver,
		Means: "one save, and the colleagues of that group may not open their file any more",
	}
	lab.RequireNoError(t, save(path), lesson)
	info, err := os.Stat(path)
	must(t, err)
	owner := info.Sys().(*syscall.Stat_t)
	lesson.Says = "Create does not keep the owner and the group of an existing file"
	lab.RequireEqual(t, fmt.Sprintf("%d:%d", uid, gid), fmt.Sprintf("%d:%d", owner.Uid, owner.Gid), lesson)
	lesson.Says, lesson.Means = "Create does not keep the mode of a file of another group", "the group may not read it any more, or others may"
	lab.RequireEqual(t, "0640", mode(path), lesson)
}

func TestARefusalOfModeOrOwnerIsReported(t *testing.T) {
	t.Parallel()
	c := change{"a file with another group", []byte(before), []byte(after)}
	chmod := refused{"chmod", "the mode cannot be set", "Create", []error{syscall.EPERM, syscall.EIO, syscall.ENOTSUP}}
	requireRefusalReported(t, chmod, ofAnotherGroup(t, 0o666), c)
	chown := refused{"chown", "the owner cannot be set", "Create", []error{syscall.EIO, syscall.EDQUOT, syscall.ENOTSUP}}
	requireRefusalReported(t, chown, ofAnotherGroup(t, 0o640), c)
}

func TestWhereTheGroupCannotBeKeptItsBitsGo(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:  "Create or Commit fails where the owner may not be kept",
		Did:   "the file had mode 0640; WriteFile by a user who may give it neither its owner nor its group",
		Read:  carryOver,
		Means: "a user who may write to the directory can save nothing",
	}
	shown := lesson
	shown.Says = "Create lets another group in"
	shown.Means = "the group's bits stayed and the group did not: other people may read the file now"

	t.Run("the kernel refuses both", func(t *testing.T) {
		t.Parallel()
		for _, errno := range []error{syscall.EPERM, syscall.EINVAL} { // EINVAL: the owner does not exist in this user namespace
			path := ofAnotherGroup(t, 0o640)
			var err error
			if failed := lab.Refuse("chown", errno, func() { err = atomicreplace.WriteFile(path, []byte(after), 0o644) }); failed != nil {
				t.Skip("this test cannot make the kernel refuse calls: ", failed)
			}
			lab.RequireNoError(t, err, lesson)
			lab.RequireEqual(t, "0600", mode(path), shown)
		}
	})

	t.Run("another user's file", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			t.Skip("it takes root to make a file of one user and write it as another")
		}
		path := filepath.Join(lab.SharedDir(t), "locks.json")
		must(t, os.WriteFile(path, []byte(before), 0o600))
		must(t, os.Chmod(path, 0o640))
		var o lab.Returned
		writer := lab.Launch(t, lab.Options{Unprivileged: true}, "write")
		writer.Send(save{Path: path, Content: after})
		writer.Result(&o, lesson)
		lab.RequireNoError(t, o.Err, lesson)
		lab.RequireEqual(t, "0600", mode(path), shown)
		must(t, os.Chmod(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(before), 0o600))
		must(t, os.Chmod(path, 0o666))
		writer.Send(save{Path: path, Content: after})
		writer.Result(&o)
		fallback := lab.Lesson{
			Says: "Create falls back on writing in place", Did: "the user may write to the file and not to its directory; WriteFile", Read: refusal,
			Means: "whether a save is atomic is now a matter of luck, and no error reports it",
		}
		lab.RequireFile(t, path, before, fallback)
		lab.RequireErrorIs(t, o.Err, fs.ErrPermission, fallback)
	})
}

// secretOf0640 gives the file mode 0640, and another group where that is possible.
func secretOf0640(t *testing.T, path string) {
	t.Helper()
	if os.Geteuid() == 0 {
		_ = os.Chown(path, 65534, 65534) // in some containers root may not: then the group is the same, and the test asks less
	}
	must(t, os.Chmod(path, 0o640))
}

// secretIsShut demands that a user who may not read the file itself, of mode 0640, may not read what is beside it either. Where there is no
// file yet, it is to get mode 0600.
func secretIsShut(t *testing.T, path, call string) {
	t.Helper()
	look := func(path string) (gid uint32, mode fs.FileMode, ok bool) {
		info, err := os.Stat(path)
		if err != nil {
			return 0, 0, false
		}
		mode = info.Mode().Perm()
		if info.IsDir() && mode&0o077 == 0 {
			mode = 0 // no other user can look into it
		}
		return info.Sys().(*syscall.Stat_t).Gid, mode, true
	}
	theirs, is, exists := look(path)
	did := fmt.Sprintf("the file had mode 0640 and group %d", theirs)
	if !exists || is == 0o600 {
		did = "Create of a new file with perm 0600"
	}
	for _, name := range others(t, path) {
		gid, mode, ok := look(filepath.Join(filepath.Dir(path), name))
		allowed, expected := fs.FileMode(0o640), "0640 or less"
		if !exists || is == 0o600 {
			allowed, expected = 0o600, "0600 or less"
		} else if gid != theirs {
			allowed, expected = 0o600, fmt.Sprintf("0600 or less, as long as its group is %d", gid)
		}
		lab.Require(t, !ok || mode&^allowed == 0, lab.Lesson{
			Says:     "Create makes a temporary file that is more open than the file",
			Expected: expected,
			Found:    fmt.Sprintf("%04o, group %d", mode, gid),
			Read:     carryOver,
			Did:      did + "; a look at the temporary file after " + strings.ReplaceAll(call, name, "TEMP"),
			Means:    "what only Alice and her group may read is open to others while it is written, and after a process crash for good",
		})
	}
}
