package guide

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The whole way of a learner through the first exercise, one screen after the other.
func TestALearnersWay(t *testing.T) {
	t.Parallel()
	needsGo(t)
	b := newBook(t)

	require.Equal(t, exitDone, b.guide(t, ""))
	require.Equal(t, `This is Turnstile: 3 exercises on files, atomicity and locks. Each is code that loses data, a lesson
that says why, and tests that see it. You repair the code until they pass. `+"`go run ./exercises help`"+`
shows what else this guide can do.

You will be able to multiply by 2.

✗ 01 · The double: 1 of 3 tests pass

Do(5) is wrong
  did       called Do(5)
  expected  10
  found     6
  means     the sum is off
  read      lessons/01_double, "Why it happens"

  test      TestFive
            and 1 other test fails: TestSeven

  begin     lessons/01_double/README.md     5 minutes to read, 10 to do
  edit      exercises/01_double/double.go:5
  read      lessons/01_double/README.md:7   "Why it happens"
  see       go run ./exercises race 1       the race demo, on your code
  stuck     go run ./exercises hint 1       3 hints for Do
  then      go run ./exercises check 1      when you have saved; `+"`watch 1`"+` does it for you
`, b.out.String())

	b.write(t, "exercises/01_double/double.go", "package double\n\nfunc Do(n int) int {\n\treturn twice(n)\n}\n")
	require.Equal(t, exitUnfinished, b.guide(t, "check"), "the exercise that was begun is the next")
	require.Equal(t, `✗ 01 · The double: does not compile yet

Your code does not compile yet:

  exercises/01_double/double.go:4:9: undefined: twice

  edit      exercises/01_double/double.go:4
  read      lessons/01_double/README.md   5 minutes to read, 10 to do
  stuck     go run ./exercises hint 1     3 hints for Do
  then      go run ./exercises check 1    when you have saved; `+"`watch 1`"+` does it for you
`, b.out.String())

	b.repair(t, "01_double")
	require.Equal(t, exitDone, b.guide(t, "check 1"))
	require.Equal(t, `✓ 01 · The double: all 3 tests pass

You are now able to multiply by 2.

  see       go run ./exercises race 1        the race demo, now on your repaired code
  compare   go run ./exercises solution 1    your code against the reference, and why it works
  next      lessons/02_quadruple/README.md   02 · The quadruple: 5 minutes to read, 10 to do
  then      go run ./exercises
`, b.out.String())

	require.Equal(t, exitDone, b.guide(t, ""))
	require.Contains(t, b.out.String(), "01 · The double is done: all 3 tests pass. Next comes:")
	require.Contains(t, b.out.String(), "✗ 02 · The quadruple: 1 of 3 tests pass")

	require.Equal(t, exitDone, b.guide(t, "list"))
	require.Equal(t, `1 of 3 exercises done

Part One, Numbers
  ✓ 01 · The double      done
  · 02 · The quadruple   not begun (5 minutes to read, 10 to do)  ← next
  · 03 · The triple      not begun (5 minutes to read, 10 to do)

  then      go run ./exercises   your next exercise
`, b.out.String())

	b.repair(t, "02_quadruple")
	b.repair(t, "03_triple")
	require.Equal(t, exitDone, b.guide(t, "next"))
	require.Contains(t, b.out.String(), "✓ All 3 exercises are done: your code passes them.")
}

func TestHintsComeOneByOne(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	require.Equal(t, exitDone, b.guide(t, "hint"))
	require.Equal(t, `01 · The double

Hint 1 of 3 for Do
  Look at the sum.

  edit      exercises/01_double/double.go:5
  then      go run ./exercises check 1
  more      go run ./exercises hint 1   hint 2 of 3 for Do
`, b.out.String())

	require.Equal(t, exitDone, b.guide(t, "hint 1"))
	require.Contains(t, b.out.String(), "Hint 2 of 3 for Do\n  Think of products.\n")
	require.NotContains(t, b.out.String(), "Hint 3 of 3")
	for range 2 {
		require.Equal(t, exitDone, b.guide(t, "hint double"))
		require.Contains(t, b.out.String(), "Hint 1 of 3 for Do\n  Look at the sum.\n\nHint 2 of 3 for Do\n")
		require.Contains(t, b.out.String(), "Hint 3 of 3 for Do\n  The sign is `*`.\n")
	}
	require.Contains(t, b.out.String(), "there is no further hint")

	require.Equal(t, exitDone, b.guide(t, "hint 2 1"), "a hint asked for by number")
	require.Contains(t, b.out.String(), "Hint 1 of 3")
	require.Equal(t, exitDone, b.guide(t, "-solution hint 2"))
	require.Contains(t, b.out.String(), "Hint 3 of 3")
	require.Equal(t, exitDone, b.guide(t, "hint 2"))
	require.NotContains(t, b.out.String(), "Hint 2 of 3", "neither of the two was counted")
	require.Equal(t, exitUsage, b.guide(t, "hint 1 4"))
	require.Contains(t, b.err.String(), "has hints 1 to 3")
}

