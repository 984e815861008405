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
lost  …
exit status 1
~~~

## Why it happens

A write never shortens a file: [proof](seek_test.go "a write never shortens").

~~~output
before  {"a":1}
after   {}"a":1}
~~~

## Predict

**1.** What does the file hold?

<details><summary>Answer</summary>

Zeros: [proof](seek_test.go "the gap reads as zeros").

</details>

**2.** And on Windows?

<details><summary>Answer</summary>

The same: [proof](seek_test.go "truncate leaves the offset").

</details>

## The way out

~~~go
func Rewrite(path string) error {
	…
	return file.Truncate(2)
}
~~~

## Gotchas

| symptom | cause | right way | proof |
|---|---|---|---|
| a tail | no Truncate | truncate | [proof](seek_test.go "TestHole") |

## Your turn

Edit [the file](../../exercises/03_seek_truncate/), then:

~~~sh
go run ./exercises check 3 # the tests
~~~

## Takeaways

- Write never shortens.
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

// page returns goodPage with one passage replaced. Fences are written as ~~~ so that they can stand in Go strings.
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
	reference := strings.Replace(shippedCode, "Truncate(2)", "Truncate(1)", 1)
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
	require.Empty(t, textcheck.Template(page(t, "[proof](seek_test.go \"TestHole\") |", "[power cut](../../docs/powercut/) |")))
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
		{"the order", "## Your turn", "## Coming from Python\n\nText.\n\n## On each system\n\nText.\n\n## Your turn", "## On each", `"On each system" stands after "Coming from Python"`},
		{"a heading twice", "## Gotchas", "## The way out\n\nText.\n\n## Gotchas", "## The way out\n\nText.", "stands twice"},
		{"a second title", "## Gotchas", "# More\n\n## Gotchas", "# More", "a second title"},
		{"too deep a heading", "## Gotchas", "#### Deep\n\n## Gotchas", "#### Deep", "of level 4"},
		{"a missing section", "## The bug\n\n", "", "", `no section "The bug"`},
		{"an empty section", "- Write never shortens.\n", "", "## Takeaways", `"Takeaways" is empty`},
		{"too many takeaways", "- Write never shortens.\n", "- 1\n- 2\n- 3\n- 4\n- 5\n- 6\n", "## Takeaways", "6 lines"},
		{"takeaways that are no list", "- Write never shortens.\n", "Write never shortens.\n", "## Takeaways", "0 lines"},
		{"one question only", "**2.** And on Windows?\n\n<details><summary>Answer</summary>\n\nThe same: [proof](seek_test.go \"truncate leaves the offset\").\n\n</details>\n", "", "## Predict", "asks 1 questions"},
		{"misnumbered questions", "**2.** And", "**3.** And", "**3.**", "question 3 is the 2th"},
		{"an answer without proof", "Zeros: [proof](seek_test.go \"the gap reads as zeros\").", "Zeros.", "<details>", "question 1 has no proof"},
		{"an answer that is not folded away", "</details>\n\n## The way", "## The way", "<details><summary>Answer</summary>\n\nThe same", "not closed"},
		{"an answer that Markdown does not see", "<details><summary>Answer</summary>\n\nZeros", "<details><summary>Answer</summary>\nZeros", "<details>", "opens in another way"},
		{"a second answer to one question", "**2.** And on Windows?", "And on Windows?", "<details><summary>Answer</summary>\n\nThe same", "without a question"},
		{"gotchas in prose", "| symptom | cause | right way | proof |\n|---|---|---|---|\n", "", "## Gotchas", "no table"},
		{"gotchas with other columns", "| symptom | cause |", "| what | cause |", "| what", "columns of Gotchas are what, cause"},
		{"a gotcha without proof", "[proof](seek_test.go \"TestHole\") |", "see above |", "| a tail", "a gotcha without a proof"},
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
		{"a blank at the end", "lost  …\n", "lost  … \n", "lost", "end of a line"},
		{"a line that is too long", "lost  …", strings.Repeat("…", 141), strings.Repeat("…", 141), "141 characters"},
		{"no kind", "~~~output\n", "~~~\n", "~~~\nbefore", `kind ""`},
		{"an unknown kind", "~~~output\n", "~~~out\n", "~~~out", `kind "out"`},
		{"an empty block", "## Gotchas", "~~~text\n~~~\n\n## Gotchas", "~~~text", "empty code block"},
		{"indented code", "## Gotchas", "    code\n\n## Gotchas", "    code", "indented code block"},
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
	code, err := textcheck.LessonCode(goodWorkbook(t))
	require.NoError(t, err)
	require.Empty(t, textcheck.GoBlocks(page(t, "", ""), code))
	block := "func Rewrite(path string) error {\n\t…\n\treturn file.Truncate(2)\n}\n"
	for _, test := range []struct{ name, block string }{
		{"a part, less indented than in the file", "if err != nil {\n\treturn err\n}\n"},
		{"blanks for tabs", "if err != nil {\n    return err\n}\n"},
		{"an elision as a comment", "func Rewrite(path string) error {\n\t// …\n}\n"},
		{"an empty line in it", "}\n\nreturn file.Truncate(2)\n"},
		{"that begins deeper than it ends", "\treturn file.Truncate(2)\n}\n"},
		{"that begins with an elision", "…\n\treturn file.Truncate(2)\n}\n…\n"},
		{"from a test", "func TestHole(t *testing.T) {}\n"},
	} {
		t.Run("good: "+test.name, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, textcheck.GoBlocks(page(t, block, test.block), code))
		})
	}
	for _, test := range []breakage{
		{"code of nowhere", "", "panic(1)\n", "~~~go", "stands in no file"},
		{"a changed line", "", "func Rewrite(path string) error {\n\tfile, err := create(path)\n", "create(path)", "here the file goes on: file, err := open(path)"},
		{"a missing line", "", "file, err := open(path)\nreturn file.Truncate(2)\n", "return file", "seek.go:4"},
		{"another indentation within", "", "if err != nil {\nreturn err\n}\n", "return err", "here the file goes on"},
		{"the learner's code", "", "// the learner was here\n", "~~~go", "stands in no file"},
		{"nothing but an elision", "", "…\n", "~~~go", "stands in no file"},
		{"lines beyond the end", "", "\treturn file.Truncate(2)\n}\n}\n", "}\n~~~\n\n## Gotchas", "here the file ends"},
	} {
		t.Run("bad: "+test.name, func(t *testing.T) {
			t.Parallel()
			broken := page(t, block, test.replacement)
			requireProblem(t, textcheck.GoBlocks(broken, code), lineOf(t, broken.Source, test.at), test.want)
		})
	}
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	facts, err := textcheck.Facts(goodWorkbook(t).Root, "03_seek_truncate")
	require.NoError(t, err)
	require.Empty(t, textcheck.Outputs(page(t, "", ""), facts))
	requireProblem(t, textcheck.Outputs(page(t, `after   {}"a":1}`, `after   {}`), facts), 22, "no Example")
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
	const hole = `[proof](seek_test.go "TestHole")`
	for _, test := range []struct{ name, old, replacement, want string }{
		{"a fact without a link", hole, "", `README.md does not link the fact "TestHole"`},
		{"an output that is not shown", "~~~output", "~~~text", `does not link the fact "Example_tail"`},
		{"a test that does not exist", hole, hole + ` [proof](seek_test.go "TestGap")`, `"TestGap" is no test of`},
		{"a reworded claim", hole, hole + ` [proof](seek_test.go "a write never cuts")`, `there is "a write never shortens"`},
		{"a file that does not exist", hole, hole + ` [proof](cut_test.go "TestHole")`, "it stands in lessons/03_seek_truncate/seek_test.go"},
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
		{"a strange address", "[x](file:///etc/passwd)", "no address on the web"},
		{"an image", "![x](gone.png)", "leads nowhere"},
		{"a link in HTML", `<a href="gone.md">x</a>`, "leads nowhere"},
		{"a blank between the brackets", "[x] (README.md)", "are no link"},
		{"a blank in the path", "[x](READ ME.md)", "are no link"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			requireProblem(t, textcheck.Links(root, page(t, place, "- "+test.link)), 70, test.want)
		})
	}
}

func TestAnchorsAreThoseOfACodeHost(t *testing.T) {
	t.Parallel()
	p := textcheck.Parse("x.md", []byte("# 03 · Seek & *truncate*\n\n## `os.Open`, twice\n\n## Same\n\n## Same\n\n## Größe_x\n\n<a id=\"mine\"></a>\n"))
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
		{"a gap", "| 02 |", "| 03 |", "| 03", "stands where 02 should"},
		{"a lesson that is not listed", "| 01 | [Open modes](lessons/01_open/) | helpers | 20 + 25 |\n| 02 |", "| 01x | |\n| 02 |", "", "no table lists lessons/01_open"},
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
