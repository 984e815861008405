package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example/turnstile/internal/lab/process"
)

// A hang, a panic and a process that ended itself have words of their own. Whatever the test was about to judge, it cannot: of the
// lesson that came with the check, only what was done and where to read on are still true.

// troubled returns the message for err if it is one of these, and l otherwise.
func troubled(l Lesson, err error) Lesson {
	var stuck *process.Stuck
	var returned *process.Error
	var died *process.Died
	switch {
	case errors.As(err, &stuck):
		return hangs(l, stuck)
	case errors.As(err, &returned) && returned.Panicked:
		return panics(l, returned.Text)
	case errors.As(err, &died):
		return Lesson{
			Says: underTest(l.Says) + " ended the whole process", Did: l.Did, Read: l.Read,
			Expected: "it returns, with an error if something is wrong", Found: firstLines(died.How, 2),
			Means: "a library that exits takes the work of every other part of the program with it",
		}
	}
	return l
}

func hangs(l Lesson, stuck *process.Stuck) Lesson {
	found, means := fmt.Sprintf("it made no progress for %s, which is this test's limit", stuck.Limit), "the program hangs, and its user waits"
	why := stuck.Why
	if why != "" {
		found += "; " + why
	}
	if stuck.Place != "" {
		found += "; it is at " + stuck.Place
	}
	switch {
	case stuck.Lock && strings.HasSuffix(why, "its own process holds"):
		means = "a lock inside a lock, one that an earlier call has kept, or a wait that holds up the goroutine which would give it back"
	case stuck.Lock:
		means = "an earlier call has kept its lock, or two wait for each other: everyone who needs the lock waits for ever"
	case strings.Contains(why, "disk"):
		means = "this machine is too busy to tell; run the test again when it is not"
	case strings.Contains(why, "sleeps"):
		means = "it waits for what never comes: a file that it looks for again and again, or a mutex that its own process has locked before"
	case strings.Contains(why, "busy"):
		means = "a loop without an end: one processor is busy, and the work is not done"
	}
	return Lesson{Says: underTest(l.Says) + " does not return", Did: l.Did, Expected: "it returns", Found: found, Means: means, Read: l.Read}
}

func panics(l Lesson, text string) Lesson {
	return Lesson{
		Says: underTest(l.Says) + " panicked", Did: l.Did,
		Expected: "it returns, with an error if something is wrong", Found: firstLines(text, 2),
		Means: "one bad file or argument ends the whole program, in the middle of somebody else's work", Read: l.Read,
	}
}

// RequireNotNil fails the test if a call returned neither a result nor an error. The call is its name: "Acquire".
func RequireNotNil[T any](t testing.TB, got *T, call string, l Lesson) {
	t.Helper()
	if got == nil {
		l.Says = call + " returned neither a result nor an error"
		l.Expected, l.Found = "a result, or an error that says why there is none", "nil and nil"
		l.Means = "the caller sees no error, uses the result and panics"
		Fail(t, l)
	}
}

var identifier = regexp.MustCompile(`[A-Z]\w*`)

// underTest returns the first function of the package under test that the headline names, and "The code under test" if it names none.
func underTest(says string) string {
	declared := declaredFunctions()
	for _, name := range identifier.FindAllString(says, -1) {
		if declared[name] {
			return name
		}
	}
	return "The code under test"
}

var declaration = regexp.MustCompile(`(?m)^func (?:\([^)]*\) )?([A-Z]\w*)[(\[]`)

func declaredFunctions() map[string]bool {
	entries, _ := os.ReadDir(PackageDir()) // where it cannot be read, the headline names no function
	declared := map[string]bool{}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(PackageDir(), entry.Name()))
		if err != nil {
			continue
		}
		for _, match := range declaration.FindAllSubmatch(text, -1) {
			declared[string(match[1])] = true
		}
	}
	return declared
}

// shortened shows each directory of a test's own (testing.T.TempDir) as "…": a path of 130 characters hides the file's name.
func shortened(l Lesson) Lesson {
	separator := `[/\\]+`
	temp := strings.ReplaceAll(regexp.QuoteMeta(filepath.ToSlash(filepath.Clean(os.TempDir()))), "/", separator)
	own, err := regexp.Compile(`(?:/private)?` + temp + separator + `[^/\\\s"]+` + separator + `\d{3}\b`) // macOS reaches /tmp by a link
	if err != nil {
		return l
	}
	for _, field := range []*string{&l.Says, &l.Did, &l.Expected, &l.Found, &l.Means} {
		*field = own.ReplaceAllString(*field, "…")
	}
	return l
}
