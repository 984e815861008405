//go:build unix

package atomicreplace_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/internal/lab"
)

func init() {
	maps.Copy(workers, lab.Workers{"create": create, "overwrite": overwrite})
	makeNamedPipe = func(path string) error { return syscall.Mkfifo(path, 0o600) }
}

// create makes two new files with one perm under one umask, by os.WriteFile and by WriteFile, and sends both modes: DIR PERM UMASK.
func create(w *lab.Worker) error {
	perm, mask := octal(w.Arg(1)), octal(w.Arg(2))
	syscall.Umask(int(mask)) // of the whole process: that is why this is a worker
	theirs, yours := filepath.Join(w.Arg(0), "theirs"), filepath.Join(w.Arg(0), "yours")
	if err := os.WriteFile(theirs, nil, perm); err != nil {
		return err
	}
	if err := atomicreplace.WriteFile(yours, nil, perm); err != nil {
		return err
	}
	return sendModes(w, theirs, yours)
}

// overwrite replaces an existing file: PATH PERM UMASK.
func overwrite(w *lab.Worker) error {
	syscall.Umask(int(octal(w.Arg(2))))
	if err := atomicreplace.WriteFile(w.Arg(0), []byte(after), octal(w.Arg(1))); err != nil {
		return err
	}
	return sendModes(w, w.Arg(0))
}

func sendModes(w *lab.Worker, paths ...string) error {
	var modes []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		modes = append(modes, fmt.Sprintf("%04o", info.Mode().Perm()))
	}
	return w.Result(modes)
}

func octal(text string) fs.FileMode {
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil {
		panic(err)
	}
	return fs.FileMode(mode)
}

func TestTheMode(t *testing.T) {
	t.Parallel()
	const read = `lessons/06_atomic_replace, "What a rename does not carry over"`

	for _, test := range []struct{ perm, umask string }{{"0666", "0022"}, {"0660", "0027"}, {"0600", "0000"}, {"0444", "0022"}} {
		t.Run("of a new file, perm "+test.perm+" umask "+test.umask, func(t *testing.T) {
			t.Parallel()
			worker := lab.Start(t, "create", t.TempDir(), test.perm, test.umask)
			var modes []string
			worker.Result(&modes)
			lab.RequireEqual(t, modes[0], modes[1], lab.Lesson{
				Says: "WriteFile creates a file with another mode than os.WriteFile", Did: fmt.Sprintf("WriteFile of a new file with perm %s under umask %s", test.perm, test.umask),
				Means: "either a colleague who should read the file cannot, or one who should not can", Read: read,
			})
		})
	}

	for _, test := range []struct{ mode, perm string }{{"0640", "0600"}, {"0600", "0666"}, {"0664", "0644"}} {
		t.Run("of an existing file with "+test.mode+", perm "+test.perm, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", before)
			lab.RequireNoError(t, os.Chmod(path, octal(test.mode)), lab.Lesson{Says: "the test could not change the mode of its own file"})
			worker := lab.Start(t, "overwrite", path, test.perm, "0077")
			var modes []string
			worker.Result(&modes)
			lab.RequireEqual(t, test.mode, modes[0], lab.Lesson{
				Says: "WriteFile changed the mode of an existing file", Did: fmt.Sprintf("the file had mode %s; WriteFile with perm %s under umask 0077", test.mode, test.perm),
				Means: "Alice gave Bob access to the file, or took it away; one save later that is undone, and nobody was told", Read: read,
			})
		})
	}

	t.Run("shows nothing to another group when the group cannot be kept", func(t *testing.T) {
		t.Parallel()
		if os.Getuid() != 0 {
			t.Skip("it takes root to make a file of one user and write it as another")
		}
		path := filepath.Join(lab.SharedDir(t), "locks.json")
		lab.RequireNoError(t, os.WriteFile(path, []byte(before), 0o640), lab.Lesson{Says: "the test could not write its own file"})
		lab.RequireNoError(t, os.Chmod(path, 0o640), lab.Lesson{Says: "the test could not change the mode of its own file"})
		did := "root's file had mode 0640; WriteFile by another user, who may neither give it to root nor to root's group"
		var o lab.Returned
		lab.Launch(t, lab.Options{Unprivileged: true}, "write", path, "0").Result(&o)
		lab.RequireNoError(t, o.Err, lab.Lesson{Says: "WriteFile fails where it may not keep the owner", Did: did, Means: "a user who may write to the folder can save nothing", Read: read})
		info, err := os.Stat(path)
		lab.RequireNoError(t, err, lab.Lesson{Says: "the file is gone"})
		lab.RequireEqual(t, "0600", fmt.Sprintf("%04o", info.Mode().Perm()), lab.Lesson{
			Says: "WriteFile lets another group in", Did: did, Means: "the group's bits stayed and the group did not: other people may read the file now", Read: read,
		})
	})

	t.Run("and the owner stay when root writes", func(t *testing.T) {
		t.Parallel()
		if os.Getuid() != 0 {
			t.Skip("only root may give a file to another user")
		}
		path := lab.WriteFile(t, "locks.json", before)
		const nobody = 65534
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Skip("this root may not give files away (a container?): ", err)
		}
		lab.RequireNoError(t, atomicreplace.WriteFile(path, []byte(after), 0o600), lab.Lesson{Says: "WriteFile failed on a file of another user", Did: "root wrote a file of user 65534", Read: read})
		info, err := os.Stat(path)
		lab.RequireNoError(t, err, lab.Lesson{Says: "the file is gone"})
		owner := info.Sys().(*syscall.Stat_t)
		lab.RequireEqual(t, fmt.Sprintf("%d:%d", nobody, nobody), fmt.Sprintf("%d:%d", owner.Uid, owner.Gid), lab.Lesson{
			Says: "WriteFile gave the file to another user", Did: "root wrote a file that belongs to user and group 65534",
			Means: "one save by an administrator, and the user may not open the own file any more", Read: read,
		})
	})
}
