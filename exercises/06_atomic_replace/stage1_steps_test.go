package atomicreplace_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/internal/lab"
)

// A change is a file before a save and after it.
type change struct {
	name     string
	old, new []byte // nil: there is no file
}

var (
	longer = change{"a longer document", []byte(before), []byte(after)}
	first  = change{"the first document", nil, []byte(after)}
)

func changes() []change {
	return []change{
		longer,
		first,
		{"a shorter document", []byte(after), []byte(before)},
		{"an empty document", []byte(before), []byte{}},
		{"an empty first document", nil, []byte{}},
		{"2 MB over 2 MB", bytes.Repeat([]byte("alice,"), 350_000), bytes.Repeat([]byte("bob,"), 525_000)},
	}
}

func TestCreateAndWriteLeaveTheFileAloneUntilCommit(t *testing.T) {
	t.Parallel()
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := place(t, c.old)
			oldBytes := witness(t, path, c.old)
			lesson := lab.Lesson{
				Says: "Create changes the file that it is to replace", Did: "Create on an existing locks.json, before any Write", Read: why,
				Means: "from here to the last byte the only good copy is gone: a reader, or a process crash, finds that moment",
			}
			if c.old == nil {
				lesson.Says, lesson.Did = "Create puts a file in place that has no content yet", "Create where there is no locks.json, before any Write"
				lesson.Means = "a reader finds an empty file, and an empty document is damage"
			}
			pending := create(t, path, lesson)
			requireContent(t, path, c.old, lesson)

			lesson.Says = "Write changes the file before Commit"
			for piece := range bytesInPieces(c.new) {
				lesson.Did = "Create, and a part of the new content written"
				requireWritten(t, pending, piece, lesson)
				requireContent(t, path, c.old, lesson)
			}

			lesson.Did, lesson.Read = fmt.Sprintf("Create, Write of %d bytes, Commit", len(c.new)), fix
			lesson.Says, lesson.Means = "Commit failed although nothing stood in its way", "the change that the user made is not saved"
			lab.RequireNoError(t, pending.Commit(), lesson)
			lesson.Says = "Commit returned nil, and the file does not hold the new content"
			lesson.Means = "the program tells its user that the change is saved, and it is not"
			requireContent(t, path, c.new, lesson)
			if oldBytes != "" {
				lesson.Says, lesson.Means = "Commit writes over the only good copy", "for a moment neither the old nor the new document exists"
				lesson.Did += "; a second name (a hard link) held on to the old file"
				lesson.Read = why
				requireContent(t, oldBytes, c.old, lesson)
				must(t, os.Remove(oldBytes))
			}
			lesson.Says = "Commit left a file behind"
			requireAlone(t, path, lesson)
		})
	}
}

// bytesInPieces yields content in two or more pieces.
func bytesInPieces(content []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for size := max(1, len(content)/3); len(content) > 0; {
			n := min(size, len(content))
			if !yield(content[:n]) {
				return
			}
			content = content[n:]
		}
	}
}

// place returns the path of a locks.json in a directory of the test's own, with that content; nil is no file.
func place(t *testing.T, content []byte) string {
	t.Helper()
	path := lab.Path(t, "locks.json")
	if content != nil {
		must(t, os.WriteFile(path, content, 0o600))
	}
	return path
}

// witness gives the file at path a second name in the same directory and returns it. It returns "" where there is no file, or cannot be.
func witness(t *testing.T, path string, content []byte) string {
	t.Helper()
	second := filepath.Join(filepath.Dir(path), "witness.json")
	if content == nil || os.Link(path, second) != nil {
		return ""
	}
	return second
}

func TestDiscardLeavesTheFileAsItWas(t *testing.T) {
	t.Parallel()
	for _, c := range changes()[:5] {
		t.Run("instead of "+c.name, func(t *testing.T) {
			t.Parallel()
			path := place(t, c.old)
			lesson := lab.Lesson{
				Says: "Discard does not leave the file as it was", Did: "Create, Write, Discard", Read: stream,
				Means: "the caller gave the new content up, because it was not whole, and now it is the file",
			}
			pending := create(t, path, lesson)
			requireWritten(t, pending, c.new, lesson)
			err := pending.Discard()
			requireContent(t, path, c.old, lesson)
			lesson.Says, lesson.Means = "Discard failed although nothing stood in its way", "a deferred Discard reports trouble where there is none"
			lab.RequireNoError(t, err, lesson)
			lesson.Says = "Discard left the temporary file behind"
			requireAlone(t, path, lesson)
		})
	}
	t.Run("and reports a temporary file that stays", func(t *testing.T) { t.Parallel(); discardReportsWhatStays(t) })
	t.Run("and reports none that is gone already", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows removes no file that a program has open")
		}
		path := place(t, []byte(before))
		lesson := lab.Lesson{
			Says: "Discard fails because the temporary file is gone already", Read: stream,
			Did:   "Create, Write; a Sweep in another program removed the temporary file; Discard",
			Means: "a deferred Discard reports trouble where there is none",
		}
		pending := create(t, path, lesson)
		requireWritten(t, pending, []byte(after), lesson)
		for _, name := range others(t, path) {
			must(t, os.RemoveAll(filepath.Join(filepath.Dir(path), name)))
		}
		lab.RequireNoError(t, pending.Discard(), lesson)
	})
}

