package guide

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/gotest"
	"example/turnstile/internal/lab/verdict"
)

// escapeCode is an instruction to a terminal.
var escapeCode = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

var tail = verdict.Failure{
	Says:     "Rewrite left the old tail behind the new document",
	Did:      "the file held 24 bytes; Rewrite replaced them by 2",
	Expected: "{}",
	Found:    `{}bracket.step":"alice"}`,
	Means:    "the file is no JSON any more: the next program that reads it fails, or reads half of an old lock",
	Read:     `lessons/03_seek_truncate, "Why it happens"`,
}

func test(name string, status gotest.Status) gotest.TestResult {
	return gotest.TestResult{Name: name, Status: status}
}

func TestScreen(t *testing.T) {
	t.Parallel()
	failing := test("TestRewrite/shorter", gotest.Failed)
	failing.Failure = &tail
	ownWords := test("TestAppend", gotest.Failed)
	ownWords.Output = "    append_test.go:12: lost a line\n\tcode says \x1b[31mred\x1b[0m"
	skipped := test("TestReserved", gotest.Skipped)
	skipped.SkipReason = "only Windows reserves names"

	for _, c := range []struct {
		name   string
		screen screen
		want   string
	}{
		{
			name: "the first failure in full, the others by name, then what to do",
			screen: screen{
				title: "03 · Seek and truncate",
				result: &gotest.Result{Status: gotest.Failed, Tests: []gotest.TestResult{
					test("TestRead", gotest.Passed), test("TestRewrite", gotest.Failed), failing,
					test("TestAppend", gotest.Failed), test("TestHole", gotest.Failed), skipped,
				}},
				rows: []row{
					{"edit", "exercises/03_seek_truncate/seek.go:41", ""},
					{"read", "lessons/03_seek_truncate/README.md:57", `"Why it happens"`},
					{"then", "go run ./exercises check 3", "when you have saved"},
				},
			},
			want: `
✗ 03 · Seek and truncate: 1 of 5 tests pass

Rewrite left the old tail behind the new document
  did       the file held 24 bytes; Rewrite replaced them by 2
  expected  {}
  found     {}bracket.step":"alice"}
  means     the file is no JSON any more: the next program that reads it fails, or reads half of an
            old lock
  read      lessons/03_seek_truncate, "Why it happens"

  test      TestRewrite/shorter
            and 2 other tests fail: TestAppend, TestHole

  edit      exercises/03_seek_truncate/seek.go:41
  read      lessons/03_seek_truncate/README.md:57   "Why it happens"
  then      go run ./exercises check 3              when you have saved
`,
		},
		{
			name: "a test that speaks in its own words, its control characters made visible",
			screen: screen{
				title:  "03 · Seek and truncate",
				result: &gotest.Result{Status: gotest.Failed, Tests: []gotest.TestResult{ownWords}},
			},
			want: `
✗ 03 · Seek and truncate: 0 of 1 tests pass

      append_test.go:12: lost a line
      code says ␛[31mred␛[0m

  test      TestAppend
`,
		},
		{
			name: "a success with the next step, and what was skipped",
			screen: screen{
				title:  "03 · Seek and truncate",
				after:  "You are now able to rewrite part of a file without leaving the rest behind.",
				result: &gotest.Result{Status: gotest.Passed, Tests: []gotest.TestResult{test("TestRead", gotest.Passed), skipped}},
				rows:   []row{{"next", "lessons/04_json_files/README.md", "04 · JSON files: 20 minutes to read, 25 to do"}},
			},
			want: `
✓ 03 · Seek and truncate: 1 test passes, 1 skipped

  not run here: only Windows reserves names (TestReserved)

You are now able to rewrite part of a file without leaving the rest behind.

  next      lessons/04_json_files/README.md   04 · JSON files: 20 minutes to read, 25 to do
`,
		},
		{
			name: "code that does not compile",
			screen: screen{
				title: "03 · Seek and truncate",
				result: &gotest.Result{Status: gotest.DoesNotCompile, CompilerLines: []string{
					"exercises/03_seek_truncate/seek.go:41:5: undefined: tail", "b", "c", "d", "e",
				}},
			},
			want: `
✗ 03 · Seek and truncate: does not compile yet

Your code does not compile yet:

  exercises/03_seek_truncate/seek.go:41:5: undefined: tail
  b
  c
  and 2 more lines
`,
		},
		{
			name: "tests that were stopped",
			screen: screen{
				title:  "03 · Seek and truncate",
				result: &gotest.Result{Status: gotest.Broken, Reason: "TestRewrite stopped the whole test process with panic: no"},
			},
			want: `
✗ 03 · Seek and truncate: the tests were stopped

TestRewrite stopped the whole test process with panic: no.
`,
		},
		{
			name: "an exercise for another system, checked on the reference",
			screen: screen{
				title: "10 · LockFileEx", reference: true,
				before: []string{"A paragraph to read first."},
				result: &gotest.Result{Status: gotest.Skipped, Reason: "LockFileEx is a call of Windows"},
			},
			want: `
A paragraph to read first.

✓ 10 · LockFileEx (reference): not for this system

Nothing to do here: LockFileEx is a call of Windows.
`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, strings.TrimPrefix(c.want, "\n"), palette{width: maxWidth}.screen(c.screen))
			// Colour changes nothing but the escape codes.
			coloured := palette{width: maxWidth, colour: true}.screen(c.screen)
			require.Contains(t, coloured, "\x1b[")
			require.Equal(t, strings.TrimPrefix(c.want, "\n"), escapeCode.ReplaceAllString(coloured, ""))
			for line := range strings.Lines(palette{width: minWidth}.screen(c.screen)) {
				words := strings.Fields(line)
				long := len(words) <= 2 // a path or a command: nothing to break at
				require.True(t, long || utf8.RuneCountInString(strings.TrimRight(line, "\n")) <= minWidth ||
					strings.Contains(line, "go run"), "a line too long for a narrow terminal: %q", line)
			}
		})
	}
}

