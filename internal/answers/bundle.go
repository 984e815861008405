package answers

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"go/build"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
	"example/turnstile/internal/overlay"
)

// A bundle is one test binary that holds several answers to an exercise. Each answer, and a copy of the exercise's tests that imports it,
// are packages below the exercise that exist in an overlay only. A generated test package calls the tests of the answer that the
// environment names; workers, which are the same binary, inherit that.
//
// All calls of add come before the first of run, which any number of goroutines may call.
type bundle struct {
	e       *curriculum.Exercise
	answers map[string]answer.Answer // by the name of the answer, "wrong/02_no_seek"

	build   sync.Once
	err     error
	dir     string // overlay and program
	temp    string // for the temporary directories of the tests
	program string
	reader  string          // gotest.Test2JSON
	holds   map[string]bool // what compiled
}

// chosen names the answer whose tests the binary runs.
const chosen = "TURNSTILE_ANSWER"

// An effort is how hard tests work, and how long they wait in vain (internal/lab says what the variables mean).
type effort []string

var (
	full  = effort{"TURNSTILE_EFFORT=full"}
	light = effort{"TURNSTILE_EFFORT=light"}
	// A wrong answer's waits end in vain as a rule, and every wait that is not in vain takes milliseconds.
	fullButHasty = effort{"TURNSTILE_EFFORT=full", "TURNSTILE_PATIENCE=4s"}
)

func newBundle(t *testing.T, e *curriculum.Exercise) *bundle {
	b := &bundle{e: e, answers: map[string]answer.Answer{}}
	t.Cleanup(func() {
		for _, dir := range []string{b.dir, b.temp} {
			if dir != "" {
				_ = os.RemoveAll(dir) // temporary directories: what is left is the system's to clear
			}
		}
	})
	return b
}

// add makes the answer a part of the bundle, unless go test's -run leaves it out.
func (b *bundle) add(name string, code answer.Answer) {
	if selected(name, flag.Lookup("test.run").Value.String()) {
		b.answers[name] = code
	}
}

// selected reports whether a pattern of -run selects the answer, as far as that is easy to decide. An answer that is built in vain costs
// time; one that runs and was not built runs alone.
func selected(name, pattern string) bool {
	words := strings.Split("TestAnswers/"+name, "/")
	for alternative := range strings.SplitSeq(pattern, "|") {
		fits := true
		for i, part := range strings.Split(alternative, "/") {
			if i < len(words) {
				matched, err := regexp.MatchString(part, words[i])
				fits = fits && (matched || err != nil)
			}
		}
		if fits {
			return true
		}
	}
	return false
}

