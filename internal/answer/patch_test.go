package answer_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/toybook"
	"example/turnstile/internal/udiff"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		from, to answer.Answer
		want     string
	}{
		{"equal answers", toybook.Answer("a.go", "x\r\n"), toybook.Answer("a.go", "x\n"), ""},
		{
			"two changes far apart are two hunks",
			toybook.Answer("a.go", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"), toybook.Answer("a.go", "one\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n"),
			"--- a/a.go\n+++ b/a.go\n@@ -1,4 +1,4 @@\n-1\n+one\n 2\n 3\n 4\n@@ -8,3 +8,4 @@\n 8\n 9\n 10\n+11\n",
		},
		{
			"changes six lines apart share a hunk",
			toybook.Answer("a.go", "1\n2\n3\n4\n5\n6\n7\n8\n"), toybook.Answer("a.go", "one\n2\n3\n4\n5\n6\n7\neight\n"),
			"--- a/a.go\n+++ b/a.go\n@@ -1,8 +1,8 @@\n-1\n+one\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+eight\n",
		},
		{
			"new and removed files",
			toybook.Answer("b.go", "b\n"), toybook.Answer("a.go", "a\n"),
			"--- /dev/null\n+++ b/a.go\n@@ -0,0 +1 @@\n+a\n--- a/b.go\n+++ /dev/null\n@@ -1 +0,0 @@\n-b\n",
		},
		{
			"no newline at the end",
			toybook.Answer("a.go", "a\nb"), toybook.Answer("a.go", "a\nb\n"),
			"--- a/a.go\n+++ b/a.go\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, string(answer.Diff("a", "b", tt.from, tt.to)))
		})
	}
}

// The patch(1) tool is the judge of what a unified diff is.
func TestDiffIsWhatPatchReads(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("patch")
	if err != nil {
		t.Skip("there is no patch(1) on this machine")
	}
	from := toybook.Answer("same.go", "same\n", "changed.go", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "removed.go", "gone\n", "tail.go", "a\nb")
	to := toybook.Answer("same.go", "same\n", "changed.go", "0\n1\n2\n4\n5\n6\n7\n8\n8\n9\n10\n11", "added.go", "new\n", "tail.go", "a\nc")
	folder := t.TempDir()
	for name, text := range from {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), text, 0o666))
	}
	command := exec.CommandContext(t.Context(), tool, "-p1", "--fuzz=0")
	command.Dir = folder
	command.Stdin = bytes.NewReader(answer.Diff("a", "b", from, to))
	said, err := command.CombinedOutput()
	require.NoError(t, err, string(said))
	patched, err := answer.Read(folder)
	require.NoError(t, err)
	assert.Equal(t, to, patched)
}

func FuzzDiffApply(f *testing.F) {
	f.Add("1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\nfour\n5\n6\n7\n8\n9", "", "new\n", uint8(0))
	f.Add("", "a\n", "a\r\nb\r", "a\nb", uint8(1))
	f.Add("a\na\na\nb\na\na\n", "a\nb\na\na\na\n", "--- a\n+++ b\n", "@@ -1 +1 @@\n\\ x\n", uint8(2))
	f.Fuzz(func(t *testing.T, old1, new1, old2, new2 string, missing uint8) {
		from, to := toybook.Answer("a.go", old1, "b.go", old2), toybook.Answer("a.go", new1, "b.go", new2)
		if missing&1 != 0 {
			delete(from, "b.go")
		}
		if missing&2 != 0 {
			delete(to, "a.go")
		}
		patch := answer.Patch{Path: "fuzz.patch", Diff: answer.Diff("a", "b", from, to)}
		if from.Equal(to) {
			require.Empty(t, patch.Diff)
			return
		}
		got, err := patch.Apply(from)
		require.NoError(t, err, string(patch.Diff))
		require.True(t, got.Equal(to), "%s\n%q", patch.Diff, got)
		refitted, refit, err := patch.Refit(from)
		require.NoError(t, err)
		require.Zero(t, refit.Moved)
		require.Empty(t, refit.Rejected)
		require.True(t, refitted.Equal(to))
	})
}

const twenty = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n"

