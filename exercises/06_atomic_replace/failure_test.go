package atomicreplace_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/internal/lab"
)

const whenAStepFails = `lessons/06_atomic_replace, "When a step fails"`

func TestAFailedWriteChangesNothing(t *testing.T) {
	t.Parallel()

	t.Run("the disk is full", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no limit on the size of a process's files, which plays the full disk here")
		}
		path := lab.WriteFile(t, "locks.json", before)
		writer := lab.Start(t, "write", path, "4000", "8192") // 100 KB into a file that may have 8
		did := "the disk took 8,192 bytes of a longer document and refused the rest"

		var o lab.Returned
		writer.Result(&o)
		lab.RequireFile(t, path, before, lab.Lesson{
			Says: "WriteFile failed half way and took the old content with it", Did: did,
			Means: "the disk is full, and now the list of locks is gone too", Read: whenAStepFails,
		})
		lab.Require(t, o.Err != nil, lab.Lesson{
			Says: "WriteFile says nil for a write that failed", Did: did, Expected: "an error", Found: "nil",
			Means: "the program tells its user that the change is saved, and it is not", Read: whenAStepFails,
		})
		requireAlone(t, path, lab.Lesson{Says: "A failed WriteFile left its temporary file behind", Did: did, Read: whenAStepFails})
	})

	t.Run("again and again", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		worker := lab.Start(t, "count handles", path)
		lesson := lab.Lesson{
			Did:      fmt.Sprintf("one process called WriteFile %d times; half of the calls failed, where the system has a limit that fails them", manyWrites),
			Expected: "about as many open handles after the last call as after the first two", Means: "a service that saves all day has no handle left in the evening, and can save nothing any more", Read: whenAStepFails,
		}
		var more int
		worker.Result(&more, lesson)
		lab.RequireNoError(t, worker.Wait(), lab.Lesson{Says: "the process that counts its open handles failed", Did: lesson.Did})
		lesson.Says, lesson.Found = "WriteFile leaves handles open", fmt.Sprintf("%d more", more)
		lab.Require(t, more < manyWrites/4, lesson)
	})

	t.Run("what stands at the path is no regular file", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		if err := makeNamedPipe(path); err != nil {
			t.Skip("this system has no named pipes among its files: ", err)
		}
		var o lab.Returned
		lesson := lab.Lesson{
			Says: "WriteFile does not refuse what is no regular file", Did: "a named pipe has that name; WriteFile",
			Means: "the programs that talk through the pipe, or /dev/null itself, would be cut off; a save that opens the pipe hangs", Read: whenAStepFails,
		}
		writer := lab.Start(t, "write", path, "0")
		writer.Result(&o, lesson)
		lesson.Expected, lesson.Found = "an error, and the pipe is still there", "nil"
		lab.Require(t, o.Err != nil, lesson)
		info, err := os.Lstat(path)
		lab.RequireNoError(t, err, lesson)
		lesson.Found = "an error, and no pipe any more"
		lab.Require(t, info.Mode()&os.ModeNamedPipe != 0, lesson)
	})

	t.Run("a folder stands at the path", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		inside := filepath.Join(path, "bracket.step")
		lab.RequireNoError(t, os.Mkdir(path, 0o700), lab.Lesson{Says: "the test could not make its own folder"})
		lab.RequireNoError(t, os.WriteFile(inside, []byte("solid"), 0o600), lab.Lesson{Says: "the test could not write its own file"})
		did := "WriteFile where a folder with a file in it has that name"

		err := atomicreplace.WriteFile(path, []byte(after), 0o644)
		lab.RequireError(t, err, lab.Lesson{
			Says: "WriteFile says nil for a write that cannot be done", Did: did,
			Means: "the program tells its user that the change is saved, and it is not", Read: whenAStepFails,
		})
		lab.RequireFile(t, inside, "solid", lab.Lesson{Says: "WriteFile removed what was in its way", Did: did, Means: "a folder of the user's work is gone", Read: whenAStepFails})
		requireAlone(t, path, lab.Lesson{Says: "A failed WriteFile left its temporary file behind", Did: did, Read: whenAStepFails})
	})
}

func TestTheTempFileStandsBesideTheTarget(t *testing.T) {
	t.Parallel()

	t.Run("of a path without a folder", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		err := lab.Run(t, "write and sweep here", filepath.Dir(path))
		lesson := lab.Lesson{
			Says: "WriteFile or Sweep fails for a path without a folder", Did: "a process in the folder of locks.json called WriteFile and Sweep on \"locks.json\"", Expected: "no error",
			Means: "the program works in one folder and not in another", Read: `lessons/06_atomic_replace, "A name of its own for each write"`,
		}
		lab.RequireNoError(t, err, lesson)
		lab.RequireFile(t, path, after, lesson)
	})

	path := lab.WriteFile(t, "locks.json", before)
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	writer := lab.Launch(t, lab.Options{Env: []string{"TMPDIR=" + nowhere, "TMP=" + nowhere, "TEMP=" + nowhere}}, "write", path, "0")

	var o lab.Returned
	writer.Result(&o)
	lab.RequireNoError(t, o.Err, lab.Lesson{
		Says: "WriteFile needs the system's folder for temporary files", Did: "WriteFile in a process whose TMPDIR names a folder that is not there",
		Expected: "no error: the temporary file belongs beside locks.json",
		Means:    "that folder is often another file system (tmpfs), and a rename does not cross file systems: on such a machine no save succeeds",
		Read:     `lessons/06_atomic_replace, "A name of its own for each write"`,
	})
}

