package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const solution = `package one

// One returns 1.
func One() int {
	return 1
}

// Two returns 2.
func Two() int {
	return 2
}
`

type bench struct {
	*testing.T
	root string
}

func newBench(t *testing.T) bench {
	b := bench{T: t, root: t.TempDir()}
	b.write("go.mod", "module example/turnstile\n\ngo 1.26\n")
	b.write("solutions/01_one/one.go", solution)
	return b
}

func (b bench) path(name string) string { return filepath.Join(b.root, filepath.FromSlash(name)) }

func (b bench) write(name, text string) {
	b.Helper()
	require.NoError(b, os.MkdirAll(filepath.Dir(b.path(name)), 0o777))
	require.NoError(b, os.WriteFile(b.path(name), []byte(text), 0o666))
}

func (b bench) read(name string) string {
	b.Helper()
	text, err := os.ReadFile(b.path(name))
	require.NoError(b, err)
	return string(text)
}

func (b bench) run(arguments ...string) (string, error) {
	var out bytes.Buffer
	err := run(b.root, arguments, &out)
	return out.String(), err
}

func (b bench) mustRun(arguments ...string) string {
	b.Helper()
	out, err := b.run(arguments...)
	require.NoError(b, err)
	return out
}

const threePatch = `It returns 3.

caught by: TestTwo
says: "three"

--- a/one.go
+++ b/one.go
@@ -7,5 +7,5 @@
 
 // Two returns 2.
 func Two() int {
-	return 2
+	return 3
 }
`

func TestLayEditSave(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir := b.path("a new directory")
	require.Contains(t, b.mustRun("lay", "1", "wrong/01_three", dir), "the solution")
	require.Equal(t, solution, b.read("a new directory/one.go"))

	_, err := b.run("save", "1", "wrong/01_three", dir)
	require.ErrorContains(t, err, "holds the solution")
	b.write("a new directory/one.go", solution[:len(solution)-4]+"3\n}\n")
	require.Contains(t, b.mustRun("save", "1", "wrong/01_three", dir), "write the text above")
	patch := b.read("solutions/01_one/wrong/01_three.patch")
	require.Contains(t, patch, "TODO: say in one sentence")
	require.Contains(t, patch, "-\treturn 2\n+\treturn 3\n")

	b.write("solutions/01_one/wrong/01_three.patch", threePatch)
	b.mustRun("save", "1", "wrong/01_three", dir)
	require.Equal(t, threePatch, b.read("solutions/01_one/wrong/01_three.patch"), "the text is kept")

	_, err = b.run("lay", "1", "wrong/01_three", dir)
	require.ErrorContains(t, err, "not empty")
	require.Contains(t, b.mustRun("lay", "1", "wrong/01_three", b.path("again")), "the answer")
	require.Contains(t, b.read("again/one.go"), "return 3")

	b.write("a new directory/one.go", "package one\nfunc  One() {}\n")
	_, err = b.run("save", "1", "right/01_x", dir)
	require.ErrorContains(t, err, "gofmt -w")
	b.write("a new directory/one.go", "package one\nfunc\n")
	_, err = b.run("save", "1", "right/01_x", dir)
	require.ErrorContains(t, err, "one.go")
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("solutions/01_one/wrong/01_three.patch", threePatch)
	require.Empty(t, b.mustRun("refresh"))

	b.write("solutions/01_one/one.go", "// A new first line.\n\n"+solution)
	require.Contains(t, b.mustRun("refresh", "one"), "01_one/wrong/01_three: refreshed (1 hunks had moved)")
	require.Contains(t, b.read("solutions/01_one/wrong/01_three.patch"),
		"It returns 3.\n\ncaught by: TestTwo\nsays: \"three\"\n\n--- a/one.go\n+++ b/one.go\n@@ -9,5 +9,5 @@\n")
	require.Empty(t, b.mustRun("refresh"))

	b.write("solutions/01_one/one.go", "package one\n")
	out, err := b.run("refresh")
	require.ErrorContains(t, err, "1 of the patches must be fixed by hand")
	require.Contains(t, out, "+\treturn 3")
	require.Contains(t, b.mustRun("lay", "1", "wrong/01_three", b.path("dir")), "make their changes by hand")
	require.Equal(t, "package one\n", b.read("dir/one.go"))
}

func TestShipped(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("solutions/01_one/wrong/00_as_shipped.patch", threePatch)
	require.Contains(t, b.mustRun("shipped", "1"), "is as shipped now")
	require.Contains(t, b.read("exercises/01_one/one.go"), "return 3")
	require.Contains(t, b.mustRun("shipped", "1"), "already")
	b.write("exercises/01_one/one.go", "package one // mine\n")
	_, err := b.run("shipped", "1")
	require.ErrorContains(t, err, "would overwrite it")
	require.Contains(t, b.read("exercises/01_one/one.go"), "mine")
	b.mustRun("shipped", "-force", "1")
	require.Contains(t, b.read("exercises/01_one/one.go"), "return 3")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, words := range [][]string{nil, {"lay"}, {"save", "1", "wrong/01_x"}, {"shipped"}, {"shipped", "1", "2"}, {"fly"}} {
		_, err := b.run(words...)
		require.ErrorIs(t, err, errUsage, words)
	}
	_, err := b.run("lay", "1", "two", b.path("dir"))
	require.ErrorContains(t, err, "does not name an answer")
	_, err = b.run("lay", "9", "wrong/01_x", b.path("dir"))
	require.ErrorContains(t, err, "no exercise")
}
