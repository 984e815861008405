package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/verdict"
)

// Fail ends the test with the lesson as its message, and publishes the lesson's fields for the guide. A directory of the test's own is
// shown as "…".
func Fail(t testing.TB, l Lesson) {
	t.Helper()
	l = shortened(l)
	t.Attr(verdict.AttributeKey, l.Encode())
	t.Error("\n" + l.String())
	t.FailNow()
}

// setUp ends a test that could not prepare its own files: that is a matter of the machine, not of the code under test.
func setUp(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		Fail(t, Lesson{Says: "The test could not " + what, Found: firstLines(err.Error(), 2), Means: machineTrouble})
	}
}

const machineTrouble = "this is a matter of the machine or the test, not of your code"

// RequireSetUp fails the test unless what it does for itself, such as making a file, has succeeded.
func RequireSetUp(t testing.TB, err error) {
	t.Helper()
	RequireNoError(t, err, Lesson{
		Says: "The test could not prepare its own files", Means: "this is a matter of the machine, not of your code",
	})
}

// RequireRefuse is for what Refuse and Watch return: where the system cannot do that, the test is skipped.
func RequireRefuse(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	RequireSetUp(t, err)
}

// Require fails the test with the lesson unless ok.
func Require(t testing.TB, ok bool, l Lesson) {
	t.Helper()
	if !ok {
		Fail(t, l)
	}
}

// RequireEqual fails the test unless got equals want. Strings and byte slices are shown with their invisible bytes.
func RequireEqual[T comparable](t testing.TB, want, got T, l Lesson) {
	t.Helper()
	if want == got {
		return
	}
	fill(&l, showValue(want), showValue(got))
	Fail(t, l)
}

// RequireFile fails the test unless the file at path holds exactly want.
func RequireFile(t testing.TB, path, want string, l Lesson) {
	t.Helper()
	got, err := os.ReadFile(path)
	switch {
	case err != nil:
		fill(&l, Show([]byte(want)), firstLines(err.Error(), 1))
		Fail(t, l)
	case string(got) != want:
		fill(&l, Show([]byte(want)), Show(got))
		Fail(t, l)
	}
}

// RequireNoFile fails the test if anything exists at path.
func RequireNoFile(t testing.TB, path string, l Lesson) {
	t.Helper()
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	found := ""
	if err != nil {
		found = firstLines(err.Error(), 1)
	} else {
		found = fmt.Sprintf("%s, %d bytes", kind(info), info.Size())
	}
	fill(&l, "nothing at that path", found)
	Fail(t, l)
}

func kind(info fs.FileInfo) string {
	switch {
	case info.IsDir():
		return "a directory"
	case info.Mode()&fs.ModeSymlink != 0:
		return "a symbolic link"
	case !info.Mode().IsRegular():
		return "not a regular file"
	}
	return "a file"
}

// RequireNoError fails the test unless err is nil. If err says that the code under test hangs, has panicked or has ended its process,
// the message says that instead of the lesson's headline; so do RequireError and RequireErrorIs.
func RequireNoError(t testing.TB, err error, l Lesson) {
	t.Helper()
	if err == nil {
		return
	}
	l.Found = firstLines(err.Error(), 2)
	fill(&l, "no error", "")
	Fail(t, troubled(l, err))
}

// RequireErrorIs fails the test unless errors.Is(err, target).
func RequireErrorIs(t testing.TB, err, target error, l Lesson) {
	t.Helper()
	if errors.Is(err, target) {
		return
	}
	l.Found = "no error"
	if err != nil {
		l.Found = firstLines(err.Error(), 2)
		if strings.Contains(err.Error(), target.Error()) {
			l.Found += "\nthe text says so, but errors.Is does not find it: wrap an error with %w"
		}
	}
	fill(&l, fmt.Sprintf("an error that matches %q", target), "")
	Fail(t, troubled(l, err))
}

// RequireError fails the test if err is nil. A panic is no error that a caller can handle, so it fails the test too.
func RequireError(t testing.TB, err error, l Lesson) {
	t.Helper()
	if err == nil {
		l.Found = "no error"
		fill(&l, "an error", "")
		Fail(t, l)
	}
	if bad := troubled(l, err); bad != l {
		Fail(t, bad)
	}
}