func TestWrapKeepsEveryWordAndTheWidth(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("naïve words ␀⏎ and more ", 30)
	for _, width := range []int{minWidth, 77, maxWidth} {
		wrapped := wrap(text, "    ", width)
		require.Equal(t, strings.Fields(text), strings.Fields(wrapped))
		for line := range strings.Lines("    " + wrapped) {
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), width)
		}
	}
}

func TestCutKeepsEveryCharacter(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("␀ {}  ", 60)
	require.Equal(t, text, strings.ReplaceAll(cut(text, "  ", minWidth), "\n  ", ""))
	require.Equal(t, "read the \n  file /a/b", cut("read the file /a/b", "  ", 14), "a path stays whole where it can")
	require.Equal(t, "{} 3456789012\n  345", cut("{} 3456789012345", "  ", 15), "no line is left half empty for it")
}

func TestMarkdownKeepsTheLinesThatMean(t *testing.T) {
	t.Parallel()
	text := "# Notes\n\n**A** paragraph\nin two lines.\n\n- one\n  thing\n- two\n\n```\na\n\nb b\n```\n\nThe\nend.\n"
	want := "# Notes\n\n  **A** paragraph in two lines.\n\n  - one thing\n  - two\n\n  ```\n  a\n\n  b b\n  ```\n\n  The end."
	require.Equal(t, want, markdown(text, "  ", maxWidth))
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line    string
		verb    string
		options options
	}{
		{"", "next", options{}},
		{"list", "list", options{}},
		{"LIST", "list", options{}},
		{"check 3", "check", options{operands: []string{"3"}}},
		{"-solution check 3", "check", options{operands: []string{"3"}, reference: true}},
		{"check 3 -solution", "check", options{operands: []string{"3"}, reference: true}},
		{"check --solution 3", "check", options{operands: []string{"3"}, reference: true}},
		{"-solution", "next", options{reference: true}},
		{"report --json", "report", options{json: true}},
		{"solution 3 --yes", "solution", options{operands: []string{"3"}, yes: true}},
		{"check 3 --help", "help", options{}},
		{"-h", "help", options{}},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Parallel()
			v, opts, err := parse(strings.Fields(c.line))
			require.NoError(t, err)
			require.Equal(t, c.verb, v.name)
			if len(opts.operands) == 0 {
				opts.operands = nil
			}
			require.Equal(t, c.options, opts)
		})
	}
}

func TestParseNamesWhatWasNearlyMeant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, says string }{
		{"chekc 3", "Did you mean check?"},
		{"wacth", "Did you mean watch?"},
		{"re", "Did you mean reset or report?"},
		{"LISST", "Did you mean list?"},
		{"catch-up 3", "Did you mean catchup?"},
		{"3", "Did you mean `check 3`?"},
		{"xyzzy", "The verbs are next, list, check, watch,"},
		{"check 3 4", "check takes [N]"},
		{"list 3", "list takes nothing more"},
		{"check --force", "There is no flag --force"},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Parallel()
			_, _, err := parse(strings.Fields(c.line))
			require.ErrorContains(t, err, c.says)
			require.IsType(t, &usageError{}, err)
		})
	}
}