func patchOf(t *testing.T, from, to answer.Answer) answer.Patch {
	t.Helper()
	return answer.Patch{Path: "/x/solutions/03_seek/wrong/02_no_seek.patch", Diff: answer.Diff("a", "b", from, to)}
}

func TestApply(t *testing.T) {
	t.Parallel()
	reference := toybook.Answer("a.go", twenty)
	changed := toybook.Answer("a.go", strings.Replace(twenty, "10\n", "ten\n", 1))
	patch := patchOf(t, reference, changed)

	t.Run("the reference stays as it is", func(t *testing.T) {
		got, err := patch.Apply(reference)
		require.NoError(t, err)
		assert.Equal(t, changed, got)
		assert.Equal(t, twenty, string(reference["a.go"]))
	})
	t.Run("a CRLF reference", func(t *testing.T) {
		got, err := patch.Apply(toybook.Answer("a.go", strings.ReplaceAll(twenty, "\n", "\r\n")))
		require.NoError(t, err)
		assert.Equal(t, changed, got)
	})
	t.Run("lines that moved are refused, and refitted on request", func(t *testing.T) {
		moved := toybook.Answer("a.go", "0\n"+twenty)
		_, err := patch.Apply(moved)
		var mismatch *answer.PatchError
		require.ErrorAs(t, err, &mismatch)
		assert.Equal(t, []any{"a.go", 1, 7, `"7"`, `"6"`}, []any{mismatch.File, mismatch.Hunk, mismatch.Line, mismatch.Expected, mismatch.Found})
		require.ErrorContains(t, err, "go run ./internal/cmd/patch refresh 03")
		require.ErrorContains(t, err, "lay 03 wrong/02_no_seek DIR")

		got, refit, err := patch.Refit(moved)
		require.NoError(t, err)
		assert.Equal(t, udiff.Refit{Moved: 1}, refit)
		assert.Equal(t, "0\n"+string(changed["a.go"]), string(got["a.go"]))
	})
	t.Run("a line that changed is not guessed", func(t *testing.T) {
		_, refit, err := patch.Refit(toybook.Answer("a.go", strings.Replace(twenty, "11\n", "eleven\n", 1)))
		require.NoError(t, err)
		require.Len(t, refit.Rejected, 1)
		assert.Contains(t, refit.Rejected[0], "+ten\n")
	})
	t.Run("two places that fit are none", func(t *testing.T) {
		_, refit, err := patch.Refit(toybook.Answer("a.go", "0\n"+twenty+twenty))
		require.NoError(t, err)
		assert.Len(t, refit.Rejected, 1)
	})
	t.Run("a file that the reference lacks or has", func(t *testing.T) {
		_, err := patch.Apply(toybook.Answer("b.go", "b\n"))
		require.ErrorContains(t, err, "expected the file in the reference, found b.go")
		_, err = patchOf(t, toybook.Answer(), toybook.Answer("a.go", "a\n")).Apply(reference)
		require.ErrorContains(t, err, "expected no such file in the reference")
		_, err = patchOf(t, toybook.Answer("a.go", "1\n"), toybook.Answer()).Apply(reference)
		require.ErrorContains(t, err, `expected nothing left after the removal, found "2"`)
	})
}

