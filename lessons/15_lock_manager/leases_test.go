package lockmanager_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

func draw() string { return rand.Text() }

// A plan is a drawing, and the highest token that has come by.
type plan struct {
	Token   uint64
	Content string
}

var errFenced = errors.New("a later owner has come by")

// write is a program with a lease of 50 ms for the plan at PATH. It says when the lease ends, and writes: with the
// argument "fenced", with token 1.
func write(w *lab.Worker) error {
	end := time.Now().Add(50 * time.Millisecond)
	if err := w.Result(end); err != nil {
		return err
	}
	w.Reached("has looked at the clock")
	err := file[plan](w.Arg(0)).update(func(p *plan) error {
		if w.Arg(1) == "fenced" && p.Token > 1 {
			return errFenced
		}
		p.Content = "alice's"
		return nil
	})
	return w.Result(err == nil)
}

// asleep stops a program after it has looked at the clock, has its lease end, and a later owner with token 2 do its work. Then it wakes up.
func asleep(t *testing.T, how string, later func(*plan)) (written bool, content string) {
	t.Helper()
	shelf := newFile(t, plan{Token: 1})
	p := lab.Start(t, "write", string(shelf), how)
	var end time.Time
	p.Result(&end)
	p.Reached("has looked at the clock")
	p.Stop()
	p.Continue() // it does not: it is stopped
	time.Sleep(time.Until(end))
	require.NoError(t, shelf.update(func(p *plan) error { later(p); return nil }))
	p.Resume()
	p.Result(&written)
	require.NoError(t, p.Wait())
	return written, shelf.get(t).Content
}

func TestLeases(t *testing.T) {
	t.Parallel()
	writes := func(p *plan) { *p = plan{2, "bob's"} }
	t.Run("a program that was stopped after it looked at the clock writes when it wakes up", func(t *testing.T) {
		t.Parallel()
		written, content := asleep(t, "", writes)
		require.True(t, written)
		require.Equal(t, "alice's", content, "bob's is gone")
	})
	t.Run("a resource that compares tokens refuses it", func(t *testing.T) {
		t.Parallel()
		written, content := asleep(t, "fenced", writes)
		require.False(t, written)
		require.Equal(t, "bob's", content)
	})
	t.Run("a later owner who only reads must leave a token, too", func(t *testing.T) {
		t.Parallel()
		seen := ""
		written, content := asleep(t, "fenced", func(p *plan) { seen = p.Content })
		require.True(t, written)
		require.NotEqual(t, seen, content, "bob works on a drawing that has changed behind his back")
		written, _ = asleep(t, "fenced", func(p *plan) { p.Token = 2 })
		require.False(t, written)
	})
	t.Run("a copy that is put back has the first owner again, and the mark has the second", func(t *testing.T) {
		t.Parallel()
		locks, mark := newFile(t, plan{1, "alice"}), newFile(t, plan{Token: 1})
		kept, err := os.ReadFile(string(locks))
		require.NoError(t, err)
		require.NoError(t, locks.update(func(p *plan) error { *p = plan{2, "bob"}; return nil }))
		require.NoError(t, mark.update(func(p *plan) error { p.Token = 2; return nil }))
		require.NoError(t, os.WriteFile(string(locks), kept, 0o600))
		require.Equal(t, plan{1, "alice"}, locks.get(t))
		require.Equal(t, uint64(2), mark.get(t).Token)
	})
	// testing/synctest: the bubble's clock moves when all its goroutines wait.
	t.Run("in a bubble of synctest an hour passes at once", func(t *testing.T) {
		t.Parallel()
		began := time.Now()
		synctest.Test(t, func(t *testing.T) {
			end := time.Now().Add(time.Hour)
			time.Sleep(time.Hour - time.Nanosecond)
			require.True(t, time.Now().Before(end))
			time.Sleep(time.Nanosecond)
			require.False(t, time.Now().Before(end))
		})
		require.Less(t, time.Since(began), time.Hour)
	})
	// package time, "Monotonic Clocks": the encodings leave the monotonic reading out.
	t.Run("a time that comes from JSON is compared by the wall clock", func(t *testing.T) {
		t.Parallel()
		now := time.Now()
		text, err := json.Marshal(now)
		require.NoError(t, err)
		var read time.Time
		require.NoError(t, json.Unmarshal(text, &read))
		require.Contains(t, now.String(), "m=+")
		require.NotContains(t, read.String(), "m=+")
		require.True(t, read.Equal(now))
	})
}
