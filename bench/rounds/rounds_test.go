package rounds_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"example/turnstile/bench/rounds"
)

func TestContestantsTakeTurnsAndWhoBeginsChanges(t *testing.T) {
	t.Parallel()
	var order []string
	contestant := func(name string) rounds.Contestant {
		return rounds.Contestant{Name: name, Round: func(context.Context, time.Duration) (rounds.Samples, error) {
			order = append(order, name)
			return rounds.Samples{"ns/op": float64(len(order))}, nil
		}}
	}
	rows, err := rounds.Run(t.Context(), 2, time.Second, []rounds.Contestant{contestant("a"), contestant("b")})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "b", "b", "a", "a", "b"}; !slices.Equal(order, want) {
		t.Errorf("the order is %v, want %v", order, want)
	}
	if got := rows[0].Samples["ns/op"]; !slices.Equal(got, []float64{4, 5}) {
		t.Errorf("the first round warms up and does not count: %v", got)
	}
}

func TestAContestantThatFailsIsMarkedAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	calls := 0
	rows, err := rounds.Run(t.Context(), 3, time.Second, []rounds.Contestant{
		{Name: "bad", Round: func(context.Context, time.Duration) (rounds.Samples, error) {
			calls++
			return nil, errors.New("the counter is wrong")
		}},
		{Name: "good", Round: func(context.Context, time.Duration) (rounds.Samples, error) { return rounds.Samples{"ns/op": 1}, nil }},
	})
	if err != nil {
		t.Fatal(err)
	}
	if rows[0].Broken != "the counter is wrong" || calls != 1 {
		t.Errorf("the bad row is marked and has no further round: %+v after %d calls", rows[0], calls)
	}
	if rows[1].Broken != "" || len(rows[1].Samples["ns/op"]) != 3 {
		t.Errorf("the good row has its three rounds: %+v", rows[1])
	}
}

func TestTimedCountsItsCallsAndHasThemChecked(t *testing.T) {
	t.Parallel()
	calls, checked := 0, 0
	timed := rounds.Timed(func() error { calls++; return nil }, func(n int) error { checked = n; return nil })
	samples, err := timed(t.Context(), time.Millisecond)
	if err != nil || calls == 0 || checked != calls || samples["ns/op"] <= 0 {
		t.Errorf("%d calls, %d checked, %v, %v", calls, checked, samples, err)
	}
	if _, err := rounds.Timed(func() error { return nil }, func(int) error { return errors.New("wrong") })(t.Context(), 0); err == nil {
		t.Error("a check that fails is an error")
	}
}
