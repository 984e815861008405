package textcheck_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/docs/tools/textcheck"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/toybook"
	"example/turnstile/internal/udiff"
)

// goodPage passes every check in the workbook that goodWorkbook writes. The tests below break it in one place at a time.
const goodPage = `# 03 · Seek and truncate

**You will be able to rewrite part of a file.** Part One, Files. 20 minutes to read, 25 to do.
Builds on [01](../01_open_modes/).

## The bug

The new document is shorter. [Why](#why-it-happens)

~~~console
$ go run ./exercises/03_seek_truncate/race
1 file, … bytes
…
lost  …2
exit status 1
~~~

## Why it happens

[A write never shortens a file](seek_test.go "a write never shortens").

~~~output
before  {"a":1}
after   {}"a":1}
~~~

## Predict

**1.** What does the file hold?

<details><summary>Answer</summary>

[Zeros](seek_test.go "the gap reads as zeros").

</details>

**2.** And on Windows?

<details><summary>Answer</summary>

[The same](seek_test.go "truncate leaves the offset").

</details>

## The fix

~~~go ../../exercises/03_seek_truncate/seek.go
func Rewrite(path string) error {
	…
	return file.Truncate(2)
}
~~~

## Your turn

Edit [the file](../../exercises/03_seek_truncate/), then:

~~~sh
go run ./exercises check 3 # the tests
~~~

## Takeaways

- Write never shortens.

## Gotchas

| symptom | cause | right way | proof |
|---|---|---|---|
| a tail | no Truncate | truncate | [a hole](seek_test.go "TestHole") |
`

// goodFacts are the fact tests that goodPage links.
const goodFacts = `package seektruncate_test

import (
	"fmt"
	"testing"
)

func TestSeek(t *testing.T) {
	t.Run("a write never shortens", func(t *testing.T) {})
	for _, test := range []struct {
		name string
		size int
	}{
		{name: "the gap reads as zeros", size: 1},
		{name: "truncate leaves the offset", size: 2},
	} {
		t.Run(test.name, func(t *testing.T) {})
	}
}

func TestHole(t *testing.T) {}

func Example_tail() {
	fmt.Println("before  {\"a\":1}")
	fmt.Println("after   {}\"a\":1}")
	// Output:
	// before  {"a":1}
	// after   {}"a":1}
}
`

const shippedCode = `package seektruncate

func Rewrite(path string) error {
	file, err := open(path)
	if err != nil {
		return err
	}

	return file.Truncate(2)
}
`

// page returns goodPage with one passage replaced. Fences are written as ~~~ so that they fit into Go strings.
func page(t *testing.T, old, replacement string) *textcheck.Page {
	t.Helper()
	if old != "" {
		require.Contains(t, goodPage, old, "the passage to break is not in the good page")
	}
	source := strings.Replace(goodPage, old, replacement, 1)
	return textcheck.Parse("lessons/03_seek_truncate/README.md", []byte(strings.ReplaceAll(source, "~~~", "```")))
}

// files writes the files into a new directory, which it returns.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range content {
		path := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return root
}

// goodFiles is a workbook whose third lesson has goodPage for its page, and code of which the learner has made something else.
func goodFiles() toybook.Files {
	const reference = "package seektruncate\n\nfunc Rewrite(path string) error {\n\treturn replace(path, []byte(\"{}\"))\n}\n"
	shipped := udiff.Diff("a", "b", toybook.Answer("seek.go", reference), toybook.Answer("seek.go", shippedCode))
	return toybook.Files{
		"lessons/01_open_modes/README.md":                      "# 01 · Open modes\n",
		"lessons/03_seek_truncate/README.md":                   strings.ReplaceAll(goodPage, "~~~", "```"),
		"lessons/03_seek_truncate/seek_test.go":                goodFacts,
		"exercises/03_seek_truncate/seek.go":                   "package seektruncate\n\n// the learner was here\n",
		"exercises/03_seek_truncate/seek_test.go":              "package seektruncate_test\n",
		"exercises/03_seek_truncate/race/main.go":              "package main\n",
		"solutions/03_seek_truncate/seek.go":                   reference,
		"solutions/03_seek_truncate/wrong/00_as_shipped.patch": "Too long.\n\ncaught by: TestX\nsays: \"x\"\n\n" + string(shipped),
	}
}

