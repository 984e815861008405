package overlay_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
	"example/turnstile/internal/overlay"
	"example/turnstile/internal/toybook"
)

// course is a workbook whose third lesson takes values of its first lesson's type, by way of its second.
func course(t *testing.T) *curriculum.Book {
	t.Helper()
	pkg := func(tree, id, name, imports, body string) toybook.Files {
		imports = strings.ReplaceAll(imports, "TREE", tree)
		return toybook.Files{tree + "/" + id + "/" + name + ".go": "package " + name + "\n\n" + imports + "\n" + body + "\n"}
	}
	const (
		coin    = "type Coin struct{ Cents int }\n\nfunc New(n int) Coin { return Coin{n} }"
		purse   = "type Purse []coin.Coin\n\nfunc (p *Purse) Add(c coin.Coin) { *p = append(*p, c) }"
		total   = "func Total(p purse.Purse) (n int) {\n\tfor _, c := range p {\n\t\tn += c.Cents\n\t}\n\treturn n\n}"
		useCoin = "import coin \"example/turnstile/TREE/01_coin\"\n"
		usePuse = "import purse \"example/turnstile/TREE/02_purse\"\n"
	)
	return toybook.New(t,
		toybook.Files{"lessons/01_coin/README.md": "x\n", "lessons/02_purse/README.md": "x\n", "lessons/03_total/README.md": "x\n"},
		pkg("solutions", "01_coin", "coin", "", coin), pkg("exercises", "01_coin", "coin", "", coin),
		pkg("solutions", "02_purse", "purse", useCoin, purse), pkg("exercises", "02_purse", "purse", useCoin, purse),
		pkg("solutions", "03_total", "total", usePuse, total), pkg("exercises", "03_total", "total", usePuse,
			"func Total(purse.Purse) int { return 0 }"),
		toybook.Files{"exercises/03_total/total_test.go": `package total_test

import (
	"testing"

	coin "example/turnstile/exercises/01_coin"
	purse "example/turnstile/exercises/02_purse"
	total "example/turnstile/exercises/03_total"
)

func TestTotal(t *testing.T) {
	var p purse.Purse
	p.Add(coin.New(2))
	p.Add(coin.New(3))
	if got := total.Total(p); got != 5 {
		t.Errorf("Total is %d", got)
	}
}
`})
}

func judge(t *testing.T, e *curriculum.Exercise, a answer.Answer) *gotest.Result {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command on this system")
	}
	result, err := gotest.Tests{Exercise: e, Answer: a, NoVet: true}.Do(t.Context())
	require.NoError(t, err)
	return result
}

func TestValuesOfEarlierLessonsGoIntoLaterOnes(t *testing.T) {
	t.Parallel()
	e := toybook.Find(t, course(t), "3")
	reference, err := answer.Reference(e)
	require.NoError(t, err)
	result := judge(t, e, reference)
	assert.Equal(t, gotest.Passed, result.Status, result.Output)
}

func TestAnswersStandOnReferencesNotOnTheLearnersCode(t *testing.T) {
	t.Parallel()
	book := course(t)
	first, last := toybook.Find(t, book, "1"), toybook.Find(t, book, "3")
	reference, err := answer.Reference(last)
	require.NoError(t, err)
	for name, broken := range map[string]string{
		"it does not compile": "package coin\n\nfunc New( {\n",
		"it is wrong":         "package coin\n\ntype Coin struct{ Cents int }\n\nfunc New(n int) Coin { return Coin{n + 1} }\n",
	} {
		require.NoError(t, answer.Write(first, toybook.Answer("coin.go", broken, "more.go", "package coin\n\nconst More = 1\n")))
		result := judge(t, last, reference)
		assert.Equal(t, gotest.Passed, result.Status, "%s: %s", name, result.Output)
		assert.NotEqual(t, gotest.Passed, judge(t, last, nil).Status, "%s, and the learner's files are tested as they are", name)
	}
}

