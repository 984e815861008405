package textcheck_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/docs/tools/textcheck"
	"example/turnstile/internal/toybook"
	"example/turnstile/internal/udiff"
)

func TestParseCommand(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"go run ./exercises/03_seek_truncate/race": {"go", "run", "./exercises/03_seek_truncate/race"},
		"go run ./exercises/03_seek_truncate/race -workers 4": {
			"go", "run", "./exercises/03_seek_truncate/race",
			"-workers", "4",
		},
		"go run ./exercises":                   {"go", "run", "./exercises"},
		"go run ./exercises -solution check 3": {"go", "run", "./exercises", "-solution", "check", "3"},
		"go test -run 'TestA|TestB' -race ./exercises/03_x": {
			"go", "test", "-run", "TestA|TestB", "-race",
			"./exercises/03_x",
		},
		"go test ./lessons/... -count=2":                  {"go", "test", "./lessons/...", "-count=2"},
		`go test -run="a b" ./solutions/03_seek_truncate`: {"go", "test", "-run=a b", "./solutions/03_seek_truncate"},
		"go test -short  -v ./lessons/05_lost_update/ ./exercises/04_json_files/": {
			"go", "test", "-short", "-v", "./lessons/05_lost_update/",
			"./exercises/04_json_files/",
		},
	} {
		words, err := textcheck.ParseCommand(line)
		require.NoError(t, err, line)
		require.Equal(t, want, words)
	}
	for _, line := range []string{
		"", "ls", "rm -rf /", "go version", "go run ./exercises; ls", "go run ./exercises | head", "go run ./exercises > x",
		"go run ./exercises $(ls)", "go run ./internal/lab/race", "go run ../exercises", "go run -exec=x ./exercises",
		"go run ./exercises watch 3",
		"go test", "go test -exec=rm ./exercises/03_x", "go test -o x ./exercises/03_x", "go test -toolexec=x ./exercises/03_x",
		"go test ../x", "go test /etc", "go test ./exercises/../../x", "go test -run", "go run './exercises", "sudo go run ./exercises",
		"go install ./exercises",
		"go run ./exercises/03_x/race/../../../x", "go run", "go test std",
	} {
		_, err := textcheck.ParseCommand(line)
		require.Error(t, err, line)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	require.Empty(t, textcheck.Commands(page(t, "", "")))
	for _, test := range []breakage{
		{"a console block without a command", "$ go run ./exercises/03_seek_truncate/race\n", "", "1 file", "does not begin with a command"},
		{"another command", "$ go run ./exercises/03_seek_truncate/race", "$ cat locks.json", "$ cat", "not a command that a page may show"},
		{"an sh block with another command", "go run ./exercises check 3", "rm -r lessons", "rm -r", "not a command that a page may show"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			broken := page(t, test.old, test.replacement)
			requireProblem(t, textcheck.Commands(broken), lineOf(t, broken.Source, test.at), test.want)
		})
	}
	require.Empty(t, textcheck.Commands(page(t, "go run ./exercises check 3 #", "make test #")))
}

func TestNumbersThatVary(t *testing.T) {
	t.Parallel()
	const shown = "~~~console varies\n$ go run ./exercises\n  1   250   9\nlost     660, kept 0 …\nexit status 1\n~~~\n"
	p := textcheck.Parse("x.md", []byte(strings.ReplaceAll(shown, "~~~", "`"+"``")))
	for output, want := range map[string]bool{
		"  1   250   9\nlost     660, kept 0 of it\n":   true,
		" 12 1,250  19\nlost   1,660, kept 0 of 1000\n": true,
		"  1     0   9\nlost     660, kept 0 of it\n":   true, // a process that had no luck
		"  1   250   9\nlost       0, kept 0 of it\n":   false,
		"  1   250   9\nlost     660, kept 1 of it\n":   false,
		"  1   250   9\ngone     660, kept 0 of it\n":   false,
		"  1   250   9 8\nlost     660, kept 0 of it\n": false,
		"  1   250   9\nlost     some, kept 0 of it\n":  false,
		"  1   250   9\n\nlost     660, kept 0 of it\n": false,
	} {
		for _, status := range []int{1, 2} {
			problems := textcheck.Console(t.Context(), p, func(context.Context, []string) (textcheck.Transcript, error) {
				return textcheck.Transcript{Output: output, Status: status}, nil
			})
			require.Equal(t, want && status == 1, len(problems) == 0, "%q with status %d", output, status)
		}
	}
	require.Empty(t, textcheck.Commands(p))
	p.Fences[0].Extra = "linux,varys"
	requireProblem(t, textcheck.Commands(p), 1, `marked with "varys"`)
}

