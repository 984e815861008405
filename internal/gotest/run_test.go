package gotest_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
	"example/turnstile/internal/lab/verdict"
	"example/turnstile/internal/toybook"
)

// needGo skips a test that runs the go command where there is none, as in a test binary that was built for another
// system and is run there by an emulator.
func needGo(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command on this system")
	}
}

func do(t *testing.T, run gotest.Tests) *gotest.Result {
	t.Helper()
	needGo(t)
	result, err := run.Do(t.Context())
	require.NoError(t, err)
	return result
}

func TestRunTheLearnersCode(t *testing.T) {
	t.Parallel()
	e := toybook.Find(t, toybook.New(t, toybook.Lesson("01_one", "Part One, Files")), "1")
	result := do(t, gotest.Tests{Exercise: e, NoVet: true})

	assert.Equal(t, gotest.Failed, result.Status)
	require.Len(t, result.Tests, 4)
	first := result.Tests[0]
	assert.Equal(t, "TestDouble", first.Name)
	assert.Equal(t, gotest.Failed, first.Status)
	assert.Equal(t, &verdict.Failure{Says: "Double(4) is not 8", Found: "5"}, first.Failure)
	assert.Contains(t, first.Output, "noise without a newline")
	assert.NotContains(t, first.Output, "===")
	assert.NotContains(t, first.Output, "---")
	assert.Contains(t, result.Output, "--- FAIL: TestDouble")

	assert.Equal(t, []string{"TestSign", "TestSign/n_is_-1", "TestSign/n_is_0"},
		[]string{result.Tests[1].Name, result.Tests[2].Name, result.Tests[3].Name})
	skipped, ok := result.Test("TestSign/n is 0")
	require.True(t, ok)
	assert.Equal(t, []any{gotest.Skipped, "zero has no sign"}, []any{skipped.Status, skipped.SkipReason})
	failures := result.Failures()
	require.Len(t, failures, 2)
	assert.Equal(t, "TestSign/n_is_-1", failures[1].Name, "the subtest, not its parent")
	assert.Contains(t, failures[1].Message(), "the sign is lost")
}

