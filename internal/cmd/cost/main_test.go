package main

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/toybook"
)

func TestCost(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command on this system")
	}
	book := toybook.New(t, toybook.Lesson("01_one", "Part One, Files"), toybook.Files{
		"solutions/01_one/double.go":       "package one\n\nfunc Double(n int) int { return 2 * n }\n",
		"solutions/01_one/answers_test.go": "package one_test\n\nimport \"testing\"\n\nfunc TestAnswers(*testing.T) {}\n",
		"exercises/01_one/effort_test.go": `package one_test

import (
	"os"
	"testing"
)

func TestDear(t *testing.T) {
	if os.Getenv("TURNSTILE_EFFORT") == "light" {
		return
	}
	sum := 0
	for i := range 2_000_000_000 {
		sum += i * i
	}
	t.Log(sum)
}
`,
	})
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), book.Root, []string{"1"}, &out))
	require.Regexp(t, `(?m)^01_one +2 +[0-9.]+ +[0-9.]+$`, out.String())
	require.Regexp(t, `(?m)^  TestDear +[0-9.]+ CPU s, lightly 0.[0-9]+$`, out.String())
	require.NotContains(t, out.String(), "TestDouble")

	require.ErrorIs(t, run(t.Context(), book.Root, []string{"-x"}, &out), errUsage)
	require.ErrorContains(t, run(t.Context(), book.Root, []string{"9"}, &out), "no exercise")
}