const goodRun = "1 file, 24 bytes\n\n  process  lost\n  1          12\nlost      12\nexit status 1\n"

func TestConsole(t *testing.T) {
	t.Parallel()
	run := func(transcript textcheck.Transcript, err error) textcheck.Runner {
		return func(_ context.Context, words []string) (textcheck.Transcript, error) {
			require.Equal(t, []string{"go", "run", "./exercises/03_seek_truncate/race"}, words)
			return transcript, err
		}
	}
	check := func(p *textcheck.Page, runner textcheck.Runner) []textcheck.Problem {
		return textcheck.Console(t.Context(), p, runner)
	}
	good := page(t, "", "")
	require.Empty(t, check(good, run(textcheck.Transcript{goodRun, 1}, nil)))
	require.Empty(t, check(good, run(textcheck.Transcript{strings.TrimSuffix(goodRun, "exit status 1\n"), 1}, nil)), "the status is added")
	require.Empty(t, check(good, run(textcheck.Transcript{"go: downloading x v1\n1 file, 9 bytes\r\nlost\t12 \nexit status 1\n", 1}, nil)))
	slow := "building the race demo of 03 · Seek …\nrunning the tests of 03 … 2 tests of 03 · Seek done\n"
	require.Empty(t, check(good, run(textcheck.Transcript{slow + goodRun, 1}, nil)), "progress depends on the machine")
	for _, test := range []struct{ name, output, want string }{
		{"a changed line", strings.Replace(goodRun, "lost      12", "gone      12", 1), "run    no such line"},
		{"a changed first line", strings.Replace(goodRun, "1 file", "2 files", 1), "run    2 files, 24 bytes"},
		{"a line more at the end", goodRun + "bye\n", "run    bye"},
		{"nothing at all", "", "run    nothing more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			problems := check(good, run(textcheck.Transcript{Output: test.output}, nil))
			require.Len(t, problems, 1)
			require.Contains(t, problems[0].String(), "prints something else now")
			require.Contains(t, problems[0].String(), test.want)
		})
	}
	t.Run("another exit status", func(t *testing.T) {
		t.Parallel()
		requireAmong(t, check(good, run(textcheck.Transcript{"1 file, 2 bytes\nlost 2\n", 0}, nil)), 15, "run    nothing more")
	})
	t.Run("a status that the page does not show", func(t *testing.T) {
		t.Parallel()
		printed := textcheck.Transcript{"1 file, 2 bytes\nlost 2\n", 2}
		requireAmong(t, check(page(t, "exit status 1\n", ""), run(printed, nil)), 15, "run    exit status 2")
	})
	t.Run("a command that does not run", func(t *testing.T) {
		t.Parallel()
		requireProblem(t, check(good, run(textcheck.Transcript{}, errors.New("no go here"))), 11, "could not be run: no go here")
	})
	t.Run("several commands in one block", func(t *testing.T) {
		t.Parallel()
		const two = "```console\n$ go run ./exercises/03_seek_truncate/race\nyes\n$ go run ./exercises/03_seek_truncate/race\nno\n```\n"
		p := textcheck.Parse("lessons/03_x/README.md", []byte(two))
		requireProblem(t, check(p, run(textcheck.Transcript{Output: "yes\n"}, nil)), 5, "page   no")
	})
	t.Run("a block for another system is left alone", func(t *testing.T) {
		t.Parallel()
		p := textcheck.Parse("lessons/03_x/README.md", []byte("```console plan9\n$ go run ./exercises/03_seek_truncate/race\nyes\n```\n"))
		require.Empty(t, check(p, nil))
	})
}

func TestElisionWithinALine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, line string
		want          bool
	}{
		{"lost  …", "lost      12", true},
		{"lost  …", "lost", true},
		{"lost …  of …", "lost 3 of 1000", true},
		{"ok … (cached)", "ok  x/y  (cached)", true},
		{"…", "anything", true},
		{"… ms", "12 ms", true},
		{"process … and process …", "process 2 and process 4", true},
		{"lost  …", "gone  12", false},
		{"… ms", "12 s", false},
		{"a … b … c", "a c b", false},
		{"aa…aa", "aaa", false},
		{"lost  12", "lost 12", false},
	} {
		p := textcheck.Parse("x.md", []byte("```console\n$ go run ./exercises\n"+test.pattern+"\nend\n```\n"))
		problems := textcheck.Console(t.Context(), p, func(context.Context, []string) (textcheck.Transcript, error) {
			return textcheck.Transcript{Output: test.line + "\nend\n"}, nil
		})
		if test.pattern == "…" {
			require.Empty(t, problems)
			continue
		}
		require.Equal(t, test.want, len(problems) == 0, "%q against %q", test.pattern, test.line)
	}
}

