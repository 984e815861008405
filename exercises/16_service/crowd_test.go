package service_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	lockmanager "example/turnstile/exercises/15_lock_manager"
	service "example/turnstile/exercises/16_service"
	"example/turnstile/internal/lab"
)

const turns = 6

// crowd is a program of PERSON that checks parts of the service at DIR out and in, as often as it can in its turns, and recovers in
// between. It sends how often it has checked in.
func crowd(w *lab.Worker) error {
	s, err := service.Open(w.Arg(0), service.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, person, published := context.Background(), w.Arg(1), 0
	for turn := range w.Int(2) {
		w.Progress()
		if _, err := s.Recover(ctx); err != nil {
			return fmt.Errorf("recover: %w", err)
		}
		c, content, err := s.CheckOut(ctx, person, []string{bracket, axle}[turn%2])
		if errors.Is(err, lockmanager.ErrHeld) {
			continue
		}
		if err != nil {
			return fmt.Errorf("check out: %w", err)
		}
		content.Close()
		work := fmt.Sprintf("%s %d", person, turn)
		for range 2 { // each request comes twice
			if _, err := s.CheckIn(ctx, person, c.ID, strings.NewReader(work)); err != nil {
				return fmt.Errorf("check in: %w", err)
			}
		}
		published++
	}
	return w.Result(published)
}

func crowded(t *testing.T) {
	t.Parallel()
	o := found(t)
	l := lab.Lesson{
		Did:   "three programs checked two parts out and in, sent each CheckIn twice, and recovered in between",
		Means: "what works alone does not work for two", Read: garbage,
	}
	var crew []*lab.Process
	for _, person := range []string{"alice", "bob", "carol"} {
		crew = append(crew, lab.Start(t, "crowd", o.dir, person, fmt.Sprint(lab.Rounds(turns))))
	}
	sum := 0
	for _, p := range crew {
		var published int
		p.Result(&published, l.Say("CheckIn or Recover failed beside other programs"))
		sum += published
		lab.RequireNoError(t, p.Wait(l), l.Say("CheckIn or Recover failed beside other programs"))
	}
	o.recoverAll(t, l)
	state := o.state(t)
	l.Expected, l.Found = fmt.Sprintf("%d versions with their content, and nothing else", sum), state
	lab.Require(t, strings.Count(state, "version ") == sum && !strings.Contains(state, "without") && !strings.Contains(state, " has "),
		l.Say("CheckIn and Recover got in each other's way"))
}