func goodWorkbook(t *testing.T) *curriculum.Exercise {
	t.Helper()
	return toybook.Find(t, toybook.New(t, goodFiles()), "03_seek_truncate")
}

// requireProblem demands one problem, at that line of the page, that says want.
func requireProblem(t *testing.T, problems []textcheck.Problem, line int, want string) {
	t.Helper()
	require.Len(t, problems, 1, "%v", problems)
	require.Contains(t, problems[0].String(), want)
	require.Equal(t, line, problems[0].Line, "%v", problems[0])
	require.NotEmpty(t, problems[0].Do)
}

// requireAmong demands such a problem; others may follow from the same mistake.
func requireAmong(t *testing.T, problems []textcheck.Problem, line int, want string) {
	t.Helper()
	for _, problem := range problems {
		if problem.Line == line && strings.Contains(problem.String(), want) {
			return
		}
	}
	require.Failf(t, "the page passed, or failed for another reason", "want line %d %q in %v", line, want, problems)
}

type breakage struct {
	name, old, replacement string
	at                     string // the problem is on the first line that holds this; empty: of the whole file
	want                   string
}

// lineOf is the number of the first line of source that holds text, 0 for no text.
func lineOf(t *testing.T, source []byte, text string) int {
	t.Helper()
	if text == "" {
		return 0
	}
	before, _, found := strings.Cut(string(source), strings.ReplaceAll(text, "~~~", "```"))
	require.True(t, found, "%q is not in the page", text)
	return 1 + strings.Count(before, "\n")
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	require.Empty(t, textcheck.Template(page(t, "", "")))
	require.Empty(t, textcheck.Template(page(t, "[a hole](seek_test.go \"TestHole\") |", "[power cut](../../docs/powercut/) |")))
	for _, test := range []breakage{
		{"no title", "# 03 · Seek", "# Seek", "# Seek", "not a lesson title"},
		{"another number than the directory's", "# 03 ·", "# 04 ·", "# 04", "the directory is 03_seek_truncate"},
		{"no minutes", " 20 minutes to read, 25 to do.", "", "**You", "fixed form"},
		{"no part", " Part One, Files.", "", "**You", "fixed form"},
		{"no promise", "**You will be able to rewrite part of a file.**", "Hello.", "Hello", "fixed form"},
		{"no empty line below the title", "truncate\n\n**You", "truncate\n**You", "Builds on", "fixed form"},
		{"nothing to do", "25 to do", "0 to do", "**You", "0 minutes"},
		{"builds on a later lesson", "[01](../01_open_modes/)", "[05](../05_lost_update/)", "**You", "not an earlier lesson"},
		{"builds on text", "[01](../01_open_modes/)", "lesson one", "**You", "fixed form"},
		{"builds on a link of another number", "[01](../01_open_modes/)", "[02](../01_open_modes/)", "**You", "fixed form"},
		{"a heading of its own", "## Gotchas", "## Traps\n\nText.\n\n## Gotchas", "## Traps", "none of the fixed headings"},
		{
			"the order", "## Gotchas", "## Coming from Python\n\nText.\n\n## On each system\n\nText.\n\n## Gotchas", "## On each",
			`"On each system" is after "Coming from Python"`,
		},
		{"a heading twice", "## Gotchas", "## The fix\n\nText.\n\n## Gotchas", "## The fix\n\nText.", "occurs twice"},
		{"a second title", "## Gotchas", "# More\n\n## Gotchas", "# More", "a second title"},
		{"too deep a heading", "## Gotchas", "#### Deep\n\n## Gotchas", "#### Deep", "of level 4"},
		{"a missing section", "## The bug\n\n", "", "", `no section "The bug"`},
		{"an empty section", "- Write never shortens.\n", "", "## Takeaways", `"Takeaways" is empty`},
		{"too many takeaways", "- Write never shortens.\n", "- 1\n- 2\n- 3\n- 4\n- 5\n- 6\n", "## Takeaways", "6 lines"},
		{"takeaways that are not a list", "- Write never shortens.\n", "Write never shortens.\n", "## Takeaways", "0 lines"},
		{
			"one question only",
			"**2.** And on Windows?\n\n<details><summary>Answer</summary>\n\n" +
				"[The same](seek_test.go \"truncate leaves the offset\").\n\n</details>\n",
			"", "## Predict", "asks 1 questions",
		},
		{"misnumbered questions", "**2.** And", "**3.** And", "**3.**", "question 3 is the 2th"},
		{"an answer without proof", "[Zeros](seek_test.go \"the gap reads as zeros\").", "Zeros.", "<details>", "question 1 has no proof"},
		{
			"an answer that is not folded away", "</details>\n\n## The fix", "## The fix",
			"<details><summary>Answer</summary>\n\n[The same", "not closed",
		},
		{
			"an answer that Markdown does not see", "<details><summary>Answer</summary>\n\n[Zeros",
			"<details><summary>Answer</summary>\n[Zeros", "<details>", "opens in another way",
		},
		{
			"a second answer to one question", "**2.** And on Windows?", "And on Windows?",
			"<details><summary>Answer</summary>\n\n[The same", "without a question",
		},
		{"gotchas in prose", "| symptom | cause | right way | proof |\n|---|---|---|---|\n", "", "## Gotchas", "no table"},
		{"gotchas with other columns", "| symptom | cause |", "| what | cause |", "| what", "columns of Gotchas are what, cause"},
		{"a gotcha without proof", "[a hole](seek_test.go \"TestHole\") |", "see above |", "| a tail", "a gotcha without a proof"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			broken := page(t, test.old, test.replacement)
			requireAmong(t, textcheck.Template(broken), lineOf(t, broken.Source, test.at), test.want)
		})
	}
}

