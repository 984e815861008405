// Command patch makes and refreshes the wrong and right answers of the solutions.
//
//	go run ./internal/cmd/patch lay 03 wrong/02_no_seek DIR    lays that answer (for a new name: the solution) out in DIR for editing
//	go run ./internal/cmd/patch save 03 wrong/02_no_seek DIR   writes the patch from what DIR holds now; keeps the text above the diff
//	go run ./internal/cmd/patch refresh [03 …]                 re-derives patches whose lines moved; all, without a number
//	go run ./internal/cmd/patch shipped [-force] 03            writes the code as shipped to exercises/03_…
//
// It changes patches and, with shipped, the answer files of one exercise; solutions and tests never. Exit status: 0 done,
// 1 something is left to do by hand, 2 wrong usage.
package main

import (
	"errors"
	"fmt"
	"go/format"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/atomicfile"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/udiff"
)

const usage = `usage:
  go run ./internal/cmd/patch lay NN wrong/NAME DIR     lay an answer (a new name: the solution) out in DIR for editing
  go run ./internal/cmd/patch save NN wrong/NAME DIR    write the patch from what DIR holds; the text above the diff is kept
  go run ./internal/cmd/patch refresh [NN ...]          re-derive patches whose lines only moved; all, without a number
  go run ./internal/cmd/patch shipped [-force] NN       write the code as shipped to exercises/NN_name
NAME names a file NAME.patch in solutions/NN_name/wrong or solutions/NN_name/right.
`

var errUsage = errors.New("wrong usage")

func main() {
	err := run(".", os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "patch:", err)
		os.Exit(1)
	}
}

func run(dir string, arguments []string, out io.Writer) error {
	if len(arguments) == 0 {
		return errUsage
	}
	book, err := curriculum.Open(dir)
	if err != nil {
		return err
	}
	verb, rest := arguments[0], arguments[1:]
	switch {
	case verb == "lay" && len(rest) == 3:
		return withPatch(book, rest, func(e *curriculum.Exercise, path string) error { return lay(e, path, rest[2], out) })
	case verb == "save" && len(rest) == 3:
		return withPatch(book, rest, func(e *curriculum.Exercise, path string) error { return save(e, path, rest[2], out) })
	case verb == "refresh":
		return refresh(book, rest, out)
	case verb == "shipped":
		force := slices.Contains(rest, "-force")
		rest = slices.DeleteFunc(slices.Clone(rest), func(word string) bool { return word == "-force" })
		if len(rest) != 1 {
			return errUsage
		}
		return shipped(book, rest[0], force, out)
	}
	return errUsage
}

var nameForm = regexp.MustCompile(`^(wrong|right)/([0-9]{2}_[a-z0-9_]+)$`)

// withPatch finds the exercise and the patch's path; the patch need not exist.
func withPatch(book *curriculum.Book, words []string, do func(e *curriculum.Exercise, path string) error) error {
	e, err := book.Find(words[0])
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.ToSlash(words[1]), ".patch")
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q does not name an answer: write wrong/NN_words or right/NN_words, such as wrong/02_no_seek", words[1])
	}
	return do(e, filepath.Join(e.SolutionFolder(), filepath.FromSlash(name)+".patch"))
}

func lay(e *curriculum.Exercise, path, folder string, out io.Writer) error {
	reference, err := answer.Reference(e)
	if err != nil {
		return err
	}
	code, said := reference, "the solution; change it into the answer"
	patch, err := answer.ReadPatch(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case patch.Path == "":
		return err // unreadable
	default: // the text may be unfinished: it is not what is laid out
		var refit udiff.Refit
		if code, refit, err = patch.Refit(reference); err != nil {
			return err
		}
		said = "the answer"
		if len(refit.Rejected) > 0 {
			said = "the answer without the hunks that do not fit any more; make their changes by hand:\n\n" + strings.Join(refit.Rejected, "\n")
		}
	}
	if err := writeNew(folder, code); err != nil {
		return fmt.Errorf("lay out %s: %w", filepath.Base(path), err)
	}
	fmt.Fprintf(out, "%s holds %s\nnext: edit it, then run the same command with save in place of lay\n", folder,
		strings.TrimRight(said, "\n"))
	return nil
}

// writeNew fills a directory that is new or empty.
func writeNew(folder string, code answer.Answer) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: name a new directory", folder)
	}
	for _, name := range code.Names() {
		if err := os.WriteFile(filepath.Join(folder, name), code[name], 0o666); err != nil {
			return err
		}
	}
	return nil
}

