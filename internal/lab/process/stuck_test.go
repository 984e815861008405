package process

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAWorkerThatIsStuckTellsWhereItIs(t *testing.T) {
	t.Setenv(EnvironmentPatience, "300ms")
	p := start(t, Options{}, "hangs")
	err := p.Wait(t.Context())
	stuck, ok := errors.AsType[*Stuck](err)
	require.True(t, ok, err)
	require.Equal(t, "hang.go:64", stuck.Place)
}

func TestPlaceIsThatOfTheGoroutine(t *testing.T) {
	started, ended := make(chan string), make(chan struct{})
	defer close(ended)
	go func() {
		started <- Goroutine()
		waitInCodeUnderTest(ended)
	}()
	other := <-started
	require.Eventually(t, func() bool { return Place(other) == "hang.go:64" }, 20*time.Second, time.Millisecond)
	require.Equal(t, "hang.go:64", Place(""))
	require.Empty(t, Place(Goroutine()))
}

// The line directive makes the last function of this file one of an exercise.
//
//line /clone/exercises/00_none/hang.go:63
func waitInCodeUnderTest(ended <-chan struct{}) {
	<-ended
}