func TestFences(t *testing.T) {
	t.Parallel()
	require.Empty(t, textcheck.Fences(page(t, "", "")))
	for _, test := range []breakage{
		{"a tab in output", "1 file, …", "1\tfile, …", "1\tfile", "a tab"},
		{"a tab inside a line of Go", "return file.Truncate(2)", "return\tfile.Truncate(2)", "return\tfile", "a tab"},
		{"a blank at the end", "lost  …2\n", "lost  …2 \n", "lost", "end of a line"},
		{"a line that is too long", "lost  …2", strings.Repeat("…", 141), strings.Repeat("…", 141), "141 characters"},
		{"no kind", "~~~output\n", "~~~\n", "~~~\nbefore", `kind ""`},
		{"an unknown kind", "~~~output\n", "~~~out\n", "~~~out", `kind "out"`},
		{"an empty block", "## Gotchas", "~~~text\n~~~\n\n## Gotchas", "~~~text", "empty code block"},
		{"indented code", "## Predict", "    code\n\n## Predict", "    code", "indented code block"},
		{"CRLF", "## Gotchas\n", "## Gotchas\r\n", "\r\n", "CRLF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			broken := page(t, test.old, test.replacement)
			requireProblem(t, textcheck.Fences(broken), lineOf(t, broken.Source, test.at), test.want)
		})
	}
}

