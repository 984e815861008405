package jsonfiles_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/exercises/04_json_files"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

// The kernel's refusals and the other programs' moves that no file in a directory can bring about.

func TestAFileThatCannotBeReadIsNotJudged(t *testing.T) {
	t.Parallel()
	lab.EachErrno(t, func(t *testing.T, errno error) {
		t.Parallel()
		lesson := lab.Lesson{
			Says:     "Load judged what it could not read",
			Did:      "the kernel refused to open the file for reading: " + errno.Error(),
			Expected: other + ": " + errno.Error(),
			Means:    "a file that could not be read passes for missing or damaged, and the cause is hidden",
			Read:     missed,
		}
		path := lab.WriteFile(t, "locks.json", taken)
		const opening = "open for reading"
		var doc *jsonfiles.Document
		var err error
		refusing(t, opening, errno, "Load", func() { doc, err = jsonfiles.Load(path) })
		lesson.Found = found(doc, err)
		lab.Require(t, err != nil, lab.Lesson{
			Says:     "Load needs more than the right to read",
			Did:      "the kernel refused to open any file for reading alone: " + errno.Error(),
			Expected: lesson.Expected,
			Found:    "Load opened the file for writing too, and returned " + lesson.Found,
			Means:    "a colleague who may look, and not change anything, sees nothing",
			Read:     fix,
		})
		lab.Require(t, verdictOf(err) == other && errors.Is(err, errno), lesson)
		requireNamed(t, path, err)
		requireNoDocument(t, doc, lesson)

		function := "Save"
		for _, generation := range []int64{0, 6} {
			doc = documentOf(generation, 1)
			before := snapshot(doc)
			refusing(t, opening, errno, function, func() { err = jsonfiles.Save(path, doc) })
			function = "The Save after a refused one"
			lesson.Says, lesson.Expected, lesson.Found = "Save overwrote a document that it could not read", "", ""
			requireKept(t, path, taken, lesson)
			requireDocumentKept(t, before, doc, lesson.Did)
			if verdictOf(err) == changed {
				continue // this Save opens the file for reading and writing at once, which was not refused, and knows its generation
			}
			lesson.Says = "Save did not pass on that the file cannot be read"
			lesson.Expected, lesson.Found = other+": "+errno.Error(), found(nil, err)
			lab.Require(t, verdictOf(err) == other && errors.Is(err, errno), lesson)
		}

		path = lab.WriteFile(t, "locks.json", "{")
		refusing(t, opening, errno, "SetAside", func() { _, err = jsonfiles.SetAside(path) })
		lesson.Says, lesson.Expected, lesson.Found = "SetAside took away what could not be read", "", ""
		requireUntouched(t, path, "{", lesson)
		lesson.Says = "SetAside did not report that the file cannot be read"
		lesson.Expected, lesson.Found = other+": "+errno.Error(), found(nil, err)
		lab.Require(t, verdictOf(err) == other && errors.Is(err, errno), lesson)
	}, syscall.EACCES, syscall.EMFILE)

	all := []struct {
		name string
		when int
	}{{"the second read fails with EIO", 2}, {"every read fails with EIO", 0}}
	for _, c := range all[:lab.Rounds(len(all))] {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", taken)
			lesson := lab.Lesson{
				Says:     "Load judged what it could not read",
				Did:      "the file held a good document; " + c.name + " (injected by strace)",
				Expected: other + ": " + syscall.EIO.Error(),
				Means:    "what was read is a part of the file at best; the rest may be anything, and the cause is hidden",
				Read:     missed,
			}
			rule := lab.Rule{Calls: "read,pread64", Paths: []string{path}, Fail: syscall.EIO, When: c.when}
			worker := lab.Trace(t, rule, lab.Options{}, "load", path)
			loaded := reportOf(t, worker.Process, "load", lesson)
			if len(worker.Injected()) == 0 {
				return // this Load knows after one read that it has the whole file
			}
			lesson.Found = loaded.Text
			lab.Require(t, loaded.Verdict == other && strings.Contains(loaded.Text, syscall.EIO.Error()), lesson)
			lesson.Expected = "an error with the path …/locks.json"
			lab.Require(t, strings.Contains(loaded.Text, "locks.json"), lesson.Say("Load's error does not name the file"))
		})
	}
}

// stopping runs call and stops it before its system calls, or skips the test where the system cannot do that.
func stopping(t *testing.T, call func(), at func(name string), lesson lab.Lesson) {
	t.Helper()
	err := lab.Watch(call, at)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this test cannot stop a thread at its calls: ", err)
	}
	lab.RequireNoError(t, err, lesson)
}

