package guide

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
	"example/turnstile/internal/lab"
)

// What befalls an exercise's directory counts against that exercise and stops no other.

func TestDamageCountsAgainstOneExercise(t *testing.T) {
	t.Parallel()
	needsGo(t)
	b := newBook(t)
	b.write(t, "exercises/01_double/go.mod", "module mine\n")
	require.NoError(t, os.Remove(b.path("exercises/02_quadruple/quadruple_test.go")))
	b.repair(t, "03_triple")
	require.Equal(t, exitDone, b.guide(t, "list"))
	require.Contains(t, b.out.String(), "1 of 3 exercises done")
	require.Contains(t, b.out.String(), "✗ 01 · The double      cannot be tested  ← next")
	require.Contains(t, b.out.String(), "✗ 02 · The quadruple   cannot be tested")
	require.Contains(t, b.out.String(), "✓ 03 · The triple      done")

	require.Equal(t, exitDone, b.guide(t, ""))
	require.Contains(t, b.flat(), "exercises/01_double/go.mod makes this directory a module of its own, which the workbook does not "+
		"see. Remove it")
	require.Equal(t, exitUnfinished, b.guide(t, "check 2"))
	require.Contains(t, b.flat(), "Its tests are missing: exercises/02_quadruple holds no file named *_test.go")
	require.Equal(t, exitUnfinished, b.guide(t, "race 1"))
	require.Contains(t, b.flat(), "Remove it")

	require.Equal(t, exitDone, b.guide(t, "report --json"))
	var report reportFile
	require.NoError(t, json.Unmarshal([]byte(b.out.String()), &report))
	require.Equal(t, []string{"broken", "broken", "passed"},
		[]string{report.Exercises[0].Status, report.Exercises[1].Status, report.Exercises[2].Status})
	require.Contains(t, report.Exercises[0].Message, "go.mod")

	require.Equal(t, exitDone, b.guide(t, "reset 1"))
	require.NoFileExists(t, b.path("exercises/01_double/go.mod"))
	kept, err := filepath.Glob(b.path(".turnstile/copies/*_01_double/go.mod"))
	require.NoError(t, err)
	require.Len(t, kept, 1, "a copy is kept")
	require.Equal(t, exitDone, b.guide(t, "hint 1"))
}

func TestWhatGosOwnWordsDoNotMakePlain(t *testing.T) {
	t.Parallel()
	needsGo(t)
	b := newBook(t)
	b.write(t, "exercises/01_double/double.go", "package double\n\n<<<<<<< HEAD\nfunc Do(n int) int { return n }\n=======\n>>>>>>> mine\n")
	require.Equal(t, exitUnfinished, b.guide(t, "check 1"))
	require.Contains(t, b.flat(), "exercises/01_double/double.go:3: git has left the marks of a conflict there")

	b.write(t, "exercises/03_triple/a_test.go", "package triple_test\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestMain(m "+
		"*testing.M) { os.Exit(m.Run()) }\n")
	b.write(t, "exercises/03_triple/b_test.go", "package triple\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestMain(m *testing.M) "+
		"{ os.Exit(m.Run()) }\n")
	require.Equal(t, exitUnfinished, b.guide(t, "check 3"))
	require.Contains(t, b.flat(), "Two test files declare TestMain (a_test.go, b_test.go)")

	b.write(t, "exercises/02_quadruple/quadruple.go", "package quadruple\n\nimport \"fmt\"\n\nfunc Do(n int) int { "+
		"fmt.Printf(\"%d\\n\", \"n\"); return 4 * n }\n")
	require.Equal(t, exitUnfinished, b.guide(t, "check 2"))
	require.Contains(t, b.out.String(), "✗ 02 · The quadruple: go vet refuses it")
	require.Contains(t, b.out.String(), "It compiles, and go vet refuses it")
	require.Contains(t, b.out.String(), "edit      exercises/02_quadruple/quadruple.go:5")
}