// run runs the tests of an answer that match the pattern only, all for "". It does not run them, without an error, if the answer is not in
// the bundle: it did not compile there, or a bundle is not for this run.
func (b *bundle) run(ctx context.Context, name string, e effort, only string, count int) (result *gotest.Result, ran bool, err error) {
	b.build.Do(func() { b.err = b.make(ctx) })
	if b.err != nil || !b.holds[name] {
		return nil, false, b.err
	}
	temp, err := os.MkdirTemp(b.temp, "")
	if err == nil {
		err = os.Chmod(temp, 0o755) // a test that runs as root starts workers as another user, who needs access
	}
	if err != nil {
		return nil, false, fmt.Errorf("make a temporary directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	result, err = gotest.BinaryRun{
		Exercise: b.e, Program: b.program, Reader: b.reader, Temp: temp,
		Run: only, Count: count, Stall: stall, Timeout: time.Duration(max(1, count)) * limit,
		Env: append(slices.Clone(e), chosen+"="+name),
	}.Do(ctx)
	return result, err == nil, err
}

// make builds the binary. Answers that do not compile are left out.
func (b *bundle) make(ctx context.Context) error {
	b.holds = map[string]bool{}
	if *race || *goos != runtime.GOOS || *start != "" || len(b.answers) < 2 {
		return nil
	}
	tests, err := testFiles(b.e)
	if err != nil || len(tests) == 0 || !canDispatch(tests) {
		return err
	}
	if err := b.makeFolders(); err != nil {
		return err
	}
	if b.reader, err = gotest.Test2JSON(ctx, b.e.Root); err != nil {
		return err
	}
	left := maps.Clone(b.answers)
	for len(left) > 1 {
		failure, err := b.compile(ctx, left, tests)
		if err != nil {
			return fmt.Errorf("build the answers to %s into one binary: %w", b.e.ID, err)
		}
		if failure == nil {
			for name := range left {
				b.holds[name] = true
			}
			return nil
		}
		blamed := blame(failure)
		maps.DeleteFunc(left, func(name string, _ answer.Answer) bool { return blamed[folderOf(name)] })
		if len(blamed) == 0 {
			return fmt.Errorf("build the answers to %s into one binary: %w", b.e.ID, failure)
		}
	}
	return nil
}

func (b *bundle) makeFolders() (err error) {
	if b.dir, err = os.MkdirTemp("", "turnstile-answers-"); err == nil {
		b.temp, err = os.MkdirTemp(fastTemp(), "turnstile-tests-")
	}
	if err == nil {
		err = errors.Join(os.Chmod(b.dir, 0o755), os.Chmod(b.temp, 0o755)) // for workers that run as another user
	}
	if err != nil {
		return fmt.Errorf("make a temporary directory: %w; point TMPDIR (Windows: TMP) at a writable directory", err)
	}
	b.program = filepath.Join(b.dir, "answers.test")
	if runtime.GOOS == "windows" {
		b.program += ".exe"
	}
	return nil
}

// below is where the bundle's packages lie in the exercise's directory.
const below = "bundle"

// folderOf turns an answer's name into the name of its directory.
func folderOf(name string) string { return strings.ReplaceAll(name, "/", "_") }

// compile builds what the bundle is to hold. That something of it does not compile is failure, not err.
func (b *bundle) compile(
	ctx context.Context, answers map[string]answer.Answer, tests []testFile,
) (failure *gotest.CompileError, err error) {
	laid := overlay.New(b.e.Root, filepath.Join(b.dir, "laid"))
	var names []string
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		if err := b.lay(laid, name, answers[name], tests); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	text, err := dispatcher(b.e, names, tests)
	if err != nil {
		return nil, err
	}
	folder := "exercises/" + b.e.ID + "/" + below
	if err := laid.Put(folder+"/dispatch_test.go", text); err != nil {
		return nil, err
	}
	path, err := laid.Write()
	if err != nil {
		return nil, err
	}
	err = gotest.Compilation{Root: b.e.Root, Package: "./" + folder, Overlay: path, Program: b.program}.Do(ctx)
	if errors.As(err, &failure) {
		return failure, nil
	}
	return nil, err
}

// lay puts one answer and its copy of the tests into the overlay.
func (b *bundle) lay(laid *overlay.Overlay, name string, code answer.Answer, tests []testFile) error {
	if err := laid.LayFoundations(b.e, code); err != nil {
		return err
	}
	folder := "exercises/" + b.e.ID + "/" + below + "/" + folderOf(name)
	for file, text := range code.InExercises() {
		if err := laid.Put(folder+"/"+file, text); err != nil {
			return err
		}
	}
	for _, test := range tests {
		text := answer.RenameImports(test.text, func(path string) string {
			if path == b.e.Package() {
				return curriculum.ModulePath + "/" + folder
			}
			return path
		})
		// open_test.go becomes open_tests.go, which go does not treat as a test, and is built for any system: testFiles has chosen already.
		if err := laid.Put(folder+"/tests/"+strings.TrimSuffix(test.name, ".go")+"s.go", text); err != nil {
			return err
		}
	}
	return nil
}

var inBundle = regexp.MustCompile(`[/\\]` + below + `[/\\]([a-z0-9_]+)[/\\]`)

// blame returns the directories of the answers that the compiler's lines are about.
func blame(failure *gotest.CompileError) map[string]bool {
	folders := map[string]bool{}
	for _, line := range failure.Lines {
		if m := inBundle.FindStringSubmatch(line); m != nil {
			folders[m[1]] = true
		}
	}
	return folders
}

// A testFile is one of the exercise's test files for this system.
type testFile struct {
	name    string
	text    []byte
	tests   []string
	hasMain bool
	others  bool // Example, Fuzz or Benchmark functions
}

func testFiles(e *curriculum.Exercise) ([]testFile, error) {
	paths, err := filepath.Glob(filepath.Join(e.Folder(), "*_test.go"))
	if err != nil {
		return nil, err
	}
	var files []testFile
	for _, path := range paths {
		if fits, err := build.Default.MatchFile(e.Folder(), filepath.Base(path)); err != nil || !fits {
			continue // what cannot be parsed does not compile alone either, and says so there
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil || !strings.HasSuffix(parsed.Name.Name, "_test") {
			return nil, nil //nolint:nilerr // as above: each answer runs alone
		}
		file := testFile{name: filepath.Base(path), text: text}
		file.tests, file.hasMain, file.others = functionsOf(parsed)
		files = append(files, file)
	}
	return files, nil
}

// canDispatch reports whether the dispatcher can call all that go test would.
func canDispatch(tests []testFile) bool {
	return !slices.ContainsFunc(tests, func(f testFile) bool { return f.others })
}

var dispatch = template.Must(template.New("").Parse(`// Code generated by internal/answers. DO NOT EDIT.

package {{.Package}}_test

import (
	"os"
	"testing"
{{range $i, $folder := .Folders}}
	a{{$i}} "{{$.Path}}/{{$folder}}/tests"
{{- end}}
)

type suite struct {
	main  func(*testing.M)
	tests [{{len .Tests}}]func(*testing.T)
}

var chosen = map[string]suite{
{{- range $i, $name := .Names}}
	"{{$name}}": { {{if $.HasMain}}a{{$i}}.TestMain{{else}}nil{{end}}, [...]func(*testing.T){ {{range $.Tests}}a{{$i}}.{{.}}, {{end}} } },
{{- end}}
}[os.Getenv("{{.Variable}}")]

func TestMain(m *testing.M) {
	if chosen.main != nil {
		chosen.main(m)
		return
	}
	m.Run()
}
{{range $i, $test := .Tests}}
func {{$test}}(t *testing.T) { chosen.tests[{{$i}}](t) }
{{end}}`))

// dispatcher returns the text of the test package that calls the tests of the chosen answer.
func dispatcher(e *curriculum.Exercise, names []string, files []testFile) ([]byte, error) {
	var tests, folders []string
	hasMain := false
	for _, file := range files {
		tests = append(tests, file.tests...)
		hasMain = hasMain || file.hasMain
	}
	for _, name := range names {
		folders = append(folders, folderOf(name))
	}
	var text bytes.Buffer
	err := dispatch.Execute(&text, map[string]any{
		"Package": below, "Path": e.Package() + "/" + below, "Names": names, "Folders": folders,
		"Tests": tests, "HasMain": hasMain, "Variable": chosen,
	})
	return text.Bytes(), err
}
