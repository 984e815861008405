package jsonfiles_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"example/turnstile/exercises/04_json_files"
	"example/turnstile/internal/lab"
)

var onlyEvidence = lab.Lesson{
	Means: "the damaged file is all that is left of the checkouts: with it goes the last chance to mend them",
	Read:  evidence,
}

func TestSetAsideGivesEachDamagedFileANameOfItsOwn(t *testing.T) {
	t.Parallel()

	t.Run("three in a row", func(t *testing.T) {
		t.Parallel()
		path := newPath(t)
		damaged := []string{taken[:100], "", `{"version":1,"generation":1,"checkouts":{},"queue":["bob"]}`}
		kept := make(map[string]string)
		for _, content := range damaged {
			write(t, path, content)
			aside, err := settingAside(t, path)
			lesson := onlyEvidence
			lesson.Says = "SetAside did not set a damaged file aside"
			lesson.Did = "the file held " + lab.Show([]byte(content))
			lab.RequireNoError(t, err, lesson)
			lab.RequireNoFile(t, path, lesson)
			lesson.Says = "SetAside returned another name than its contract promises"
			lesson.Expected, lesson.Found = path+".damaged-…", aside
			lab.Require(t, strings.HasPrefix(aside, path+".damaged-"), lesson)
			kept[aside] = content
		}
		lesson := onlyEvidence
		lesson.Says = "SetAside overwrote a file that was set aside before"
		lesson.Did = "locks.json was damaged and set aside three times; the copies were counted, then read"
		lesson.Expected, lesson.Found = "3 files", strings.Join(names(t, filepath.Dir(path)), ", ")
		lab.Require(t, len(names(t, filepath.Dir(path))) == len(damaged), lesson)
		lesson.Expected, lesson.Found = "", ""
		for aside, content := range kept {
			lab.RequireFile(t, aside, content, lesson)
		}
	})

	t.Run("after a gap in the numbers", func(t *testing.T) {
		t.Parallel()
		path := newPath(t)
		kept := path + ".damaged-2"
		write(t, kept, "yesterday's")
		lesson := onlyEvidence
		lesson.Says = "SetAside overwrote a file that was set aside before"
		lesson.Did = "locks.json.damaged-2 existed, locks.json.damaged-1 had been removed; a damaged file was set aside, twice"
		for range 2 {
			write(t, path, "{")
			_, err := settingAside(t, path)
			lab.RequireFile(t, kept, "yesterday's", lesson)
			lab.RequireNoError(t, err, lesson)
		}
	})

	t.Run("beside a link that leads nowhere", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows lets only some users create symbolic links")
		}
		path := newFile(t, "{")
		link := path + ".damaged-1"
		must(t, os.Symlink("nowhere", link))
		_, err := settingAside(t, path)
		lesson := onlyEvidence
		lesson.Says = "SetAside took a name that was not free"
		lesson.Did = "locks.json.damaged-1 was a symbolic link that leads nowhere: Stat reports no file, and yet the name is taken"
		lesson.Means = "it asks first and renames afterwards: a file that gets the name in between is destroyed as well"
		target, _ := os.Readlink(link)
		lesson.Expected, lesson.Found = "a link to nowhere", fmt.Sprintf("a link to %q", target)
		lab.Require(t, target == "nowhere", lesson)
		lab.RequireNoError(t, err, lesson)
	})

	t.Run("though a thousand names are taken", func(t *testing.T) {
		t.Parallel()
		path := newFile(t, "{")
		for number := range 1001 {
			write(t, fmt.Sprintf("%s.damaged-%d", path, number), "")
		}
		lesson := onlyEvidence
		lesson.Says = "SetAside gave up although a name was free"
		lesson.Did = "locks.json.damaged-0 to locks.json.damaged-1000 existed when a damaged file was set aside"
		_, err := settingAside(t, path)
		lab.RequireNoError(t, err, lesson)
		lab.RequireNoFile(t, path, lesson)
	})

	t.Run("though the path is a symbolic link", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows lets only some users create symbolic links")
		}
		target, path := lab.WriteFile(t, "shared.json", "{"), newPath(t)
		must(t, os.Symlink(target, path))
		aside, err := settingAside(t, path)
		lesson := onlyEvidence
		lesson.Says = "SetAside did not give the link at the path a new name"
		lesson.Did = "locks.json was a symbolic link to a damaged file"
		lesson.Means = "the path is not free: the next Save finds a link that leads nowhere, and the workshop stays closed"
		lab.RequireNoError(t, err, lesson)
		lab.RequireNoFile(t, path, lesson)
		lesson.Expected, lesson.Found = path+".damaged-…", aside
		lab.Require(t, strings.HasPrefix(aside, path+".damaged-"), lesson)
		lesson.Expected, lesson.Found = "", ""
		lab.RequireFile(t, aside, "{", lesson)
	})

	t.Run("claimed before the rename", func(t *testing.T) {
		t.Parallel()
		path := newFile(t, "{")
		lesson := onlyEvidence
		lesson.Says = "SetAside renamed the file to a name that it had not claimed"
		lesson.Did = "SetAside was stopped before and after each rename, and the names in the directory were compared"
		lesson.Expected = "a name that no other program can take by then: it exists already, and belongs to SetAside"
		lesson.Means = "another program that takes this name a moment earlier loses its file, since rename replaces"
		last, before := "", names(t, filepath.Dir(path))
		look := func(call string) {
			now := names(t, filepath.Dir(path))
			for _, name := range now {
				if last == "renameat" && !slices.Contains(before, name) && lesson.Found == "" {
					lesson.Found = "the rename made the name " + name + ", which had been free"
				}
			}
			last, before = call, now
		}
		var err error
		stopping(t, func() { _, err = jsonfiles.SetAside(path) }, look, lesson)
		look("the end")
		lab.Require(t, lesson.Found == "", lesson)
		lesson.Says = "SetAside did not set a damaged file aside"
		lesson.Expected = ""
		lab.RequireNoError(t, err, lesson)
	})
}