func TestNothingHappensAfterCommitOrDiscard(t *testing.T) {
	t.Parallel()
	for _, end := range []struct {
		name  string
		by    func(*testing.T, *atomicreplace.Pending, lab.Lesson)
		holds string
	}{
		{"Commit", func(t *testing.T, p *atomicreplace.Pending, l lab.Lesson) { lab.RequireNoError(t, p.Commit(), l) }, after},
		{"Discard", func(t *testing.T, p *atomicreplace.Pending, l lab.Lesson) { lab.RequireNoError(t, p.Discard(), l) }, before},
		{"a Commit that failed", commitRefused, before},
	} {
		t.Run("after "+end.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", before)
			lesson := lab.Lesson{
				Says: end.name + " failed although nothing stood in its way", Did: "Create, Write, " + end.name, Read: stream,
				Means: "the caller cannot tell what the file holds",
			}
			pending := create(t, path, lesson)
			requireWritten(t, pending, []byte(after), lesson)
			end.by(t, pending, lesson)

			requireEnded(t, pending, path, end.name, []byte(end.holds), lesson)
			requireAlone(t, path, lab.Lesson{Says: end.name + " left a file behind", Did: lesson.Did, Read: stream})
		})
	}
	t.Run("even if the temporary file stays", func(t *testing.T) { t.Parallel(); endedAlthoughItStays(t) })
}

// requireEnded demands that the pending file, which is ended, neither writes nor commits nor discards any more. The file at path holds
// content, or is missing if that is nil.
func requireEnded(t *testing.T, pending *atomicreplace.Pending, path, by string, content []byte, lesson lab.Lesson) {
	t.Helper()
	left := strings.Join(others(t, path), ", ")
	did := lesson.Did
	lesson.Did, lesson.Expected, lesson.Found = did+"; then Write once more", "", ""
	for _, late := range []string{"late", ""} {
		_, err := pending.Write([]byte(late))
		lesson.Means = "after Commit the same handle leads to the file that readers have: this is the write in place again"
		requireContent(t, path, content, lesson.Say("Write goes on after %s", by))
		if late == "" {
			lesson.Did, lesson.Means = did+"; then Write of an empty slice", "the caller mistakes this call for one that works"
		}
		lab.RequireErrorIs(t, err, fs.ErrClosed, lesson.Say("Write goes on after %s", by))
	}

	lesson.Did = did + "; then Commit once more"
	lesson.Means = "the caller mistakes this call for one that has saved something, or tried to"
	lab.RequireErrorIs(t, pending.Commit(), fs.ErrClosed, lesson.Say("Commit goes on after %s", by))
	requireContent(t, path, content, lesson.Say("Commit goes on after %s", by))

	lesson = lesson.Say("Discard is not harmless after %s", by)
	lesson.Did = did + "; then Discard once more"
	lesson.Means = "with a deferred Discard, which is there for the ways out before Commit, " +
		"a save that worked is reported as failed, or undone, or another program's file is removed"
	lab.RequireNoError(t, pending.Discard(), lesson)
	requireContent(t, path, content, lesson)
	lab.RequireEqual(t, left, strings.Join(others(t, path), ", "), lesson)
}

// endedAlthoughItStays is about Create, Commit and Discard that fail, in a process to which the kernel refuses every removal.
func endedAlthoughItStays(t *testing.T) {
	t.Helper()
	path := lab.WriteFile(t, "locks.json", before)
	worker := lab.Start(t, "can remove nothing", path)
	for _, c := range []struct{ refused, function string }{
		{"", "Discard"}, {"chmod", "Create"}, {"write", "Commit"}, {"sync", "Commit"}, {"rename", "Commit"},
	} {
		lesson := lab.Lesson{
			Did:  "the kernel refused to remove any file: EACCES; Create, Write, " + c.function,
			Read: refusal, Means: "a copy of the data stays, and no error reports it",
		}
		if c.refused != "" {
			lesson.Did = "the kernel refused to remove any file, EACCES, and a " + c.refused + ", ENOSPC; Create, Write, Commit"
		}
		worker.Send(c.refused)
		var is withoutRemoval
		worker.Result(&is, lesson)
		if is.Unable != "" {
			t.Skip("this test cannot make the kernel refuse calls: ", is.Unable)
		}
		if content, err := os.ReadFile(path); c.refused != "" && (err != nil || string(content) != before) {
			must(t, os.WriteFile(path, []byte(before), 0o600)) // whether a save may end like that is another test's matter
			continue
		}
		first := lesson
		first.Expected, first.Found = "an error that wraps both refusals, the one of the removal too", orNil(is.First.Err)
		lab.Require(t, is.Refusal || c.refused == "", first.Say("%s hides the error of the kernel", c.function))
		if is.Left == "" {
			continue // there was no name, or it is gone in a way that the test does not know
		}
		lab.Require(t, is.Stays, first.Say("%s hides that the temporary file stays", c.function))
		if c.function == "Create" {
			continue
		}
		by := "a " + c.function + " that could not remove the temporary file"
		lesson.Did += "; then Discard, Write, Commit and Discard once more"
		lesson.Means = "a deferred Discard reports the same trouble again, or removes what another program has under that name by now"
		lab.RequireNoError(t, is.Discard.Err, lesson.Say("Discard is not harmless after %s", by))
		lesson.Means = "the caller mistakes this call for one that has saved something, or tried to"
		lab.RequireErrorIs(t, is.Write.Err, fs.ErrClosed, lesson.Say("Write goes on after %s", by))
		lab.RequireErrorIs(t, is.Commit.Err, fs.ErrClosed, lesson.Say("Commit goes on after %s", by))
	}
}

