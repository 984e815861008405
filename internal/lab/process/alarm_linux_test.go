package process

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAlarm(t *testing.T) {
	t.Parallel()
	sleeps, err := Start(t.Context(), Options{}, "sleeps")
	require.NoError(t, err)
	defer sleeps.Kill()
	require.Eventually(t, func() bool { return sleeps.Alarm() > 50*time.Minute }, Patience(), time.Millisecond)
	require.LessOrEqual(t, sleeps.Alarm(), time.Hour)
	hangs, err := Start(t.Context(), Options{}, "hangs")
	require.NoError(t, err)
	defer hangs.Kill()
	require.NoError(t, hangs.StillWaiting(t.Context()))
	require.Zero(t, hangs.Alarm())
}
