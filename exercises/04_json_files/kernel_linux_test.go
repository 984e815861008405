package jsonfiles_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
)

// The kernel's refusals and the other program's moves that no file in a directory can bring about: strace injects them.

// traced returns the options for a worker whose calls on the given paths strace watches, and how to read its log afterwards.
func traced(t *testing.T, paths []string, calls, inject string) (lab.Options, func() string) {
	t.Helper()
	args := []string{"-e", "trace=" + calls, "-e", "inject=" + inject}
	for _, path := range paths {
		args = append(args, "-P", path)
	}
	wrap, log := lab.Strace(t, args...)
	return lab.Options{Wrap: wrap}, func() string {
		text, err := os.ReadFile(log)
		must(t, err)
		return string(text)
	}
}

func TestLoadAndSaveReportWhatTheKernelReportsOfReading(t *testing.T) {
	t.Parallel()
	all := []struct{ name, calls, inject, says, generation string }{
		{"open fails with EACCES", "openat", "openat:error=EACCES:when=1", "permission denied", "7"},
		{"open fails with EMFILE", "openat", "openat:error=EMFILE:when=1", "too many open files", "0"},
		{"read fails with EIO", "read,pread64", "read,pread64:error=EIO", "input/output error", "7"},
	}
	for _, c := range all[:lab.Rounds(len(all))] {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", taken)
			lesson := lab.Lesson{
				Says:     "Load judged what it could not read",
				Did:      "the file held a good document; " + c.name + " (injected by strace)",
				Expected: other + ": " + c.says,
				Means:    "a file that could not be read passes for missing or damaged, and the cause is hidden",
				Read:     missed,
			}
			options, _ := traced(t, []string{path}, c.calls, c.inject)
			loaded := inWorker(t, options, lesson, "load", path)
			lesson.Found = loaded.Text
			lab.Require(t, loaded.Verdict == other && strings.Contains(loaded.Text, c.says), lesson)

			options, _ = traced(t, []string{path}, c.calls, c.inject)
			saved := inWorker(t, options, lesson, "save", path, c.generation, "1", "-1")
			lesson.Says = "Save overwrote a document that it could not read"
			lesson.Did = fmt.Sprintf("%s; a document of generation %s was saved over it", lesson.Did, c.generation)
			lesson.Expected, lesson.Found = "", ""
			requireKept(t, path, taken, lesson)
			lesson.Says = "Save did not pass on that the file cannot be read"
			lesson.Expected, lesson.Found = other+": "+c.says, saved.Text
			lab.Require(t, saved.Verdict == other && strings.Contains(saved.Text, c.says), lesson)
			requireKeptInWorker(t, saved, lesson.Did)
		})
	}
}

func TestSaveDoesNotReplaceAFileThatAppearsMeanwhile(t *testing.T) {
	t.Parallel()
	all := []struct{ name, content string }{{"a document", taken}, {"an empty file", ""}}
	for _, c := range all[:lab.Rounds(len(all))] {
		name, content := c.name, c.content
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", content)
			lesson := lab.Lesson{
				Says:  "Save overwrote a file that another program had just created",
				Did:   "Save found no file (strace reported ENOENT once); by the time it wrote there was " + name,
				Means: "the other program's checkouts are gone, and it was told that they were saved",
				Read:  known,
			}
			options, _ := traced(t, []string{path}, "openat", "openat:error=ENOENT:when=1")
			saved := inWorker(t, options, lesson, "save", path, "0", "1", "-1")
			requireKept(t, path, content, lesson)
			lesson.Says = "Save did not report that the file had changed"
			lesson.Expected, lesson.Found = changed, saved.Text
			lab.Require(t, strings.Contains(saved.Verdict, changed), lesson)
			requireKeptInWorker(t, saved, lesson.Did)
		})
	}
}