func TestRunAnAnswer(t *testing.T) {
	t.Parallel()
	e := toybook.Find(t, toybook.New(t, toybook.Lesson("01_one", "Part One, Files"),
		toybook.Files{"exercises/01_one/learners_own.go": "package one\n\nfunc broken( {\n"}), "1")
	reference, err := answer.Reference(e)
	require.NoError(t, err)

	t.Run("the reference passes, whatever the learner's files hold", func(t *testing.T) {
		t.Parallel()
		assert.Equal(t, gotest.Passed, do(t, gotest.Tests{Exercise: e, Answer: reference, Short: true, Run: "TestDouble"}).Status)
	})
	t.Run("a compile error names the file it stands for", func(t *testing.T) {
		t.Parallel()
		bad := toybook.Answer("double.go", "package one\n\nfunc Double(n int) int { return m }\n")
		result := do(t, gotest.Tests{Exercise: e, Answer: bad, NoVet: true})
		assert.Equal(t, gotest.DoesNotCompile, result.Status)
		assert.Equal(t, []string{"exercises/01_one/double.go:3:33: undefined: m"}, result.CompilerLines)
		assert.Empty(t, result.Tests)
		assert.False(t, result.Vet)
	})
	t.Run("go vet's findings are marked as such", func(t *testing.T) {
		t.Parallel()
		bad := toybook.Answer("double.go", "package one\n\nimport \"fmt\"\n\nfunc Double(n int) int { fmt.Printf(\"%d\\n\", \"n\"); "+
			"return 2 * n }\n")
		result := do(t, gotest.Tests{Exercise: e, Answer: bad})
		assert.Equal(t, gotest.DoesNotCompile, result.Status)
		require.NotEmpty(t, result.CompilerLines)
		assert.Contains(t, result.CompilerLines[0], "exercises/01_one/double.go:5:")
		assert.Contains(t, result.CompilerLines[0], "wrong type string")
		assert.True(t, result.Vet)
	})
	t.Run("a package that does not exist", func(t *testing.T) {
		t.Parallel()
		bad := toybook.Answer("double.go", "package one\n\nimport \"example/turnstile/none\"\n\nfunc Double(n int) int { return none.X }\n")
		result := do(t, gotest.Tests{Exercise: e, Answer: bad, NoVet: true})
		assert.Equal(t, gotest.DoesNotCompile, result.Status)
		assert.Contains(t, strings.Join(result.CompilerLines, " "), "example/turnstile/none")
	})
	t.Run("a panic in another goroutine", func(t *testing.T) {
		t.Parallel()
		bad := toybook.Answer("double.go", "package one\n\nfunc Double(n int) int { go func() { panic(\"far away\") }(); select {} }\n")
		result := do(t, gotest.Tests{Exercise: e, Answer: bad, NoVet: true})
		assert.Equal(t, gotest.Broken, result.Status)
		assert.Equal(t, "TestDouble stopped the whole test process with panic: far away", result.Reason)
		assert.Equal(t, []any{gotest.Broken, true}, []any{result.Tests[0].Status, result.Tests[0].Panicked})
		assert.Equal(t, "exercises/01_one/double.go:3", result.Place)
	})
	t.Run("a test process that ends in the middle", func(t *testing.T) {
		t.Parallel()
		bad := toybook.Answer("double.go", "package one\n\nimport (\"log\"; \"os\")\n\nfunc Double(n int) int { log.SetFlags(0); "+
			"log.Print(\"cannot open\"); os.Exit(3); return 0 }\n")
		result := do(t, gotest.Tests{Exercise: e, Answer: bad, NoVet: true})
		assert.Equal(t, gotest.Broken, result.Status)
		assert.Equal(t, "the test process ended in the middle of TestDouble, as os.Exit and log.Fatal end it", result.Reason)
		assert.Contains(t, strings.Join(result.Printed, "\n"), "cannot open")
	})
	t.Run("printing without end", func(t *testing.T) {
		t.Parallel()
		bad := toybook.Answer("double.go", "package one\n\nimport (\"fmt\"; \"strings\")\n\nfunc Double(n int) int {\n\tfor range 2000 { "+
			"fmt.Println(strings.Repeat(\"FAIL\\n\", 100)) }\n\treturn 2 * n\n}\n")
		result := do(t, gotest.Tests{Exercise: e, Answer: bad, NoVet: true, Run: "TestDouble"})
		assert.Equal(t, gotest.Passed, result.Status)
		assert.Less(t, len(result.Output), 1<<20)
		assert.Contains(t, result.Output, "bytes left out")
		assert.Contains(t, result.Output, "--- PASS: TestDouble", "the end is kept")
	})
	t.Run("the worst of several runs counts", func(t *testing.T) {
		t.Parallel()
		once := toybook.Answer("double.go", "package one\n\nvar runs int\n\nfunc Double(n int) int { runs++; if runs == 2 { return 7 }; "+
			"return 2 * n }\n")
		result := do(t, gotest.Tests{Exercise: e, Answer: once, NoVet: true, Count: 3, Run: "TestDouble"})
		assert.Equal(t, gotest.Failed, result.Status)
		require.Len(t, result.Tests, 1)
		require.NotNil(t, result.Tests[0].Failure)
		assert.Equal(t, "7", result.Tests[0].Failure.Found)
		assert.Equal(t, []int{3, 1}, []int{result.Tests[0].Runs, result.Tests[0].Failures})
	})
}

func TestNothingToRun(t *testing.T) {
	t.Parallel()
	e := toybook.Find(t, toybook.New(t, toybook.Files{"exercises/01_none/none.go": "package none\n"}), "1")
	result := do(t, gotest.Tests{Exercise: e, NoVet: true})
	assert.Equal(t, []any{gotest.Skipped, "there is no test to run on this system"}, []any{result.Status, result.Reason})

	e = toybook.Find(t, toybook.New(t, toybook.Files{"exercises/01_other/other.go": "//go:build plan9\n\npackage other\n"}), "1")
	result = do(t, gotest.Tests{Exercise: e, NoVet: true})
	assert.Equal(t, []any{gotest.Skipped, "this exercise has no code for this system"}, []any{result.Status, result.Reason})

	e = toybook.Find(t, toybook.New(t, toybook.Files{
		"exercises/01_skip/skip.go": "package skip\n",
		"exercises/01_skip/skip_test.go": "package skip_test\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) { t.Skip(\"only\\non " +
			"Windows\") }\n",
	}), "1")
	result = do(t, gotest.Tests{Exercise: e, NoVet: true})
	assert.Equal(t, []any{gotest.Skipped, "only on Windows"}, []any{result.Status, result.Reason})
}

func TestSeveralExercisesInOneGo(t *testing.T) {
	t.Parallel()
	needGo(t)
	book := toybook.New(t, toybook.Lesson("01_one", "Part One, Files"), toybook.Lesson("02_two", "Part One, Files"),
		toybook.Lesson("03_three", "Part One, Files"))
	first, second, third := toybook.Find(t, book, "1"), toybook.Find(t, book, "2"), toybook.Find(t, book, "3")
	reference, err := answer.Reference(second)
	require.NoError(t, err)
	require.NoError(t, answer.Write(second, reference))
	require.NoError(t, answer.Write(third, toybook.Answer("double.go", "package three\n\nfunc Double(n int) int { return m }\n")))
	results, err := gotest.Tests{NoVet: true, Run: "TestDouble"}.DoAll(t.Context(), []*curriculum.Exercise{third, first, second})
	require.NoError(t, err)
	require.Len(t, results, 3)
	assert.Equal(t, []gotest.Status{gotest.DoesNotCompile, gotest.Failed, gotest.Passed},
		[]gotest.Status{results[0].Status, results[1].Status, results[2].Status})
	assert.Equal(t, []string{"exercises/03_three/double.go:3:33: undefined: m"}, results[0].CompilerLines)
}