func TestAPathIsUsedAsGiven(t *testing.T) {
	t.Parallel()
	t.Run("and no other name", onlyThePath)
	for _, c := range []struct{ name, path, where string }{
		{"a name alone", "locks.json", ""},
		{"a name after a dot", "./locks.json", ""},
		{"a name of odd letters", " 100%d%s\n`*?\\$é", ""},
		{"through a link and back", "link/../locks.json", "deep"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && !strings.HasSuffix(c.name, "alone") && !strings.HasSuffix(c.name, "dot") {
				t.Skip("Windows has no such names, and shortens a path before it looks for the file")
			}
			directory := lab.SharedDir(t)
			did := "the process had another working directory when it began; it went to the one of the file and called the functions there"
			place := filepath.Join(directory, c.where)
			if c.where != "" {
				must(t, os.MkdirAll(filepath.Join(place, "inner"), 0o700))
				must(t, os.Chmod(filepath.Join(place, "inner"), 0o755)) //nolint:gosec // an unprivileged worker goes through it
				must(t, os.Chmod(place, 0o777))                         //nolint:gosec // and creates files here
				must(t, os.Symlink(filepath.Join(c.where, "inner"), filepath.Join(directory, "link")))
				did = "link led to deep/inner, so that link/../locks.json is deep/locks.json; the user could create files in deep alone"
			}
			file := filepath.Join(place, filepath.Base(c.path))
			write(t, file, taken)
			must(t, os.Chmod(file, 0o666)) //nolint:gosec // an unprivileged worker writes it
			if c.where != "" {
				must(t, os.Chmod(directory, 0o555))                       //nolint:gosec // that is the test
				t.Cleanup(func() { must(t, os.Chmod(directory, 0o700)) }) //nolint:gosec // so that it can be removed
			}
			lesson := lab.Lesson{
				Did:   did + fmt.Sprintf("; the path was %q", c.path),
				Means: "the program uses a file that its user did not name, or does not find the one that was named",
				Read:  fix,
			}
			process := lab.Launch(t, lab.Options{Dir: lab.SharedDir(t), Unprivileged: true}, "elsewhere", directory, c.path)
			var reported []outcome
			process.Result(&reported, lesson)
			lab.RequireNoError(t, process.Wait(lesson), lesson)
			for _, call := range reported {
				lesson.Expected, lesson.Found = call.Want, call.Text
				lab.Require(t, call.Verdict == call.Want, lesson.Say("%s did not work on the path that it was given", call.Function))
				if call.Want == corrupt || call.Want == newer {
					lesson.Expected, lesson.Found = fmt.Sprintf("%q", c.path), fmt.Sprintf("%q", call.Name)
					lab.Require(t, call.Name == c.path, lesson.Say("Load's error has another Path than Load was given"))
				}
			}
			set := reported[len(reported)-1].Name
			lesson.Expected, lesson.Found = fmt.Sprintf("%q and more", c.path+".damaged-"), fmt.Sprintf("%q", set)
			lab.Require(t, strings.HasPrefix(set, c.path+".damaged-"), lesson.Say("SetAside returned another name than its contract promises"))
			all := names(t, place)
			lesson.Expected, lesson.Found = "the path with .first among the names", fmt.Sprintf("%q", all)
			first := slices.Contains(all, filepath.Base(c.path)+".first")
			lab.Require(t, first, lesson.Say("Save did not create the first file at the path that it was given"))
			lesson.Expected = fmt.Sprintf("%q among the names", filepath.Base(set))
			lab.Require(t, slices.Contains(all, filepath.Base(set)), lesson.Say("SetAside moved the file out of its directory"))
		})
	}
}