func TestDamagedDiff(t *testing.T) {
	t.Parallel()
	const head = "--- a/a.go\n+++ b/a.go\n"
	for _, tt := range []struct{ name, diff, want string }{
		{"nothing", "", "holds no diff"},
		{"no second name", "--- a/a.go\n", "expected `--- a/FILE`"},
		{"no hunk", head, "has no hunk"},
		{"a header that is none", head + "@@ something @@\n 1\n", "expected a header"},
		{"too few lines", head + "@@ -1,2 +1,2 @@\n-1\n+one\n", "the hunk has 1 old and 1 new lines"},
		{"too many lines", head + "@@ -1 +1 @@\n-1\n+one\n+two\n", "expected `--- a/FILE`"},
		{"a line of no kind", head + "@@ -1,2 +1,2 @@\n-1\n*\n", "expected a line of the hunk"},
		{"line 0", head + "@@ -0,1 +1 @@\n-1\n+one\n", "counted from 1"},
		{"a number too big", head + "@@ -99999999999999999999 +1 @@\n-1\n+one\n", "out of range"},
		{"a renamed file", "--- a/a.go\n+++ b/b.go\n@@ -1 +1 @@\n-1\n+one\n", "not renamed"},
		{"a file twice", head + "@@ -1 +1 @@\n-1\n+one\n" + head + "@@ -1 +1 @@\n-1\n+one\n", "comes twice"},
		{"a test", "--- a/a_test.go\n+++ b/a_test.go\n@@ -1 +1 @@\n-1\n+one\n", "not the name of an answer file"},
		{"no change", head + "@@ -1 +1 @@\n-1\n+1\n", "changes nothing"},
		{"from nowhere to nowhere", "--- /dev/null\n+++ /dev/null\n", "cannot come from /dev/null"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := answer.Patch{Path: "x.patch", Diff: []byte(tt.diff)}.Apply(toybook.Answer("a.go", twenty))
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestPatchFiles(t *testing.T) {
	t.Parallel()
	const diff = "--- a/double.go\n+++ b/double.go\n@@ -4,3 +4,3 @@\n func Double(n int) int {\n-\treturn 2 * n\n+\treturn 3 * n\n }\n"
	const wrong = "solutions/01_one/wrong/"
	text := "It adds\r\ntwice.\r\n\r\ncaught by: TestX/a case\r\nsays: \"is \\\"x\\\"\"\r\nonly on: linux, windows\r\n\r\n" + strings.ReplaceAll(diff, "\n", "\r\n")
	book := toybook.New(t, toybook.Lesson("01_one", "Part One, Files"), toybook.Files{
		wrong + "02_crlf.patch": text, wrong + "notes.txt": "no patch",
		"solutions/01_one/right/01_shift.patch": "Another design.\n\n" + diff,
	})
	e := toybook.Find(t, book, "1")
	patches, err := answer.Wrong(e)
	require.NoError(t, err)
	require.Len(t, patches, 2)
	assert.Equal(t, "wrong/00_as_shipped", patches[0].Name)
	assert.Equal(t, "It adds one instead of doubling.", patches[0].Sentence)
	assert.True(t, patches[0].RunsOn("plan9"))
	got := patches[1]
	assert.Equal(t, []any{"wrong/02_crlf", "It adds twice.", "TestX/a case", `is "x"`, []string{"linux", "windows"}, diff},
		[]any{got.Name, got.Sentence, got.CaughtBy, got.Says, got.OnlyOn, string(got.Diff)})
	assert.True(t, got.RunsOn("windows"))
	assert.False(t, got.RunsOn("darwin"))
	reference, err := answer.Reference(e)
	require.NoError(t, err)
	applied, err := got.Apply(reference)
	require.NoError(t, err)
	assert.Contains(t, string(applied["double.go"]), "3 * n")

	right, err := answer.Right(e)
	require.NoError(t, err)
	require.Len(t, right, 1)
	assert.Equal(t, "Another design.", right[0].Sentence)

	for _, tt := range []struct{ name, path, text, want string }{
		{"no sentence", wrong, "caught by: TestX\nsays: \"x\"\n\n" + diff, "write one sentence"},
		{"a sentence to be written", wrong, "TODO: say it\n\ncaught by: TestX\nsays: \"x\"\n\n" + diff, "write one sentence"},
		{"no test", wrong, "Wrong.\n\nsays: \"x\"\n\n" + diff, "name the test that must fail"},
		{"no message", wrong, "Wrong.\n\ncaught by: TestX\n\n" + diff, "what the test says"},
		{"a message without quotes", wrong, "Wrong.\n\ncaught by: TestX\nsays: x\n\n" + diff, "between double quotes"},
		{"a right answer that is caught", "solutions/01_one/right/", "Right.\n\ncaught by: TestX\n\n" + diff, "caught by no test"},
		{"a damaged diff", wrong, "Wrong.\n\ncaught by: TestX\nsays: \"x\"\n\n--- a/double.go\n", "is damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(book.Root, filepath.FromSlash(tt.path), "09_x.patch")
			require.NoError(t, os.WriteFile(path, []byte(tt.text), 0o666))
			_, err := answer.ReadPatch(path)
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, path)
			require.NoError(t, os.Remove(path))
		})
	}
}