// withoutRemoval is what the calls returned in a process that can remove nothing: the First that failed, and those after it.
type withoutRemoval struct {
	Unable, Left                  string
	First, Write, Commit, Discard lab.Returned
	Refusal, Stays                bool // whether First wraps the error of the refused call, and that of the removal
}

// canRemoveNothing makes a pending file for each set of calls that it receives, which the kernel refuses too, and ends it, by Discard for
// no set: PATH.
func canRemoveNothing(w *lab.Worker) error {
	unable := lab.RefuseAll("remove", syscall.EACCES)
	for {
		var calls string
		if err := w.Receive(&calls); err != nil {
			return nil // the test has seen enough
		}
		var is withoutRemoval
		save := func() {
			pending, err := atomicreplace.Create(w.Arg(0), 0o644)
			if err != nil || pending == nil {
				is.First.Err = err
				return
			}
			_, _ = pending.Write([]byte(after))
			if calls == "" {
				is.First.Err = pending.Discard()
			} else {
				is.First.Err = pending.Commit()
			}
			discarded := pending.Discard()
			_, is.Write.Err = pending.Write([]byte("late"))
			is.Commit.Err, is.Discard.Err = pending.Commit(), errors.Join(discarded, pending.Discard())
		}
		switch {
		case unable != nil:
		case calls == "":
			save()
		default:
			unable = lab.Refuse(calls, syscall.ENOSPC, save)
		}
		if unable != nil {
			is.Unable = unable.Error()
		}
		is.Refusal, is.Stays = errors.Is(is.First.Err, syscall.ENOSPC), errors.Is(is.First.Err, syscall.EACCES)
		entries, err := os.ReadDir(filepath.Dir(w.Arg(0)))
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if entry.Name() != filepath.Base(w.Arg(0)) {
				is.Left = entry.Name()
			}
		}
		if err := w.Result(is); err != nil {
			return err
		}
	}
}

// commitRefused ends the pending file with a Commit that must fail: the kernel refuses what is written.
func commitRefused(t *testing.T, pending *atomicreplace.Pending, lesson lab.Lesson) {
	t.Helper()
	var err error
	failed := lab.Refuse("write", syscall.ENOSPC, func() {
		_, _ = pending.Write([]byte("more"))
		err = pending.Commit()
	})
	if failed != nil {
		t.Skip("this test cannot make the kernel refuse calls: ", failed)
	}
	lesson.Says = "Commit returns nil for a content that the kernel has refused"
	lab.RequireError(t, err, lesson)
}

