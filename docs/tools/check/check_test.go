package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func directory(t *testing.T, files map[string]string) (root string, names []string) {
	t.Helper()
	root = t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
		names = append(names, name)
	}
	return root, names
}

func TestTopLevel(t *testing.T) {
	t.Parallel()
	good := slices.Clone(topLevel)
	require.NoError(t, checkTopLevel(append(good, "docs/tools/check/main.go")))
	require.ErrorContains(t, checkTopLevel(append(good, "scripts/x.sh")), "scripts does not belong there")
	require.ErrorContains(t, checkTopLevel(good[1:]), good[0]+" is missing")
}

func TestMachinePaths(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, content string
		wrong         bool
	}{
		{"a home on Linux", "run in /ho" + "me/alice/turnstile\n", true},
		{"a home on macOS", "x\n`/Us" + "ers/alice/x`\n", true},
		{"a home on Windows", `C:\Us` + `ers\alice\x`, true},
		{"a Windows home in a Go string", `"C:\\Us` + `ers\\alice\\x"`, true},
		{"the superuser's home", "in /roo" + "t/.cache/x", true},
		{"an address", "https://example.org/ho" + "me/alice/x", false},
		{"the name of a directory", "a directory /home, or /Users", false},
		{"a temp directory", "/tmp/x/y", false},
		{"no text", "/ho" + "me/alice/x\x00", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root, names := directory(t, map[string]string{"README.md": "line\n" + test.content})
			err := checkMachinePaths(root, names)
			if !test.wrong {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "README.md:")
		})
	}
	root, names := directory(t, map[string]string{"a.md": "good\n"})
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.md"), []byte("x\nsee "+filepath.ToSlash(root)+"/a.md\n"), 0o644))
	require.ErrorContains(t, checkMachinePaths(root, names), "a.md:2 holds the path of this clone")
}

func TestLineEnds(t *testing.T) {
	t.Parallel()
	root, names := directory(t, map[string]string{"good.md": "a\nb\n", "empty.md": "", "picture.png": "\x00\r\n"})
	require.NoError(t, checkLineEnds(root, names))
	root, names = directory(t, map[string]string{"dos.md": "a\nb\r\n", "open.md": "a\nb"})
	err := checkLineEnds(root, names)
	require.ErrorContains(t, err, "dos.md:2 ends in CRLF")
	require.ErrorContains(t, err, "open.md:2 is the last line")
}

func TestLineLengths(t *testing.T) {
	t.Parallel()
	full := "\t//" + strings.Repeat("é", longest-3)
	output := "func ExampleX() {\n\t// Output:\n\t// one\n" + full + "é\n"
	root, names := directory(t, map[string]string{
		"full.go": full + "\n", "open.go": full, "page.md": full + "é\n", "output_test.go": output + "}\n",
	})
	require.NoError(t, checkLineLengths(root, names))
	root, names = directory(t, map[string]string{"long.go": "package x\n\n" + full + "é\n", "after_test.go": output + "}\n" + full + "é\n"})
	err := checkLineLengths(root, names)
	require.ErrorContains(t, err, "long.go:3 has 141 characters")
	require.ErrorContains(t, err, "after_test.go:6 has 141 characters")
}

func TestRequirements(t *testing.T) {
	t.Parallel()
	const head = "module example/turnstile\n\ngo 1.26\n\n"
	three := "require (\n\tgithub.com/gofrs/flock v0.13.0\n\tgithub.com/stretchr/testify v1.11.0\n\tgolang.org/x/sys v0.37.0\n"
	root, _ := directory(t, map[string]string{"go.mod": head + three + "\tgithub.com/davecgh/go-spew v1.1.1 // indirect\n)\n"})
	require.NoError(t, checkRequirements(t.Context(), root))
	root, _ = directory(t, map[string]string{"go.mod": head + three + "\tgithub.com/davecgh/go-spew v1.1.1\n)\n"})
	require.ErrorContains(t, checkRequirements(t.Context(), root), "go-spew")
	root, _ = directory(t, map[string]string{"go.mod": head})
	require.ErrorContains(t, checkRequirements(t.Context(), root), "it should")
}

