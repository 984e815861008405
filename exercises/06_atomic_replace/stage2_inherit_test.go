package atomicreplace_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/internal/lab"
)

// needLinks skips the test where there are no symbolic links.
func needLinks(t *testing.T) {
	t.Helper()
	link := lab.Path(t, "link")
	if err := os.Symlink("target", link); err != nil {
		t.Skip("this system or user may not make symbolic links: ", err)
	}
	if _, err := os.Readlink(link); err != nil {
		t.Skip("what this system makes for a symbolic link is none (Wine): ", err)
	}
}

func TestALinkStaysAndItsFileIsReplaced(t *testing.T) {
	t.Parallel()
	needLinks(t)
	for _, test := range []struct {
		name, link, points, file string // points is where the link leads to, "" for the absolute path of the file
		exists                   bool
	}{
		{name: "to a file in another directory", link: "links/locks.json", points: "../data/locks.json", file: "data/locks.json", exists: true},
		{name: "to another link", link: "links/locks.json", points: "second.json", file: "data/locks.json", exists: true},
		{name: "by an absolute path", link: "links/locks.json", file: "data/locks.json", exists: true},
		{name: "to a file that does not exist yet", link: "links/locks.json", points: "../data/locks.json", file: "data/locks.json"},
		{
			name: "in a directory that is itself reached by a link", link: "shortcut/locks.json", points: "../real.json",
			file: "deep/real.json", exists: true,
		},
		{name: "and none, in a directory that .. of a link leads to", link: "shortcut/../plain.json", file: "deep/plain.json", exists: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			at := func(name string) string { return dir + string(filepath.Separator) + filepath.FromSlash(name) } // not Join, which cleans
			for _, directory := range []string{"links", "data", "deep/er"} {
				must(t, os.MkdirAll(at(directory), 0o700))
			}
			must(t, os.Symlink(filepath.Join("deep", "er"), at("shortcut")))
			must(t, os.Symlink(filepath.Join("..", "data", "locks.json"), at("links/second.json")))
			if test.exists {
				must(t, os.WriteFile(at(test.file), []byte(before), 0o600))
			}
			isLink := filepath.Base(test.link) == "locks.json"
			if isLink {
				points := filepath.FromSlash(test.points)
				if points == "" {
					points = at(test.file)
				}
				must(t, os.Symlink(points, at(test.link)))
			}
			lesson := lab.Lesson{
				Says:  "Create failed on a symbolic link",
				Did:   fmt.Sprintf("%s, a symbolic link, leads to %s; Create, Write and Commit on it", test.link, test.file),
				Means: "a user who keeps such files elsewhere can save nothing", Read: carryOver,
			}
			if !isLink {
				lesson.Says = "Create failed on a path with .. in it"
				lesson.Did = fmt.Sprintf("shortcut is a link to deep/er, so %s is %s; Create, Write and Commit", test.link, test.file)
			}
			pending := create(t, at(test.link), lesson)
			requireWritten(t, pending, []byte(after), lesson)
			for _, wrong := range []string{".", "links", "deep/er"} {
				names := others(t, at(wrong)+"/locks.json")
				lesson.Says, lesson.Expected = "Create puts the temporary file into the wrong directory", "it is beside "+test.file
				lesson.Found = fmt.Sprintf("%s holds %v", wrong, names)
				lesson.Means = "that directory may be on another file system, where no rename leads out of it, and Sweep does not look there"
				count := map[string]int{".": 4, "links": 1, "deep/er": 0}[wrong] // the link of that name is not among them
				lab.Require(t, len(names) == count, lesson)
			}
			lesson.Says = "Commit failed on a symbolic link"
			lesson.Expected = ""
			lesson.Found = ""
			lesson.Means = "a user who keeps such files elsewhere can save nothing"
			lab.RequireNoError(t, pending.Commit(), lesson)
			if isLink {
				_, err := os.Readlink(at(test.link))
				lesson.Says, lesson.Expected = "Commit replaced the symbolic link by a file", "a symbolic link, as before"
				lesson.Means = "two programs that use the two names now see two lists of locks"
				lab.RequireNoError(t, err, lesson)
			}
			lesson.Says, lesson.Expected, lesson.Found = "Commit did not write the file that the path leads to", "", ""
			lesson.Means = "the change is somewhere, but not where readers look"
			lab.RequireFile(t, at(test.file), after, lesson)
			if info, err := os.Stat(at(test.file)); test.exists && runtime.GOOS != "windows" {
				must(t, err)
				lesson.Says = "Create mistakes the mode of the link for that of its file"
				lesson.Means = "the mode of a link is 0777 and says nothing: what only Alice might read is open to every user"
				lab.RequireEqual(t, "0600", fmt.Sprintf("%04o", info.Mode().Perm()), lesson)
			}
		})
	}

	t.Run("and may lead elsewhere by the next save", func(t *testing.T) {
		t.Parallel()
		link := lab.Path(t, "link.json")
		for n := range 3 {
			file := lab.WriteFile(t, "locks.json", before)
			_ = os.Remove(link) // there is none at first
			must(t, os.Symlink(file, link))
			lesson := lab.Lesson{
				Says: "Commit did not write the file that the path leads to", Read: carryOver,
				Did:   fmt.Sprintf("link.json leads to another file for each WriteFile of one process; WriteFile number %d", n+1),
				Means: "the change is somewhere, but not where readers look",
			}
			lab.RequireNoError(t, atomicreplace.WriteFile(link, []byte(after), 0o644), lesson)
			lab.RequireFile(t, file, after, lesson)
		}
	})

	t.Run("in a circle is an error", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		must(t, os.Symlink("locks.json", path))
		lesson := lab.Lesson{
			Says: "Create mistakes links in a circle for a file", Did: "locks.json is a symbolic link to itself; WriteFile on it", Read: carryOver,
			Means: "one wrong link, and the program hangs, or the link is gone",
		}
		var err error
		lab.Finishes(t, func() { err = atomicreplace.WriteFile(path, []byte(after), 0o644) }, lesson)
		lab.RequireError(t, err, lesson)
		requireAlone(t, path, lab.Lesson{Says: "Create leaves a file behind", Did: lesson.Did, Read: carryOver})
	})
}