func TestPendingFilesOnOnePathDoNotShareATemporaryFile(t *testing.T) {
	t.Parallel()
	const means = "two writers share one temporary file: one fills, renames or removes what the other is still writing"

	inOneProcess := func(t *testing.T, old []byte) {
		t.Helper()
		path := place(t, old)
		lesson := lab.Lesson{
			Says: "Create gives two writers one temporary file", Means: means, Read: ownName,
			Did: "two Creates on one path; both wrote in turn; the first was committed, then the second",
		}
		if old == nil {
			lesson.Did += " (there was no file before)"
		}
		alice, bob := create(t, path, lesson), create(t, path, lesson)
		requireWritten(t, alice, []byte(`{"bracket.step":"al`), lesson)
		requireWritten(t, bob, []byte(`{"hinge.step":"bob","bolt.step":"bo`), lesson)
		requireWritten(t, alice, []byte(`ice"}`), lesson)
		lab.RequireNoError(t, alice.Commit(), lesson)
		lab.RequireFile(t, path, `{"bracket.step":"alice"}`, lesson)
		requireWritten(t, bob, []byte(`b"}`), lesson)
		left := len(others(t, path))
		lab.RequireNoError(t, alice.Discard(), lesson)
		lab.RequireFile(t, path, `{"bracket.step":"alice"}`, lesson)
		discards := lesson
		discards.Says, discards.Did = "Discard removes what another writer is writing", lesson.Did+"; a third Create and Discard between the two"
		lab.RequireNoError(t, create(t, path, lesson).Discard(), discards)
		discards.Expected, discards.Found = "the temporary file of the second writer stays", "there is none"
		lab.Require(t, left == len(others(t, path)), discards)
		last := lesson
		last.Says = "Commit fails because another writer was faster"
		last.Means = "the change that the user made is not saved: the last one is to win"
		lab.RequireNoError(t, bob.Commit(), last)
		lab.RequireFile(t, path, `{"hinge.step":"bob","bolt.step":"bob"}`, lesson)
		requireAlone(t, path, lab.Lesson{Says: "Commit left a file behind", Did: lesson.Did, Read: ownName})
	}
	t.Run("in one process", func(t *testing.T) { t.Parallel(); inOneProcess(t, []byte(before)) })
	t.Run("in one process, where there is no file yet", func(t *testing.T) { t.Parallel(); inOneProcess(t, nil) })

	t.Run("in two processes, and a third has been killed", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		lesson := lab.Lesson{
			Says: "Create gives two processes one temporary file", Means: means, Read: ownName,
			Did: "a process was killed between Create and Commit; a second one was there as well and stopped; a third, whose number " +
				"a dead one had had (there is no other in a container), called WriteFile, and the second went on",
		}
		killed, second := lab.Start(t, "hold", path), lab.Start(t, "hold", path)
		killed.Reached("holds", lesson)
		second.Reached("holds", lesson)
		killed.Kill()
		lab.RequireFile(t, path, before, lesson)
		writer := lab.Launch(t, lab.Options{Env: []string{"EARLIER_LIFE=" + path}}, "write")
		// Where there was no earlier life: a name made of the dead process's number, which the kernel may give to the writer.
		for _, name := range others(t, path) {
			taken := strings.ReplaceAll(name, fmt.Sprint(killed.PID()), fmt.Sprint(writer.PID()))
			if taken != name {
				must(t, os.WriteFile(filepath.Join(filepath.Dir(path), taken), []byte(after[:10]), 0o600))
			}
		}
		writer.Send(save{Path: path, Content: before + "\n"})
		var o lab.Returned
		writer.Result(&o, lesson)
		says := lesson
		says.Says = "After a process crash, Create fails in another program"
		says.Means = "what the dead process left stands in the way of later saves, until a person removes it"
		lab.RequireNoError(t, o.Err, says)
		lab.RequireFile(t, path, before+"\n", lesson)
		second.Continue()
		lab.RequireNoError(t, second.Wait(lesson), lesson)
		lab.RequireFile(t, path, after, lesson)
	})

	t.Run("in a crowd", func(t *testing.T) {
		t.Parallel()
		const processes, goroutines = 2, 2
		writes := lab.Rounds(10)
		path := lab.WriteFile(t, "locks.json", before)
		did := fmt.Sprintf("%d processes × %d goroutines × %d WriteFile calls on one path", processes, goroutines, writes)
		crew := make([]*lab.Process, processes)
		whole := map[string]bool{}
		for i := range crew {
			persons := []string{fmt.Sprint("alice", i), fmt.Sprint("bob", i)}
			whole[string(document(persons[0], longSize))], whole[string(document(persons[1], shortSize))] = true, true
			crew[i] = lab.Launch(t, lab.Options{Hold: true}, "write often", path, fmt.Sprint(writes), fmt.Sprint(goroutines), persons[0], persons[1])
		}
		for _, writer := range crew {
			writer.Continue()
		}
		for _, writer := range crew {
			lab.RequireNoError(t, writer.Wait(), lab.Lesson{
				Says:     "WriteFile calls got in each other's way (Create or Commit)",
				Did:      did,
				Expected: "every call returns nil: the last one wins",
				Means:    means,
				Read:     ownName,
			})
		}
		content, err := os.ReadFile(path)
		lab.RequireNoError(t, err, lab.Lesson{Says: "Commit lost the file", Did: did, Means: means, Read: ownName})
		lab.Require(t, whole[string(content)], lab.Lesson{
			Says:     "Commit left a file that no writer had written",
			Did:      did,
			Expected: "the whole content of one of them",
			Found:    lab.Show(content),
			Means:    means,
			Read:     ownName,
		})
		requireAlone(t, path, lab.Lesson{Says: "Commit left a temporary file behind", Did: did, Read: leftOver})
	})
}

func TestReadersOfAnOldOrNewFile(t *testing.T) {
	t.Parallel()

	t.Run("find one of the documents, whole", func(t *testing.T) {
		t.Parallel()
		writes := lab.Rounds(30)
		alice, bob := document("alice", longSize), document("bob", shortSize)
		path := lab.WriteFile(t, "locks.json", string(alice))
		writer := lab.Launch(t, lab.Options{Hold: true}, "write often", path, fmt.Sprint(writes), "1", "alice", "bob")
		stop, found := make(chan struct{}), ""
		var reader sync.WaitGroup
		reader.Go(func() { found = readUntil(stop, path, alice, bob) })
		writer.Continue()
		err := writer.Wait()
		close(stop)
		reader.Wait()
		lesson := lab.Lesson{
			Says:  "WriteFile failed while a process read the file",
			Did:   fmt.Sprintf("%d WriteFile calls with two documents in turn; a reader beside them", writes),
			Means: "the change that the user made is not saved", Read: systems,
		}
		lab.RequireNoError(t, err, lesson)
		lesson.Says = "Create, Write and Commit let a reader find what was never saved"
		lesson.Expected, lesson.Found = "one of the two documents, whole, at every read", found
		lesson.Means, lesson.Read = "the reader fails, or mistakes half a list for the whole: a part that Alice has checked out looks free", why
		lab.Require(t, found == "", lesson)
	})

	t.Run("may have it open for a moment", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS != "windows" {
			t.Skip("only Windows refuses to rename over a file that a program has open")
		}
		path := lab.WriteFile(t, "locks.json", before)
		reader, err := os.Open(path)
		must(t, err)
		defer reader.Close()
		writer := lab.Start(t, "write")
		writer.Send(save{Path: path, Content: after})
		writer.Settle() // it waits for the reader
		must(t, reader.Close())
		lesson := lab.Lesson{
			Says:     "Commit gave up because a reader had the file open for a moment",
			Did:      "a reader had locks.json open while WriteFile replaced it, and closed it after half a second",
			Expected: "Commit waits a little and succeeds", Read: systems,
			Means: "on Windows a save fails now and then, whenever a virus scanner or a viewer looks at the file",
		}
		var o lab.Returned
		writer.Result(&o, lesson)
		lab.RequireNoError(t, o.Err, lesson)
		lab.RequireFile(t, path, after, lesson)
	})
}