func TestSetAsideKeepsTheFile(t *testing.T) {
	t.Parallel()

	t.Run("its permissions", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no permission bits for groups and others")
		}
		for mode, content := range map[os.FileMode]string{0o600: "{", 0o640: "", 0o666: "{"} {
			path := newFile(t, content)
			must(t, os.Chmod(path, mode))
			aside, err := settingAside(t, path)
			lesson := onlyEvidence
			lesson.Says = "SetAside changed the file's permissions"
			lesson.Did = fmt.Sprintf("a damaged file with mode %04o, which held %q, was set aside", mode, content)
			lab.RequireNoError(t, err, lesson)
			info, err := os.Stat(aside)
			lab.RequireNoError(t, err, lesson)
			lesson.Means = "what was private can be read by everyone, or what was shared by its owner alone"
			lesson.Expected, lesson.Found = fmt.Sprintf("%04o", mode), fmt.Sprintf("%04o", info.Mode().Perm())
			lab.Require(t, info.Mode().Perm() == mode, lesson)
		}
	})

	t.Run("all its bytes, though nothing can be written", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no limit of the file size (RLIMIT_FSIZE), by which this test makes a write fail")
		}
		content := "{" + strings.Repeat("\x00", 100_000)
		path := newFile(t, content)
		lesson := onlyEvidence
		lesson.Says = "SetAside lost a part of the damaged file"
		lesson.Did = "a damaged file of 100,001 bytes was set aside while the kernel refused every write"
		set := inWorker(t, lab.Options{}, lesson, "set aside", path, "0")
		where := path // a SetAside that has to write may fail, and must leave the file where it is
		if set.Verdict == success {
			where = set.Name
		}
		requireUntouched(t, where, content, lesson)
	})

	t.Run("while the workshop goes on", func(t *testing.T) {
		t.Parallel()
		path := newFile(t, taken[:100])
		lesson := lab.Lesson{
			Says:  "Save does not begin anew after the damage was set aside",
			Did:   "a damaged file was set aside; then a new document was saved",
			Means: "the workshop stays closed although the evidence is safe",
			Read:  evidence,
		}
		aside, err := settingAside(t, path)
		failed := lesson
		failed.Says = "SetAside did not set a damaged file aside"
		lab.RequireNoError(t, err, failed)
		doc := jsonfiles.New()
		doc.Checkouts["lid.step"] = alice
		lab.RequireNoError(t, saving(t, path, doc), lesson)
		requireSame(t, doc, load(t, path, lesson), lesson)
		lesson.Says = "Save changed the damaged file that was set aside"
		lab.RequireFile(t, aside, taken[:100], lesson)
	})
}

