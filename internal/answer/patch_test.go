package answer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/toybook"
	"example/turnstile/internal/udiff"
)

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

func TestDiffIgnoresLineEndings(t *testing.T) {
	t.Parallel()
	crlf, lf := toybook.Answer("a.go", "1\r\n2\r\n"), toybook.Answer("a.go", "1\n2\n")
	assert.Empty(t, answer.Diff("a", "b", crlf, lf))
	assert.Equal(t, "--- a/a.go\n+++ b/a.go\n@@ -1,2 +1,2 @@\n 1\n-2\n+two\n",
		string(answer.Diff("a", "b", crlf, toybook.Answer("a.go", "1\r\ntwo\r\n"))))
}

func TestDamagedPatch(t *testing.T) {
	t.Parallel()
	const head = "--- a/a.go\n+++ b/a.go\n"
	for _, tt := range []struct{ name, diff, want string }{
		{"nothing", "", "holds no diff"},
		{"no hunk", head, "has no hunk"},
		{"a test", "--- a/a_test.go\n+++ b/a_test.go\n@@ -1 +1 @@\n-1\n+one\n", "not the name of an answer file"},
		{"no change", head + "@@ -1 +1 @@\n-1\n+1\n", "changes nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := answer.Patch{Path: "x.patch", Diff: []byte(tt.diff)}.Apply(toybook.Answer("a.go", twenty))
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, "x.patch")
		})
	}
}

func TestPatchFiles(t *testing.T) {
	t.Parallel()
	const diff = "--- a/double.go\n+++ b/double.go\n@@ -4,3 +4,3 @@\n func Double(n int) int {\n-\treturn 2 * n\n+\treturn 3 * n\n }\n"
	const wrong = "solutions/01_one/wrong/"
	text := "It adds\r\ntwice.\r\n\r\ncaught by: TestX/a case\r\nsays: \"is \\\"x\\\"\"\r\nonly on: linux, " +
		"windows\r\n\r\n" + strings.ReplaceAll(diff, "\n", "\r\n")
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