// readUntil reads path until stop is closed and returns "" if every read gave one of the documents, and otherwise what the first other one
// gave.
func readUntil(stop <-chan struct{}, path string, documents ...[]byte) string {
	for {
		select {
		case <-stop:
			return ""
		default:
		}
		began := time.Now()
		content, err := os.ReadFile(path)
		if runtime.GOOS == "windows" { // an open reader keeps the writer out there, so readers are to be away most of the time
			time.Sleep(time.Millisecond + 5*time.Since(began))
		}
		switch {
		case err != nil && runtime.GOOS == "windows": // there a replace may refuse a reader for a moment; no data is wrong
		case errors.Is(err, fs.ErrNotExist):
			return "no file of that name"
		case err != nil:
			return err.Error()
		case !bytes.Equal(content, documents[0]) && !bytes.Equal(content, documents[1]):
			return fmt.Sprintf("%d bytes instead of %d or %d: %s", len(content), len(documents[0]), len(documents[1]), lab.Show(content))
		}
	}
}

func TestARefusedWriteChangesNothing(t *testing.T) {
	t.Parallel()

	t.Run("by a limit", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no limit on the size of a process's files, with which the kernel refuses a write here")
		}
		dir := t.TempDir()
		worker := lab.Start(t, "with a limit", dir)
		for _, c := range []struct{ name, says, did string }{
			{"file", "WriteFile", "WriteFile of 100 KB, of which the kernel took 8,192 bytes and refused the rest"},
			{"ignored", "Commit", "the kernel refused a part of a Write; the caller called Commit all the same"},
			{"more", "Commit", "the kernel refused a part of a Write; one more Write worked, and the caller called Commit"},
		} {
			path := filepath.Join(dir, c.name, "locks.json")
			must(t, os.MkdirAll(filepath.Dir(path), 0o700))
			must(t, os.WriteFile(path, []byte(before), 0o600))
			lesson := lab.Lesson{
				Says:  c.says + " puts a content in place that the kernel has refused",
				Did:   c.did,
				Read:  refusal,
				Means: "the list of checkouts ends in the middle, or is gone",
			}
			worker.Send(c.name)
			var o lab.Returned
			worker.Result(&o, lesson)
			lab.RequireFile(t, path, before, lesson)
			lesson.Says = c.says + " returns nil for a content that the kernel has refused"
			lesson.Means = "the program tells its user that the change is saved, and it is not"
			lab.RequireError(t, o.Err, lesson)
			requireCause(t, c.says, o.Err, syscall.EFBIG, lesson)
			lesson.Says = c.says + " fails and leaves its temporary file behind"
			requireAlone(t, path, lesson)
		}
	})

	t.Run("by a full disk", func(t *testing.T) {
		t.Parallel()
		dir, kind := lab.SmallDisk(t, 256<<10)
		alice := document("alice", 100<<10)
		must(t, os.WriteFile(filepath.Join(dir, "locks.json"), alice, 0o600)) // while there is room for it
		for name, old := range map[string][]byte{"locks.json": alice, "first.json": nil} {
			path := filepath.Join(dir, name)
			lesson := lab.Lesson{
				Says:  "WriteFile (Create, Commit) lost the old content on a full disk",
				Did:   "WriteFile of a longer document than there is room for on a " + kind,
				Read:  refusal,
				Means: "the disk is full, and now the list of checkouts is gone too",
			}
			err := atomicreplace.WriteFile(path, document("bob", 400<<10), 0o644)
			requireContent(t, path, old, lesson)
			lesson.Says, lesson.Means = "WriteFile returns nil on a full disk", "the program tells its user that the change is saved, and it is not"
			lab.RequireError(t, err, lesson)
			lesson.Says = "Discard left its file on a full disk"
			lesson.Expected = ""
			lesson.Found = strings.Join(others(t, filepath.Join(dir, "locks.json")), ", ")
			lesson.Means = "the disk stays full because of a save that failed"
			lab.Require(t, lesson.Found == "", lesson)
		}
	})
}

// withALimit does what each of the received orders says in a directory of that name: DIR.
func withALimit(w *lab.Worker) error {
	if err := lab.LimitFileSize(8192); err != nil {
		return err
	}
	long := document("bob", 100_000)
	for {
		var order string
		if err := w.Receive(&order); err != nil {
			return nil // the test has seen enough
		}
		path := filepath.Join(w.Arg(0), order, "locks.json")
		err := func() error {
			if order == "file" {
				return atomicreplace.WriteFile(path, long, 0o644)
			}
			pending, err := atomicreplace.Create(path, 0o644)
			if err != nil {
				return err
			}
			if order == "ignored" {
				_, _ = pending.Write(long) // that is the mistake
				return pending.Commit()
			}
			_, _ = pending.Write(long[:8190])
			_, _ = pending.Write(long[8190:])
			_, _ = pending.Write(nil)
			return pending.Commit()
		}()
		if err := w.Result(lab.Returned{Err: err}); err != nil {
			return err
		}
	}
}