func TestGoBlocks(t *testing.T) {
	t.Parallel()
	e := goodWorkbook(t)
	code, err := textcheck.LessonCode(e)
	require.NoError(t, err)
	references, err := textcheck.ReferenceCode(e.Root)
	require.NoError(t, err)
	require.Empty(t, textcheck.GoBlocks(page(t, "", ""), code, references))
	block := "func Rewrite(path string) error {\n\t…\n\treturn file.Truncate(2)\n}\n"
	for _, test := range []struct{ name, block string }{
		{"a part, less indented than in the file", "if err != nil {\n\treturn err\n}\n"},
		{"blanks for tabs", "if err != nil {\n    return err\n}\n"},
		{"an elision as a comment", "func Rewrite(path string) error {\n\t// …\n}\n"},
		{"an empty line in it", "}\n\nreturn file.Truncate(2)\n"},
		{"that begins deeper than it ends", "\treturn file.Truncate(2)\n}\n"},
		{"that begins with an elision", "…\n\treturn file.Truncate(2)\n}\n…\n"},
	} {
		t.Run("good: "+test.name, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, textcheck.GoBlocks(page(t, block, test.block), code, references))
		})
	}
	for _, test := range []breakage{
		{"code of nowhere", "", "panic(1)\n", "~~~go", "is not in exercises/03_seek_truncate/seek.go"},
		{
			"a changed line", "", "func Rewrite(path string) error {\n\tfile, err := create(path)\n", "create(path)",
			"here the file goes on: file, err := open(path)",
		},
		{"a missing line", "", "file, err := open(path)\nreturn file.Truncate(2)\n", "return file", "seek.go:4"},
		{"another indentation within", "", "if err != nil {\nreturn err\n}\n", "return err", "here the file goes on"},
		{"the learner's code", "", "// the learner was here\n", "~~~go", "is not in exercises/03_seek_truncate/seek.go"},
		{"nothing but an elision", "", "…\n", "~~~go", "is not in exercises/03_seek_truncate/seek.go"},
		{"lines beyond the end", "", "\treturn file.Truncate(2)\n}\n}\n", "}\n~~~\n\n## Your turn", "here the file ends"},
	} {
		t.Run("bad: "+test.name, func(t *testing.T) {
			t.Parallel()
			broken := page(t, block, test.replacement)
			requireProblem(t, textcheck.GoBlocks(broken, code, references), lineOf(t, broken.Source, test.at), test.want)
		})
	}
}

func TestAGoBlockNamesItsFileAndKeepsTheAnswer(t *testing.T) {
	t.Parallel()
	e := goodWorkbook(t)
	code, err := textcheck.LessonCode(e)
	require.NoError(t, err)
	references, err := textcheck.ReferenceCode(e.Root)
	require.NoError(t, err)
	const fence = "~~~go ../../exercises/03_seek_truncate/seek.go"
	for _, good := range []string{
		"~~~go seek_test.go\nfunc TestHole(t *testing.T) {}\n~~~",
		"~~~go seek_test.go\nfunc Example_tail() {\n\t…\n}\n~~~",
		"~~~python\nopen(path)\n~~~",
	} {
		require.Empty(t, textcheck.GoBlocks(page(t, "## Your turn", good+"\n\n## Your turn"), code, references), good)
	}
	const solved = "func Rewrite(path string) error {\n\treturn replace(path, []byte(\"{}\"))\n}\n~~~\n"
	for _, test := range []breakage{
		{"no file", fence, "~~~go", "~~~go", "does not name its file"},
		{"another lesson's file", fence, "~~~go ../01_open_modes/open_test.go", "~~~go", "not a Go file of the lesson"},
		{"another file of the lesson", fence, "~~~go seek_test.go", "~~~go", "is not in lessons/03_seek_truncate/seek_test.go"},
		{
			"code that only a reference holds", "## Your turn",
			"~~~go ../../solutions/03_seek_truncate/seek.go\n" + solved + "\n## Your turn",
			"~~~go ../../solutions", "not a Go file of the lesson",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			broken := page(t, test.old, test.replacement)
			requireProblem(t, textcheck.GoBlocks(broken, code, references), lineOf(t, broken.Source, test.at), test.want)
		})
	}
	var seek textcheck.CodeFile // a test of the lesson that holds the answer too
	for _, file := range references {
		seek.Lines = append(seek.Lines, file.Lines...)
	}
	seek.Path = "lessons/03_seek_truncate/copy_test.go"
	broken := page(t, "## Your turn", "~~~go copy_test.go\n"+solved+"\n## Your turn")
	requireProblem(t, textcheck.GoBlocks(broken, append(code, seek), references), lineOf(t, broken.Source, "~~~go copy"),
		"is that of the reference, solutions/03_seek_truncate/seek.go:3")
	short := page(t, "## Your turn", "~~~go copy_test.go\n\treturn replace(path, []byte(\"{}\"))\n~~~\n\n## Your turn")
	require.Empty(t, textcheck.GoBlocks(short, append(code, seek), references), "two lines are any program's")
}