func TestSaveDoesNotReplaceAFileThatAppearsMeanwhile(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says: "Save overwrote a file that another program had just created",
		Did: "there was no file; a new document was saved, and before one of the system calls of Save another program created " +
			"the file",
		Means: "the other program's checkouts are gone, and it was told that they were saved",
		Read:  known,
	}
	for number := 1; ; number++ {
		path := lab.Path(t, "locks.json")
		doc := documentOf(0, 1)
		before := snapshot(doc)
		stops, planted := 0, false
		var err error
		stopping(t, func() { err = jsonfiles.Save(path, doc) }, func(string) {
			if stops++; stops != number {
				return
			}
			if _, failed := os.Lstat(path); failed != nil {
				write(t, path, taken)
				planted = true
			}
		}, lesson)
		if !planted {
			return // from here on the name is Save's
		}
		requireKept(t, path, taken, lesson)
		silent := lesson
		silent.Says = "Save did not report that the file had changed"
		lab.RequireErrorIs(t, err, jsonfiles.ErrChanged, silent)
		requireDocumentKept(t, before, doc, lesson.Did)
	}
}

func TestSaveReportsEveryErrorOfTheCallsThatWrite(t *testing.T) {
	t.Parallel()
	longer := taken + strings.Repeat("\n", 2000)
	for _, c := range []struct{ name, what, old string }{
		{"write", "write", longer},
		{"write, over a shorter one", "write", taken},
		{"write, the first time", "write", ""},
		{"truncate", "truncate", longer},
		{"close", "close", longer},
		{"close, the first time", "close", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lab.EachErrno(t, func(t *testing.T, errno error) {
				path, doc := lab.Path(t, "locks.json"), documentOf(0, 10)
				if c.old != "" {
					write(t, path, c.old)
					doc.Generation = 7
				}
				requireRefusedWrite(t, path, doc, c.what, errno)
			}, syscall.EIO, syscall.EDQUOT)
		})
	}

	// Each call by itself: not all that opens, as by a limit, but this file, this time. A Save must not try another way.
	for name, isThere := range map[string]bool{"the first time": false, "over a document": true} {
		t.Run("one call alone, "+name, func(t *testing.T) {
			t.Parallel()
			lab.EachErrno(t, func(t *testing.T, errno error) {
				var usual *refusedSave // without a refusal
				for made := -1; ; made++ {
					one := saveWithOneRefused(t, isThere, made, errno)
					if made < 0 {
						usual = one
						continue
					}
					if made >= len(one.calls) {
						return
					}
					one.judge(t, usual)
				}
			}, syscall.EACCES, syscall.EIO)
		})
	}
}

// requireNotChanged demands that a refusal is not reported as another program's change.
func requireNotChanged(t *testing.T, err error, lesson lab.Lesson) {
	t.Helper()
	lesson.Found = found(nil, err)
	lesson.Means = "the caller loads the document again and repeats the change, for ever: no other program has changed anything"
	lab.Require(t, !errors.Is(err, jsonfiles.ErrChanged), lesson.Say("Save reported a change where there was none"))
}

// requireRefusedWrite demands that Save passes on what the kernel refuses, leaves path and doc as they were, and succeeds afterwards.
func requireRefusedWrite(t *testing.T, path string, doc *jsonfiles.Document, what string, errno error) {
	t.Helper()
	old, _ := os.ReadFile(path)
	before := snapshot(doc)
	lesson := lab.Lesson{
		Says:     "Save did not report that it saved nothing",
		Did:      "a document was saved while the kernel refused each " + what + ": " + errno.Error(),
		Expected: "an error that wraps the kernel's: " + errno.Error(),
		Means:    "the caller believes that the checkout is on the disk",
		Read:     refusal,
	}
	var err error
	refusing(t, what, errno, "Save", func() { err = jsonfiles.Save(path, doc) })
	if err == nil && what == "truncate" { // a Save that has no need to shorten a file
		lesson = lesson.Say("Save reported success, and the file does not hold the document")
		lesson.Expected = ""
		requireSame(t, doc, load(t, path, lesson), lesson)
		return
	}
	lesson.Found = found(nil, err)
	lab.Require(t, errors.Is(err, errno), lesson)
	requireNotChanged(t, err, lesson)
	requireDocumentKept(t, before, doc, lesson.Did)
	lesson.Expected, lesson.Found = "", ""
	if old == nil {
		lesson.Says = "Save left a broken first document behind"
		lesson.Means = "the caller was told that nothing was saved, and the next program finds what is damaged, or was never promised"
		lab.RequireNoFile(t, path, lesson)
	}
	if what != "write" {
		return // the bytes have been written, so what remains of a document is not promised
	}
	if old != nil {
		lesson.Says = "Save destroyed the old document before it had a new one"
		lesson.Means = "the kernel refuses one write, and every checkout of the workshop is gone"
		requireKept(t, path, string(old), lesson)
	}
	lesson.Says = "Save left something behind that stops the next Save"
	lesson.Did += "; then it was saved without any refusal"
	lesson.Means = "the disk has room again, and the workshop stays closed"
	lab.RequireNoError(t, saving(t, path, doc), lesson)
	requireSame(t, doc, load(t, path, lesson), lesson)
	lesson.Says = "Save leaves a new file behind for each attempt"
	requireNoFilesLeft(t, path, lesson)
}

