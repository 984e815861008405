package lockmanager_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/internal/lab"
)

// owners says who has which part.
type owners map[string]string

var errTaken = errors.New("someone has it")

// look takes PART for NAME in the file at PATH: it looks, and then acts, each under the lock.
func look(w *lab.Worker) error {
	board, name, part := file[owners](w.Arg(0)), w.Arg(1), w.Arg(2)
	found, err := board.view()
	if err != nil {
		return err
	}
	if found[part] != "" {
		return w.Result(false)
	}
	w.Reached("has looked")
	err = board.update(func(all *owners) error {
		(*all)[part] = name
		return nil
	})
	return errors.Join(err, w.Result(err == nil))
}

// step does it in one step.
func step(w *lab.Worker) error {
	board, name, part := file[owners](w.Arg(0)), w.Arg(1), w.Arg(2)
	w.Reached("has looked")
	err := board.update(func(all *owners) error {
		if (*all)[part] != "" {
			return errTaken
		}
		(*all)[part] = name
		return nil
	})
	return w.Result(err == nil)
}

// record is a program that takes PART for NAME, and then has the lock until it ends.
func record(w *lab.Worker) error {
	board := file[owners](w.Arg(0))
	err := board.update(func(all *owners) error {
		(*all)[w.Arg(2)] = w.Arg(1)
		return nil
	})
	if err != nil {
		return err
	}
	return board.locked(filelock.Exclusive, func() error { w.Reached("has the lock"); return nil })
}

// both has two programs look, and then act, and returns how many were told that they have the part.
func both(t *testing.T, worker string) (told int, owner string) {
	t.Helper()
	board := newFile(t, owners{})
	var people []*lab.Process
	for _, owner := range []string{"alice", "bob"} {
		people = append(people, lab.Start(t, worker, string(board), owner, "bracket.step"))
	}
	for _, p := range people {
		p.Reached("has looked")
	}
	for _, p := range people {
		p.Continue()
		var got bool
		p.Result(&got)
		if got {
			told++
		}
		require.NoError(t, p.Wait())
	}
	return told, board.get(t)["bracket.step"]
}

func TestCheckouts(t *testing.T) {
	t.Parallel()
	// https://github.com/git-lfs/lfs-test-server does so: a transaction that looks, then one that adds.
	t.Run("two programs that look before either acts both have the part", func(t *testing.T) {
		t.Parallel()
		told, owner := both(t, "look")
		require.Equal(t, 2, told)
		require.Equal(t, "bob", owner, "the one who came last")
	})
	t.Run("when looking and acting are one step, the second one is refused", func(t *testing.T) {
		t.Parallel()
		told, owner := both(t, "step")
		require.Equal(t, 1, told)
		require.Equal(t, "alice", owner)
	})
	t.Run("the kernel's lock ends with the program, and the record stays", func(t *testing.T) {
		t.Parallel()
		board := newFile(t, owners{})
		p := lab.Start(t, "record", string(board), "alice", "bracket.step")
		p.Reached("has the lock")
		p.Kill()
		require.Equal(t, owners{"bracket.step": "alice"}, board.get(t), "and the lock was free for this look")
	})
}

// A drawer has the IDs of checkouts by part.
type drawer map[string]string

func (d drawer) unlock(part, id string) bool {
	if d[part] != id {
		return false
	}
	delete(d, part)
	return true
}

func TestIDs(t *testing.T) {
	t.Parallel()
	t.Run("an ID that is made of the path fits the next owner's checkout", func(t *testing.T) {
		t.Parallel()
		id := func(part string) string { return "id of " + part }
		d := drawer{"bracket.step": id("bracket.step")}               // alice's
		require.True(t, d.unlock("bracket.step", id("bracket.step"))) // by force: she is on holiday
		d["bracket.step"] = id("bracket.step")                        // bob's
		require.True(t, d.unlock("bracket.step", id("bracket.step"))) // alice's, late
		require.NotContains(t, d, "bracket.step", "bob works on a part that is free")
	})
	t.Run("an ID that is drawn for each checkout fits no other one", func(t *testing.T) {
		t.Parallel()
		alice, bob := draw(), draw()
		d := drawer{"bracket.step": alice}
		require.True(t, d.unlock("bracket.step", alice))
		d["bracket.step"] = bob
		require.False(t, d.unlock("bracket.step", alice))
		require.Contains(t, d, "bracket.step")
	})
	// crypto/rand, Text: "at least 128 bits of randomness", in base 32 (RFC 4648).
	t.Run("rand.Text draws 26 letters and digits", func(t *testing.T) {
		t.Parallel()
		require.Regexp(t, "^[A-Z2-7]{26}$", draw())
	})
}
