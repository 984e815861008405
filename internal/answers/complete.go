package answers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/overlay"
)

// checkComplete holds an exercise to what docs/contributing.md promises of it, as far as files can tell.
func checkComplete(t *testing.T, e *curriculum.Exercise) {
	t.Helper()
	for _, id := range e.BuildsOn {
		assert.DirExists(t, filepath.Join(e.Root, "lessons", id), "lessons/%s/README.md builds on it", e.ID)
	}
	checkTests(t, e)
	checkAnswers(t, e)
	assert.FileExists(t, filepath.Join(e.Folder(), "hints.md")) // docs/tools/textcheck reads it
	assert.FileExists(t, filepath.Join(e.Folder(), "race", "main.go"))
	if notes, ok := read(t, e.SolutionFolder(), "NOTES.md"); ok {
		assert.NotEmpty(t, strings.TrimSpace(notes), "NOTES.md")
	}
}

// read returns a file's text with LF line endings, or reports that there is none.
func read(t *testing.T, folder, name string) (text string, ok bool) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Error(err)
		return "", false
	}
	return strings.ReplaceAll(string(content), "\r\n", "\n"), true
}

// checkTests demands 4 to 25 tests, from outside the package, that import nothing beyond it, what it builds on, the lab, the standard
// library, testify and x/sys: otherwise a right design could fail.
func checkTests(t *testing.T, e *curriculum.Exercise) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(e.Folder(), "*_test.go"))
	require.NoError(t, err)
	name := strings.ReplaceAll(e.Slug, "_", "")
	reference, err := answer.Reference(e)
	require.NoError(t, err)
	foundations, err := overlay.Foundations(e, reference)
	require.NoError(t, err)
	var tests []string
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		assert.Equal(t, name+"_test", file.Name.Name, "the package of %s", filepath.Base(path))
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			assert.True(t, mayImport(e, foundations, imported),
				"%s imports %s; a test of an exercise knows its package and those that this builds on, the lab, the standard library, testify "+
					"and x/sys",
				filepath.Base(path), imported)
			assert.False(t, spec.Name != nil && spec.Name.Name == ".", "%s: a dot import hides which package a name is from", filepath.Base(path))
		}
		names, _, _ := functionsOf(file)
		tests = append(tests, names...)
	}
	assert.True(t, len(tests) >= 4 && len(tests) <= 25, "%d tests; an exercise has 4 to 25: %s", len(tests), strings.Join(tests, ", "))
}

func mayImport(e *curriculum.Exercise, foundations []*curriculum.Exercise, imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case first == "example":
		// A package inside an exercise's directory is what the learner is given ready-made.
		ours := []string{e.Package(), curriculum.ModulePath + "/internal/lab"}
		for _, f := range foundations {
			ours = append(ours, f.Package())
		}
		return slices.ContainsFunc(ours, func(path string) bool { return imported == path || strings.HasPrefix(imported, path+"/") })
	case !strings.Contains(first, "."):
		return true // the standard library
	}
	return strings.HasPrefix(imported, "github.com/stretchr/testify/") || strings.HasPrefix(imported, "golang.org/x/sys/")
}

// functionsOf returns the names of a test file's tests, whether it has a TestMain, and whether it has something else that go test runs.
func functionsOf(file *ast.File) (tests []string, hasMain, others bool) {
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Recv != nil {
			continue
		}
		switch name := function.Name.Name; {
		case name == "TestMain":
			hasMain = true
		case isCalled(name, "Test"):
			tests = append(tests, name)
		case isCalled(name, "Example"), isCalled(name, "Fuzz"), isCalled(name, "Benchmark"):
			others = true
		}
	}
	return tests, hasMain, others
}

// isCalled reports whether go test treats a function of that name as one of that kind: Test, TestX, Test_x, but not Testing.
func isCalled(name, kind string) bool {
	rest, found := strings.CutPrefix(name, kind)
	first, _ := utf8.DecodeRuneInString(rest)
	return found && (rest == "" || !unicode.IsLower(first))
}

func checkAnswers(t *testing.T, e *curriculum.Exercise) {
	t.Helper()
	reference, err := answer.Reference(e)
	require.NoError(t, err)
	checkAnswer(t, e, "the solution", reference, false)
	asShipped, err := answer.AsShipped(e)
	require.NoError(t, err)
	checkAnswer(t, e, "the code as shipped", asShipped, true)

	wrong, err := answer.Wrong(e)
	require.NoError(t, err)
	assert.Equal(t, "wrong/00_as_shipped", wrong[0].Name)
	assert.GreaterOrEqual(t, len(wrong)-1, 5, "wrong answers beside the code as shipped")
	sentences := map[string]string{}
	for _, patch := range wrong {
		assert.Empty(t, sentences[patch.Sentence], "%s says the same as %s", patch.Name, sentences[patch.Sentence])
		sentences[patch.Sentence] = patch.Name
		for _, name := range patch.OnlyOn {
			assert.True(t, slices.Contains(systems, name), "%s: only on: %s is not a GOOS that the workbook knows", patch.Name, name)
		}
	}
}

var systems = []string{"linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "illumos", "aix"}

// checkAnswer demands the package name of contributing.md, and a TODO where there is something to do.
func checkAnswer(t *testing.T, e *curriculum.Exercise, what string, code answer.Answer, unfinished bool) {
	t.Helper()
	marked := false
	for _, name := range code.Names() {
		file, err := parser.ParseFile(token.NewFileSet(), name, code[name], parser.SkipObjectResolution)
		require.NoError(t, err, what)
		assert.Equal(t, strings.ReplaceAll(e.Slug, "_", ""), file.Name.Name, "%s: the package of %s", what, name)
		marked = marked || strings.Contains(string(code[name]), "// TODO:")
	}
	assert.Equal(t, unfinished, marked, "%s has a // TODO: (want, got)", what)
}