func TestFoundations(t *testing.T) {
	t.Parallel()
	book := toybook.New(t,
		toybook.Lesson("01_one", "Part One, Files"), toybook.Lesson("02_two", "Part One, Files"), toybook.Lesson("03_three", "Part One, Files"),
		toybook.Lesson("04_four", "Part One, Files"), toybook.Lesson("05_five", "Part One, Files"), toybook.Lesson("06_six", "Part One, Files"),
		toybook.Files{
			"lessons/01_one/README.md": "# 01 · One\n\n**You will.** Builds on [05](../05_five/).\n",
			"exercises/02_two/race/main.go": "package main\n\nimport (\n\t_ \"example/turnstile/exercises/01_one\"\n\t_ " +
				"\"example/turnstile/exercises/09_nine\"\n)\n",
			"exercises/03_three/given/x.go":    "package given\n\nimport _ \"example/turnstile/exercises/02_two\"\n",
			"exercises/03_three/learner.go":    "package three\n\nimport _ \"example/turnstile/exercises/05_five\"\n",
			"exercises/04_four/four_test.go":   "package four_test\n\nimport _ \"example/turnstile/exercises/03_three/given\"\n",
			"solutions/04_four/double.go":      "package four\n\nimport _ \"example/turnstile/solutions/06_six\"\n",
			"solutions/06_six/double.go":       "package six\n\nimport _ \"example/turnstile/solutions/04_four\"\n",
			"exercises/06_six/broken_test.go":  "not Go",
			"exercises/04_four/.#four_test.go": "an editor's lock",
		})
	for _, tt := range []struct {
		of   string
		more string // in the answer
		want []string
	}{
		{"1", "", nil},
		{"2", "", []string{"01_one"}},
		{"3", "", []string{"01_one", "02_two"}},
		{"4", "", []string{"01_one", "02_two", "03_three", "06_six"}},
		{"1", "package one\n\nimport _ \"example/turnstile/solutions/05_five\"\n", []string{"05_five"}},
		{"5", "", nil},
	} {
		e := toybook.Find(t, book, tt.of)
		a, err := answer.Reference(e)
		require.NoError(t, err)
		if tt.more != "" {
			a["more.go"] = []byte(tt.more)
		}
		found, err := overlay.Foundations(e, a)
		require.NoError(t, err)
		assert.Equal(t, tt.want, curriculum.IDs(found), "%s %s", tt.of, tt.more)
	}
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	book := toybook.New(t, toybook.Lesson("01_one", "Part One, Files"))
	dir := filepath.Join(t.TempDir(), "laid over")
	o := overlay.New(book.Root, dir)
	require.NoError(t, o.Put("exercises/01_one/new/deep/x.go", []byte("package deep\n")))
	o.Hide("exercises/01_one/double.go")
	path, err := o.Write()
	require.NoError(t, err)

	var written struct{ Replace map[string]string }
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &written))
	laid := filepath.Join(dir, "exercises", "01_one", "new", "deep", "x.go")
	assert.Equal(t, map[string]string{
		filepath.Join(book.Root, "exercises", "01_one", "double.go"):           "",
		filepath.Join(book.Root, "exercises", "01_one", "new", "deep", "x.go"): laid,
	}, written.Replace)
	assert.FileExists(t, laid)
	assert.Equal(t, filepath.FromSlash("at exercises/01_one/new/deep/x.go:1"), o.Tidy("at "+laid+":1"))

	e := toybook.Find(t, book, "1")
	require.ErrorContains(t, o.Lay(e, toybook.Answer("../x.go", "package one\n")), "not the name of an answer file")
	closed := overlay.New(book.Root, path) // a file, not a directory
	require.ErrorContains(t, closed.Put("exercises/x.go", nil), "lay a file over exercises/x.go")
	_, err = closed.Write()
	require.Error(t, err)
}