func TestAFileOfSeveralIsMissing(t *testing.T) {
	t.Parallel()
	needsGo(t)
	b := newBook(t)
	for tree, body := range map[string]string{"solutions": "n", "exercises": "n"} {
		b.write(t, tree+"/03_triple/more.go", "package triple\n\nfunc more(n int) int { return "+body+" }\n")
	}
	b.write(t, "exercises/03_triple/triple.go", "package triple\n\nfunc Do(n int) int { return more(n) }\n")
	require.NoError(t, os.Remove(b.path("exercises/03_triple/more.go")))
	require.Equal(t, exitUnfinished, b.guide(t, "check 3"))
	require.Contains(t, b.flat(), "exercises/03_triple/more.go is missing, with which the exercise was shipped: `go run ./exercises "+
		"reset 3` brings all files back")
}

func TestCodeThatEndsTheTestProcess(t *testing.T) {
	t.Parallel()
	needsGo(t)
	b := newBook(t)
	b.write(t, "exercises/01_double/double.go", "package double\n\nimport \"log\"\n\nfunc Do(n int) int {\n\tlog.Fatal(\"no "+
		"\\u202eroom\")\n\treturn n\n}\n")
	require.Equal(t, exitUnfinished, b.guide(t, "check 1"))
	require.Contains(t, b.flat(), "The test process ended in the middle of TestFive, as os.Exit and log.Fatal end it. It printed last:")
	require.Contains(t, b.out.String(), "no \uFFFDroom", "what turns the order of letters round is not sent")
	require.Contains(t, b.out.String(), "go test -v ./exercises/01_double")

	b.write(t, "exercises/01_double/double.go", "package double\n\nfunc Do(n int) int {\n\tvar list []int\n\treturn list[n]\n}\n")
	require.Equal(t, exitUnfinished, b.guideIn(t.Context(), t, b.path("exercises"), "check 1"))
	require.Contains(t, b.flat(), "TestFive stopped the whole test process with panic: runtime error: index out of range")
	require.Regexp(t, `  edit +01_double/double\.go:5\n`, b.out.String(), "the first frame in the learner's files")
	require.Contains(t, b.out.String(), "go test -v example/turnstile/exercises/01_double", "a path that works from here")
}

func TestWaysToNameAnExercise(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	b.repair(t, "01_double")
	for _, line := range []string{"check .", "check double.go", "test 1", "run 01", "verify double"} {
		require.Equal(t, exitDone, b.guideIn(t.Context(), t, b.path("exercises/01_double"), line), line)
		require.Contains(t, b.out.String(), "✓ 01 · The double", line)
	}
	require.Equal(t, exitUsage, b.guide(t, "check ."), "the root is not an exercise")
}

func TestABOMIsNoBeginning(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	const path = "exercises/01_double/double.go"
	b.write(t, path, "\uFEFF"+b.read(t, path))
	s := newSession(Console{In: strings.NewReader(""), Out: newTranscript(), Err: newTranscript(), Folder: b.root})
	require.True(t, untouched(t, s, b, "1"))
	b.write(t, path, b.read(t, path)+"// mine\n")
	s.forget()
	require.False(t, untouched(t, s, b, "1"))
}