// Finishes runs call in a goroutine and fails the test if it does not return in time, or panics. A call that hangs is left
// behind: use a worker process where that would disturb the rest of the test.
func Finishes(t testing.TB, call func(), l Lesson) {
	t.Helper()
	FinishesInSteps(t, func(func()) { call() }, l)
}

// FinishesInSteps is Finishes for a call that does much: each call of progress renews the patience.
func FinishesInSteps(t testing.TB, call func(progress func()), l Lesson) {
	t.Helper()
	panicked, progressed, goroutine := make(chan string, 1), make(chan struct{}, 1), make(chan string, 1)
	go func() {
		goroutine <- process.Goroutine()
		text := ""
		defer func() { panicked <- text }()
		defer func() {
			if value := recover(); value != nil {
				text = process.PanicText(value)
			}
		}()
		call(func() {
			select {
			case progressed <- struct{}{}:
			default: // one is enough
			}
		})
	}()
	limit, renewals := process.Patience(), 0
	for {
		select {
		case text := <-panicked:
			if text != "" {
				Fail(t, panics(l, text))
			}
			return
		case <-progressed:
			renewals = 0
		case <-time.After(limit):
			renewed := process.Renewed(os.Getpid(), &renewals)
			if !renewed && len(panicked) == 0 && len(progressed) == 0 { // the call may have returned meanwhile
				process.RanOut()
				Fail(t, hangs(l, &process.Stuck{Limit: limit, Place: process.Place(<-goroutine)}))
			}
		}
	}
}

func fill(l *Lesson, expected, found string) {
	if l.Expected == "" {
		l.Expected = expected
	}
	if l.Found == "" {
		l.Found = found
	}
}

// WriteFile creates the file name with the given content in a directory of the test's own and returns its path.
func WriteFile(t testing.TB, name, content string) string {
	t.Helper()
	path := Path(t, name)
	setUp(t, "write its own file", os.WriteFile(path, []byte(content), 0o600))
	return path
}

// Path returns the path of a file that does not exist yet, in a directory of the test's own.
func Path(t testing.TB, name string) string {
	t.Helper()
	return t.TempDir() + string(os.PathSeparator) + name
}

func showValue(v any) string {
	switch v := v.(type) {
	case string:
		return Show([]byte(v))
	case error:
		return firstLines(v.Error(), 2)
	default:
		return fmt.Sprint(v)
	}
}

// showLimit is how many characters of a file a message shows from each end.
const showLimit = 60

// Show renders bytes on one line: NUL as ␀, newline as ⏎, carriage return as ␍, tab as ⇥, other bytes that cannot be seen as
// \xNN. A run of one invisible byte is counted (␀×24), and the middle of a long content is left out and counted.
func Show(content []byte) string {
	if len(content) == 0 {
		return "nothing (0 bytes)"
	}
	if len(content) <= 2*showLimit || len(showAll(content)) <= 2*showLimit {
		return showAll(content)
	}
	head, tail := content[:showLimit], content[len(content)-showLimit:]
	return fmt.Sprintf("%s … (%d bytes in all) … %s", showAll(head), len(content), showAll(tail))
}

func showAll(content []byte) string {
	var b strings.Builder
	for len(content) > 0 {
		r, size := utf8.DecodeRune(content)
		shown := showRune(r, content[:size])
		if shown == "" {
			b.Write(content[:size])
			content = content[size:]
			continue
		}
		run := 1
		for rest := content[size:]; bytes.HasPrefix(rest, content[:size]); rest = rest[size:] {
			run++
		}
		b.WriteString(shown)
		if run > 3 {
			fmt.Fprintf(&b, "×%d", run)
		} else {
			b.WriteString(strings.Repeat(shown, run-1))
		}
		content = content[run*size:]
	}
	return b.String()
}

// showRune returns what stands for a rune that cannot be seen, and "" for one that can.
func showRune(r rune, raw []byte) string {
	switch {
	case r == 0:
		return "␀"
	case r == '\n':
		return "⏎"
	case r == '\r':
		return "␍"
	case r == '\t':
		return "⇥"
	case r == utf8.RuneError && len(raw) == 1, !unicode.IsPrint(r):
		var b strings.Builder
		for _, c := range raw {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
		return b.String()
	}
	return ""
}

func firstLines(text string, n int) string {
	lines := strings.SplitAfterN(strings.TrimSpace(text), "\n", n+1)
	if len(lines) > n {
		lines = append(lines[:n], "…")
	}
	return strings.Join(lines, "")
}