func TestProse(t *testing.T) {
	t.Parallel()
	require.Empty(t, textcheck.Prose(page(t, "", "")))
	const before, after = "The new document is shorter.", "- Write never shortens."
	proofs := strings.Repeat("[the size stays](seek_test.go \"a write never shortens\")\n", 12)
	for _, test := range []breakage{
		{"a long core", before, strings.Repeat("word ", 1300), "## Your turn", "words are before"},
		{
			"a long reference part", after, after + "\n\n## In depth\n\n" + strings.Repeat("word ", 2200), "## Takeaways",
			`words are after "Your turn"`,
		},
		{"many proofs", "## Predict", proofs + "\n## Predict", "## Why it happens", "has 13 proofs"},
		{"a claim called proof", "[Zeros]", "Zeros ([proof]", "Zeros ([proof]", `"proof" does not say what it proves`},
		{"rule 1", before, "What nobody holds.", "What nobody", `style (rule 1): "nobody"`},
		{"rule 1 in a link", "[Zeros]", "[Somebody's zeros]", "[Somebody", `style (rule 1): "Somebody"`},
		{"rule 4", before, "It fails. It is\nno JSON.", "It fails", `style (rule 4): "It is no JSON.`},
		{"rule 5, belongs", before, "It belongs into the header.", "It belongs", `style (rule 5): "belongs into"`},
		{"rule 5, else", before, "One.\nElse, two.", "Else", `style (rule 5): "Else"`},
		{"a phrase after a quotation", before, "One \"a\nb\" and\nwhoever.", "whoever", `style (rule 1): "whoever"`},
		{"a folder", before, "In a `x`\nfolder.", "folder", `style (one word for one thing): "folder"`},
		{"a row without a number", "lost  …2", "lost      …", "lost", "nothing but `…`"},
		{"a row of many values without one", "lost  …2", "  1   …   …", "  1 ", "nothing but `…`"},
		{"a row of a table without a number", "| a tail", "| a | … | … | … |\n| a tail", "| a | …", "nothing but `…`"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			broken := page(t, test.old, test.replacement)
			requireProblem(t, textcheck.Prose(broken), lineOf(t, broken.Source, test.at), test.want)
		})
	}
	for _, good := range []string{
		"There is no file, and it is no longer than before.", "Call `nobody()` in the `folder`.", "Somebodies.",
		`It looks like "nobody\nholds anything" to a reader.`,
		"~~~text\nnobody, in a folder\n~~~", strings.Repeat("[w](seek_test.go \"a claim of many words\") ", 1000),
	} {
		require.Empty(t, textcheck.Prose(page(t, before, good)), good)
	}
}

const goodHints = `# Hints for 03_seek_truncate

## Rewrite

1. What does the file hold after a shorter write?
2. A file has a length, which is not the offset.
3. ` + "`Truncate`" + ` takes a length.
`

