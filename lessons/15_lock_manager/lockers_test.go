package lockmanager_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// lockers are those of the changing room. Who takes one gets a key that fits for this time, and no other.
type lockers struct {
	mutex sync.Mutex
	taken map[int]locker
	count uint64 // of all keys there have ever been
}

type locker struct {
	person string
	key    string
	number uint64
}

// take looks and acts in one step.
func (l *lockers) take(place int, person string) (locker, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if other, ok := l.taken[place]; ok {
		return locker{}, fmt.Errorf("locker %d is %s's", place, other.person)
	}
	l.count++
	mine := locker{person, draw(), l.count}
	l.taken[place] = mine
	return mine, nil
}

// leave empties the locker that the key fits, or none.
func (l *lockers) leave(place int, key string) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.taken[place].key != key {
		return fmt.Errorf("the key does not fit locker %d any more", place)
	}
	delete(l.taken, place)
	return nil
}

// A sauna lets in who has a locker, and no one who has had one before.
type sauna struct {
	mutex   sync.Mutex
	highest map[int]uint64 // by locker: the number of the last person who came
}

func (s *sauna) enter(place int, mine locker) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if mine.number < s.highest[place] {
		return errors.New("the locker has another owner by now")
	}
	s.highest[place] = mine.number
	return nil
}

func TestLockers(t *testing.T) {
	t.Parallel()
	l := &lockers{taken: map[int]locker{}}
	s := &sauna{highest: map[int]uint64{}}
	alice, err := l.take(7, "alice")
	require.NoError(t, err)
	t.Run("a locker that is taken is not given out", func(t *testing.T) {
		_, err := l.take(7, "bob")
		require.ErrorContains(t, err, "alice's")
	})
	t.Run("a key fits once", func(t *testing.T) {
		require.NoError(t, l.leave(7, alice.key))
		_, err = l.take(7, "bob")
		require.NoError(t, err)
		require.Error(t, l.leave(7, alice.key))
		require.Equal(t, "bob", l.taken[7].person)
	})
	t.Run("a person who had the locker before is not let in after its next owner", func(t *testing.T) {
		bob := l.taken[7]
		require.NoError(t, s.enter(7, alice), "bob has not come yet")
		require.NoError(t, s.enter(7, bob))
		require.Error(t, s.enter(7, alice))
		require.NoError(t, s.enter(7, bob), "again")
	})
}
