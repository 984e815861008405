package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// oldestWine is the first major version that runs programs of Go 1.26. Wine 8 stops in Go's start-up code.
const oldestWine = 9

var errNoWine = errors.New("no Wine 9 or later is installed")

// A wine is an installation that this user can start.
type wine struct {
	program string
	server  string
}

// installedWine finds Wine on the machine. The error is errNoWine when there is none that is new enough.
func installedWine() (wine, error) {
	for _, name := range []string{"wine", "wine64", "/usr/lib/wine/wine64"} {
		program, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		output, err := exec.Command(program, "--version").Output()
		if err != nil || majorVersion(string(output)) < oldestWine {
			continue
		}
		server, err := wineserver(program)
		if err != nil {
			return wine{}, err
		}
		return wine{program: program, server: server}, nil
	}
	return wine{}, errNoWine
}

var versionNumber = regexp.MustCompile(`wine-(\d+)\.`)

// majorVersion parses what wine --version prints, such as "wine-10.0 (Debian 10.0~repack-6)"; 0 if it cannot.
func majorVersion(output string) int {
	match := versionNumber.FindStringSubmatch(output)
	if match == nil {
		return 0
	}
	major, _ := strconv.Atoi(match[1]) // digits only; too many of them are not a version
	return major
}

func wineserver(program string) (string, error) {
	beside := filepath.Dir(program)
	candidates := []string{
		"wineserver", filepath.Join(beside, "wineserver"), filepath.Join(beside, "wineserver64"),
		"/usr/lib/wine/wineserver64",
	}
	for _, name := range candidates {
		if server, err := exec.LookPath(name); err == nil {
			return server, nil
		}
	}
	return "", fmt.Errorf("%s is installed without its wineserver; install the rest of Wine", program)
}

// session runs this program's arguments with the installed Wine. One run at a time: they share a Windows disk in the cache directory.
func (w wine) session(args []string) (int, error) {
	cache, err := cacheDirectory()
	if err != nil {
		return 0, err
	}
	unlock, err := lockFile(cache+".installed.lock", "another run that uses the installed Wine")
	if err != nil {
		return 0, err
	}
	defer unlock()

	script := cache + ".exec" // not a temporary file: a killed run would leave it
	if err := writeScript(script, w.program); err != nil {
		return 0, err
	}

	env := wineEnvironment(os.Environ(), cache+".prefix", w.server)
	defer emptyTemp(cache + ".prefix")
	emptyTemp(cache + ".prefix") // what a killed run left
	stop, err := keepWarm(env, script)
	if err != nil {
		return 0, err
	}
	defer stop()
	command, err := startAgain(args...)
	if err != nil {
		return 0, err
	}
	command.Env = append(env, execVariable+"="+script)
	ownGroup(command)
	return finish(command, killGroup)
}

// wineEnvironment is the environment in which Wine runs: what the caller has, and what keeps Wine quiet and away from a desktop.
func wineEnvironment(base []string, prefix, server string) []string {
	env := append([]string{}, base...)
	if os.Getenv("WINEDEBUG") == "" {
		env = append(env, "WINEDEBUG=-all") // otherwise its own diagnostics come between the tests' lines
	}
	return append(env,
		"WINEPREFIX="+prefix, "WINESERVER="+server,
		"WINEDLLOVERRIDES=mscoree,mshtml,winemenubuilder.exe=",
		"DISPLAY=", "LC_ALL=C.UTF-8")
}

// keepWarm holds one Windows program open, so that Wine's server and services are started once a session, not once a test binary.
// The program ends with its input, so it ends even if this process is killed.
func keepWarm(env []string, script string) (stop func(), err error) {
	const endsWithItsInput = "cmd.exe"
	warm := exec.Command(script, endsWithItsInput)
	warm.Env = env
	input, err := warm.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := warm.Start(); err != nil {
		return nil, fmt.Errorf("starting Wine: %w", err)
	}
	return func() {
		input.Close()
		_ = warm.Wait() // its status is not about the tests
	}, nil
}

// startAgain is this program with other arguments. It has no input: tests do not read it, and a session cannot share a terminal's.
func startAgain(args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command(self, args...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return command, nil
}

// finish starts the command, waits for it, and ends it when this process receives a signal to end. It returns the exit status.
func finish(command *exec.Cmd, end func(*exec.Cmd)) (int, error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, endSignals...)
	defer signal.Stop(signals)
	if err := command.Start(); err != nil {
		return 0, err
	}
	finished := make(chan error, 1)
	go func() { finished <- command.Wait() }()

	var err error
	select {
	case <-signals:
		end(command)
		err = <-finished
	case err = <-finished:
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if exit.ExitCode() < 0 { // killed
			return 1, nil
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

func emptyTemp(prefix string) {
	for _, pattern := range []string{"AppData/Local/Temp/*", "Temp/*"} {
		left, _ := filepath.Glob(filepath.Join(prefix, "drive_c/users/*", pattern)) // only a bad pattern fails
		for _, path := range left {
			_ = os.RemoveAll(path) // the next run tries again
		}
	}
}

// writeScript writes a script that puts the command before its own arguments. It stays the same process, so that killing it ends
// the Windows program.
func writeScript(path string, command ...string) error {
	for i, word := range command {
		command[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	// Debian's Wine 10 aborts with "free(): invalid pointer" when TMPDIR is set and there is no /run/user/ID.
	// t.TempDir takes GOTMPDIR as it is, and a path of this system means something else on each of Wine's drives.
	text := "#!/bin/sh\nunset TMPDIR GOTMPDIR\nexec " + strings.Join(command, " ") + ` "$@"` + "\n"
	return os.WriteFile(path, []byte(text), 0o755)
}

// cacheDirectory names the place outside the repository that runs share.
func cacheDirectory() (string, error) {
	dir := os.Getenv("TURNSTILE_WINE")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("%w; set TURNSTILE_WINE to a directory for the Windows environment", err)
		}
		dir = filepath.Join(cache, "turnstile", "wine")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(filepath.Dir(dir), 0o755)
}
