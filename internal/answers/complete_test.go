package answers_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
)

// readInputs reads every file that the verdicts depend on. The go commands that the driver starts read them, not the
// driver; go's test cache knows only what the driver itself has read, and would take an old verdict for a new one.
func readInputs(root string) error {
	for _, tree := range []string{"go.mod", "go.sum", "exercises", "solutions", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, tree), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			if _, err = os.ReadFile(path); errors.Is(err, fs.ErrNotExist) {
				return nil // an editor's temp file is gone again
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// TestComplete holds each exercise to what docs/contributing.md promises of it, as far as files can tell.
func TestComplete(t *testing.T) {
	t.Parallel()
	book := openBook(t)
	for _, problem := range book.Problems {
		t.Error(problem)
	}
	for _, e := range book.Exercises {
		t.Run(e.ID, func(t *testing.T) {
			t.Parallel()
			for _, id := range e.BuildsOn {
				_, err := book.Find(id)
				assert.NoError(t, err, "lessons/%s/README.md builds on it", e.ID)
			}
			checkHints(t, e)
			checkTests(t, e)
			checkAnswers(t, e)
			assert.FileExists(t, filepath.Join(e.Folder(), "race", "main.go"))
			if notes, ok := read(t, e.SolutionFolder(), "NOTES.md"); ok {
				assert.NotEmpty(t, strings.TrimSpace(notes), "NOTES.md")
			}
		})
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

var hintHeading = regexp.MustCompile(`(?m)^## (.*)$`)

func checkHints(t *testing.T, e *curriculum.Exercise) {
	t.Helper()
	text, ok := read(t, e.Folder(), "hints.md")
	if !ok {
		return
	}
	assert.True(t, strings.HasPrefix(text, "# Hints for "+e.ID+"\n"), "hints.md begins with another line than `# Hints for %s`", e.ID)
	var headings []string
	for _, m := range hintHeading.FindAllStringSubmatch(text, -1) {
		headings = append(headings, m[1])
	}
	assert.Equal(t, []string{"1", "2", "3"}, headings, "hints.md has other sections than ## 1, ## 2, ## 3")
	for i, hint := range hintHeading.Split(text, -1) {
		assert.True(t, i == 0 || strings.TrimSpace(hint) != "", "hint %d is empty", i)
	}
}

// checkTests demands 4 to 10 tests, from outside the package, that import nothing beyond it, the lab, the standard library,
// testify and x/sys: only then does any right design pass.
func checkTests(t *testing.T, e *curriculum.Exercise) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(e.Folder(), "*_test.go"))
	require.NoError(t, err)
	name := strings.ReplaceAll(e.Slug, "_", "")
	var tests []string
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		assert.Equal(t, name+"_test", file.Name.Name, "the package of %s", filepath.Base(path))
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			assert.True(t, mayImport(e, imported), "%s imports %s; a test of an exercise knows its package, the lab, the standard library, testify and x/sys",
				filepath.Base(path), imported)
			assert.False(t, spec.Name != nil && spec.Name.Name == ".", "%s: a dot import hides whose name it is", filepath.Base(path))
		}
		tests = append(tests, testNames(file)...)
	}
	assert.True(t, len(tests) >= 4 && len(tests) <= 10, "%d tests; an exercise has 4 to 10: %s", len(tests), strings.Join(tests, ", "))
}

func mayImport(e *curriculum.Exercise, imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	lab := curriculum.ModulePath + "/internal/lab"
	switch {
	case first == "example":
		// A package inside the exercise's folder is what the learner is given ready-made.
		return imported == e.Package() || strings.HasPrefix(imported, e.Package()+"/") ||
			imported == lab || strings.HasPrefix(imported, lab+"/")
	case !strings.Contains(first, "."):
		return true // the standard library
	}
	return strings.HasPrefix(imported, "github.com/stretchr/testify/") || strings.HasPrefix(imported, "golang.org/x/sys/")
}

func testNames(file *ast.File) []string {
	var names []string
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if ok && function.Recv == nil && strings.HasPrefix(function.Name.Name, "Test") && function.Name.Name != "TestMain" {
			names = append(names, function.Name.Name)
		}
	}
	return names
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
			assert.True(t, slices.Contains(systems, name), "%s: only on: %s is no GOOS that the workbook knows", patch.Name, name)
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
