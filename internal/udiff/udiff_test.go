package udiff_test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/udiff"
)

// files makes a set of files of names and texts in turn.
func files(namesAndTexts ...string) map[string][]byte {
	set := map[string][]byte{}
	for pair := range slices.Chunk(namesAndTexts, 2) {
		set[pair[0]] = []byte(pair[1])
	}
	return set
}

func equal(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }

func TestDiff(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		from, to map[string][]byte
		want     string
	}{
		{"equal files", files("a.go", "x\n"), files("a.go", "x\n"), ""},
		{"nothing at all", nil, nil, ""},
		{
			"a carriage return is a byte as any other", files("a.go", "x\r\n"), files("a.go", "x\n"),
			"--- a/a.go\n+++ b/a.go\n@@ -1 +1 @@\n-x\r\n+x\n",
		},
		{
			"two changes far apart are two hunks",
			files("a.go", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"), files("a.go", "one\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n"),
			"--- a/a.go\n+++ b/a.go\n@@ -1,4 +1,4 @@\n-1\n+one\n 2\n 3\n 4\n@@ -8,3 +8,4 @@\n 8\n 9\n 10\n+11\n",
		},
		{
			"changes six lines apart share a hunk",
			files("a.go", "1\n2\n3\n4\n5\n6\n7\n8\n"), files("a.go", "one\n2\n3\n4\n5\n6\n7\neight\n"),
			"--- a/a.go\n+++ b/a.go\n@@ -1,8 +1,8 @@\n-1\n+one\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+eight\n",
		},
		{
			"new and removed files",
			files("b.go", "b\n"), files("a.go", "a\n"),
			"--- /dev/null\n+++ b/a.go\n@@ -0,0 +1 @@\n+a\n--- a/b.go\n+++ /dev/null\n@@ -1 +0,0 @@\n-b\n",
		},
		{
			"no newline at the end",
			files("a.go", "a\nb"), files("a.go", "a\nb\n"),
			"--- a/a.go\n+++ b/a.go\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, string(udiff.Diff("a", "b", tt.from, tt.to)))
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
	from := files("same.go", "same\n", "changed.go", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "removed.go", "gone\n", "tail.go", "a\nb")
	to := files("same.go", "same\n", "changed.go", "0\n1\n2\n4\n5\n6\n7\n8\n8\n9\n10\n11", "added.go", "new\n", "tail.go", "a\nc")
	folder := t.TempDir()
	for name, text := range from {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), text, 0o666))
	}
	command := exec.CommandContext(t.Context(), tool, "-p1", "--fuzz=0")
	command.Dir = folder
	command.Stdin = bytes.NewReader(udiff.Diff("a", "b", from, to))
	said, err := command.CombinedOutput()
	require.NoError(t, err, string(said))
	patched := map[string][]byte{}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, entry := range entries {
		patched[entry.Name()], err = os.ReadFile(filepath.Join(folder, entry.Name()))
		require.NoError(t, err)
	}
	assert.Equal(t, to, patched)
}

func FuzzDiffApply(f *testing.F) {
	f.Add("1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\nfour\n5\n6\n7\n8\n9", "", "new\n", uint8(0))
	f.Add("", "a\n", "a\r\nb\r", "a\nb", uint8(1))
	f.Add("a\na\na\nb\na\na\n", "a\nb\na\na\na\n", "--- a\n+++ b\n", "@@ -1 +1 @@\n\\ x\n", uint8(2))
	f.Fuzz(func(t *testing.T, old1, new1, old2, new2 string, missing uint8) {
		from, to := files("a.go", old1, "b.go", old2), files("a.go", new1, "b.go", new2)
		if missing&1 != 0 {
			delete(from, "b.go")
		}
		if missing&2 != 0 {
			delete(to, "a.go")
		}
		diff := udiff.Diff("a", "b", from, to)
		require.Equal(t, len(diff) == 0, equal(from, to), "%s", diff)
		changes, err := udiff.Parse(diff)
		require.NoError(t, err, "%s", diff)
		applied, refitted := maps.Clone(from), maps.Clone(from)
		var refit udiff.Refit
		for _, change := range changes {
			require.Nil(t, change.Apply(applied), "%s", diff)
			change.Refit(refitted, &refit)
		}
		require.True(t, equal(to, applied), "%s\n%q", diff, applied)
		require.True(t, equal(to, refitted), "%s\n%q", diff, refitted)
		require.Zero(t, refit)
	})
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const head = "--- a/a.go\n+++ b/a.go\n"
	for _, tt := range []struct{ name, diff, want string }{
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
		{"from nowhere to nowhere", "--- /dev/null\n+++ /dev/null\n", "cannot come from /dev/null"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := udiff.Parse([]byte(tt.diff))
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, "of the diff")
		})
	}
}

