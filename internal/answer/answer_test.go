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
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	book := toybook.New(t, toybook.Lesson("01_one", "Part One, Files"), toybook.Files{
		"exercises/01_one/_notes.go":         "package ignored\n",
		"exercises/01_one/.double.go.new-12": "package leftover\n",
		"exercises/01_one/other_test.go":     "package one_test\n",
	})
	e := toybook.Find(t, book, "1")
	learner, err := answer.Learner(e)
	require.NoError(t, err)
	shipped, err := answer.AsShipped(e)
	require.NoError(t, err)
	reference, err := answer.Reference(e)
	require.NoError(t, err)
	assert.Equal(t, []string{"double.go"}, learner.Names())
	assert.Equal(t, shipped, learner)
	assert.NotEqual(t, shipped, reference)

	t.Run("CRLF is the same answer", func(t *testing.T) {
		path := filepath.Join(e.Folder(), "double.go")
		require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(shipped["double.go"]), "\n", "\r\n")), 0o666))
		again, err := answer.Learner(e)
		require.NoError(t, err)
		assert.Equal(t, shipped, again)
	})
	t.Run("Write replaces, adds and removes answer files, and nothing else", func(t *testing.T) {
		require.NoError(t, answer.Write(e, toybook.Answer("double.go", "package one\r\n", "more.go", "package one\n")))
		require.NoError(t, answer.Write(e, toybook.Answer("more.go", "package one // second\n")))
		again, err := answer.Learner(e)
		require.NoError(t, err)
		assert.Equal(t, toybook.Answer("more.go", "package one // second\n"), again)
		entries, err := os.ReadDir(e.Folder())
		require.NoError(t, err)
		var names []string
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		assert.Equal(t, []string{".double.go.new-12", "_notes.go", "double_test.go", "more.go", "other_test.go", "race"}, names)
	})
	t.Run("Write refuses names that are not answer files", func(t *testing.T) {
		for _, name := range []string{"double_test.go", "../double.go", `a\b.go`, "notes.md", ".x.go"} {
			assert.ErrorContains(t, answer.Write(e, toybook.Answer(name, "package one\n")), "not the name of an answer file", name)
		}
		assert.Error(t, answer.Write(e, nil))
	})
	t.Run("a missing file says how to get it back", func(t *testing.T) {
		require.NoError(t, os.Remove(filepath.Join(e.Folder(), "more.go")))
		_, err := answer.Learner(e)
		require.ErrorIs(t, err, os.ErrNotExist)
		require.ErrorContains(t, err, "go run ./exercises reset 01")
	})
}

func TestInExercises(t *testing.T) {
	t.Parallel()
	const head = "package two\n\nimport (\n\t\"os\"\n\n"
	solution := toybook.Answer("a.go", head+"\tone \"example/turnstile/solutions/01_one\" // the first\n"+
		"\t`example/turnstile/solutions/03_x`\n"+
		"\t\"example/turnstile/exercises/02_two/given\"\n\t\"example/turnstile/internal/lab\"\n)\n\n"+
		"const text = \"example/turnstile/solutions/01_one\"\n")
	want := toybook.Answer("a.go", head+"\tone \"example/turnstile/exercises/01_one\" // the first\n"+
		"\t\"example/turnstile/exercises/02_two/given\"\n"+
		"\t\"example/turnstile/exercises/03_x\"\n\t\"example/turnstile/internal/lab\"\n)\n\n"+
		"const text = \"example/turnstile/solutions/01_one\"\n")
	before := string(solution["a.go"])
	assert.Equal(t, string(want["a.go"]), string(solution.InExercises()["a.go"]))
	assert.Equal(t, before, string(solution["a.go"]), "the answer itself stays")
	for _, damaged := range []string{"", "package", "no Go at all", "package x\nimport \"unended\n", "\x00"} {
		assert.Equal(t, damaged, string(toybook.Answer("a.go", damaged).InExercises()["a.go"]))
	}
}