func TestExercise(t *testing.T) {
	t.Parallel()
	const example = "package seektruncate_test\n\nfunc ExampleRewrite() {\n\t// Output: {}\n}\n"
	check := func(t *testing.T, hints, example string) []textcheck.Problem {
		all := goodFiles()
		all["exercises/03_seek_truncate/hints.md"] = hints
		all["solutions/03_seek_truncate/example_test.go"] = example
		e := toybook.Find(t, toybook.New(t, all), "3")
		problems, err := textcheck.Exercise(e)
		require.NoError(t, err)
		return problems
	}
	require.Empty(t, check(t, goodHints, example))
	for _, test := range []breakage{
		{"another title", "03_seek", "3_seek", "# Hints", "another title"},
		{"a number for a function", "## Rewrite", "## 1", "## 1", `"1" is not a function`},
		{"a function of another exercise", "## Rewrite", "## Append", "## Append", `"Append" is not a function`},
		{"two hints", "2. A file has a length, which is not the offset.\n", "", "## Rewrite", "Rewrite has 2 hints"},
		{"text beside the list", "## Rewrite\n", "## Rewrite\n\nThink.\n", "## Rewrite", "Rewrite has 3 hints"},
		{"a long hint", "A file has a length, which", strings.Repeat("word ", 46), "2. ", "hint 2 for Rewrite has"},
		{"a line of the solution", "`Truncate` takes", "`return replace(path, []byte(\"{}\"))` takes", "3. ", "holds a line of the solution"},
		{"a refused phrase", "A file has", "Nobody has", "2. ", "style (rule 1)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, goodHints, test.old)
			hints := strings.Replace(goodHints, test.old, test.replacement, 1)
			requireProblem(t, check(t, hints, example), lineOf(t, []byte(hints), test.at), test.want)
		})
	}
	requireProblem(t, check(t, goodHints, strings.Replace(example, "Output", "output is", 1)), 0, "no Example")
	requireAmong(t, check(t, "# Hints for 03_seek_truncate\n", example), 0, "there are no hints")
	t.Run("a large exercise", func(t *testing.T) {
		t.Parallel()
		all := goodFiles()
		all["exercises/03_seek_truncate/hints.md"] = goodHints
		all["solutions/03_seek_truncate/example_test.go"] = example
		long := shippedCode + strings.Repeat("\n// more\n", 60)
		all["solutions/03_seek_truncate/seek.go"] = long
		diff := udiff.Diff("a", "b", toybook.Answer("seek.go", long), toybook.Answer("seek.go", shippedCode))
		all["solutions/03_seek_truncate/wrong/00_as_shipped.patch"] = "Too long.\n\ncaught by: TestX\nsays: \"x\"\n\n" + string(diff)
		problems, err := textcheck.Exercise(toybook.Find(t, toybook.New(t, all), "3"))
		require.NoError(t, err)
		requireProblem(t, problems, 0, "120 lines change")
	})
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	facts, err := textcheck.Facts(goodWorkbook(t).Root, "03_seek_truncate")
	require.NoError(t, err)
	require.Empty(t, textcheck.Outputs(page(t, "", ""), facts))
	requireProblem(t, textcheck.Outputs(page(t, `after   {}"a":1}`, `after   {}`), facts), lineOf(t, page(t, "", "").Source, "~~~output"),
		"no Example")
}

func TestFactsReadsEveryFormOfASubtest(t *testing.T) {
	t.Parallel()
	root := files(t, map[string]string{"lessons/01_x/facts_test.go": `package x_test

import "testing"

func TestMain(m *testing.M) {}

func TestAlone(t *testing.T) { other.Run("not a subtest", func(t *testing.T) {}) }

func TestGroup(t *testing.T) {
	t.Run("outer", func(t *testing.T) {
		t.Run("inner", func(t *testing.T) {})
	})
	t.Run("by function", named)
	helper(t)
	for name, test := range map[string]int{"map key": 1} {
		t.Run(name, func(t *testing.T) { _ = test })
	}
	for _, name := range []string{"list one", "list two"} {
		t.Run(name, func(t *testing.T) {})
	}
	local := []struct{ size int; claim string }{{1, "unkeyed field"}}
	for _, c := range local {
		t.Run(c.claim, func(t *testing.T) {})
	}
	for _, c := range global {
		t.Run(c.claim, func(t *testing.T) {})
	}
	for _, c := range []*row{&row{claim: "by pointer"}} {
		t.Run(c.claim, func(t *testing.T) {})
	}
}

func TestComputed(t *testing.T) {
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {})
	}
}

func TestLoop(t *testing.T) { recursive(t) }

func FuzzSomething(f *testing.F) {}

var global = []row{{claim: "package table"}}

func named(t *testing.T)     { t.Run("below a function", func(t *testing.T) {}) }
func helper(t *testing.T)    { t.Helper(); t.Run("in a helper", func(t *testing.T) {}) }
func recursive(t *testing.T) { recursive(t) }

func BenchmarkX(b *testing.B) {}

func Example_silent() {}
`})
	facts, err := textcheck.Facts(root, "01_x")
	require.NoError(t, err)
	var claims []string
	for _, fact := range facts {
		require.Equal(t, "lessons/01_x/facts_test.go", fact.File)
		require.Positive(t, fact.Line)
		if !fact.HasFacts {
			claims = append(claims, fact.Path)
		}
	}
	require.ElementsMatch(t, []string{
		"TestAlone", "TestGroup/outer/inner", "TestGroup/by function/below a function", "TestGroup/in a helper", "TestGroup/map key",
		"TestGroup/list one", "TestGroup/list two", "TestGroup/unkeyed field", "TestGroup/package table", "TestGroup/by pointer",
		"TestComputed", "TestLoop", "FuzzSomething",
	}, claims)
}