const twenty = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n"

// parseOne parses what changes from one set to the other, which is one file.
func parseOne(t *testing.T, from, to map[string][]byte) udiff.File {
	t.Helper()
	changes, err := udiff.Parse(udiff.Diff("a", "b", from, to))
	require.NoError(t, err)
	require.Len(t, changes, 1)
	return changes[0]
}

func TestApplyIsStrict(t *testing.T) {
	t.Parallel()
	change := parseOne(t, files("a.go", twenty), files("a.go", strings.Replace(strings.Replace(twenty, "3\n", "", 1), "17\n",
		"seventeen\n", 1)))
	for _, tt := range []struct {
		name string
		to   map[string][]byte
		want udiff.Mismatch
	}{
		{"lines that moved", files("a.go", "0\n"+twenty), udiff.Mismatch{File: "a.go", Hunk: 1, Line: 1, Expected: `"1"`, Found: `"0"`}},
		{
			"a changed line, named by its number before the diff", files("a.go", strings.Replace(twenty, "16\n", "x\n", 1)),
			udiff.Mismatch{File: "a.go", Hunk: 2, Line: 16, Expected: `"16"`, Found: `"x"`},
		},
		{"a file that ends early", files("a.go", "1\n2\n"), udiff.Mismatch{
			File: "a.go", Hunk: 1, Line: 3, Expected: `"3"`,
			Found: "the end of the file",
		}},
		{"another file", files("b.go", twenty), udiff.Mismatch{File: "a.go", Expected: "the file in the reference", Found: "b.go"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := maps.Clone(tt.to)
			mismatch := change.Apply(tt.to)
			require.NotNil(t, mismatch)
			assert.Equal(t, tt.want, *mismatch)
			assert.Equal(t, before, tt.to, "the files stay as they were")
		})
	}
	created, removed := parseOne(t, nil, files("a.go", "1\n")), parseOne(t, files("a.go", "1\n"), nil)
	assert.Equal(t, "no such file in the reference", created.Apply(files("a.go", "1\n")).Expected)
	assert.Equal(t, `"2"`, removed.Apply(files("a.go", "1\n2\n")).Found)
}

func TestRefitGuessesNothing(t *testing.T) {
	t.Parallel()
	change := parseOne(t, files("a.go", twenty), files("a.go", strings.Replace(twenty, "10\n", "ten\n", 1)))
	for _, tt := range []struct {
		name, to, want string
		moved, left    int
	}{
		{"where it was", twenty, strings.Replace(twenty, "10\n", "ten\n", 1), 0, 0},
		{"lines that moved", "0\n" + twenty, "0\n" + strings.Replace(twenty, "10\n", "ten\n", 1), 1, 0},
		{"a line that changed", strings.Replace(twenty, "11\n", "eleven\n", 1), strings.Replace(twenty, "11\n", "eleven\n", 1), 0, 1},
		{"two places that fit", "0\n" + twenty + twenty, "0\n" + twenty + twenty, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set := files("a.go", tt.to)
			var refit udiff.Refit
			change.Refit(set, &refit)
			assert.Equal(t, tt.want, string(set["a.go"]))
			assert.Equal(t, tt.moved, refit.Moved)
			assert.Len(t, refit.Rejected, tt.left)
		})
	}
}