// fakeWorkbook is a module whose guide reports what it sees of the learner: its state and the exercise's code.
func fakeWorkbook(t *testing.T) string {
	t.Helper()
	const reference, shipped = "package x\n\nconst Says = \"as it should\"\n", "package x\n\nconst Says = \"as shipped\"\n"
	patch := udiff.Diff("a", "b", toybook.Answer("x.go", reference), toybook.Answer("x.go", shipped))
	return toybook.New(t, toybook.Files{
		".turnstile/state.json":                    "the learner's",
		"bench/go.mod":                             "module bench\n",
		"docs/contributing.md":                     "",
		"lessons/01_x/README.md":                   "# 01 · X\n",
		"exercises/01_x/x.go":                      "package x\n\nconst Says = \"as the learner left it\"\n",
		"exercises/01_x/extra.go":                  "package x\n\nconst Says = \"twice declared\"\n",
		"exercises/01_x/x_test.go":                 "package x_test\n",
		"solutions/01_x/x.go":                      reference,
		"solutions/01_x/wrong/00_as_shipped.patch": "It says so.\n\ncaught by: TestX\nsays: \"x\"\n\n" + string(patch),
		"exercises/main.go": `package main

import (
	"fmt"
	"net"
	"os"

	x "example/turnstile/exercises/01_x"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "hang" {
		if _, err := net.Dial("tcp", os.Args[2]); err != nil {
			panic(err)
		}
		select {}
	}
	_, err := os.Stat(".turnstile")
	fmt.Println(x.Says, "state:", err == nil, os.Getenv("NO_COLOR"), len(os.Getenv("TURNSTILE_X")))
	_ = os.Mkdir(".turnstile", 0o700)
	_ = os.WriteFile("exercises/01_x/x.go", []byte("package x"), 0o600)
	os.Exit(3)
}
`,
	}).Root
}

func freshCopy(t *testing.T) (learners string, fresh *textcheck.FreshCopy) {
	t.Helper()
	learners = fakeWorkbook(t)
	fresh, err := textcheck.Copy(learners, t.TempDir())
	require.NoError(t, err)
	return learners, fresh
}

func TestFreshCopyIsAsShippedWhateverTheLearnerDid(t *testing.T) {
	t.Setenv("TURNSTILE_X", "from outside")
	learners, fresh := freshCopy(t)
	for range 2 { // the run changes the copy; Reset brings it back
		transcript, err := fresh.Run(t.Context(), []string{"go", "run", "./exercises"})
		require.NoError(t, err)
		require.Equal(t, []string{"as shipped state: false 1 0", "exit status 3"}, transcript.Lines(), "%v", transcript)
		require.NoError(t, fresh.Reset())
	}
	require.NoDirExists(t, filepath.Join(fresh.Root, "docs"))
	require.NoDirExists(t, filepath.Join(fresh.Root, "bench"))
	require.NoFileExists(t, filepath.Join(fresh.Root, "exercises", "01_x", "extra.go"))
	require.FileExists(t, filepath.Join(fresh.Root, "exercises", "01_x", "x_test.go"))
	content, err := os.ReadFile(filepath.Join(learners, "exercises", "01_x", "x.go"))
	require.NoError(t, err)
	require.Contains(t, string(content), "as the learner left it")
}

func TestARaceOfTheReferenceIsRunOnce(t *testing.T) {
	t.Parallel()
	_, fresh := freshCopy(t)
	for _, words := range [][]string{{"go", "run", "./exercises", "-solution", "race", "1"}, {"go", "run", "./exercises", "race", "1"}} {
		first, err := fresh.Run(t.Context(), words)
		require.NoError(t, err)
		require.Contains(t, first.Output, "state: false")
		second, err := fresh.Run(t.Context(), words)
		require.NoError(t, err)
		require.Equal(t, words[3] == "-solution", first == second, "the second run finds the state of the first")
		require.NoError(t, fresh.Reset())
	}
}

func TestFreshCopyKillsWhatACommandStarted(t *testing.T) {
	t.Parallel()
	_, fresh := freshCopy(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	ctx, cancel := context.WithCancel(t.Context())
	connections := make(chan net.Conn, 1)
	go func() {
		defer cancel() // as soon as the program, a grandchild, says that it runs
		if connection, err := listener.Accept(); err == nil {
			connections <- connection
		}
	}()
	_, err = fresh.Run(ctx, []string{"go", "run", "./exercises", "hang", listener.Addr().String()})
	require.ErrorIs(t, err, context.Canceled)
	connection := <-connections
	defer connection.Close()
	require.NoError(t, connection.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err = connection.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the program still holds its end of the connection")
}
