package workbook_test

import (
	"testing"

	"example/turnstile/exercises/workbook"
	"github.com/stretchr/testify/require"
)

func TestSubtestsOfParallelTestsFollowTheirParents(t *testing.T) {
	t.Parallel()
	tests := []workbook.TestResult{{Name: "TestB"}, {Name: "TestA"}, {Name: "TestC"}, {Name: "TestA/one"}, {Name: "TestB/one"}, {Name: "TestA/two"}}
	workbook.InOrderOfSource(tests)
	var names []string
	for _, test := range tests {
		names = append(names, test.Name)
	}
	require.Equal(t, []string{"TestB", "TestB/one", "TestA", "TestA/one", "TestA/two", "TestC"}, names)
}