func TestADamagedNotebookIsNoReasonToStop(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.write(t, ".turnstile/notebook.json", "{torn")
	require.Equal(t, exitDone, b.guide(t, "hint 1"))
	require.Contains(t, b.out.String(), "Hint 1 of 3")
	require.Contains(t, b.err.String(), ".turnstile/notebook.json.damaged-")
	require.Equal(t, exitDone, b.guide(t, "hint 1"))
	require.Contains(t, b.out.String(), "Hint 2 of 3")
	require.Empty(t, b.err.String())
}

func TestAFolderThatCannotBeWrittenCostsOnlyTheCounter(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.write(t, ".turnstile", "a file where the directory should be") // holds for root and on Windows, too
	for range 2 {
		require.Equal(t, exitDone, b.guide(t, "hint 1"))
		require.Contains(t, b.out.String(), "Hint 1 of 3")
		require.Contains(t, b.err.String(), "How many hints you have seen cannot be kept")
	}
	require.Equal(t, exitDone, b.guide(t, "hint 1 2"))
	require.Contains(t, b.out.String(), "Hint 2 of 3")

	b.repair(t, "01_double")
	before := b.read(t, "exercises/01_double/double.go")
	require.Equal(t, exitTrouble, b.guide(t, "reset 1"))
	require.Contains(t, b.err.String(), "Your code of 01 · The double is unchanged")
	require.Equal(t, before, b.read(t, "exercises/01_double/double.go"))
}

func TestResetKeepsACopy(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	const path = "exercises/01_double/double.go"
	shipped := b.read(t, path)
	require.Equal(t, exitDone, b.guide(t, "reset 1"))
	require.Equal(t, "01 · The double is as it was shipped: nothing to do.\n", b.out.String())
	require.NoDirExists(t, b.path(".turnstile"))

	mine := "package double\r\n\r\n// Do does.\r\nfunc Do(n int) int { return 2 * n }\r\n"
	for range 2 { // twice within a second: neither copy may overwrite the other
		b.write(t, path, mine)
		b.write(t, "exercises/01_double/more.go", "package double\n")
		require.Equal(t, exitDone, b.guide(t, "reset double"))
		require.Contains(t, b.out.String(), "is as it was shipped again")
		require.Contains(t, b.out.String(), ".turnstile/copies/")
		require.Equal(t, shipped, b.read(t, path))
		require.NoFileExists(t, b.path("exercises/01_double/more.go"), "a file that the exercise did not have")
	}
	copies, err := filepath.Glob(b.path(".turnstile/copies/*_01_double*/double.go"))
	require.NoError(t, err)
	require.Len(t, copies, 2)
	for _, name := range copies {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, mine, string(content), "byte for byte")
		require.FileExists(t, filepath.Join(filepath.Dir(name), "more.go"))
	}

	require.NoError(t, os.Remove(b.path(path)))
	require.Equal(t, exitUnfinished, b.guide(t, "check 1"))
	require.Contains(t, b.out.String(), "✗ 01 · The double: cannot be tested")
	require.Contains(t, b.flat(), "exercises/01_double holds no double.go. `go run ./exercises reset 1` brings it back")
	require.Equal(t, exitDone, b.guide(t, "reset 1"), "the way back when the file is gone")
	require.Equal(t, shipped, b.read(t, path))
}

