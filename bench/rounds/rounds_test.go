package rounds

import (
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	values := []float64{9, 1, 4, 2}
	if got := Median(values); got != 3 || values[0] != 9 {
		t.Errorf("the median of 9, 1, 4, 2 is 3, and they stay in their order: %v, %v", got, values)
	}
	if got := Median([]time.Duration{5, 1, 3}); got != 3 {
		t.Errorf("the median of 5, 1, 3 is 3, not %d", got)
	}
	if got := Median[float64](nil); got != 0 {
		t.Errorf("the median of nothing is 0, not %v", got)
	}
}

func TestRatio(t *testing.T) {
	t.Parallel()
	if got := Ratio([]float64{2, 9, 8}, []float64{1, 0, 2}); got != 3 {
		t.Errorf("2/1 and 8/2 have the median 3, and a round of 0 does not count: %v", got)
	}
}
