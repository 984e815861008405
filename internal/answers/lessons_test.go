package answers

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
	"example/turnstile/internal/toybook"
)

// A lesson whose answers are never judged would pass every check.
func TestEveryLessonIsJudged(t *testing.T) {
	t.Parallel()
	root, err := curriculum.Root(".")
	require.NoError(t, err)
	folders, err := filepath.Glob(filepath.Join(root, "solutions", "[0-9][0-9]_*"))
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, folder := range folders {
		text, _ := read(t, folder, "answers_test.go")
		assert.Contains(t, text, "\nfunc TestAnswers(t *testing.T) { answers.Judge(t) }\n", "%s: copy answers_test.go from another lesson",
			filepath.Base(folder))
	}
}

func TestReadInputsOfOneLesson(t *testing.T) {
	t.Parallel()
	book := toybook.New(t, toybook.Lesson("01_one", "Part One, Files"), toybook.Lesson("02_two", "Part One, Files"), toybook.Files{
		"internal/lab/lab.go":        "package lab\n\nimport _ \"example/turnstile/internal/other\"\n",
		"internal/other/other.go":    "package other\n",
		"go.sum":                     "",
		"solutions/02_two/broken.go": "this is not Go\n",
	})
	require.NoError(t, readInputs(toybook.Find(t, book, "1")))
	require.NoError(t, readInputs(toybook.Find(t, book, "2")), "what does not compile is the compiler's to report")
}

// The bundle says of each answer what a go test of its own says.
func TestBundle(t *testing.T) {
	t.Parallel()
	needGo(t)
	book := toybook.New(t, toybook.Lesson("01_one", "Part One, Files"), toybook.Files{
		"exercises/01_one/double.go": "package one // the learner's, which does not compile\n\nfunc Double(\n",
		"exercises/01_one/effort_test.go": `package one_test

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv("TURNSTILE_EFFORT") == "" {
		println("TestMain of the answer alone")
	}
	m.Run()
}

func TestEffort(t *testing.T) { t.Log("effort", os.Getenv("TURNSTILE_EFFORT"), os.Getenv("TURNSTILE_PATIENCE")) }
`,
		"exercises/01_one/none_plan9_test.go": "package one_test\n\nfunc TestMain() {}\n",
	})
	e := toybook.Find(t, book, "1")
	reference, err := answer.Reference(e)
	require.NoError(t, err)
	code := func(body string) answer.Answer {
		return toybook.Answer("double.go", "package one\n\nfunc Double(n int) int {\n\t"+body+"\n}\n")
	}
	b := newBundle(t, e)
	// Not by add, which heeds the -run of this test.
	b.answers["reference"] = reference
	b.answers["wrong/01_adds"] = code("return n + 1")
	b.answers["wrong/02_none"] = code("return m")
	b.answers["wrong/03_panics"] = code(`panic("ouch")`)
	b.answers["right/01_shift"] = code("return n << 1")
	b.answers["wrong/04_other_signature"] = toybook.Answer("double.go", "package one\n\nfunc Double(n string) int { return 0 }\n")

	for name, want := range map[string]gotest.Status{
		"reference": gotest.Passed, "wrong/01_adds": gotest.Failed, "wrong/03_panics": gotest.Broken, "right/01_shift": gotest.Passed,
	} {
		alone, err := (&driver{e: e}).alone(t.Context(), b.answers[name], false, "", 1)
		require.NoError(t, err)
		result, ran, err := b.run(t.Context(), name, full, "", 1)
		require.NoError(t, err)
		require.True(t, ran, name)
		assert.Equal(t, []any{want, want, alone.Reason}, []any{alone.Status, result.Status, result.Reason}, name)
		assert.Equal(t, summary(alone), summary(result), name)
	}
	for _, name := range []string{"wrong/02_none", "wrong/04_other_signature", "wrong/99_not_there"} {
		_, ran, err := b.run(t.Context(), name, full, "", 1)
		require.NoError(t, err)
		assert.False(t, ran, "%s does not compile, so it runs alone, and the compiler is heard", name)
	}

	d := &driver{e: e, bundle: b}
	patch := answer.Patch{Name: "wrong/01_adds", CaughtBy: "TestSign/n is -1", Says: "is not 8"}
	t.Run("only the test that must catch a wrong answer runs", func(t *testing.T) {
		patch := patch
		patch.CaughtBy = "TestDouble"
		result, err := d.wrong(t.Context(), t, patch, b.answers[patch.Name])
		require.NoError(t, err)
		assert.Empty(t, judgeWrong(e.ID, patch, result))
		assert.Len(t, result.Tests, 1)
	})
	t.Run("an unexpected verdict counts after a run of all tests", func(t *testing.T) {
		patch := patch
		patch.CaughtBy = "TestEffort" // which passes
		result, err := d.wrong(t.Context(), t, patch, b.answers[patch.Name])
		require.NoError(t, err)
		assert.Contains(t, judgeWrong(e.ID, patch, result), "survives the test that should catch it")
		assert.Len(t, result.Tests, 5)
	})
	t.Run("efforts", func(t *testing.T) {
		for want, effort := range map[string]effort{"effort full \n": full, "effort full 4s": fullButHasty, "effort light \n": light} {
			result, _, err := b.run(t.Context(), "reference", effort, "", 1)
			require.NoError(t, err)
			said, _ := result.Test("TestEffort")
			assert.Contains(t, said.Output, want)
		}
	})
	t.Run("many runs of one test", func(t *testing.T) {
		result, _, err := b.run(t.Context(), patch.Name, fullButHasty, exactly(patch.CaughtBy), 3)
		require.NoError(t, err)
		named, _ := result.Test(patch.CaughtBy)
		assert.Equal(t, []int{3, 3}, []int{named.Runs, named.Failures})
		assert.Len(t, result.Tests, 2, "the subtest and its parent")
	})
}

func TestSelected(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{
		"": true, "TestAnswers": true, "Answers/wrong": true, "TestAnswers/right": false, "TestAnswers/wrong/02": true,
		"TestAnswers/wrong/^02_no$": true,
		"TestAnswers/wrong/03":      false, "TestOther": false, "TestOther|TestAnswers/wrong": true, "TestAnswers//02_no/x": true, "(": true,
	} {
		assert.Equal(t, want, selected("wrong/02_no", pattern), pattern)
	}
}

func needGo(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command on this system")
	}
}

// summary is what must be equal in two runs of the same tests.
func summary(result *gotest.Result) map[string]gotest.Status {
	tests := map[string]gotest.Status{}
	for _, test := range result.Tests {
		tests[test.Name] = test.Status
	}
	return tests
}