func TestCatchup(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	require.Equal(t, exitUnfinished, b.guide(t, "check 2"))
	require.Contains(t, b.flat(), "02 · The quadruple builds on 01 · The double, which is not finished. "+
		"Finish it first (`go run ./exercises check 1`), or let `go run ./exercises catchup 2` put the reference in place")

	b.write(t, "exercises/01_double/double.go", "package double\n\nfunc Do(n int) int { return n - 1 }\n")
	require.Equal(t, exitUnfinished, b.guide(t, "check 2"))
	require.Contains(t, b.out.String(), "builds on 01", "begun, but not done: only its tests can decide")

	b.repair(t, "02_quadruple")
	mine := b.read(t, "exercises/02_quadruple/quadruple.go")
	require.Equal(t, exitDone, b.guide(t, "catchup 3"))
	require.Contains(t, b.out.String(), "01 · The double     now the reference; a copy of what was there is kept")
	require.Contains(t, b.out.String(), "02 · The quadruple  now the reference; a copy of what was there is kept", "it failed, on top of 01")
	require.Equal(t, b.read(t, "solutions/01_double/double.go"), b.read(t, "exercises/01_double/double.go"))
	require.Contains(t, b.read(t, "exercises/02_quadruple/quadruple.go"), `import "example/turnstile/exercises/01_double"`,
		"the learner's code imports the learner's code, not the reference")

	b.write(t, "exercises/02_quadruple/quadruple.go", mine)
	require.Equal(t, exitDone, b.guide(t, "catchup 3"))
	require.Contains(t, b.out.String(), "01 · The double     is the reference already")
	require.Contains(t, b.out.String(), "02 · The quadruple  yours, done: kept")
	require.Equal(t, mine, b.read(t, "exercises/02_quadruple/quadruple.go"))
	copies, err := os.ReadDir(b.path(".turnstile/copies"))
	require.NoError(t, err)
	require.Len(t, copies, 2, "nothing was replaced the second time")

	require.Equal(t, exitDone, b.guide(t, "catchup 1"))
	require.Equal(t, "Nothing comes before 01 · The double: nothing to do.\n", b.out.String())
	require.Equal(t, exitDone, b.guide(t, "check 2"))
	require.NotContains(t, b.out.String(), "builds on")
}

func TestSolutionAsksFirst(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	require.Equal(t, exitUsage, b.guide(t, "solution 1"))
	require.Contains(t, b.err.String(), "solution 1 --yes")
	require.Empty(t, b.out.String())

	require.Equal(t, exitDone, b.guide(t, "solution 1 --yes"))
	require.Equal(t, `01 · The double: from your code (-) to the reference (+)

--- yours/double.go
+++ reference/double.go
@@ -2,5 +2,5 @@
 
 // Do multiplies n.
 func Do(n int) int {
-	return n + 1 // TODO: this adds
+	return 2 * n
 }

# Why it works

A product is no sum.

  files     solutions/01_double
  see       go run ./exercises -solution race 1   the race demo, on the reference
`, b.out.String())

	b.repair(t, "01_double")
	require.Equal(t, exitDone, b.guide(t, "solution 1"), "the solution of a finished exercise is not a secret")
}

func TestTheReferenceInPlaceOfTheLearnersCode(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	require.Equal(t, exitDone, b.guide(t, "-solution check 2"), "on the reference of 01, though the learner's 01 is broken")
	require.Contains(t, b.out.String(), "✓ 02 · The quadruple (reference): all 3 tests pass")
	require.Contains(t, b.out.String(), "solutions/02_quadruple/NOTES.md")
	require.Equal(t, exitDone, b.guide(t, "list -solution"))
	require.Contains(t, b.out.String(), "3 of 3 exercises done by the reference")
	require.Equal(t, exitDone, b.guide(t, "-solution"))
	require.Contains(t, b.out.String(), "All 3 exercises are done: the reference passes them.")
	require.Equal(t, exitUsage, b.guide(t, "-solution reset 1"))
	require.Contains(t, b.err.String(), "-solution has no meaning")
}

func TestRace(t *testing.T) {
	t.Parallel()
	needsGo(t)
	b := newBook(t)
	require.Equal(t, exitUnfinished, b.guide(t, "race 1"))
	require.Equal(t, "5 becomes 6\n", b.out.String())
	require.Equal(t, exitDone, b.guide(t, "race 1 -solution"))
	require.Equal(t, "5 becomes 10\n", b.out.String())
	b.write(t, "exercises/01_double/double.go", "package double\n\nfunc Do() {}}\n")
	require.Equal(t, exitUnfinished, b.guide(t, "race 1"))
	require.Contains(t, b.out.String(), "Your code does not compile yet:\n\n  exercises/01_double/double.go:3:13: syntax error")
}