// A second check of code that passed gets go's cached result, not a new run, even if a test uses temporary directories.
func TestCached(t *testing.T) {
	t.Parallel()
	e := toybook.Find(t, toybook.New(t, toybook.Files{
		"exercises/01_one/one.go": "package one\n",
		"exercises/01_one/one_test.go": "package one_test\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestX(t *testing.T) { " +
			"t.Log(t.TempDir(), os.TempDir()) }\n",
	}), "1")
	for _, cached := range []bool{false, true} {
		result := do(t, gotest.Tests{Exercise: e, NoVet: true, Cached: true})
		assert.Equal(t, gotest.Passed, result.Status)
		require.Len(t, result.Tests, 1)
		assert.Equal(t, cached, strings.Contains(result.Output, "(cached)"), result.Output)
	}
	result := do(t, gotest.Tests{Exercise: e, NoVet: true})
	assert.NotContains(t, result.Output, "(cached)")
}

// A learner's shell may hold settings for other work.
func TestForeignEnvironment(t *testing.T) {
	e := toybook.Find(t, toybook.New(t, toybook.Lesson("01_one", "Part One, Files")), "1")
	t.Setenv("GOFLAGS", "-mod=vendor -json -v -run=None")
	t.Setenv("GOOS", "plan9")
	t.Setenv("GOARCH", "wasm")
	t.Setenv("GOWORK", filepath.Join(t.TempDir(), "none.work"))
	t.Setenv("GO111MODULE", "off")
	assert.Equal(t, gotest.Failed, do(t, gotest.Tests{Exercise: e, NoVet: true}).Status)
}

func TestMissingModule(t *testing.T) {
	t.Parallel()
	needGo(t)
	e := toybook.Find(t, toybook.New(t, toybook.Lesson("01_one", "Part One, Files"), toybook.Files{
		"go.mod": "module example/turnstile\n\ngo 1.26\n\nrequire github.com/gofrs/flock v0.13.1\n",
		"go.sum": "github.com/gofrs/flock v0.13.1/go.mod h1:sf4BFiHwnvgxa25DlQoDqXQnwRMEOwqxRq37P6MzzmE=\n" +
			"github.com/gofrs/flock v0.13.1 h1:jjREztyBeSKBZYAC+mgc1laB+xsgy4kYMf3FbKF2UBo=\n",
		"exercises/01_one/double.go": "package one\n\nimport \"github.com/gofrs/flock\"\n\nfunc Double(n int) int { flock.New(\"x\"); " +
			"return n }\n",
	}), "1")
	offline := []string{"GOMODCACHE=" + t.TempDir(), "GOPROXY=off"}
	_, err := gotest.Tests{Exercise: e, NoVet: true, Env: offline}.Do(t.Context())
	require.ErrorIs(t, err, gotest.ErrModulesMissing)
	require.ErrorContains(t, err, "go mod download")
}

func TestGoCannotStart(t *testing.T) {
	e := toybook.Find(t, toybook.New(t, toybook.Lesson("01_one", "Part One, Files"),
		toybook.Files{"go.mod": "module example/turnstile\n\ngo 1.26\n\nnonsense\n"}), "1")
	t.Run("a damaged go.mod", func(t *testing.T) {
		needGo(t)
		_, err := gotest.Tests{Exercise: e}.Do(t.Context())
		require.ErrorContains(t, err, "unknown directive: nonsense")
	})
	t.Run("no go in PATH", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		_, err := gotest.Tests{Exercise: e}.Do(t.Context())
		require.ErrorIs(t, err, exec.ErrNotFound)
		require.ErrorContains(t, err, "install Go")
	})
	t.Run("no directory for temporary files", func(t *testing.T) {
		t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
		t.Setenv("TMP", filepath.Join(t.TempDir(), "none"))
		_, err := gotest.Tests{Exercise: e}.Do(t.Context())
		var machine *gotest.MachineError
		require.ErrorAs(t, err, &machine)
		require.ErrorContains(t, err, "let TMP")
	})
	t.Run("a relative directory for temporary files", func(t *testing.T) {
		t.Setenv("GOTMPDIR", "here")
		_, err := gotest.Tests{Exercise: e}.Do(t.Context())
		require.ErrorContains(t, err, `let GOTMPDIR name one`)
		require.ErrorContains(t, err, `"here" is not an absolute path`)
	})
	t.Run("no answer file", func(t *testing.T) {
		require.NoError(t, os.Remove(filepath.Join(e.Folder(), "double.go")))
		_, err := gotest.Tests{Exercise: e}.Do(t.Context())
		require.ErrorContains(t, err, "go run ./exercises reset 01")
	})
}

