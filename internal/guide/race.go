package guide

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
	"example/turnstile/internal/lab/race"
)

// demoGrace is how long an interrupted demo may take to end its workers before it is killed.
const demoGrace = 3 * time.Second

// race runs the race demo on the learner's code (-solution: on the reference). The demo talks to the terminal itself; its
// exit status says whether a race was seen.
func (s *session) race(ctx context.Context, st *standing) error {
	e := st.exercise
	if !exists(e, "race") {
		return s.print(fmt.Sprintf("%s has no race demo. Its tests: %s\n", title(e), s.command("check "+number(e))))
	}
	if damage := s.files(e).damage; damage != "" {
		return s.showDamage(e, damage)
	}
	command, remove, err := s.buildDemo(ctx, e)
	if compile := (*gotest.CompileError)(nil); errors.As(err, &compile) {
		if !s.mayBlame(e, compile.Lines) {
			return &gotest.MachineError{
				Lines: compile.Lines,
				Says:  fmt.Sprintf("the code of %s is as it was shipped, and does not compile here", title(e)),
			}
		}
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
	return s.runDemo(ctx, command)
}

func (s *session) buildDemo(ctx context.Context, e *curriculum.Exercise) (command *exec.Cmd, remove func(), err error) {
	demo := gotest.Demo{Exercise: e, Env: offline}
	if s.options.reference {
		if demo.Answer, err = answer.Reference(e); err != nil {
			return nil, nil, err
		}
	}
	if err := s.fetch(ctx); err != nil {
		return nil, nil, err
	}
	defer s.working("building the race demo of %s", title(e)).end()
	return demo.Command(ctx)
}

// showDamage says why nothing can be run.
func (s *session) showDamage(e *curriculum.Exercise, damage string) error {
	if err := s.print(s.paint.screen(s.screen(e, &gotest.Result{Status: damaged, Reason: damage}, false, nil))); err != nil {
		return err
	}
	return exitStatus(exitUnfinished)
}

func (s *session) runDemo(ctx context.Context, command *exec.Cmd) error {
	command.Stdout, command.Stderr = s.Out, s.Err
	if s.inTerminal {
		command.Stdin = s.In // a terminal is an *os.File, which is handed on as it is; any other reader would need a copying goroutine
	}
	// Ctrl-C in a terminal reaches the demo as well, which then cleans up by itself; what is sent here is for a guide that
	// was interrupted alone.
	command.Cancel = func() error { return interrupt(command.Process) }
	command.WaitDelay = demoGrace
	err := command.Run()
	if ctx.Err() != nil {
		return ctx.Err()
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
