package gotest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"example/turnstile/internal/curriculum"
)

// ErrModulesMissing is matched by the error of Do and Command when a module that the workbook needs is not on this
// machine and cannot be fetched.
var ErrModulesMissing = errors.New("a module is missing")

// A MachineError says that the machine kept go from its work, so that nothing can be said of the code.
type MachineError struct {
	Says  string   // what is wrong and what to do, without a full stop
	Lines []string // what go or the system printed
	Cause error    // nil if only go's text is known
}

func (e *MachineError) Error() string {
	return strings.TrimSpace(e.Says + "\n" + strings.Join(e.Lines, "\n"))
}
func (e *MachineError) Unwrap() error { return e.Cause }

var (
	noNetwork = regexp.MustCompile(`module lookup disabled|dial tcp|no such host|missing go\.sum entry|proxyconnect|TLS handshake`)
	noRoom    = regexp.MustCompile(`(?i)no space left|quota exceeded|not enough space`)
	noMemory  = regexp.MustCompile(`(?i)signal: killed|cannot allocate|out of memory|not enough memory|resource temporarily unavailable`)
	noDisk    = regexp.MustCompile(`(?i)input/output error|read-only file system|too many open files`)
	noExec    = regexp.MustCompile(`fork/exec (\S.*): (permission denied|operation not permitted|Access is denied)`)
	place     = regexp.MustCompile(`^[^\s:]+\.go:[0-9]+`)
)

// machineTrouble distinguishes trouble with the machine from code that does not compile: go failed at a package that is not a
// learner's, or its text speaks of room, memory or the disk. failed is the import path at which go failed.
func machineTrouble(failed string, lines []string) error {
	if failed == "" {
		return nil
	}
	failed, _, _ = strings.Cut(failed, " [")
	const exercises = curriculum.ModulePath + "/exercises/"
	learners := strings.HasPrefix(failed, exercises) || slices.ContainsFunc(lines, isInExercises)
	switch {
	case !strings.HasPrefix(failed, curriculum.ModulePath+"/") && slices.ContainsFunc(lines, noNetwork.MatchString):
		return missingModule(lines)
	case slices.ContainsFunc(lines, tells(noRoom)):
		return &MachineError{Says: "there is no room left for what go builds: make room in the directory for temporary files, or let " +
			"GOTMPDIR name one with room", Lines: lines}
	case slices.ContainsFunc(lines, tells(noMemory)):
		return &MachineError{Says: "the system ended go or refused it memory: close other programs and try again", Lines: lines}
	case slices.ContainsFunc(lines, tells(noDisk)):
		return &MachineError{Says: "the system refused go's work on its files", Lines: lines}
	case learners || strings.HasPrefix(failed, curriculum.ModulePath+"/"):
		return nil
	}
	return &MachineError{Lines: lines, Says: fmt.Sprintf("go could not build %s, which is not your code: where it lies in the module cache, "+
		"`go clean -modcache` makes go fetch it again; otherwise the installation of Go is incomplete", failed)}
}

func isInExercises(line string) bool {
	return strings.HasPrefix(line, "exercises/") && place.MatchString(line)
}

// tells finds the expression in lines that are not about a place in some code: a name in the code may hold any word.
func tells(expression *regexp.Regexp) func(line string) bool {
	return func(line string) bool { return !place.MatchString(line) && expression.MatchString(line) }
}

// noStart returns the error of a test process that the system refused to start, nil if output does not report one.
func noStart(output string) error {
	m := noExec.FindStringSubmatch(output)
	if m == nil {
		return nil
	}
	return &MachineError{Says: "the system does not run programs from the directory for temporary files: let GOTMPDIR name a directory " +
		"from which it does, such as one in your home directory", Lines: []string{m[0]}}
}

func missingModule(lines []string) error {
	return fmt.Errorf("%w: run `go mod download` in the workbook once while there is a network; go said: %s",
		ErrModulesMissing, strings.Join(lines, " "))
}