// Ending the context ends every process of the run and removes its temporary directory: here a test that waits forever, with a
// child that does too. The child holds a listening socket, whose other end shows when the child is gone.
func TestStop(t *testing.T) {
	needGo(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("TMP", temp)
	book := toybook.New(t, toybook.Files{"exercises/01_hang/hang.go": "package hang\n", "exercises/01_hang/hang_test.go": hangingTest})
	address := filepath.Join(t.TempDir(), "ready")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := gotest.Tests{Exercise: toybook.Find(t, book, "1"), NoVet: true, Env: []string{"READY=" + address}}.Do(ctx)
		done <- err
	}()
	child := connect(t, address)
	running, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Len(t, running, 1)
	if info, err := running[0].Info(); runtime.GOOS != "windows" {
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o755), info.Mode().Perm(), "a worker that runs as another user needs access")
	}
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	requireGone(t, child)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left, "temp files are left")
}

func TestDemo(t *testing.T) {
	t.Parallel()
	needGo(t)
	e := toybook.Find(t, toybook.New(t, toybook.Lesson("01_one", "Part One, Files")), "1")
	reference, err := answer.Reference(e)
	require.NoError(t, err)
	for _, tt := range []struct {
		name   string
		code   answer.Answer
		want   string
		status int
	}{
		{"the learner's code", nil, "5 [a b]\n", 1},
		{"the reference", reference, "8 [a b]\n", 0},
	} {
		command, remove, err := gotest.Demo{Exercise: e, Answer: tt.code, Args: []string{"a", "b"}}.Command(t.Context())
		require.NoError(t, err)
		printed, _ := command.Output()
		assert.Equal(t, tt.want, string(printed), tt.name)
		assert.Equal(t, tt.status, command.ProcessState.ExitCode(), tt.name)
		assert.FileExists(t, command.Path)
		remove()
		assert.NoFileExists(t, command.Path)
	}

	_, _, err = gotest.Demo{Exercise: e, Answer: toybook.Answer("double.go",
		"package one\n\nfunc Double(n int) int { return m }\n")}.Command(t.Context())
	var failure *gotest.CompileError
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, gotest.CompileError{
		Package: "example/turnstile/exercises/01_one",
		Lines:   []string{"exercises/01_one/double.go:3:33: undefined: m"},
	}, *failure)
}

// Only the command line matters here, so a script replaces go: compiling for another system takes half a minute of processor time.
func TestAnotherSystem(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the script needs a shell")
	}
	e := toybook.Find(t, toybook.New(t, toybook.Lesson("01_one", "Part One, Files")), "1")
	bin := t.TempDir()
	const script = `#!/bin/sh
echo "$GOOS $CGO_ENABLED" "$@" >>"$SAID"
case $1 in
build) printf 'MZ' >"$3" ;;
test) printf '%s\n' '{"Action":"start","Package":"example/turnstile/exercises/01_one"}'
	printf '%s\n' '{"Action":"output","Package":"example/turnstile/exercises/01_one","Output":"MZ\n"}'
	printf '%s\n' '{"Action":"pass","Package":"example/turnstile/exercises/01_one"}' ;;
esac
`
	require.NoError(t, os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o777))
	start := filepath.Join(bin, "run it.sh")
	require.NoError(t, os.WriteFile(start, []byte("#!/bin/sh\ncat \"$1\"; shift; echo \" $*\"\n"), 0o777))
	said := filepath.Join(bin, "said")
	t.Setenv("SAID", said)
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))

	command, remove, err := gotest.Demo{Exercise: e, GOOS: "windows", Exec: start, Args: []string{"a"}}.Command(t.Context())
	require.NoError(t, err)
	defer remove()
	assert.True(t, strings.HasSuffix(command.Args[1], "race.exe"), command.Args)
	printed, err := command.Output()
	require.NoError(t, err)
	assert.Equal(t, "MZ a\n", string(printed))

	// What the script prints is not a test, and a process that does not report its end has not passed.
	result, err := gotest.Tests{Exercise: e, NoVet: true, GOOS: "windows", Exec: start}.Do(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []any{gotest.Broken, "the test process ended before the first test: MZ"}, []any{result.Status, result.Reason})
	lines, err := os.ReadFile(said)
	require.NoError(t, err)
	assert.Regexp(t, `^windows 0 build -o \S.*race\.exe \./exercises/01_one/race\n`+
		`windows 0 test -json .*-exec='.*run it\.sh' \./exercises/01_one\n$`, string(lines))
}
