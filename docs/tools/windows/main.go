// Command windows runs the Windows build of the workbook's tests, on Linux under Wine and on Windows as it is.
//
//	go -C docs/tools run ./windows                                        everything that make windows runs
//	go -C docs/tools run ./windows ./lessons/03_seek_truncate -run Tail   go test with these arguments, built for Windows
//	go -C docs/tools run ./windows -- COMMAND ARGUMENTS                   any command; $TURNSTILE_WINDOWS_EXEC runs a Windows program
//	go -C docs/tools run ./windows -setup                                 only prepares the machine
//
// Package paths are relative to the repository, wherever the command is called from.
//
// Where Wine 9 or later is installed it is used as it is, by one run at a time. Otherwise, on Linux and as root, Debian 13's Wine
// is installed once into a directory outside the repository ($TURNSTILE_WINE, or turnstile/wine in the user's cache directory). Runs
// share that directory at the same time, each in its own namespaces: its processes, mounts and files end with it, even if it is killed.
// Older Wines cannot run the programs that Go builds.
//
// The exit status is the tests' own. Where Windows programs cannot run, the command says what to do and exits with 3.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"example/turnstile/internal/curriculum"
)

// execVariable names the environment variable that holds the script that runs a Windows program: SCRIPT program.exe arguments.
// It is set inside a session, and only there is it valid.
const execVariable = "TURNSTILE_WINDOWS_EXEC"

const exitCannotRun = 3

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) > 0 {
		if step, ok := steps[args[0]]; ok {
			return step(args[1:])
		}
	}
	book, err := curriculum.Open(".")
	if err != nil {
		return cannotRun(err)
	}
	root := book.Root
	if runtime.GOOS == "windows" || os.Getenv(execVariable) != "" {
		return inside(root, os.Getenv(execVariable), args)
	}
	endWithParent()
	status, err := openSession(args)
	if err != nil {
		return cannotRun(err)
	}
	return status
}

// steps are the parts of the work that run in a process of their own, this program started again under another name.
var steps = map[string]func(args []string) int{}

func cannotRun(err error) int {
	fmt.Fprintln(os.Stderr, "cannot run Windows programs:", err)
	return exitCannotRun
}

func openSession(args []string) (int, error) {
	if wine, err := installedWine(); err == nil {
		return wine.session(args)
	} else if !errors.Is(err, errNoWine) {
		return 0, err
	}
	return chrootSession(args)
}

// inside runs the command that the arguments name. An empty script means that this system runs Windows programs by itself.
func inside(root, script string, args []string) int {
	switch {
	case len(args) == 0:
		return everything(root, script)
	case args[0] == "-setup":
		fmt.Fprintln(os.Stderr, "ready to run Windows programs")
		return 0
	case args[0] == "--" && len(args) > 1:
		return start("", nil, args[1], args[2:]...)
	default:
		return goTest(root, script, args...)
	}
}

// everything runs each part, even after one has failed.
func everything(root, script string) int {
	facts := goTest(root, script, "./lessons/...", "./internal/...")

	// The driver itself is a program of this system: it builds each answer for Windows.
	driver := []string{"test", "-timeout=30m", "-run=TestAnswers", "./solutions/...", "-args", "-goos=windows"}
	if script != "" {
		driver = append(driver, "-exec="+script)
	}
	answers := start(root, nil, "go", driver...)
	examples := goTest(root, script, "-run=Example", "./solutions/...")

	wine := goTest(filepath.Join(root, "docs", "tools"), script, "./windows")

	return max(facts, answers, examples, wine)
}

// goTest builds tests for Windows and runs them.
func goTest(root, script string, args ...string) int {
	command := []string{"test"}
	if script != "" {
		command = append(command, "-exec="+script)
	}
	return start(root, []string{"GOOS=windows", "CGO_ENABLED=0"}, "go", append(command, args...)...)
}

// start runs a command in dir with more environment variables, and returns its exit status.
func start(dir string, more []string, name string, args ...string) int {
	command := exec.Command(name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), more...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := command.Run()

	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode()
	default:
		fmt.Fprintf(os.Stderr, "%s %s: %v\n", name, strings.Join(args, " "), err)
		return 1
	}
}
