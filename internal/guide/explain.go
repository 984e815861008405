package guide

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// explain turns an error into what a learner can do about it.
func (s *session) explain(err error) (text string, code int) {
	var usage *usageError
	var unknown *curriculum.UnknownError
	switch {
	case errors.As(err, &usage):
		return usage.text, exitUsage
	case errors.As(err, &unknown):
		return unknownExercise(unknown), exitUsage
	}
	return s.explainTrouble(err), exitTrouble
}

// explainTrouble is explain for what is not the command line's fault.
func (s *session) explainTrouble(err error) string {
	var noCopy *copyError
	var half *halfDoneError
	var machine *gotest.MachineError
	var path *fs.PathError
	switch {
	case errors.As(err, &half):
		return half.done + "\n" + s.explainTrouble(half.cause)
	case errors.As(err, &noCopy):
		return fmt.Sprintf("Your code of %s is unchanged, since no copy of it could be made (%s). %s", title(noCopy.exercise),
			s.reason(noCopy.cause), s.remedy(noCopy.cause, s.path(s.notebook.folder)))
	case errors.Is(err, curriculum.ErrNoWorkbook):
		return fmt.Sprintf("%s is not inside the workbook: change into the directory that holds its go.mod, then type `go run "+
			"./exercises`.", s.Folder)
	case errors.Is(err, errNoExercises):
		return fmt.Sprintf("The workbook is incomplete: %v. Get a fresh copy of it.", err)
	case errors.Is(err, exec.ErrNotFound):
		return "The go command was not found: install Go (https://go.dev/dl) or add its bin directory to PATH, then try again."
	case errors.Is(err, gotest.ErrModulesMissing):
		return noModules
	case errors.As(err, &machine):
		return s.explainMachine(machine)
	case noSpace(err):
		return fmt.Sprintf("The disk is full (%s). Make room on it, then try again.", s.reason(err))
	case errors.Is(err, fs.ErrPermission) && errors.As(err, &path):
		return fmt.Sprintf("%s cannot be used: permission denied (%s). Give yourself the right to read and write it, then try again.",
			s.path(path.Path), path.Op)
	case errors.Is(err, fs.ErrNotExist) && errors.As(err, &path):
		return fmt.Sprintf("%s is missing. Get it back from a fresh copy of the workbook (answer files also come back with `%s`), then "+
			"try again.",
			s.path(path.Path), s.command("reset N"))
	}
	return fmt.Sprintf("The guide could not go on: %v.", err)
}

const noModules = "The modules that the workbook needs are not on this machine yet, and they could not be fetched. " +
	"Type `go mod download` in the workbook once while you have a network; after that everything works without one. README.md, " +
	"\"If it does not start\", says what else helps."

// mostMachineLines is how much of what go printed follows the explanation.
const mostMachineLines = 4

func (s *session) explainMachine(e *gotest.MachineError) string {
	lines := e.Lines
	if len(lines) > mostMachineLines {
		lines = append(lines[:mostMachineLines:mostMachineLines], "…")
	}
	text := "The machine has a problem, so the tests cannot judge your code: " + sentence(e.Says)
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			text += "\n  " + visible(line)
		}
	}
	return text
}

// remedy says what helps against an error of writing in folder.
func (s *session) remedy(err error, folder string) string {
	if noSpace(err) {
		return "Make room on the disk, then try again."
	}
	return fmt.Sprintf("Make %s writable, then try again.", folder)
}

// unknownExercise says which exercises a name may have meant.
func unknownExercise(unknown *curriculum.UnknownError) string {
	verbs := "There is no exercise"
	if unknown.Ambiguous {
		verbs = "Several exercises fit"
	}
	if len(unknown.Near) == 0 {
		return fmt.Sprintf("%s %q.", verbs, unknown.Query)
	}
	return fmt.Sprintf("%s %q. Did you mean %s?", verbs, unknown.Query, alternatives(unknown.Near, 5))
}

// alternatives joins at most n names: "a, b or c".
func alternatives(names []string, n int) string {
	if len(names) > n {
		return strings.Join(names[:n], ", ") + ", …"
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
