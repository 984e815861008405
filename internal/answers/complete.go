package answers

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
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
	if hints, ok := read(t, e.Folder(), "hints.md"); ok {
		for _, problem := range problemsOfHints(e, hints) {
			t.Error("hints.md: ", problem)
		}
	}
	checkTests(t, e)
	checkAnswers(t, e)
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

var (
	hintHeading = regexp.MustCompile(`(?m)^## +(.*)$`)
	hintNumber  = regexp.MustCompile(`(?m)^([0-9]+)\. `)
	anyOldHint  = regexp.MustCompile(`(?m)^## 1$`)
)

// hintsPerFunction and wordsPerHint are what a learner is offered, one step after the other, and reads at a glance.
const hintsPerFunction, wordsPerHint = 3, 45

// problemsOfHints says what is wrong with an exercise's hints. They have a section for each function, with a numbered list of three, or
// the older form: three numbered sections for the whole exercise.
func problemsOfHints(e *curriculum.Exercise, text string) []string {
	var problems []string
	problem := func(format string, values ...any) { problems = append(problems, fmt.Sprintf(format, values...)) }
	if !strings.HasPrefix(text, "# Hints for "+e.ID+"\n") {
		problem("write `# Hints for %s` as the first line", e.ID)
	}
	headings, sections := hintHeading.FindAllStringSubmatch(text, -1), hintHeading.Split(text, -1)[1:]
	isOld := anyOldHint.MatchString(text)
	if isOld && len(headings) != hintsPerFunction {
		problem("it has %d sections: write ## 1, ## 2, ## 3, or better a section for each function", len(headings))
	}
	if len(headings) == 0 {
		problem("write a section `## FunctionName` for each function, with a list 1., 2., 3.")
	}
	for i, section := range sections {
		name := strings.TrimSpace(headings[i][1])
		if isOld {
			if name != strconv.Itoa(i+1) || strings.TrimSpace(section) == "" {
				problem("section ## %s: expected ## %d with a text", name, i+1)
			}
			continue
		}
		if !token.IsExported(name) || !token.IsIdentifier(name) {
			problem("section ## %s: name a function that the learner exports", name)
		}
		problems = append(problems, problemsOfList(name, section)...)
	}
	return problems
}

// problemsOfList checks the numbered list of one function's hints.
func problemsOfList(name, section string) []string {
	var problems []string
	places := hintNumber.FindAllStringSubmatchIndex(section, -1)
	if len(places) != hintsPerFunction {
		problems = append(problems, fmt.Sprintf("section ## %s has %d hints: write %d, 1., 2., 3.", name, len(places), hintsPerFunction))
	}
	for i, place := range places {
		end := len(section)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		if number := section[place[2]:place[3]]; number != strconv.Itoa(i+1) {
			problems = append(problems, fmt.Sprintf("section ## %s: hint %d is numbered %s", name, i+1, number))
		}
		if words := len(strings.Fields(section[place[1]:end])); words == 0 || words > wordsPerHint {
			problems = append(problems, fmt.Sprintf("section ## %s: hint %d has %d words: write 1 to %d", name, i+1, words, wordsPerHint))
		}
	}
	return problems
}

// checkTests demands 4 to 25 tests, from outside the package, that import nothing beyond it, what it builds on, the lab, the standard
// library, testify and x/sys: only then does any right design pass.
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
				"%s imports %s; a test of an exercise knows its package and those that this builds on, the lab, the standard library, testify and x/sys",
				filepath.Base(path), imported)
			assert.False(t, spec.Name != nil && spec.Name.Name == ".", "%s: a dot import hides whose name it is", filepath.Base(path))
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
		// A package inside an exercise's folder is what the learner is given ready-made.
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

// isCalled reports whether go test takes a function of that name for one of that kind: Test, TestX, Test_x, but not Testing.
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
