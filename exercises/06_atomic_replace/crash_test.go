package atomicreplace_test

import (
	"fmt"
	"os"
	"testing"

	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/internal/lab"
)

const whatACrashLeaves = `lessons/06_atomic_replace, "What a crash leaves"`

// requireOldOrNew demands what must hold after a crash, and that the crash does not stop the next write.
func requireOldOrNew(t *testing.T, path, did string, documents ...string) {
	t.Helper()
	content, err := os.ReadFile(path)
	lab.RequireNoError(t, err, lab.Lesson{
		Says: "A crash in WriteFile left no file at all", Did: did, Expected: "the old content or the new one, whole",
		Means: "the old document was removed before the new one was in place: after the crash there is none", Read: whatACrashLeaves,
	})
	whole := false
	for _, document := range documents {
		whole = whole || string(content) == document
	}
	lab.Require(t, whole, lab.Lesson{
		Says: "A crash in WriteFile left neither the old nor the new content", Did: did, Expected: "the old content or the new one, whole",
		Found: lab.Show(content), Means: "the list of locks is lost: nobody knows who has which part", Read: whatACrashLeaves,
	})
	err = atomicreplace.WriteFile(path, []byte(after), 0o644)
	lab.RequireNoError(t, err, lab.Lesson{
		Says: "After a crash, WriteFile cannot write any more", Did: did + "; then WriteFile once more",
		Means: "what the crash left stands in the way of every later save, until somebody removes it by hand", Read: `lessons/06_atomic_replace, "A name of its own for each write"`,
	})
	lab.RequireFile(t, path, after, lab.Lesson{Says: "After a crash, WriteFile returns nil and writes something else", Did: did + "; then WriteFile once more", Read: whatACrashLeaves})
}

func TestACrashLeavesOldOrNew(t *testing.T) {
	t.Parallel()

	t.Run("killed in the middle", func(t *testing.T) {
		t.Parallel()
		const parts = 8_000 // 200 KB, so that most of the time is spent writing
		alice, bob := string(document("alice", parts)), string(document("bob", parts/2))
		for crash := range lab.Rounds(4) {
			path := lab.WriteFile(t, "locks.json", alice)
			writer := lab.Start(t, "write often", path, "1000000", fmt.Sprint(parts), "alice", "bob")
			waitForAWrite(t, path, crash)
			writer.Kill()
			requireOldOrNew(t, path, "a process that wrote all the time was killed", alice, bob)
		}
	})

	killAtEachStep(t) // where strace can do it
}

// waitForAWrite returns once the file at path has been changed some times, so that the writer is well on its way.
func waitForAWrite(t *testing.T, path string, changes int) {
	t.Helper()
	last, _ := os.Stat(path)
	lab.Finishes(t, func() {
		for range changes {
			for t.Context().Err() == nil {
				now, err := os.Stat(path)
				if err == nil && last != nil && (now.Size() != last.Size() || !now.ModTime().Equal(last.ModTime())) {
					last = now
					break
				}
			}
		}
	}, lab.Lesson{Says: "WriteFile in a loop does not change the file", Did: "a process that calls WriteFile all the time", Read: whatACrashLeaves})
}
