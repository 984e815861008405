package guide

import (
	"errors"
	"fmt"
	"os/exec"
	"time"

	"example/turnstile/internal/gotest"
	"example/turnstile/internal/lab/race"
)

// demoGrace is how long an interrupted demo may take to end its workers before it is killed.
const demoGrace = 3 * time.Second

// race runs the race demo on the learner's code (-solution: on the reference). The demo talks to the terminal itself; its
// exit status says whether the race is there.
func (s *session) race(st *standing) error {
	e := st.exercise
	if !exists(e, "race") {
		return s.print(fmt.Sprintf("%s has no race demo. Its tests: %s\n", title(e), s.command("check "+number(e))))
	}
	code, err := s.answer(e)
	if err != nil {
		return err
	}
	done := s.working("building the race demo of %s", title(e))
	command, remove, err := gotest.Demo{Exercise: e, Answer: code, Env: offline}.Command(s.ctx)
	done()
	if compile := (*gotest.CompileError)(nil); errors.As(err, &compile) {
		result := &gotest.Result{Status: gotest.DoesNotCompile, CompilerLines: compile.Lines}
		if err := s.print(s.paint.screen(s.screen(e, result, false, nil))); err != nil {
			return err
		}
		return exitStatus(exitUnfinished)
	}
	if err != nil {
		return err
	}
	defer remove()
	return s.runDemo(command)
}

func (s *session) runDemo(command *exec.Cmd) error {
	command.Stdout, command.Stderr = s.Out, s.Err
	if s.inTerminal {
		command.Stdin = s.In // a terminal is an *os.File, which is handed on as it is; any other reader would need a copying goroutine
	}
	// Ctrl-C in a terminal reaches the demo as well, which then cleans up by itself; what is sent here is for a guide that
	// was interrupted alone.
	command.Cancel = func() error { return interrupt(command.Process) }
	command.WaitDelay = demoGrace
	err := command.Run()
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == race.StatusRace:
		return exitStatus(exitUnfinished)
	case errors.As(err, &exit) && exit.ExitCode() == race.StatusNoVerdict: // the demo has said why itself
		return exitStatus(exitTrouble)
	case errors.As(err, &exit):
		return fmt.Errorf("the race demo ended unexpectedly (%v); what it printed last says why", exit)
	}
	return fmt.Errorf("start the race demo: %w", err)
}