func TestNoHandleStaysOpen(t *testing.T) {
	t.Parallel()
	t.Run("in a child that was started meanwhile", func(t *testing.T) { t.Parallel(); noChildHasIt(t) })
	t.Run("in a child that was started at any moment", func(t *testing.T) { t.Parallel(); noMomentToInherit(t) })
	worker := lab.Start(t, "count handles", lab.WriteFile(t, "locks.json", before), t.TempDir())
	var costs []handleCost
	lesson := lab.Lesson{
		Did:      "one process made each of these calls several times",
		Expected: "no more open handles after it than before",
		Read:     refusal,
		Means:    "a service that saves all day has no handle left in the evening, and can save nothing any more",
	}
	worker.Result(&costs, lesson)
	lab.RequireNoError(t, worker.Wait(), lab.Lesson{Says: "the process that counts its open handles failed", Did: lesson.Did})
	for _, c := range costs {
		lesson.Found = fmt.Sprintf("%d more after %d times", c.More, c.Times)
		lab.Require(t, c.More < c.Times/2, lesson.Say("%s leaves handles open: %s", c.Function, c.Name))
	}
}

// A handleCost is how many more handles are open after a call has been made a number of times.
type handleCost struct {
	Function, Name string
	More, Times    int
}

// noChildHasIt starts another program between Create and Commit, as any other part of the process may.
func noChildHasIt(t *testing.T) {
	t.Helper()
	path := lab.WriteFile(t, "locks.json", before)
	lesson := lab.Lesson{
		Says: "Create lets a child inherit its handles", Read: stream,
		Did:   "Create, Write; the process started another program, which runs on; Commit",
		Means: "that program has a handle to the file that readers have by now: whatever it writes there is a write in place",
	}
	pending := create(t, path, lesson)
	requireWritten(t, pending, []byte(after), lesson)
	child := lab.Start(t, "has it open")
	lab.RequireNoError(t, pending.Commit(), lesson.Say("Commit failed although nothing stood in its way"))
	for name, path := range map[string]string{"locks.json": path, "the directory": filepath.Dir(path)} {
		if name == "the directory" && runtime.GOOS == "windows" {
			continue
		}
		child.Send(path)
		var open bool
		child.Result(&open, lesson)
		lesson.Expected, lesson.Found = "the child has neither the file nor its directory open", "it has "+name+" open"
		lab.Require(t, !open, lesson)
	}
}

func noMomentToInherit(t *testing.T) {
	t.Helper()
	path := lab.WriteFile(t, "locks.json", before)
	lab.RequireNotInherited(t, filepath.Dir(path), func() {
		if pending, err := atomicreplace.Create(path, 0o644); err == nil && pending != nil { // another test's matter
			_ = pending.Discard()
		}
	}, lab.Lesson{
		Says:     "Create lets a child inherit its handles",
		Did:      "two goroutines called Create and Discard again and again; the process started programs that listed their open files",
		Expected: "no program has a file of Create or its directory open",
		Means:    "a program that was started at the wrong moment keeps a handle to the file that readers have by now", Read: stream,
	})
}

// hasItOpen sends for each path that it receives whether this process has it open.
func hasItOpen(w *lab.Worker) error {
	for {
		var path string
		if err := w.Receive(&path); err != nil {
			return nil // the test has seen enough
		}
		open, err := lab.IsOpen(path)
		if err != nil {
			return err
		}
		if err := w.Result(open); err != nil {
			return err
		}
	}
}

const manyCalls = 12

// handleCases end well or not, and hold no handle afterwards. They use the file PATH and the directory DIR, which have that order. Where
// the kernel cannot be made to refuse the calls of a set (lab.Refuse), they ask nothing.
var handleCases = []struct {
	name, function, refuse string
	call                   func(path, dir string)
}{
	{"Create, Write and Commit that work", "Commit", "", saveOnce},
	{"saves in a new directory each", "Commit", "", func(path, dir string) {
		if fresh, err := os.MkdirTemp(dir, ""); err == nil {
			saveOnce(filepath.Join(fresh, "locks.json"), "")
		}
	}},
	{"a temporary file that cannot be created", "Create", "create exclusively", saveOnce},
	{"a mode that cannot be set", "Create", "chmod", saveOnce},
	{"an fsync that fails", "Commit", "sync", saveOnce},
	{"a rename that fails", "Commit", "rename", saveOnce},
	{"a Sweep", "Sweep", "", func(path, _ string) { _, _ = atomicreplace.Sweep(path, time.Hour) }},
	{"a Sweep that finds a young temporary file", "Sweep", "", func(path, _ string) {
		if pending, err := atomicreplace.Create(path, 0o644); err == nil && pending != nil {
			_, _ = atomicreplace.Sweep(path, time.Hour)
			_ = pending.Discard()
		}
	}},
	{"a Sweep that cannot list the directory", "Sweep", "list", func(path, _ string) { _, _ = atomicreplace.Sweep(path, 0) }},
	{"a Discard", "Discard", "", func(path, _ string) {
		if pending, err := atomicreplace.Create(path, 0o644); err == nil && pending != nil {
			_ = pending.Discard()
		}
	}},
	{"a Commit after a failed Write", "Commit", "", func(path, _ string) {
		if pending, err := atomicreplace.Create(path, 0o644); err == nil && pending != nil {
			_, _ = pending.Write(make([]byte, 100_000)) // more than the limit allows
			_ = pending.Commit()
		}
	}},
	{"a Create on a directory", "Create", "", func(_, dir string) { _, _ = atomicreplace.Create(dir, 0o644) }},
	{"a Create in a missing directory", "Create", "", func(_, dir string) {
		_, _ = atomicreplace.Create(filepath.Join(dir, "nowhere", "locks.json"), 0o644)
	}},
}