func TestAnOlderCopysAnswersAreBrought(t *testing.T) {
	t.Parallel()
	older, b := newBook(t), newBook(t)
	older.repair(t, "01_double")
	older.repair(t, "03_triple")
	older.write(t, "exercises/03_triple/mine_test.go", "package triple_test\n")
	b.write(t, "exercises/03_triple/triple.go", "package triple\n\n// Half done.\nfunc Do(n int) int { return 0 }\n")
	half := b.read(t, "exercises/03_triple/triple.go")
	mended := strings.Replace(b.read(t, "exercises/01_double/double_test.go"), "TestZero", "TestNone", 1)
	b.write(t, "exercises/01_double/double_test.go", mended)

	require.Equal(t, exitUsage, b.guide(t, "bring"))
	require.Equal(t, exitUsage, b.guide(t, "bring ."))
	require.Contains(t, b.flat(), "That is this copy itself")
	// A path with spaces is one word on a real command line.
	require.Equal(t, exitDone, Run(t.Context(), []string{"bring", older.root}, Console{Out: b.out, Err: b.err, Folder: b.root}))
	require.Contains(t, b.out.String(), "01 · The double     brought over\n")
	require.Contains(t, b.out.String(), "02 · The quadruple  not begun there: stays as it is")
	require.Contains(t, b.out.String(), "03 · The triple     brought over (without 1 test file); a copy of what was here is kept")
	require.Equal(t, older.read(t, "exercises/01_double/double.go"), b.read(t, "exercises/01_double/double.go"))
	require.Equal(t, mended, b.read(t, "exercises/01_double/double_test.go"), "the tests are this copy's own")
	kept, err := filepath.Glob(b.path(".turnstile/copies/*_03_triple/triple.go"))
	require.NoError(t, err)
	require.Len(t, kept, 1)
	content, err := os.ReadFile(kept[0])
	require.NoError(t, err)
	require.Equal(t, half, string(content))
	require.Equal(t, exitDone, Run(t.Context(), []string{"bring", older.root}, Console{Out: b.out, Err: b.err, Folder: b.root}))
	require.Contains(t, b.out.String(), "is here already")
}

func TestGradersReadTheLearnersAnswersAndNothingElse(t *testing.T) {
	t.Parallel()
	needsGo(t)
	b := newBook(t)
	learners := t.TempDir()
	put := func(path, content string) {
		t.Helper()
		path = filepath.Join(learners, filepath.FromSlash(path))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
	}
	double := func(body string) string { return "package double\n\nfunc Do(n int) int { return " + body + " }\n" }
	const quadruple = "package quadruple\n\nimport \"example/turnstile/exercises/01_double\"\n\nfunc Do(n int) int { return " +
		"double.Do(double.Do(n)) }\n"
	put("ann/exercises/01_double/double.go", double("n + n"))
	put("ann/exercises/02_quadruple/quadruple.go", quadruple)
	put("bob/01_double/double.go", double("n"))
	put("bob/01_double/double_test.go", "package double_test\n") // forged: nothing to fail
	put("bob/01_double/go.mod", "module bob\n")
	put("bob/02_quadruple/quadruple.go", quadruple)
	put("eve/readme.txt", "nothing here")

	args := []string{"report", "--json", "1", "2"}
	for _, name := range []string{"ann", "none/at/all", "bob", "eve"} {
		args = append(args, filepath.Join(learners, name))
	}
	out, errs := newTranscript(), newTranscript()
	require.Equal(t, exitDone, Run(t.Context(), args, Console{Out: out, Err: errs, Folder: b.root}), errs.String())
	var report reportFile
	require.NoError(t, json.Unmarshal([]byte(out.String()), &report))
	require.Empty(t, report.Exercises)
	require.Len(t, report.Learners, 4)
	statuses := func(l learnerReport) []string {
		var list []string
		for _, e := range l.Exercises {
			list = append(list, e.Name+" "+e.Status)
		}
		return list
	}
	ann, none, bob, eve := report.Learners[0], report.Learners[1], report.Learners[2], report.Learners[3]
	require.Equal(t, []string{"01_double passed", "02_quadruple passed"}, statuses(ann))
	require.True(t, ann.Exercises[0].Changed)
	require.Equal(t, filepath.Join(learners, "ann"), ann.Directory)
	require.Equal(t, []string{"01_double failed", "02_quadruple failed"}, statuses(bob), "02 builds on bob's own 01")
	require.Contains(t, bob.Exercises[0].Message, "Do(5) is wrong")
	require.Contains(t, none.Problem, "no such file")
	require.Contains(t, eve.Problem, "holds no directory of an exercise")
	require.Contains(t, strings.Join(report.Unknown, "; "), "deceives the tests")
}