// A refusedSave is what became of a Save of which one call was refused.
type refusedSave struct {
	path      string
	doc       *jsonfiles.Document
	before    string // of doc
	old       string // the file's content; empty if there was none
	calls     []string
	made      int // how many of them were made before the one that was refused
	errno     error
	err       error
	samePlace bool // the file at path is the one that was there
}

// keptMode is not the mode of a temporary file.
const keptMode os.FileMode = 0o640

// saveWithOneRefused lets the kernel refuse the call after so many others, or none if made is below 0.
func saveWithOneRefused(t *testing.T, isThere bool, made int, errno error) *refusedSave {
	t.Helper()
	s := &refusedSave{path: lab.Path(t, "locks.json"), doc: documentOf(0, 1), made: made, errno: errno}
	if isThere {
		s.doc.Generation, s.old = 7, taken+strings.Repeat("\n", 2000)
		write(t, s.path, s.old)
		must(t, os.Chmod(s.path, keptMode))
	}
	s.before = snapshot(s.doc)
	then, _ := os.Stat(s.path)
	if made < 0 {
		made = 1 << 30
	}
	calls, failed := lab.RefuseOne(made, errno, func() { s.err = jsonfiles.Save(s.path, s.doc) })
	lab.RequireRefuse(t, failed)
	if made >= len(calls) {
		lab.RequireNoError(t, s.err, failedOnGood)
	}
	s.calls = calls
	now, _ := os.Stat(s.path)
	s.samePlace = then != nil && now != nil && os.SameFile(then, now)
	if isThere && now != nil && runtime.GOOS != "windows" {
		refused := ""
		if made < len(calls) {
			refused = fmt.Sprintf("; call %d of them was refused", made+1)
		}
		lab.RequireEqual(t, keptMode, now.Mode(), lab.Lesson{
			Says: "Save left the file with another mode",
			Did: fmt.Sprintf("a document of mode %v was saved over; the calls of Save were %s%s",
				keptMode, strings.Join(calls, ", "), refused),
			Means: "people who share the file cannot read it any more, or others can",
			Read:  refusal,
		})
	}
	return s
}