func TestHintNamesEveryPlaceToEdit(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	b.write(t, "exercises/01_double/given.go", "package double\n\nconst two = 2\n")
	b.write(t, "exercises/01_double/more.go", "package double\n\n// TODO: a second place.\nvar more int\n")
	b.write(t, "exercises/01_double/hints.md", "# Hints for 01_double\n\n## Gone\n\n1. A function that the learner has renamed.\n")
	require.Equal(t, exitDone, b.guide(t, "hint 1"))
	require.Regexp(t, `  edit +exercises/01_double/double\.go:[0-9]+, exercises/01_double/more\.go:3\n`, b.out.String())
	b.write(t, "exercises/01_double/more.go", "package double\n\nvar more int\n")
	b.repair(t, "01_double")
	require.Equal(t, exitDone, b.guide(t, "hint 1"))
	require.Regexp(t, `  edit +exercises/01_double/double\.go\n`, b.out.String(), "only the file that said TODO as shipped")
}

func TestRaceThatThisSystemCannotShow(t *testing.T) {
	t.Parallel()
	needsGo(t)
	b := newBook(t)
	b.write(t, "exercises/01_double/race/main.go", "package main\n\nimport \"os\"\n\nfunc main() {\n"+
		"\tos.Stderr.WriteString(\"no verdict: this system appends in two steps itself\\n\")\n\tos.Exit(3)\n}\n")
	require.Equal(t, exitTrouble, b.guide(t, "race 1"))
	require.Equal(t, "no verdict: this system appends in two steps itself\n", b.err.String(), "the demo has said it all")
	require.Empty(t, b.out.String())
}

func TestReport(t *testing.T) {
	t.Parallel()
	needsGo(t)
	b := newBook(t)
	b.repair(t, "01_double")
	require.Equal(t, exitDone, b.guide(t, "hint 2"))
	b.write(t, "exercises/03_triple/triple.go", "package triple\n\nvar x int = \"\"\n")
	require.Equal(t, exitUsage, b.guide(t, "report"))
	require.Equal(t, exitDone, b.guide(t, "report --json"))

	var report reportFile
	decoder := json.NewDecoder(strings.NewReader(b.out.String()))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&report))
	require.Equal(t, "turnstile.report", report.Schema)
	require.Equal(t, reportVersion, report.Version)
	require.Equal(t, runtime.GOOS+"/"+runtime.GOARCH, report.System)
	require.Equal(t, "learner", report.Answer)
	require.Len(t, report.Exercises, 3)

	first, second, third := report.Exercises[0], report.Exercises[1], report.Exercises[2]
	require.Equal(t, "01_double passed true 0", words(first.Name, first.Status, first.Changed, first.Hints))
	require.Equal(t, "02_quadruple failed false 1", words(second.Name, second.Status, second.Changed, second.Hints))
	require.Equal(t, "03_triple does_not_compile true 0", words(third.Name, third.Status, third.Changed, third.Hints))
	require.Empty(t, first.Message)
	require.True(t, strings.HasPrefix(second.Message, "Do(5) is wrong\n  did       called Do(5)\n"), second.Message)
	require.Contains(t, third.Message, "exercises/03_triple/triple.go:3:13: ")
	require.Equal(t, []string{"TestZero passed", "TestFive failed", "TestSeven failed"}, namesAndStatuses(second.Tests))
	require.Empty(t, third.Tests)
	require.Positive(t, first.Seconds)

	require.Equal(t, exitDone, b.guide(t, "report --json 2 -solution"))
	require.NoError(t, json.Unmarshal([]byte(b.out.String()), &report))
	require.Len(t, report.Exercises, 1)
	require.Equal(t, "reference 02_quadruple passed", words(report.Answer, report.Exercises[0].Name, report.Exercises[0].Status))
}

func words(values ...any) string {
	text, err := json.Marshal(values)
	if err != nil {
		return err.Error()
	}
	return strings.NewReplacer(`"`, "", "[", "", "]", "", ",", " ").Replace(string(text))
}

func namesAndStatuses(tests []testReport) []string {
	var list []string
	for _, test := range tests {
		list = append(list, test.Name+" "+test.Status)
	}
	return list
}