func TestTheModulesAreFetchedOnce(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the script needs a shell")
	}
	b := newBook(t)
	b.write(t, "go.mod", "module example/turnstile\n\ngo 1.26\n\nrequire (\n\texample.com/Some/thing v1.2.3\n\tgolang.org/x/sys v0.49.0\n)\n")
	bin, cache := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("CACHE", cache)
	script := func(download string) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(bin, "go"), []byte(`#!/bin/sh
case "$1 $2" in
"env GOMODCACHE") echo "$CACHE" ;;
"mod download") `+download+` ;;
*) [ "$GOPROXY" = off ] || exit 9
	printf '%s\n' '{"ImportPath":"x.org/y","Action":"build-output","Output":"a.go:3:8: x.org/y@v1: module lookup disabled by GOPROXY=off\n"}'
	printf '%s\n' '{"Action":"fail","Package":"example/turnstile/exercises/01_double","FailedBuild":"x.org/y"}' ;;
esac
`), 0o777))
	}
	script(`echo "dial tcp: lookup proxy.golang.org: no such host" >&2; exit 1`)
	require.Equal(t, exitTrouble, b.guide(t, "check 1"))
	require.Contains(t, b.flat(), "Fetching what the workbook needs (example.com/Some/thing, golang.org/x/sys). This happens once")
	require.Contains(t, b.flat(), "It could not be fetched: dial tcp: lookup proxy.golang.org: no such host.")
	require.Contains(t, b.flat(), "Type `go mod download` in the workbook once while you have a network")

	script(`mkdir -p "$CACHE/example.com/!some/thing@v1.2.3" "$CACHE/golang.org/x/sys@v0.49.0"`)
	require.Equal(t, exitTrouble, b.guide(t, "check 1"))
	require.NotContains(t, b.flat(), "It could not be fetched")
	require.Equal(t, exitTrouble, b.guide(t, "check 1"))
	require.NotContains(t, b.flat(), "Fetching", "the second time nothing is missing")
}

// The machine's trouble is not blamed on code that the learner has not touched, whatever the compiler says.
func TestUntouchedCodeIsNotBlamed(t *testing.T) {
	t.Parallel()
	needsGo(t)
	b := newBook(t)
	broken := strings.Replace(b.read(t, "solutions/03_triple/triple.go"), "3 * n", "3 * m", 1)
	shipped := strings.Replace(b.read(t, "exercises/03_triple/triple.go"), "n // TODO: three of them", "m // TODO: three of them", 1)
	patch := b.read(t, "solutions/03_triple/wrong/00_as_shipped.patch")
	b.write(t, "solutions/03_triple/triple.go", broken)
	b.write(t, "exercises/03_triple/triple.go", shipped)
	b.write(t, "solutions/03_triple/wrong/00_as_shipped.patch", strings.NewReplacer("3 * n", "3 * m", "return n //",
		"return m //").Replace(patch))
	for _, line := range []string{"check 3", "race 3"} {
		require.Equal(t, exitTrouble, b.guide(t, line), line)
		require.Contains(t, b.flat(), "The machine has a problem, so the tests cannot judge your code: the code of 03 · The triple is as "+
			"it was shipped", line)
	}
}

func TestFilesForAnotherSystem(t *testing.T) {
	t.Parallel()
	needsGo(t)
	if runtime.GOOS != "linux" {
		t.Skip("one system is enough")
	}
	b := newBook(t)
	b.repair(t, "01_double")
	b.write(t, "exercises/01_double/lock_windows.go", "package double\n\n// TODO: on Windows.\nfunc lock() int { return none }\n")
	require.Equal(t, exitDone, b.guide(t, "check 1"), "here all is well")
	require.Contains(t, b.out.String(), "✓ 01 · The double: all 3 tests pass")
	require.Contains(t, b.flat(), "It does not compile for Windows: exercises/01_double/lock_windows.go:4:26: undefined: none")
	require.Equal(t, exitDone, b.guide(t, "hint 1"))
	require.NotContains(t, b.out.String(), "lock_windows.go", "a file that is not built here is not where to edit")
}

func untouched(t *testing.T, s *session, b *fakeBook, query string) bool {
	t.Helper()
	require.NoError(t, s.open())
	e, err := s.book.Find(query)
	require.NoError(t, err)
	return s.isUntouched(e)
}