func TestProofs(t *testing.T) {
	t.Parallel()
	root := goodWorkbook(t).Root
	factsOf := func(lesson string) ([]*textcheck.Fact, error) { return textcheck.Facts(root, lesson) }
	check := func(t *testing.T, p *textcheck.Page) []textcheck.Problem {
		problems, err := textcheck.Proofs(p, "03_seek_truncate", factsOf)
		require.NoError(t, err)
		return problems
	}
	require.Empty(t, check(t, page(t, "", "")))
	require.Empty(t, check(t, page(t, `"TestHole"`, `"TestHole" `)))
	require.Empty(t, check(t, page(t, `"the gap reads`, `"TestSeek/the gap reads`)), "a whole path is a name too")
	const hole = `[a hole](seek_test.go "TestHole")`
	for _, test := range []struct{ name, old, replacement, want string }{
		{"a fact without a link", hole, "", `README.md does not link the fact "TestHole"`},
		{"an output that is not shown", "~~~output", "~~~text", `does not link the fact "Example_tail"`},
		{"a test that does not exist", hole, hole + ` [proof](seek_test.go "TestGap")`, `"TestGap" is not a test of`},
		{"a reworded claim", hole, hole + ` [proof](seek_test.go "a write never cuts")`, `there is "a write never shortens"`},
		{"a file that does not exist", hole, hole + ` [proof](cut_test.go "TestHole")`, "it is in lessons/03_seek_truncate/seek_test.go"},
		{"a link without a name", hole, hole + ` [proof](seek_test.go)`, "does not name the test"},
		{"a group", hole, hole + ` [proof](seek_test.go "TestSeek")`, "is a group of subtests"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			problems := check(t, page(t, test.old, test.replacement))
			require.Len(t, problems, 1, "%v", problems)
			require.Contains(t, problems[0].String(), test.want)
		})
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	root := goodWorkbook(t).Root
	require.Empty(t, textcheck.Links(root, page(t, "", "")))
	require.NoError(t, os.Mkdir(filepath.Join(root, "lessons", "empty"), 0o755))
	place := "- Write never shortens."
	for _, good := range []string{
		"https://pkg.go.dev/os#File.Truncate", "README.md", "seek_test.go", "../01_open_modes/#01--open-modes", "#why-it-happens",
		"../01_open_modes/README.md#01--open-modes", "../../", "mailto:a@example.org",
	} {
		require.Empty(t, textcheck.Links(root, page(t, place, "- [x]("+good+")")), good)
	}
	for _, test := range []struct{ name, link, want string }{
		{"a missing file", "[x](gone.md)", "leads nowhere"},
		{"an empty directory", "[x](../empty/)", "leads nowhere"},
		{"another letter case", "[x](readme.md)", "leads nowhere"},
		{"a directory without a slash", "[x](../01_open_modes)", "end it in a slash"},
		{"a file with a slash", "[x](seek_test.go/)", "delete the slash"},
		{"an anchor that is none", "[x](#nothing)", "leads to no heading"},
		{"an anchor of another page that is none", "[x](../01_open_modes/#nothing)", "leads to no heading"},
		{"a line number", "[x](seek_test.go#L10)", "lines move"},
		{"a path from the root", "[x](/lessons/)", "begins with a slash"},
		{"out of the workbook", "[x](../../../x)", "out of the workbook"},
		{"a strange address", "[x](file:///etc/passwd)", "not an address on the web"},
		{"an image", "![x](gone.png)", "leads nowhere"},
		{"a link in HTML", `<a href="gone.md">x</a>`, "leads nowhere"},
		{"a blank between the brackets", "[x] (README.md)", "are not a link"},
		{"a blank in the path", "[x](READ ME.md)", "are not a link"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			requireProblem(t, textcheck.Links(root, page(t, place, "- "+test.link)), lineOf(t, []byte(goodPage), place), test.want)
		})
	}
}

