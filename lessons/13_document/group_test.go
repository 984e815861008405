package document_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/13_document/group"
)

// A truck carries what has come by the time it leaves.
type truck struct{ load []int }

// A yard has trucks, and counts the tours.
type yard struct {
	queue group.Queue[truck]
	tours [][]int
	gate  chan struct{} // if it is not nil, a tour waits here
	fail  error         // of the next tour
}

func (y *yard) send(ctx context.Context, number int, errs ...error) error {
	return y.sendIf(ctx, number, func(*truck) error { return errors.Join(errs...) })
}

var errTaken = errors.New("the other one is on the truck")

// sendUnless refuses a truck that has the other one.
func (y *yard) sendUnless(ctx context.Context, number, other int) error {
	return y.sendIf(ctx, number, func(t *truck) error {
		if slices.Contains(t.load, other) {
			return errTaken
		}
		return nil
	})
}

func (y *yard) sendIf(ctx context.Context, number int, refuse func(*truck) error) error {
	return y.queue.Do(ctx, group.Work[truck]{
		Name: "send",
		Open: func() (*truck, error) { return &truck{}, nil },
		Do: func(t *truck) error {
			if err := refuse(t); err != nil {
				return err
			}
			t.load = append(t.load, number)
			return nil
		},
		Commit: func(t *truck) error {
			if y.gate != nil {
				<-y.gate
			}
			err := y.fail
			y.fail = nil
			if err == nil && len(t.load) > 0 {
				y.tours = append(y.tours, t.load)
			}
			return err
		},
	})
}

func TestGroupCommit(t *testing.T) {
	t.Parallel()
	t.Run("callers that come while a commit is under way share the next one, in their order", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			y := &yard{gate: make(chan struct{})}
			var all sync.WaitGroup
			for i := range 11 {
				all.Go(func() { assertNil(t, y.send(t.Context(), i)) })
				synctest.Wait()
			}
			y.gate <- struct{}{}
			y.gate <- struct{}{}
			all.Wait()
			require.Equal(t, [][]int{{0}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}, y.tours)
		})
	})
	t.Run("an error of one does not reach the others", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			y := &yard{gate: make(chan struct{})}
			failed := errors.New("dropped")
			var all sync.WaitGroup
			all.Go(func() { assertNil(t, y.send(t.Context(), 0)) })
			synctest.Wait()
			all.Go(func() { assertNil(t, y.send(t.Context(), 1)) })
			synctest.Wait()
			var got error
			all.Go(func() { got = y.send(t.Context(), 2, failed) })
			synctest.Wait()
			all.Go(func() { assertNil(t, y.send(t.Context(), 3)) })
			synctest.Wait()
			close(y.gate)
			all.Wait()
			require.ErrorIs(t, got, failed)
			require.Equal(t, [][]int{{0}, {1, 3}}, y.tours)
		})
	})
	t.Run("a panic ends its own caller, and no other", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			y := &yard{gate: make(chan struct{})}
			var all sync.WaitGroup
			all.Go(func() { assertNil(t, y.send(t.Context(), 0)) })
			synctest.Wait()
			var dropped any
			all.Go(func() {
				defer func() { dropped = recover() }()
				_ = y.sendIf(t.Context(), 1, func(*truck) error { panic("dropped") })
			})
			synctest.Wait()
			all.Go(func() { assertNil(t, y.send(t.Context(), 2)) })
			synctest.Wait()
			close(y.gate)
			all.Wait()
			require.Equal(t, "dropped", dropped)
			require.Equal(t, [][]int{{0}, {2}}, y.tours)
		})
	})
	t.Run("what cannot be committed together is done again, one by one", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			y := &yard{gate: make(chan struct{})}
			var all sync.WaitGroup
			for i := range 3 {
				all.Go(func() { assertNil(t, y.send(t.Context(), i)) })
				synctest.Wait()
			}
			y.gate <- struct{}{}
			synctest.Wait()
			y.fail = group.ErrContent
			close(y.gate)
			all.Wait()
			require.ElementsMatch(t, [][]int{{0}, {1}, {2}}, y.tours)
		})
	})
	t.Run("who has seen what could not be committed decides again", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			y := &yard{gate: make(chan struct{})}
			full := errors.New("the disk is full")
			var all sync.WaitGroup
			all.Go(func() { assertNil(t, y.send(t.Context(), 0)) })
			synctest.Wait()
			var first, second error
			all.Go(func() { first = y.send(t.Context(), 1) })
			synctest.Wait()
			all.Go(func() { second = y.sendUnless(t.Context(), 2, 1) })
			synctest.Wait()
			y.gate <- struct{}{}
			synctest.Wait()
			y.fail = full
			close(y.gate)
			all.Wait()
			require.ErrorIs(t, first, full)
			require.NoError(t, second, "number 1 was never there")
			require.Equal(t, [][]int{{0}, {2}}, y.tours)
		})
	})
	t.Run("a caller whose context ends leaves the line", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			y := &yard{gate: make(chan struct{})}
			var all sync.WaitGroup
			all.Go(func() { assertNil(t, y.send(t.Context(), 0)) })
			synctest.Wait()
			ctx, stop := context.WithCancel(t.Context())
			var got error
			all.Go(func() { got = y.send(ctx, 1) })
			synctest.Wait()
			all.Go(func() { assertNil(t, y.send(t.Context(), 2)) })
			synctest.Wait()
			stop()
			synctest.Wait()
			require.ErrorIs(t, got, context.Canceled)
			close(y.gate)
			all.Wait()
			require.Equal(t, [][]int{{0}, {2}}, y.tours)
		})
	})
}

func assertNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
