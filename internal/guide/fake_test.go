package guide

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
)

// A fakeBook is a small workbook in a temporary directory, and a console that talks to its guide. Its exercises need no module.
type fakeBook struct {
	root string
	out  *transcript // what the last guide printed
	// runner, if set, replaces the go command where a test is about the guide and not about what go prints.
	runner runner
	err    *transcript
}

// newBook writes a workbook of three exercises to a directory whose name has spaces and letters outside ASCII. 02 builds
// on 01, in its text and in its code; 03 builds on nothing.
func newBook(t *testing.T) *fakeBook {
	t.Helper()
	return newBookIn(t, t.TempDir())
}

func newBookIn(t *testing.T, dir string) *fakeBook {
	t.Helper()
	b := &fakeBook{root: filepath.Join(dir, "Büro und Türen", "turn stile")}
	b.write(t, "go.mod", "module example/turnstile\n\ngo 1.26\n")
	for path, content := range books() {
		b.write(t, path, content)
	}
	return b
}

// needsGo skips a test that runs the go command where there is none, as for the Windows build under Wine.
func needsGo(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not here: this test runs the tests of a small workbook")
	}
}

func books() map[string]string {
	all := map[string]string{}
	maps.Copy(all, lesson("01_double", "", "n + 1 // TODO: this adds", "2 * n"))
	maps.Copy(all, lesson("02_quadruple", "01_double", "double.Do(n)", "double.Do(double.Do(n))"))
	maps.Copy(all, lesson("03_triple", "", "n // TODO: three of them", "3 * n"))
	return all
}

func lesson(id, on, shipped, reference string) map[string]string {
	name := id[3:]
	factor := map[string]int{"double": 2, "quadruple": 4, "triple": 3}[name]
	code := func(tree, expression string) string {
		imports := ""
		if on != "" {
			imports = fmt.Sprintf("import \"example/turnstile/%s/%s\"\n\n", tree, on)
		}
		return fmt.Sprintf("package %s\n\n%s// Do multiplies n.\nfunc Do(n int) int {\n\treturn %s\n}\n", name, imports, expression)
	}
	buildsOn := ""
	if on != "" {
		buildsOn = fmt.Sprintf("\nBuilds on [%s](../%s/).", on[:2], on)
	}
	as := func(tree, expression string) answer.Answer {
		return answer.Answer{name + ".go": []byte(code(tree, expression))}
	}
	return map[string]string{
		"lessons/" + id + "/README.md": fmt.Sprintf("# %s · The %s\n\n**You will be able to multiply by %d.** Part One, Numbers. "+
			"5 minutes to read, 10 to do.%s\n\n## The bug\n\n## Why it happens\n", id[:2], name, factor, buildsOn),
		"exercises/" + id + "/" + name + ".go":      code("exercises", shipped),
		"exercises/" + id + "/" + name + "_test.go": testFile(id, name, factor),
		"exercises/" + id + "/hints.md": "# Hints for " + id + "\n\n## Do\n\n1. Look at\n   the sum.\n2. Think of products.\n" +
			"3. The sign is `*`.\n",
		"exercises/" + id + "/race/main.go": fmt.Sprintf("package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\n\t%q\n)\n\nfunc main() {\n"+
			"\tfmt.Println(\"5 becomes\", %s.Do(5))\n\tif %s.Do(5) != %d {\n\t\tos.Exit(1)\n\t}\n}\n",
			"example/turnstile/exercises/"+id, name, name, 5*factor),
		"solutions/" + id + "/" + name + ".go": code("solutions", reference),
		"solutions/" + id + "/NOTES.md":        "# Why it works\n\nA product\nis no sum.\n",
		"solutions/" + id + "/wrong/00_as_shipped.patch": "It does something else.\n\ncaught by: TestFive\nsays: \"Do(5) is wrong\"\n\n" +
			string(answer.Diff("a", "b", as("solutions", reference), as("exercises", shipped))),
	}
}