func TestSetAsideThatFailsChangesNothing(t *testing.T) {
	t.Parallel()

	t.Run("where the name would be too long", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("how long a name may be is tried on Unix")
		}
		path := lab.WriteFile(t, strings.Repeat("x", 250), "{")
		lesson := onlyEvidence
		lesson.Says = "SetAside did not report that no name can be created"
		lesson.Did = "the damaged file's name had 250 letters; with .damaged- and a number it is longer than the kernel accepts"
		lesson.Means = "the program reports that the damage is set aside, and it is never mended"
		_, err := settingAside(t, path)
		lab.RequireError(t, err, lesson)
		requireUntouched(t, path, "{", lesson)
	})

	t.Run("where nothing may be created", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("a directory that may be read and not written is tried on Unix")
		}
		path := filepath.Join(lab.SharedDir(t), "locks.json")
		write(t, path, "{")
		must(t, os.Chmod(path, 0o644))                                     //nolint:gosec // an unprivileged worker reads it
		must(t, os.Chmod(filepath.Dir(path), 0o555))                       //nolint:gosec // that is the test
		t.Cleanup(func() { must(t, os.Chmod(filepath.Dir(path), 0o700)) }) //nolint:gosec // so that it can be removed
		lesson := onlyEvidence
		lesson.Says = "SetAside did not report that no name can be created"
		lesson.Did = "the user could read the damaged file and had no permission to write in its directory"
		lesson.Means = "the program hangs, or reports that the damage is set aside, and it is never mended"
		set := inWorker(t, lab.Options{Unprivileged: true}, lesson, "set aside", path, "-1")
		lesson.Expected, lesson.Found = "an error that says why", set.Text
		lab.Require(t, set.Verdict == other, lesson)
		requireUntouched(t, path, "{", lesson)
	})

	t.Run("where a link leads nowhere", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows lets only some users create symbolic links")
		}
		path := newPath(t)
		must(t, os.Symlink("nowhere", path))
		_, err := settingAside(t, path)
		lesson := onlyEvidence
		lesson.Says = "SetAside took away what is not damaged"
		lesson.Did = "locks.json was a symbolic link to a file that does not exist"
		lesson.Means = "a disk that is not mounted yet passes for damage, and a new document takes the place of the link"
		lesson.Expected, lesson.Found = missing+", and the link alone", returned(err)+", and "+strings.Join(names(t, filepath.Dir(path)), ", ")
		_, failed := os.Readlink(path)
		lab.Require(t, verdictOf(err) == missing && failed == nil && len(names(t, filepath.Dir(path))) == 1, lesson)
	})

	t.Run("where there is no file", func(t *testing.T) {
		t.Parallel()
		path := newPath(t)
		_, err := settingAside(t, path)
		lesson := onlyEvidence
		lesson.Says = "SetAside left something in the directory though it failed"
		lesson.Did = "SetAside was called on a path where there is no file"
		lesson.Means = "a person looks for damage that never was"
		lesson.Expected, lesson.Found = "nothing", strings.Join(names(t, filepath.Dir(path)), ", ")
		lab.Require(t, lesson.Found == "", lesson)
		lesson.Says = "SetAside did not report that there is no file"
		lesson.Means = "the caller looks for a copy that does not exist"
		lesson.Expected, lesson.Found = missing, returned(err)
		lab.Require(t, verdictOf(err) == missing, lesson)
	})

	for name, path := range unreadable(t) {
		t.Run("where nothing can be read: "+name, func(t *testing.T) {
			t.Parallel()
			before, _ := os.ReadDir(filepath.Dir(path))
			_, err := settingAside(t, path)
			lesson := onlyEvidence
			lesson.Says = "SetAside took away what could not be read"
			lesson.Did = "the path led to " + name + ", so that nothing could be read"
			lesson.Means = "the content is unknown; it may be good, and the cause is hidden"
			after, _ := os.ReadDir(filepath.Dir(path))
			lesson.Expected, lesson.Found = fmt.Sprint(before), fmt.Sprint(after)
			lab.Require(t, lesson.Expected == lesson.Found, lesson)
			lesson.Says = "SetAside did not report that the file cannot be read"
			lesson.Expected, lesson.Found = other, returned(err)
			lab.Require(t, verdictOf(err) == other, lesson)
		})
	}

	for _, c := range []struct{ name, content, verdict, did string }{
		{"where the document is good", taken, plain, "the file held a good document: a person had mended it in the meantime"},
		{"where the document is newer", `{"version":2}`, newer, "the file held a document of version 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := newFile(t, c.content)
			_, err := settingAside(t, path)
			lesson := onlyEvidence
			lesson.Says = "SetAside took away a file that is not damaged"
			lesson.Did = c.did
			lesson.Means = "the next program finds no file and begins with no checkouts: Bob gets the bracket that Alice is working on"
			requireKept(t, path, c.content, lesson)
			lesson.Means = "a person looks for damage that never was"
			requireUntouched(t, path, c.content, lesson.Say("SetAside left something in the directory though it failed"))
			lesson.Says = "SetAside did not report that it left the file where it was"
			lesson.Means = "the caller goes on as if the path were free"
			lesson.Expected, lesson.Found = "an error: "+c.verdict, returned(err)
			lab.Require(t, verdictOf(err) == c.verdict, lesson)
		})
	}
}