func TestOnePerSystem(t *testing.T) {
	t.Parallel()
	require.Equal(t,
		[]string{"aix/ppc64", "android/arm64", "js/wasm", "linux/amd64", "linux/arm64", "windows/amd64"},
		onePerSystem(strings.Fields("aix/ppc64 android/386 android/amd64 android/arm64 ios/arm64 js/wasm linux/386 linux/amd64 "+
			"linux/arm64 windows/amd64")))
}

func TestEveryCheckIsRunAndAFailureStopsNone(t *testing.T) {
	t.Parallel()
	var running, ranTogether atomic.Int32
	meet := make(chan struct{})
	pair := func(context.Context) error { // returns only when a second one runs
		select {
		case meet <- struct{}{}:
		case <-meet:
		}
		return nil
	}
	var out bytes.Buffer
	results := runAll(t.Context(), []check{
		{name: "alone", alone: true, run: func(context.Context) error { ranTogether.Store(running.Load()); return nil }},
		{name: "first", run: pair},
		{name: "second", run: pair},
		{name: "third", do: "fix it", run: func(context.Context) error {
			running.Add(1)
			defer running.Add(-1)
			return errors.New("line one\nline two")
		}},
	}, 2, &out)
	require.Len(t, results, 4)
	require.Zero(t, ranTogether.Load())
	require.Equal(t, []string{"alone", "first", "second", "third"}, []string{
		results[0].check.name, results[1].check.name, results[2].check.name, results[3].check.name,
	})
	require.ErrorContains(t, results[3].err, "line one")
	require.Regexp(t, regexp.MustCompile(`(?m)^FAIL  third +0\.0 s\n        line one\n        line two\n      → fix it\n`), out.String())
	require.Equal(t, 3, strings.Count(out.String(), "ok  "))
	require.Regexp(t, regexp.MustCompile(`ok +alone +0\.0 s\n$`), out.String())

	require.Equal(t, 1, report(&out, results))
	require.Contains(t, out.String(), "1 of 4 checks failed:\n  third\n")
	require.Equal(t, 0, report(&out, results[:3]))
}

func TestAnInterruptFailsWhatIsLeft(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	results := runAll(ctx, []check{
		{name: "first", run: func(context.Context) error { cancel(); return nil }},
		{name: "second", run: func(context.Context) error { return nil }},
	}, 1, &bytes.Buffer{})
	require.NoError(t, results[0].err)
	require.ErrorIs(t, results[1].err, context.Canceled)
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	require.Equal(t, 2, run(t.Context(), []string{"-nothing"}, &out, &errOut))
	require.Equal(t, 2, run(t.Context(), []string{"-only", "no such check"}, &out, &errOut))
	require.Contains(t, errOut.String(), "-list prints them")
	require.Equal(t, 0, run(t.Context(), []string{"-list", "-only", "staticcheck . windows"}, &out, &errOut))
	require.Equal(t, "staticcheck . windows/amd64\n", out.String())
	out.Reset()
	require.Equal(t, 0, run(t.Context(), []string{"-tree"}, &out, &errOut))
	require.Regexp(t, regexp.MustCompile(`^[0-9a-f]{64}\n$`), out.String())
}

func TestACommandsFailureHoldsItsOutput(t *testing.T) {
	t.Parallel()
	_, err := command(t.Context(), t.TempDir(), []string{"GOOS=windows"}, "go", "env", "-changed", "-nothing")
	require.ErrorContains(t, err, "go env -changed -nothing: exit status 2")
	require.ErrorContains(t, err, "flag provided but not defined")
	got, err := command(t.Context(), t.TempDir(), []string{"GOOS=windows"}, "go", "env", "GOOS")
	require.NoError(t, err)
	require.Equal(t, "windows\n", got)
}
