package lostupdate_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

var errNoLids = errors.New("no lids are left")

// takeLid takes a lid from the stock, a file that holds a number, and returns how many are left.
func takeLid(stock string) (left int, err error) {
	guard := flock.New(stock + ".lock") // one of its own for each call
	if err := guard.Lock(); err != nil {
		return 0, fmt.Errorf("take a lid: %w", err) // not inside: leave the stock alone
	}
	defer func() { err = errors.Join(err, guard.Unlock()) }()

	text, err := os.ReadFile(stock)
	if err != nil {
		return 0, err
	}
	lids, err := strconv.Atoi(string(text))
	if err != nil {
		return 0, err
	}
	if lids == 0 {
		return 0, errNoLids
	}
	return lids - 1, os.WriteFile(stock, []byte(strconv.Itoa(lids-1)), 0o600)
}

// takeLids takes lids from the stock PATH until none is left, and reports how many it got.
func takeLids(w *lab.Worker) error {
	for got := 0; ; got++ {
		_, err := takeLid(w.Arg(0))
		if errors.Is(err, errNoLids) {
			return w.Result(got)
		}
		if err != nil {
			return err
		}
		w.Progress()
	}
}

func TestStock(t *testing.T) {
	t.Parallel()
	t.Run("three processes take 60 lids, each lid once", func(t *testing.T) {
		t.Parallel()
		stock := lab.WriteFile(t, "lids", "60")
		var crew []*lab.Process
		for range 3 {
			crew = append(crew, lab.Start(t, "take lids", stock))
		}
		sum := 0
		for _, p := range crew {
			var got int
			p.Result(&got)
			require.NoError(t, p.Wait())
			sum += got
		}
		require.Equal(t, 60, sum)
		lab.RequireFile(t, stock, "0", lab.Lesson{Says: "the stock"})
	})
}
