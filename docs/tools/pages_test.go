// Package tools_test holds the texts of the workbook to docs/contributing.md. The checks themselves, and their tests, are in
// textcheck.
package tools_test

import (
	"flag"
	"fmt"
	"os"
	"path"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/docs/tools/textcheck"
	"example/turnstile/docs/tools/tree"
	"example/turnstile/internal/curriculum"
)

// TestMain refuses to run where go would cache a result without seeing that it is out of date: the pages are outside this module.
func TestMain(m *testing.M) {
	flag.Parse()
	cached := flag.Lookup("test.testlogfile").Value.String() != "" // go records what a test depends on only to cache its result
	if cached && os.Getenv(tree.Variable) == "" {
		fmt.Fprintf(os.Stderr, "go would keep this result although pages change: run `make test`, or add -count=1, or set %s to what "+
			"`go -C docs/tools run ./check -tree` prints\n", tree.Variable)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestPages checks every lesson page by itself.
func TestPages(t *testing.T) {
	t.Parallel()
	book := openBook(t)
	references, err := textcheck.ReferenceCode(book.Root)
	require.NoError(t, err)
	for _, exercise := range book.Exercises {
		lesson := exercise.ID
		t.Run(lesson, func(t *testing.T) {
			t.Parallel()
			page, err := textcheck.Load(book.Root, textcheck.PagePath(lesson))
			require.NoError(t, err)
			report(t, "template", textcheck.Template(page))
			report(t, "code blocks", textcheck.Fences(page))
			report(t, "commands", textcheck.Commands(page))

			code, err := textcheck.LessonCode(exercise)
			require.NoError(t, err)
			report(t, "Go blocks", textcheck.GoBlocks(page, code, references))

			facts, err := textcheck.Facts(book.Root, lesson)
			require.NoError(t, err)
			report(t, "output blocks", textcheck.Outputs(page, facts))
			proofs, err := textcheck.Proofs(page, lesson, func(other string) ([]*textcheck.Fact, error) {
				return textcheck.Facts(book.Root, other)
			})
			require.NoError(t, err)
			report(t, "proofs", proofs)

			messages, err := textcheck.References(book.Root, lesson)
			require.NoError(t, err)
			report(t, "references in messages", messages)

			report(t, "prose", textcheck.Prose(page))
			around, err := textcheck.Exercise(exercise)
			require.NoError(t, err)
			report(t, "exercise", around)
		})
	}
}

// TestLinks checks the links of every Markdown file.
func TestLinks(t *testing.T) {
	t.Parallel()
	book := openBook(t)
	files, err := tree.Files(t.Context(), book.Root)
	require.NoError(t, err)
	for _, file := range files {
		if path.Ext(file) != ".md" {
			continue
		}
		page, err := textcheck.Load(book.Root, file)
		require.NoError(t, err)
		report(t, "links", textcheck.Links(book.Root, page))
		report(t, "line ends", textcheck.LineEnds(page.Path, page.Source))
	}
}

// TestCurriculum checks the directories, and the README's tables against them.
func TestCurriculum(t *testing.T) {
	t.Parallel()
	book := openBook(t)
	for _, problem := range book.Problems {
		t.Error(problem)
	}
	problems, err := textcheck.Curriculum(book)
	require.NoError(t, err)
	report(t, "curriculum", problems)
}

// TestWorkshop checks the facilitator's guide: its minutes, its commands, its words, and that no lesson lacks its notes.
func TestWorkshop(t *testing.T) {
	t.Parallel()
	book := openBook(t)
	references, err := textcheck.ReferenceCode(book.Root)
	require.NoError(t, err)
	load := func(name string) *textcheck.Page {
		page, err := textcheck.Load(book.Root, "docs/workshop/"+name)
		require.NoError(t, err)
		report(t, "prose", textcheck.Style(page))
		report(t, "commands", textcheck.Commands(page))
		return page
	}
	report(t, "schedules", textcheck.Schedules(load("README.md"), book))
	for i, part := range book.Parts {
		page := load(fmt.Sprintf("part%d.md", i+1))
		report(t, "code blocks", textcheck.Fences(page))
		report(t, "notes", textcheck.Notes(page, part.Exercises))

		var code []textcheck.CodeFile
		for _, e := range part.Exercises {
			files, err := textcheck.LessonCode(e)
			require.NoError(t, err)
			code = append(code, files...)
		}
		report(t, "Go blocks", textcheck.GoBlocks(load(fmt.Sprintf("slides/part%d.md", i+1)), code, references))
	}
	for _, name := range []string{"setup.md", "grading.md"} {
		load(name)
	}
}

// TestConsoleBlocks runs what the lesson pages show in console blocks. One page after another, since several race demos at
// once would disturb each other's timing.
func TestConsoleBlocks(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: running the commands of all pages takes some seconds each")
	}
	book := openBook(t)
	fresh := sync.OnceValues(func() (*textcheck.FreshCopy, error) {
		return textcheck.Copy(book.Root, t.TempDir())
	})
	pages := []string{"README.md"}
	for _, exercise := range book.Exercises {
		pages = append(pages, textcheck.PagePath(exercise.ID))
	}
	for _, name := range pages {
		t.Run(name, func(t *testing.T) {
			page, err := textcheck.Load(book.Root, name)
			require.NoError(t, err)
			workshop, err := fresh()
			require.NoError(t, err)
			require.NoError(t, workshop.Reset())
			report(t, "console blocks", textcheck.Console(t.Context(), page, workshop.Run))
		})
	}
}

func openBook(t *testing.T) *curriculum.Book {
	t.Helper()
	book, err := curriculum.Open(".")
	require.NoError(t, err)
	return book
}

func report(t *testing.T, check string, problems []textcheck.Problem) {
	t.Helper()
	textcheck.Sort(problems)
	for _, problem := range problems {
		t.Errorf("%s: %s", check, problem)
	}
}