func TestALinkIsFollowed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		// place makes the folders below dir, the link's own path and the path of the file that it leads to.
		link, points, file string
		exists             bool
	}{
		{name: "to a file in another folder", link: "links/locks.json", points: filepath.Join("..", "data", "locks.json"), file: "data/locks.json", exists: true},
		{name: "to another link", link: "links/locks.json", points: "second.json", file: "data/locks.json", exists: true},
		{name: "by an absolute path", link: "links/locks.json", points: "", file: "data/locks.json", exists: true},
		{name: "to a file that is not there yet", link: "links/locks.json", points: filepath.Join("..", "data", "locks.json"), file: "data/locks.json"},
		{name: "in a folder that is itself reached by a link", link: "shortcut/locks.json", points: filepath.Join("..", "real.json"), file: "deep/real.json", exists: true},
	}
	t.Run("in a circle is an error", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		if err := os.Symlink("locks.json", path); err != nil {
			t.Skip("this system or user may not make symbolic links: ", err)
		}
		if _, err := os.Readlink(path); err != nil {
			t.Skip("what this system makes for a symbolic link is none (Wine): ", err)
		}
		lesson := lab.Lesson{
			Says: "WriteFile does not come back from links in a circle", Did: "locks.json is a symbolic link to itself; WriteFile on it", Expected: "an error",
			Means: "one wrong link, and the program hangs", Read: `lessons/06_atomic_replace, "What a rename does not carry over"`,
		}
		writer := lab.Start(t, "write", path, "0")
		var o lab.Returned
		writer.Result(&o, lesson)
		lesson.Says, lesson.Found, lesson.Means = "WriteFile says nil for links in a circle", "nil", "the link is gone, or nothing was saved"
		lab.Require(t, o.Err != nil, lesson)
	})

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
			setUp := func(err error) {
				t.Helper()
				lab.RequireNoError(t, err, lab.Lesson{Says: "the test could not make its own folders"})
			}
			for _, folder := range []string{"links", "data", "deep/er"} {
				setUp(os.MkdirAll(at(folder), 0o700))
			}
			if err := os.Symlink(filepath.Join("deep", "er"), at("shortcut")); err != nil {
				t.Skip("this system or user may not make symbolic links: ", err)
			}
			if _, err := os.Readlink(at("shortcut")); err != nil {
				t.Skip("what this system makes for a symbolic link is none (Wine): ", err)
			}
			if test.exists {
				setUp(os.WriteFile(at(test.file), []byte(before), 0o600))
			}
			if test.points == "" {
				test.points = at(test.file)
			}
			setUp(os.Symlink(filepath.Join("..", "data", "locks.json"), at("links/second.json")))
			setUp(os.Symlink(test.points, at(test.link)))

			err := atomicreplace.WriteFile(at(test.link), []byte(after), 0o644)
			did, left := fmt.Sprintf("%s is a symbolic link to %s; WriteFile on the link", test.link, test.points), "the file that the link named keeps the old content"
			if !test.exists {
				did, left = fmt.Sprintf("%s is a symbolic link to %s, which does not exist yet; WriteFile on the link", test.link, test.points), "the file that the link names is not there"
			}
			read := `lessons/06_atomic_replace, "What a rename does not carry over"`
			lab.RequireNoError(t, err, lab.Lesson{Says: "WriteFile failed on a symbolic link", Did: did, Means: "a user who keeps such files elsewhere can save nothing", Read: read})
			info, err := os.Lstat(at(test.link))
			lab.RequireNoError(t, err, lab.Lesson{Says: "WriteFile removed a symbolic link", Did: did, Read: read})
			lab.Require(t, info.Mode()&os.ModeSymlink != 0, lab.Lesson{
				Says: "WriteFile replaced a symbolic link by a file", Did: did, Expected: "a symbolic link, as before", Found: "a regular file",
				Means: left + "; two programs that use the two names now see two lists of locks", Read: read,
			})
			lab.RequireFile(t, at(test.file), after, lab.Lesson{
				Says: "WriteFile did not write the file that the link names", Did: did, Means: "the change is somewhere, but not where readers look", Read: read,
			})
			if test.exists && runtime.GOOS != "windows" {
				info, err := os.Stat(at(test.file))
				lab.RequireNoError(t, err, lab.Lesson{Says: "the file is gone", Did: did, Read: read})
				lab.RequireEqual(t, "0600", fmt.Sprintf("%04o", info.Mode().Perm()), lab.Lesson{
					Says: "WriteFile changed the mode of the file that the link names", Did: did + "; the file had mode 0600",
					Means: "the mode of a link is 0777 and says nothing: what only Alice might read is open to everybody", Read: read,
				})
			}
		})
	}
}

// writeAndSweepHere uses a path without a folder: DIR.
func writeAndSweepHere(w *lab.Worker) error {
	if err := os.Chdir(w.Arg(0)); err != nil {
		return err
	}
	if err := atomicreplace.WriteFile("locks.json", []byte(after), 0o644); err != nil {
		return err
	}
	_, err := atomicreplace.Sweep("locks.json", 0)
	return err
}

// manyWrites is how often countHandles writes.
const manyWrites = 40

// countHandles writes a short document and one that does not fit, in turn, and sends how many handles that has cost: PATH.
func countHandles(w *lab.Worker) error {
	if err := lab.LimitFileSize(8192); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	first := 0
	for i := range manyWrites {
		document := document("bob", 10)
		if i%2 == 1 {
			document = append(document, make([]byte, 100_000)...)
		}
		_ = atomicreplace.WriteFile(w.Arg(0), document, 0o644) // every other one fails: that is the plan
		if i == 1 {                                            // the first calls open what the runtime keeps for good
			count, err := lab.OpenHandles()
			if err != nil {
				return err
			}
			first = count
		}
	}
	last, err := lab.OpenHandles()
	if err != nil {
		return err
	}
	return w.Result(last - first)
}