func TestHintsOfTheFunctionThatFailsFirst(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	b.write(t, "exercises/01_double/hints.md", "# Hints for 01_double\n\n## Undo\n\n1. Not this.\n\n## Do\n\n1. Look at\n   the "+
		"sum.\n2. Think of products.\n3. Times.\n")
	require.Equal(t, exitDone, b.guide(t, "hint 1"))
	require.Contains(t, b.out.String(), "Hint 1 of 3 for Do\n  Look at the sum.\n")
	require.Contains(t, b.out.String(), "hint 2 of 3 for Do\n")
	require.Contains(t, b.out.String(), "edit      exercises/01_double/double.go:5")
	require.Equal(t, exitDone, b.guide(t, "hint"))
	require.Contains(t, b.out.String(), "Hint 2 of 3 for Do\n  Think of products.\n")
	require.Equal(t, exitUnfinished, b.guide(t, "check 1"))
	require.Contains(t, b.out.String(), "2 of 3 hints for Do seen")
	require.Equal(t, exitDone, b.guide(t, "hint 1 undo"))
	require.Contains(t, b.out.String(), "Hint 1 of 1 for Undo\n  Not this.\n")
	require.Equal(t, exitDone, b.guide(t, "hint 1 Do 3"))
	require.Contains(t, b.out.String(), "Hint 3 of 3 for Do\n  Times.\n")
	require.Equal(t, exitUsage, b.guide(t, "hint 1 Done"))
	require.Contains(t, b.flat(), `has no hints for "Done". It has hints for Undo, Do.`)
}

func TestTheGuideSaysWhatItIsDoing(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	e := &curriculum.Exercise{ID: "01_double", Title: "The double"}
	for _, c := range []struct {
		after    time.Duration
		progress gotest.Progress
		want     string
	}{
		{0, gotest.Progress{}, "running the tests …"},
		{7 * time.Second, gotest.Progress{}, "running the tests … go is compiling, which takes longest the first time (7 s)"},
		{
			8 * time.Second,
			gotest.Progress{Exercise: e, Ended: 4, Test: "TestA", Since: begun.Add(7 * time.Second)},
			"running the tests … 4 tests of 01 · The double done",
		},
		{
			30 * time.Second,
			gotest.Progress{Exercise: e, Ended: 4, Test: "TestA", Since: begun.Add(10 * time.Second)},
			"running the tests … TestA has been running for 20 s",
		},
	} {
		w := &worker{what: "running the tests", begun: begun, progress: c.progress}
		text, _ := w.text(begun.Add(c.after))
		require.Equal(t, c.want, text)
	}

	errs := newTranscript()
	s := newSession(Console{In: strings.NewReader(""), Out: newTranscript(), Err: errs, silence: time.Millisecond})
	w := s.working("running the tests")
	errs.waitFor(t, "running the tests …\n", 1)
	w.end()
	require.Empty(t, s.Out.(*transcript).String(), "without a terminal the verdict is all that is printed")
}

func TestResetOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir, _ := lab.SmallDisk(t, 512<<10)
	b := newBookIn(t, dir)
	mine := "package double\n\n// Mine.\nfunc Do(n int) int { return 2 * n }\n"
	b.write(t, "exercises/01_double/double.go", mine)
	rest, err := os.Create(filepath.Join(dir, "rest"))
	require.NoError(t, err)
	for err == nil {
		_, err = rest.Write(make([]byte, 1024))
	}
	require.NoError(t, rest.Close())

	require.Equal(t, exitTrouble, b.guide(t, "reset 1"))
	require.Contains(t, b.flat(), "code of 01 · The double is unchanged")
	require.Contains(t, b.flat(), "no space left on device). Make room on the disk, then try again.")
	got, err := os.ReadFile(filepath.Join(b.root, "exercises", "01_double", "double.go"))
	require.NoError(t, err)
	require.Equal(t, mine, string(got))
	copies, err := filepath.Glob(filepath.Join(b.root, stateFolder, "copies", "*"))
	require.NoError(t, err)
	require.Empty(t, copies, "half a copy would be taken for one")
}