func save(e *curriculum.Exercise, path, folder string, out io.Writer) error {
	reference, err := answer.Reference(e)
	if err != nil {
		return err
	}
	code, err := answer.Read(folder)
	if err != nil {
		return err
	}
	if code.Equal(reference) {
		return fmt.Errorf("%s holds the solution: change something first", folder)
	}
	if err := checkFormat(folder, code); err != nil {
		return err
	}
	text, err := textAbove(path)
	if err != nil {
		return err
	}
	if err := write(path, text, answer.Diff("a", "b", reference, code)); err != nil {
		return err
	}
	fmt.Fprintln(out, "wrote", path)
	if strings.HasPrefix(text, answer.Placeholder) {
		fmt.Fprintln(out, "next: write the text above its diff")
	}
	name := filepath.Base(filepath.Dir(path)) + "/" + strings.TrimSuffix(filepath.Base(path), ".patch")
	fmt.Fprintf(out, "next: go test ./solutions/%s -run TestAnswers/%s\n", e.ID, name)
	return nil
}

// checkFormat refuses what does not parse or is not formatted: it would show up in the diff as a change that is not the mistake.
func checkFormat(folder string, code answer.Answer) error {
	for _, name := range code.Names() {
		formatted, err := format.Source(code[name])
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(folder, name), err)
		}
		if string(formatted) != string(code[name]) {
			return fmt.Errorf("%s is not formatted: run gofmt -w %s first", filepath.Join(folder, name), folder)
		}
	}
	return nil
}

// textAbove returns the text above the diff, or for a new patch what is to be filled in.
func textAbove(path string) (string, error) {
	patch, err := answer.ReadPatch(path)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		if patch.Path == "" {
			return "", err // unreadable
		}
		return string(patch.Text), nil
	case filepath.Base(filepath.Dir(path)) == "wrong":
		return answer.Placeholder + " say in one sentence what the mistake is.\n\ncaught by: TestName\nsays: \"part of the message\"\n\n", nil
	}
	return answer.Placeholder + " say in one sentence what design this is.\n\n", nil
}

func write(path, text string, diff []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	text = strings.TrimRight(text, "\n") + "\n\n"
	return atomicfile.Replace(path, append([]byte(text), diff...))
}

func refresh(book *curriculum.Book, queries []string, out io.Writer) error {
	exercises := book.Exercises
	if len(queries) > 0 {
		exercises = nil
	}
	for _, query := range queries {
		e, err := book.Find(query)
		if err != nil {
			return err
		}
		exercises = append(exercises, e)
	}
	byHand := 0
	for _, e := range exercises {
		paths, err := filepath.Glob(filepath.Join(e.SolutionFolder(), "*", "*.patch"))
		if err != nil {
			return err
		}
		for _, path := range paths {
			done, err := refreshOne(e, path, out)
			if err != nil {
				return err
			}
			if !done {
				byHand++
			}
		}
	}
	if byHand > 0 {
		return fmt.Errorf("%d of the patches must be fixed by hand: lay, edit, save", byHand)
	}
	return nil
}

// refreshOne reports whether nothing is left to do by hand.
func refreshOne(e *curriculum.Exercise, path string, out io.Writer) (done bool, err error) {
	reference, err := answer.Reference(e)
	if err != nil {
		return false, err
	}
	name := e.ID + "/" + filepath.Base(filepath.Dir(path)) + "/" + strings.TrimSuffix(filepath.Base(path), ".patch")
	patch, err := answer.ReadPatch(path)
	if patch.Path == "" {
		return false, err
	}
	code, refit, err := patch.Refit(reference)
	if err != nil {
		fmt.Fprintf(out, "%s: %v\n", name, err)
		return false, nil
	}
	diff := answer.Diff("a", "b", reference, code)
	switch {
	case len(refit.Rejected) > 0:
		fmt.Fprintf(out, "%s: does not fit, left as it is:\n%s\n", name, strings.Join(refit.Rejected, "\n"))
		return false, nil
	case len(diff) == 0:
		fmt.Fprintf(out, "%s: changes nothing, left as it is\n", name)
		return false, nil
	case string(diff) == string(patch.Diff):
		return true, nil
	}
	fmt.Fprintf(out, "%s: refreshed (%d hunks had moved)\n", name, refit.Moved)
	return true, write(path, string(patch.Text), diff)
}

func shipped(book *curriculum.Book, query string, force bool, out io.Writer) error {
	e, err := book.Find(query)
	if err != nil {
		return err
	}
	want, err := answer.AsShipped(e)
	if err != nil {
		return err
	}
	now, err := answer.Learner(e)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case now.Equal(want):
		fmt.Fprintf(out, "exercises/%s is as shipped already\n", e.ID)
		return nil
	case !force:
		return fmt.Errorf("exercises/%s differs from the code as shipped, and this would overwrite it (-force does; "+
			"`save %02d wrong/00_as_shipped exercises/%s` goes the other way):\n%s",
			e.ID, e.Number, e.ID, answer.Diff("exercises", "shipped", now, want))
	}
	if err := answer.Write(e, want); err != nil {
		return err
	}
	fmt.Fprintf(out, "exercises/%s is as shipped now\n", e.ID)
	return nil
}
