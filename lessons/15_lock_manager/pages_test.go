package lockmanager_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// walk goes through the tokens 1 to 9 in pages of three, while the first three are given back after the first page, and returns those
// that it saw.
func walk(page func(tokens []int, seen []int, number int) []int) (seen []int) {
	tokens := []int{1, 2, 3, 4, 5, 6, 7, 8, 9}
	for number := 0; ; number++ {
		next := page(tokens, seen, number)
		if len(next) == 0 {
			return seen
		}
		seen = append(seen, next...)
		if number == 0 {
			tokens = slices.Clone(tokens[3:])
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	t.Run("page numbers skip records when earlier ones are removed", func(t *testing.T) {
		t.Parallel()
		seen := walk(func(tokens, _ []int, number int) []int {
			return tokens[min(3*number, len(tokens)):min(3*number+3, len(tokens))]
		})
		require.Equal(t, []int{1, 2, 3, 7, 8, 9}, seen)
	})
	t.Run("a key as the cursor skips none", func(t *testing.T) {
		t.Parallel()
		seen := walk(func(tokens, seen []int, _ int) (page []int) {
			for _, token := range tokens {
				if len(page) < 3 && (len(seen) == 0 || token > seen[len(seen)-1]) {
					page = append(page, token)
				}
			}
			return page
		})
		require.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, seen)
	})
}