func testFile(id, name string, factor int) string {
	return fmt.Sprintf(`package %[1]s_test

import (
	"fmt"
	"os"
	"testing"

	"example/turnstile/exercises/%[2]s"
)

func TestZero(t *testing.T) {
	if name := os.Getenv("GUIDE_TEST_HANG"); name != "" { // holds the pipe open until it is ended
		pipe, _ := os.OpenFile(name, os.O_WRONLY, 0)
		pipe.WriteString("hanging")
		select {}
	}
}

func TestFive(t *testing.T) {
	if got := %[1]s.Do(5); got != %[3]d {
		t.Attr("turnstile.failure", fmt.Sprintf(%[4]s, got))
		t.Error("Do(5) is wrong")
	}
}

func TestSeven(t *testing.T) {
	if %[1]s.Do(7) != %[5]d {
		t.Error("Do(7) is wrong")
	}
}
`, name, id, 5*factor, "`"+fmt.Sprintf(
		`{"says":"Do(5) is wrong","did":"called Do(5)","expected":"%d","found":"%%d",`+
			`"means":"the sum is off","read":"lessons/%s, \"Why it happens\""}`,
		5*factor, id)+"`", 7*factor)
}

func (b *fakeBook) path(relative string) string {
	return filepath.Join(b.root, filepath.FromSlash(relative))
}

func (b *fakeBook) write(t *testing.T, relative, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(b.path(relative)), 0o777))
	require.NoError(t, os.WriteFile(b.path(relative), []byte(content), 0o666))
}

func (b *fakeBook) read(t *testing.T, relative string) string {
	t.Helper()
	content, err := os.ReadFile(b.path(relative))
	require.NoError(t, err)
	return string(content)
}

// repair makes the learner's code of an exercise right, with code that is not the reference's.
func (b *fakeBook) repair(t *testing.T, id string) {
	t.Helper()
	path := "exercises/" + id + "/" + id[3:] + ".go"
	body := map[string]string{"01_double": "n + n", "02_quadruple": "double.Do(n) + double.Do(n)", "03_triple": "n + n + n"}[id]
	head, _, found := strings.Cut(b.read(t, path), "\treturn ")
	require.True(t, found)
	b.write(t, path, head+"\treturn "+body+"\n}\n")
}

// guide runs one command line at the root of the workbook and returns the exit status. What it prints must be plain:
// No stream here is a terminal.
func (b *fakeBook) guide(t *testing.T, line string) int {
	t.Helper()
	return b.guideIn(t.Context(), t, b.root, line)
}

func (b *fakeBook) guideIn(ctx context.Context, t *testing.T, folder, line string) int {
	t.Helper()
	b.out, b.err = newTranscript(), newTranscript()
	status := Run(ctx, strings.Fields(line), Console{
		In: strings.NewReader(""), Out: b.out, Err: b.err, Folder: folder, silence: time.Hour,
		runner: b.runner,
	})
	require.NotContains(t, b.out.String()+b.err.String(), "\x1b", "escape codes in a pipe")
	page := strings.HasPrefix(b.out.String(), "<!doctype html>")
	for line := range strings.Lines(b.out.String()) {
		require.True(t, page || strings.Contains(line, `"message": `) || len([]rune(line)) <= maxWidth+1, "too wide: %q", line)
	}
	return status
}

// flat is what the last guide printed, without its line ends.
func (b *fakeBook) flat() string {
	return strings.Join(strings.Fields(b.out.String()+" "+b.err.String()), " ")
}

// A transcript is output that a test can wait for.
type transcript struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // has room for one: something was written since the last look
}

func newTranscript() *transcript { return &transcript{written: make(chan struct{}, 1)} }

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	select {
	case tr.written <- struct{}{}:
	default:
	}
	return tr.text.Write(p)
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.String()
}

// waitFor waits until the output holds text n times.
func (tr *transcript) waitFor(t *testing.T, text string, n int) {
	t.Helper()
	tooLong := time.After(2 * time.Minute) // far beyond what the slowest machine takes to build a small test
	for strings.Count(tr.String(), text) < n {
		select {
		case <-tr.written:
		case <-tooLong:
			t.Fatalf("no %q in\n%s", text, tr)
		}
	}
}