// judge demands that Save has passed the refusal on and left things as they were, or had no need of the call. A Save that usually writes
// in place must not put another file there when it may not, nor the other way round, nor give itself the right to write.
func (s *refusedSave) judge(t *testing.T, usual *refusedSave) {
	t.Helper()
	call := s.calls[s.made]
	if call == "unlinkat" {
		return // it tidies up; what was saved by then is not promised
	}
	lesson := lab.Lesson{
		Did:   fmt.Sprintf("a document was saved; the kernel refused %s, call %d of Save: %s", call, s.made+1, s.errno.Error()),
		Means: "the caller believes that the checkout is on the disk",
		Read:  refusal,
	}
	if s.err == nil {
		lesson = lesson.Say("Save reported success, and the file does not hold the document")
		got, err := jsonfiles.Load(s.path) // what the kernel has not closed is open
		lesson.Found = found(got, err)
		lab.Require(t, err == nil && got != nil, lesson)
		requireSame(t, s.doc, got, lesson)
		lesson.Expected = "an error that wraps the kernel's: " + s.errno.Error()
		lesson.Found = "no error, and not the file, or the mode, that Save leaves as a rule; the calls were " + strings.Join(s.calls, ", ")
		lesson.Means = "a file that its owner has protected is changed or replaced, although the kernel had refused to change it"
		chmods := func(s *refusedSave) bool { return strings.Contains(strings.Join(s.calls, " "), "fchmod") }
		lab.Require(t, s.old == "" || s.samePlace == usual.samePlace && (chmods(s) == chmods(usual) || !s.samePlace),
			lesson.Say("Save went another way when the kernel refused the first"))
		return
	}
	lesson.Expected, lesson.Found = "an error that wraps the kernel's: "+s.errno.Error(), found(nil, s.err)
	lab.Require(t, errors.Is(s.err, s.errno), lesson.Say("Save did not pass on what the kernel refused"))
	requireNotChanged(t, s.err, lesson)
	requireDocumentKept(t, s.before, s.doc, lesson.Did)
	lesson.Expected, lesson.Found = "", ""
	if s.old == "" {
		lesson.Means = "the caller was told that nothing was saved, and the next Save meets a file that it does not know"
		lab.RequireNoFile(t, s.path, lesson.Say("Save left a broken first document behind"))
	} else {
		lesson.Means = "a missing file passes for a first start, and every checkout of the workshop is gone"
		_, err := os.Lstat(s.path)
		lab.RequireNoError(t, err, lesson.Say("Save removed a document that it could not replace"))
	}
	if call == "close" {
		return // a file that the kernel does not close keeps its locks
	}
	requireClosed(t, s.path, "Save", s.err)
	if content, _ := os.ReadFile(s.path); string(content) == s.old {
		lesson.Did += "; then it was saved without any refusal"
		lesson.Means = "what was in the way is gone, and the workshop stays closed"
		lab.RequireNoError(t, saving(t, s.path, s.doc), lesson.Say("Save left something behind that stops the next Save"))
		requireNoFilesLeft(t, s.path, lesson.Say("Save leaves a new file behind for each attempt"))
	}
}

func TestSetAsideThatTheKernelRefusesChangesNothing(t *testing.T) {
	t.Parallel()

	t.Run("to create a name", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			path := lab.WriteFile(t, "locks.json", "{")
			kept := path + ".damaged-1"
			write(t, kept, "yesterday's")
			lesson := onlyEvidence
			lesson.Says = "SetAside destroyed a file that was set aside before"
			lesson.Did = "locks.json.damaged-1 existed; SetAside was called while the kernel refused to create any file: " + errno.Error()
			var name string
			var err error
			refusing(t, "create exclusively", errno, "SetAside", func() { name, err = jsonfiles.SetAside(path) })
			requireKept(t, kept, "yesterday's", lesson)
			if err == nil { // a SetAside that creates no file
				lab.RequireFile(t, name, "{", lesson)
				return
			}
			requireKept(t, path, "{", lesson)
			requireNoName(t, name, err)
			lesson.Says = "SetAside did not report why no name can be created"
			lesson.Expected, lesson.Found = other+": "+errno.Error(), found(nil, err)
			lab.Require(t, errors.Is(err, errno), lesson)
		}, syscall.EMFILE, syscall.ENOSPC)
	})

	left := onlyEvidence
	left.Says = "SetAside left something in the directory though it failed"
	left.Means = "what is left looks like a second damaged document"

	t.Run("to rename", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			path := lab.WriteFile(t, "locks.json", "{")
			lesson := left
			lesson.Did = "the kernel refused to rename: " + errno.Error()
			var name string
			var err error
			refusing(t, "rename", errno, "SetAside", func() { name, err = jsonfiles.SetAside(path) })
			requireNoName(t, name, err)
			if err == nil { // a link, or a copy, made without a rename
				requireUntouched(t, name, "{", lesson)
				return
			}
			requireUntouched(t, path, "{", lesson)
			lesson.Says = "SetAside did not report why it failed"
			lesson.Expected, lesson.Found = other+": "+errno.Error(), found(nil, err)
			lab.Require(t, errors.Is(err, errno), lesson)
		}, syscall.EIO, syscall.EPERM, syscall.ENOENT) // the last: another program took the file away a moment ago
	})

	// In a process of its own SetAside's handles are counted too.
	for name, calls := range map[string]string{"to remove the old name": trace.Removes, "to rename, with its handles counted": trace.Renames} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", "{")
			lesson := left
			lesson.Did = "the kernel refused to rename or remove locks.json (EIO, injected by strace)"
			rule := lab.Rule{Calls: calls, Paths: []string{path}, Fail: syscall.EIO}
			set := reportOf(t, lab.Trace(t, rule, lab.Options{}, "set aside", path, "-1").Process, "set aside", lesson)
			where := path
			if set.Verdict == success { // it had no need of the call
				where = set.Name
			}
			requireUntouched(t, where, "{", lesson)
		})
	}
}