func TestTheFunctionThatAMessageSpeaksOf(t *testing.T) {
	t.Parallel()
	code := answer.Answer{"append.go": []byte(`package lock

// TODO: somewhere else.
var x int

type File struct{}

func (f *File) Append() error {
	return nil
}

func (f *File) Close() error { return nil }
`), "lock.go": []byte(`package lock

func Load() error {
	return nil
}

func (l *Lock) Close() error {
	return nil // TODO: the error
}

// Save saves.
func Save(f *File) error {
	a()
	return nil // TODO: the tail
}

func One() { /* TODO */ }

func Lock() { acquire(); give() }
func acquire() {
	span()
	acquire() // TODO: a second place
}
func give() {} // TODO: a third one

type Range struct {
	first int // TODO: go to span.go
}

func broken( {
`), "span.go": []byte(`package lock

func span() {
	_ = 0 // TODO: the first on the way
}
`)}
	for _, c := range []struct{ message, place string }{
		{"Save left the old tail", "lock.go:14"},
		{"Load refused what Save had written", "lock.go:3"},
		{"your Append lost a line", "append.go:8"},
		{"f.Append lost a line that Save had kept", "append.go:8"},
		{"Close dropped the error", "lock.go:8"},
		{"the Range is wrong", "span.go:4"},
		{"Lock let two in", "span.go:4"},
		{"The report is gone", ""},
		{"the file is empty", ""},
		{"a File was left open", "append.go:6"},
		{"", ""},
	} {
		d, place := speaksOf(c.message, code), ""
		if d != nil {
			place = fmt.Sprintf("%s:%d", d.file, d.edit)
		}
		require.Equal(t, c.place, place, c.message)
	}
	require.Equal(t, 3, todoLine(strings.Split(string(code["append.go"]), "\n")))
}

func TestIsFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, head, system string
		want               bool
	}{
		{"lock.go", "", "linux", true},
		{"lock_darwin.go", "", "linux", false},
		{"lock_darwin.go", "", "darwin", true},
		{"lock_windows.go", "", "linux", false},
		{"lock_file.go", "", "linux", true},
		{"lock_linux_" + runtime.GOARCH + ".go", "", "linux", true},
		{"lock_s390x.go", "", "linux", runtime.GOARCH == "s390x"},
		{"linux.go", "", "windows", true},
		{"lock.go", "//go:build unix && !darwin\n", "linux", true},
		{"lock.go", "// A comment.\n\n//go:build unix && !darwin\n", "darwin", false},
		{"lock.go", "//go:build !unix\n", "windows", true},
		{"lock.go", "//go:build ignore\n", "linux", false},
	} {
		require.Equal(t, c.want, isFor(c.name, []byte(c.head+"\npackage lock\n"), c.system), "%v", c)
	}
}

func TestParseHints(t *testing.T) {
	t.Parallel()
	groups := parseHints("# Hints for 05\n\n## Update\n\n1. What does\n   it hold?\n2. The read.\n\n## `Take` and Return\n\n1. One.\n")
	require.Len(t, groups, 2)
	require.Equal(t, "Update", groups[0].function)
	require.Equal(t, []string{"What does\n   it hold?", "The read."}, groups[0].hints)
	require.Equal(t, []string{"One."}, groups[1].hints)
	require.Equal(t, []int{0, 1, 1, -1}, []int{
		groupNamed(groups, "update"), groupNamed(groups, "Return"), groupNamed(groups, "Take"),
		groupNamed(groups, "and Return"),
	})
	require.Empty(t, parseHints("Nothing."))
}

func TestProgressBelowATest(t *testing.T) {
	t.Parallel()
	failing := test("TestTheDiskIsAsked/a_quota", gotest.Failed)
	failing.Failure = &verdict.Failure{Says: "Save said nothing"}
	root := test("TestMode/root", gotest.Skipped)
	root.SkipReason = "root may read everything"
	r := &gotest.Result{Status: gotest.Failed, Tests: []gotest.TestResult{
		test("TestTheDiskIsAsked", gotest.Failed), test("TestTheDiskIsAsked/a_full_disk", gotest.Passed), failing,
		test("TestMode", gotest.Failed), test("TestMode/a", gotest.Passed), root, test("TestMode/b", gotest.Failed),
		test("TestMode/c", gotest.Passed),
	}}
	text := palette{width: maxWidth}.failure(r)
	require.Contains(t, text, "TestTheDiskIsAsked/a_quota   1 of 2 cases of this test pass")
	require.Contains(t, text, "and 1 other test fails: TestMode (2 of 3)")

	r.Status = gotest.Passed
	for i := range r.Tests {
		if r.Tests[i].Status == gotest.Failed {
			r.Tests[i].Status = gotest.Passed
		}
	}
	other := root
	other.Name = "TestMode/owner"
	r.Tests = append(r.Tests, other)
	require.Equal(t, "all 2 tests pass, 2 cases not run here", progress(r))
	require.Equal(t, "  not run here: root may read everything (TestMode/root, TestMode/owner)", palette{width: maxWidth}.skipReasons(r))
}

func TestTheTotalDoesNotGrowWithTheNextStep(t *testing.T) {
	t.Parallel()
	test := func(name string, status gotest.Status) gotest.TestResult {
		return gotest.TestResult{Name: name, Status: status}
	}
	r := &gotest.Result{Status: gotest.Failed, Tests: []gotest.TestResult{
		test("TestA", gotest.Passed), test("TestB", gotest.Failed), test("TestC", gotest.Skipped),
	}}
	require.Equal(t, "1 of 3 tests pass", progress(r))
	r.Tests[2].Status = gotest.Failed
	require.Equal(t, "1 of 3 tests pass", progress(r))
}