func TestSaveReportsEveryErrorOfTheCallsThatWrite(t *testing.T) {
	t.Parallel()
	const writes = "write,pwrite64,writev,pwritev,pwritev2"
	all := []struct {
		name, inject string
		isThere      bool
	}{
		{"write fails with EIO", writes + ":error=EIO", true},
		{"close fails with EIO, the first time", "close:error=EIO", false},
		{"close fails with EIO", "close:error=EIO", true},
		{"close fails with EDQUOT", "close:error=EDQUOT", true},
		{"write fails with ENOSPC", writes + ":error=ENOSPC", true},
		{"write fails with EDQUOT, the first time", writes + ":error=EDQUOT", false},
		{"ftruncate fails with EIO", "ftruncate:error=EIO", true},
	}
	for _, c := range all[:lab.Rounds(len(all))] {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path, generation := lab.Path(t, "locks.json"), "0"
			if c.isThere {
				write(t, path, taken)
				generation = "7"
			}
			lesson := lab.Lesson{
				Says:     "Save did not report that it saved nothing",
				Did:      c.name + " (injected by strace) while a document was saved",
				Expected: "an error",
				Means:    "the caller believes that the checkout is on the disk",
				Read:     refusal,
			}
			options, log := traced(t, []string{path}, writes+",close,ftruncate", c.inject)
			saved := inWorker(t, options, lesson, "save", path, generation, "1", "-1")
			if !injectedIntoAWrite(log()) {
				return // this Save writes elsewhere and renames: the call was never made on this file
			}
			lesson.Found = saved.Text
			lab.Require(t, saved.Verdict != success, lesson)
			requireKeptInWorker(t, saved, lesson.Did)
			if !c.isThere {
				lesson.Says = "Save left a first document behind that it did not save"
				lesson.Means = "the caller was told that nothing was saved, and the next program finds a file"
				lesson.Expected, lesson.Found = "", ""
				lab.RequireNoFile(t, path, lesson)
			}
		})
	}
}

// injectedIntoAWrite reports whether strace failed a call that wrote the file or came after one that did.
func injectedIntoAWrite(log string) bool {
	wrote := false
	for line := range strings.Lines(log) {
		wrote = wrote || strings.Contains(line, "write") || strings.Contains(line, "ftruncate")
		if wrote && strings.Contains(line, "INJECTED") {
			return true
		}
	}
	return false
}

func TestSetAsideDoesNotTrustALookAtTheName(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", "{")
	kept := path + ".damaged-1"
	write(t, kept, "theirs")
	const looks = "newfstatat,statx,?lstat,?stat,?access,faccessat,faccessat2,readlinkat,?readlink"
	args := []string{
		"-P", kept, "-P", filepath.Dir(path), "-e", "trace=" + looks + ",getdents64",
		"-e", "inject=" + looks + ":error=ENOENT", "-e", "inject=getdents64:retval=0",
	}
	wrap, _ := lab.Strace(t, args...)
	lesson := onlyEvidence
	lesson.Says = "SetAside overwrote a file that another program had just set aside"
	lesson.Did = "the name locks.json.damaged-1 looked free (strace reported ENOENT), and by the time of the rename another program had it"
	set := inWorker(t, lab.Options{Wrap: wrap}, lesson, "set aside", path, "-1")
	lab.RequireFile(t, kept, "theirs", lesson)
	lesson.Says = "SetAside did not go on to another name"
	lesson.Means = "a name that is taken stops the program, and the damage stays where it is"
	lesson.Expected, lesson.Found = success, set.Text
	lab.Require(t, set.Verdict == success, lesson)
	lab.RequireFile(t, set.Name, "{", lesson)
}

func TestSetAsideTakesItsClaimBackWhereTheRenameFails(t *testing.T) {
	t.Parallel()
	for _, errno := range []string{"EIO", "EPERM"} {
		t.Run(errno, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", "{")
			const moves = "?rename,renameat,renameat2,?link,linkat"
			wrap, _ := lab.Strace(t, "-e", "trace="+moves, "-e", "inject="+moves+":error="+errno)
			lesson := onlyEvidence
			lesson.Says = "SetAside left something in the directory though it failed"
			lesson.Did = "rename failed with " + errno + " (injected by strace)"
			lesson.Means = "an empty file looks like a second damaged document"
			set := inWorker(t, lab.Options{Wrap: wrap}, lesson, "set aside", path, "-1")
			if set.Verdict == success { // a copy, made without a rename
				requireUntouched(t, set.Name, "{", lesson)
				return
			}
			requireUntouched(t, path, "{", lesson)
			lesson.Says = "SetAside returned a name together with an error"
			lesson.Means = "a caller who overlooks the error tells a person to look where nothing is"
			lesson.Expected, lesson.Found = "no name", set.Name
			lab.Require(t, set.Name == "", lesson)
		})
	}
}