func saveOnce(path, _ string) { _ = atomicreplace.WriteFile(path, []byte(after), 0o644) }

// countHandles makes each call of handleCases many times, and a save with each of its calls refused in turn. It sends what that has cost:
// PATH DIR.
func countHandles(w *lab.Worker) error {
	if err := lab.LimitFileSize(8192); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	var costs []handleCost
	for _, c := range handleCases {
		more, err := moreHandles(manyCalls, func() error {
			call := func() { c.call(w.Arg(0), w.Arg(1)) }
			if c.refuse != "" {
				return lab.Refuse(c.refuse, syscall.EIO, call)
			}
			call()
			return nil
		})
		if err != nil {
			return err
		}
		costs = append(costs, handleCost{c.function, c.name, more, manyCalls})
	}
	for made, last := 0, false; !last; made++ {
		const times = 4
		var calls []string
		more, err := moreHandles(times, func() (err error) {
			calls, err = lab.RefuseOne(made, syscall.EIO, func() { saveOnce(w.Arg(0), "") })
			return err
		})
		if err != nil {
			return err
		}
		if last = made >= len(calls); last {
			break
		}
		if calls[made] == "close" {
			more -= times // the handle whose close the kernel has refused
		}
		name := fmt.Sprintf("%s, its call number %d, is refused", calls[made], made+1)
		costs = append(costs, handleCost{"WriteFile (Create, Commit)", name, more, times})
	}
	return w.Result(costs)
}

// moreHandles makes the call once and then so many times, and returns how many more handles are open afterwards. Where the kernel
// cannot be made to refuse calls, there are none.
func moreHandles(times int, call func() error) (int, error) {
	first := 0
	for n := range times + 1 {
		if err := call(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return 0, err
		}
		if n > 0 && n < times {
			continue
		}
		count, err := lab.OpenHandles()
		if n == 0 { // the first call may open what the runtime keeps for good
			first = count
		}
		if err != nil || n == times {
			return count - first, err
		}
	}
	return 0, nil
}

// makeSpecial makes files that are no regular ones, by name, where the system has them.
var makeSpecial = map[string]func(path string) error{
	"a directory": func(path string) error {
		return errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "bracket.step"), []byte("solid"), 0o600))
	},
}

func TestCreateRefusesWhatIsNotARegularFile(t *testing.T) {
	t.Parallel()
	for name, special := range makeSpecial {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "locks.json")
			if err := special(path); err != nil {
				t.Skip("this system or user may not make ", name, ": ", err)
			}
			was, err := os.Lstat(path)
			must(t, err)
			lesson := lab.Lesson{
				Says: "Create does not refuse " + name, Did: name + " is at the path; WriteFile", Read: refusal,
				Means: "the programs that use it, such as all that write to /dev/null, are cut off; a save that opens a pipe hangs",
			}
			lab.Finishes(t, func() { err = atomicreplace.WriteFile(path, []byte(after), 0o644) }, lesson)
			lab.RequireError(t, err, lesson)
			is, err := os.Lstat(path)
			lab.RequireNoError(t, err, lesson)
			lesson.Says = "Create refuses " + name + " and changes it all the same"
			lab.RequireEqual(t, was.Mode(), is.Mode(), lesson)
			lab.Require(t, os.SameFile(was, is), lesson)
			requireAlone(t, path, lab.Lesson{Says: "Create refuses " + name + " and leaves a file behind", Did: lesson.Did, Read: refusal})
		})
	}

	t.Run("a missing directory", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "nowhere")
		lesson := lab.Lesson{
			Says:  "Create does not report a missing directory",
			Did:   "WriteFile in a directory that does not exist",
			Read:  refusal,
			Means: "a mistyped path becomes a new directory, or a save that no reader finds",
		}
		lab.RequireErrorIs(t, atomicreplace.WriteFile(filepath.Join(dir, "locks.json"), nil, 0o644), fs.ErrNotExist, lesson)
		lab.RequireNoFile(t, dir, lesson)
	})
}

func TestTheTemporaryFile(t *testing.T) {
	t.Parallel()
	t.Run("is beside the target", func(t *testing.T) { t.Parallel(); isBesideTheTarget(t) })
	t.Run("has a name that no file has", func(t *testing.T) { t.Parallel(); harmsNoOtherFile(t) })
	t.Run("has a name that is not too long", func(t *testing.T) { t.Parallel(); takesEveryName(t) })
}