func TestAnchorsAreThoseOfACodeHost(t *testing.T) {
	t.Parallel()
	p := textcheck.Parse("x.md", []byte("# 03 · Seek & *truncate*\n\n## `os.Open`, twice\n\n## Same\n\n## Same\n\n## Größe_x\n\n<a "+
		"id=\"mine\"></a>\n"))
	for _, anchor := range []string{"03--seek--truncate", "osopen-twice", "same", "same-1", "größe_x", "mine"} {
		require.True(t, p.HasAnchor(anchor), "%s in %v", anchor, p.Headings)
	}
	require.False(t, p.HasAnchor("same-2"))
	require.Equal(t, 3, p.Headings[1].Line)
}

func TestReferences(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, code string
		line       int
		want       string
	}{
		{"good", "var l = Lesson{Read: `lessons/03_seek_truncate, \"Why it happens\"`}", 0, ""},
		{"a string of another form elsewhere", "const path = \"lessons/none\"", 0, ""},
		{"code that does not parse", "var l = {", 0, ""},
		{"another heading", "var l = Lesson{Read: `lessons/03_seek_truncate, \"Why\"`}", 3, "no such heading"},
		{"another heading in a constant", "const why = `lessons/03_seek_truncate, \"Why\"`", 3, "no such heading"},
		{"no such lesson", "var l = Lesson{Read: `lessons/04_json, \"The bug\"`}", 3, "has no page"},
		{"a Read in another form", "var l = Lesson{Read: \"lesson 3\"}", 3, "sends the learner to"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := goodWorkbook(t).Root
			file := filepath.Join(root, "exercises", "03_seek_truncate", "more_test.go")
			require.NoError(t, os.WriteFile(file, []byte("package x\n\n"+test.code+"\n"), 0o644))
			problems, err := textcheck.References(root, "03_seek_truncate")
			require.NoError(t, err)
			if test.want == "" {
				require.Empty(t, problems)
				return
			}
			requireProblem(t, problems, test.line, test.want)
		})
	}
}

func TestCurriculum(t *testing.T) {
	t.Parallel()
	const good = `# Book

In all 20 minutes to read and 25 to do.

## Part One, Files

| # | lesson | you repair | minutes |
|---|---|---|---|
| 01 | [Open modes](lessons/01_open/) | helpers | 20 + 25 |
| 02 | Close | With | planned |
`
	const lesson = "# 01 · Open modes\n\n**A promise.** Part One, Files. 20 minutes to read, 25 to do.\n"
	for _, test := range []breakage{
		{"good", "", "", "", ""},
		{"another title", "[Open modes]", "[Modes]", "| 01", `title of lesson 01: "Modes" here`},
		{"other minutes", "20 + 25", "20 + 20", "| 01", "minutes of lesson 01"},
		{"another directory", "lessons/01_open/", "lessons/01_x/", "| 01", "link of lesson 01"},
		{"no link", "[Open modes](lessons/01_open/)", "Open modes", "| 01", "link of lesson 01"},
		{"another part", "Part One, Files", "Part Two, Races", "| 01", "part of lesson 01"},
		{"a planned lesson with a link", "| Close |", "| [Close](lessons/02_close/) |", "| 02", "has no directory"},
		{"a planned lesson with minutes", "| planned |", "| 5 + 5 |", "| 02", "has no directory"},
		{"a gap", "| 02 |", "| 03 |", "| 03", "is where 02 should be"},
		{
			"a lesson that is not listed", "| 01 | [Open modes](lessons/01_open/) | helpers | 20 + 25 |\n| 02 |", "| 01x | |\n| 02 |", "",
			"no table lists lessons/01_open",
		},
		{"a wrong sum", "25 to do", "26 to do", "In all", "do not sum up"},
		{"a sum in other words", "20 minutes to read and 25 to do", "45 minutes", "", "does not sum up"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			readme := strings.Replace(good, test.old, test.replacement, 1)
			book := toybook.New(t, toybook.Files{"README.md": readme, "lessons/01_open/README.md": lesson})
			problems, err := textcheck.Curriculum(book)
			require.NoError(t, err)
			if test.want == "" {
				require.Empty(t, problems)
				return
			}
			requireAmong(t, problems, lineOf(t, []byte(readme), test.at), test.want)
		})
	}
}
