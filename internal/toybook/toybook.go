// Package toybook makes small workbooks for the tests of the machinery.
package toybook

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/udiff"
)

// Files maps a path relative to the workbook's root to its content.
type Files map[string]string

// New writes a small workbook to a directory whose name has spaces and letters outside ASCII, and opens it.
func New(t testing.TB, parts ...Files) *curriculum.Book {
	t.Helper()
	root := filepath.Join(t.TempDir(), "Büro und Türen", "turn stile")
	all := Files{"go.mod": "module example/turnstile\n\ngo 1.26\n"}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	for path, content := range all {
		path = filepath.Join(root, filepath.FromSlash(path))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
	}
	book, err := curriculum.Open(root)
	require.NoError(t, err)
	return book
}

// Lesson is a complete exercise: the learner's Double adds 1, the reference doubles.
func Lesson(id, part string) Files {
	name := strings.ReplaceAll(id[3:], "_", "")
	pkg := func(expression string) string {
		return fmt.Sprintf("package %s\n\n// Double returns twice n.\nfunc Double(n int) int {\n\treturn %s\n}\n", name, expression)
	}
	return Files{
		"lessons/" + id + "/README.md": fmt.Sprintf("# %s · The %s\n\n**You will be able to double.** %s. 5 minutes to read, 10 to "+
			"do.\n\n## The bug\n\nPart Nine, Not This. 99 minutes to read, 99 to do.\n",
			id[:2], strings.ReplaceAll(id[3:], "_", " "), part),
		"exercises/" + id + "/double.go": pkg("n + 1 // TODO"),
		"exercises/" + id + "/double_test.go": fmt.Sprintf(`package %[1]s_test

import (
	"fmt"
	"testing"

	%[1]s "example/turnstile/exercises/%[2]s"
)

func TestDouble(t *testing.T) {
	fmt.Print("noise without a newline")
	if got := %[1]s.Double(4); got != 8 {
		t.Attr("turnstile.failure", fmt.Sprintf(%[3]s, got))
		t.Errorf("Double(4) is %%d", got)
	}
}

func TestSign(t *testing.T) {
	for _, n := range []int{-1, 0} {
		t.Run(fmt.Sprint("n is ", n), func(t *testing.T) {
			t.Parallel()
			if n == 0 {
				t.Skip("zero has no sign")
			}
			if %[1]s.Double(n) >= 0 {
				t.Error("the sign is lost")
			}
		})
	}
}
`, name, id, "`{\"says\":\"Double(4) is not 8\",\"found\":\"%d\"}`"),
		"exercises/" + id + "/race/main.go": fmt.Sprintf(`package main

import (
	"fmt"
	"os"

	%[1]s "example/turnstile/exercises/%[2]s"
)

func main() {
	fmt.Println(%[1]s.Double(4), os.Args[1:])
	if %[1]s.Double(4) != 8 {
		os.Exit(1)
	}
}
`, name, id),
		"solutions/" + id + "/double.go": pkg("2 * n"),
		"solutions/" + id + "/wrong/00_as_shipped.patch": `It adds one
instead of doubling.

caught by: TestDouble
says: "is not 8"

` + string(udiff.Diff("a", "b",
			answer.Answer{"double.go": []byte(pkg("2 * n"))}, answer.Answer{"double.go": []byte(pkg("n + 1 // TODO"))})),
	}
}

// Answer makes an answer of names and texts in turn.
func Answer(namesAndTexts ...string) answer.Answer {
	a := answer.Answer{}
	for pair := range slices.Chunk(namesAndTexts, 2) {
		a[pair[0]] = []byte(pair[1])
	}
	return a
}

// Find finds an exercise.
func Find(t testing.TB, book *curriculum.Book, query string) *curriculum.Exercise {
	t.Helper()
	e, err := book.Find(query)
	require.NoError(t, err)
	return e
}