func isBesideTheTarget(t *testing.T) {
	t.Helper()
	dir, elsewhere, nowhere := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "nowhere")
	must(t, os.WriteFile(filepath.Join(dir, "locks.json"), []byte(before), 0o600))
	noTemp := []string{"TMPDIR=" + nowhere, "TMP=" + nowhere, "TEMP=" + nowhere}
	worker := lab.Launch(t, lab.Options{Dir: dir, Env: noTemp}, "in another directory", elsewhere)
	lesson := lab.Lesson{
		Says:     "Create needs the system's directory for temporary files",
		Did:      `TMPDIR names a missing directory; WriteFile on "locks.json", a path without a directory`,
		Expected: "no error: the temporary file belongs beside locks.json", Read: ownName,
		Means: "that directory is often on another file system, and a rename does not cross file systems: on such a machine no save succeeds",
	}
	var o lab.Returned
	worker.Result(&o, lesson)
	lab.RequireNoError(t, o.Err, lesson)
	worker.Reached("saved", lesson)
	lab.RequireFile(t, filepath.Join(dir, "locks.json"), before+"\n", lesson)
	worker.Continue()

	lesson = lab.Lesson{
		Says: "Commit follows the working directory", Did: `Create on "locks.json"; the process changed its working directory; Write, Commit`,
		Means: "the new content is in a directory that the caller never named, and the file is not saved", Read: stream,
	}
	worker.Result(&o, lesson)
	lab.RequireNoError(t, o.Err, lesson)
	lab.RequireFile(t, filepath.Join(dir, "locks.json"), after, lesson)
	lab.RequireNoFile(t, filepath.Join(elsewhere, "locks.json"), lesson)
	requireAlone(t, filepath.Join(dir, "locks.json"), lab.Lesson{
		Says: "Commit left its temporary file in the first directory",
		Did:  lesson.Did,
		Read: stream,
	})
	requireAlone(t, filepath.Join(elsewhere, "locks.json"), lab.Lesson{
		Says: "Create put its temporary file into the second directory",
		Did:  lesson.Did,
		Read: stream,
	})
}

// inAnotherDirectory uses relative paths, and goes to another directory between Create and Commit: ELSEWHERE.
func inAnotherDirectory(w *lab.Worker) error {
	if err := w.Result(lab.Returned{Err: atomicreplace.WriteFile("locks.json", []byte(before+"\n"), 0o644)}); err != nil {
		return err
	}
	w.Reached("saved")
	pending, err := atomicreplace.Create("locks.json", 0o644)
	if err == nil {
		if err := os.Chdir(w.Arg(0)); err != nil {
			return err
		}
		_, err = pending.Write([]byte(after))
		err = errors.Join(err, pending.Commit())
	}
	return w.Result(lab.Returned{Err: err})
}

func takesEveryName(t *testing.T) {
	t.Helper()
	for name, file := range map[string]string{
		"254 bytes":           strings.Repeat("n", 249) + ".json",
		"255 bytes":           strings.Repeat("n", 250) + ".json",
		"many bytes a letter": strings.Repeat("é", 127),
		"a hidden name":       ".locks",
		"spaces and brackets": "my [locks] *.json",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), file)
			if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
				t.Skip("this file system does not take that name: ", err)
			}
			lesson := lab.Lesson{
				Says:  "Create fails for a name that the file system takes",
				Did:   "WriteFile on a file whose name has " + name,
				Read:  ownName,
				Means: "os.WriteFile saves this file, and WriteFile cannot",
			}
			lab.RequireNoError(t, atomicreplace.WriteFile(path, []byte(after), 0o644), lesson)
			lab.RequireFile(t, path, after, lesson)
			requireAlone(t, path, lab.Lesson{Says: "Commit left a file behind", Did: lesson.Did, Read: ownName})
		})
	}
}

func harmsNoOtherFile(t *testing.T) {
	t.Helper()
	names := []string{
		"locks.json.tmp", ".locks.json.tmp", "locks.json.new", "locks.json.temp", "locks.json~", ".locks.json.swp", "locks.json.bak",
		"locks.tmp", "tmp", ".tmp",
		fmt.Sprintf("locks.json.%d", os.Getpid()), fmt.Sprintf(".locks.json.%d.tmp", os.Getpid()), fmt.Sprintf("locks.json.tmp.%d", os.Getpid()),
	}
	plants := map[string]func(path, victim string) error{
		"files": func(path, _ string) error { return os.WriteFile(path, []byte("mine"), 0o600) },
		"links": func(path, victim string) error { return os.Symlink(victim, path) },
	}
	for kind, plant := range plants {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if kind == "links" {
				needLinks(t)
			}
			path, victim := lab.WriteFile(t, "locks.json", before), lab.WriteFile(t, "payroll.json", "precious")
			for _, name := range names {
				if err := plant(filepath.Join(filepath.Dir(path), name), victim); err != nil {
					t.Skip("this system or user may not make symbolic links: ", err)
				}
			}
			lesson := lab.Lesson{
				Says:  "Create uses a name that other programs can guess",
				Did:   "other programs' " + kind + " were beside locks.json, under names such as locks.json.tmp; WriteFile",
				Read:  ownName,
				Means: "it writes over another program's file, or, through a link that another user planted, over any file that this process may write",
			}
			lab.RequireNoError(t, atomicreplace.WriteFile(path, []byte(after), 0o644), lesson)
			lab.RequireFile(t, victim, "precious", lesson)
			for _, name := range names {
				if kind == "files" {
					lab.RequireFile(t, filepath.Join(filepath.Dir(path), name), "mine", lesson)
				} else if _, err := os.Readlink(filepath.Join(filepath.Dir(path), name)); err != nil {
					lesson.Found = err.Error()
					lab.Fail(t, lesson)
				}
			}
			lab.RequireFile(t, path, after, lesson)
			lab.RequireEqual(t, len(names), len(others(t, path)), lesson)
		})
	}
}