func TestNamesAndPlaces(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	require.Equal(t, exitUsage, b.guide(t, "check tripel"))
	require.Contains(t, b.err.String(), `There is no exercise "tripel". Did you mean 03_triple`)
	require.Equal(t, exitUsage, b.guide(t, "check 9"))
	require.Equal(t, exitUsage, b.guide(t, "reset"))
	require.Contains(t, b.err.String(), "Say which exercise: `go run ./exercises reset N`")
	require.Equal(t, exitUsage, b.guide(t, "chekc 1"))
	require.Contains(t, b.err.String(), "Did you mean check?")
	require.Equal(t, exitDone, b.guide(t, "help"))
	require.Contains(t, b.out.String(), "Usage: go run ./exercises [-solution] [verb] [N]")

	require.Equal(t, exitUnfinished, b.guideIn(t.Context(), t, b.path("exercises/01_double"), "check 1"), "from a directory below")
	require.Contains(t, b.out.String(), "edit      double.go:5\n")
	require.Contains(t, b.out.String(), "../../lessons/01_double/README.md:7")
	require.Contains(t, b.out.String(), "go run example/turnstile/exercises check 1")

	require.Equal(t, exitTrouble, b.guideIn(t.Context(), t, t.TempDir(), "check 1"))
	require.Contains(t, strings.Join(strings.Fields(b.err.String()), " "),
		"is not inside the workbook: change into the directory that holds its go.mod")
	empty := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(empty, "go.mod"), []byte("module example/turnstile\n"), 0o666))
	require.Equal(t, exitTrouble, b.guideIn(t.Context(), t, empty, ""))
	require.Contains(t, b.err.String(), "no exercise was found")
}

func TestWithoutTheGoCommand(t *testing.T) {
	b := newBook(t)
	t.Setenv("PATH", t.TempDir())
	require.Equal(t, exitTrouble, b.guide(t, "check 1"))
	require.Contains(t, b.err.String(), "The go command was not found: install Go")
}

func TestWatchStaysAndSeesEachSave(t *testing.T) {
	t.Parallel()
	needsGo(t)
	b := newBook(t)
	ctx, stop := context.WithCancel(t.Context())
	out := newTranscript()
	status := make(chan int, 1)
	go func() {
		status <- Run(ctx, []string{"watch", "1"}, Console{In: strings.NewReader(""), Out: out, Err: out, Folder: b.root, silence: time.Hour})
	}()
	const footer = "Watching exercises/01_double: save a file to check again; Ctrl-C ends."
	out.waitFor(t, footer, 1)
	require.Contains(t, out.String(), "✗ 01 · The double: 1 of 3 tests pass")
	b.write(t, "exercises/01_double/double.go", "package double\n\nfunc Do(n int) int { return }\n")
	out.waitFor(t, footer, 2)
	require.Contains(t, out.String(), "Your code does not compile yet")
	b.repair(t, "03_triple") // of no interest to 01
	b.write(t, "exercises/01_double/double.go", "package double\n\nfunc Do(n int) int { return n + n }\n")
	out.waitFor(t, footer, 3)
	require.Contains(t, out.String(), "✓ 01 · The double: all 3 tests pass")
	require.NotContains(t, out.String(), "✗ 02", "it never jumps ahead")
	stop()
	require.Equal(t, exitDone, <-status)
	require.NotContains(t, out.String(), "\x1b")
}

func TestAnEyeSeesSavesAndNothingElse(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "a.go")
	save := func(content string, at time.Time) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, []byte(content), 0o666))
		require.NoError(t, os.Chtimes(file, at, at))
	}
	coarse := time.Unix(1_700_000_000, 0)
	save("package a", coarse)
	e := &eye{folders: []string{folder}}
	sees := func() bool { e.changed(); return e.changed() } // two looks: the first may see a save in progress

	require.True(t, e.changed(), "the first look")
	require.False(t, sees(), "nothing happened")
	save("package b", coarse)
	require.False(t, e.changed(), "one look alone may be in the middle of the save")
	require.True(t, e.changed(), "same time, same size, other content")
	save("package b", coarse.Add(time.Second))
	require.True(t, sees(), "saved once more as it was")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "notes.txt"), nil, 0o666))
	require.False(t, sees(), "not a Go file")
	require.NoError(t, os.Remove(file))
	require.True(t, sees(), "removed")
}
