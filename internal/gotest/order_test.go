package gotest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/gotest"
)

func TestSubtestsOfParallelTestsFollowTheirParents(t *testing.T) {
	t.Parallel()
	tests := []gotest.TestResult{
		{Name: "TestB"},
		{Name: "TestA"},
		{Name: "TestC"},
		{Name: "TestA/one"},
		{Name: "TestB/one"},
		{Name: "TestA/two"},
	}
	gotest.InOrderOfSource(tests)
	var names []string
	for _, test := range tests {
		names = append(names, test.Name)
	}
	require.Equal(t, []string{"TestB", "TestB/one", "TestA", "TestA/one", "TestA/two", "TestC"}, names)
}
