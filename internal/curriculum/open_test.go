package curriculum_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/toybook"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	book := toybook.New(t, toybook.Lesson("01_open_modes", "Part One, Files"), toybook.Lesson("03_seek_truncate", "Part One, Files"),
		toybook.Lesson("05_lost_update", "Part Two, Atomicity"),
		toybook.Files{
			"lessons/05_lost_update/README.md": "# 05 · Lost update\r\n\r\n**You will be able\r\nto keep an update.** Part Two, Atomicity. 1 " +
				"minute to read,\r\n25 minutes to do.\r\nBuilds on [01](../01_open_modes/) and\r\n[03](../03_seek_truncate/).\r\nNot on " +
				"[02](../02_close/).\r\n\r\n## The bug\r\n",
			"exercises/main.go": "package guide\n",
			"docs/tools/go.mod": "module example/turnstile/docs/tools\n",
		})
	require.Empty(t, book.Problems)

	require.Len(t, book.Exercises, 3)
	first, last := book.Exercises[0], book.Exercises[2]
	assert.Equal(t, "The open modes", first.Title)
	assert.Equal(t, "You will be able to double.", first.Promise)
	assert.Equal(t, []any{1, "01_open_modes", "open_modes", 5, 10},
		[]any{first.Number, first.ID, first.Slug, first.ReadMinutes, first.DoMinutes})
	assert.Equal(t, "example/turnstile/exercises/01_open_modes", first.Package())
	assert.Equal(t, filepath.Join(book.Root, "lessons", "01_open_modes"), first.LessonFolder())
	assert.Equal(t, []any{"You will be able to keep an update.", 1, 25}, []any{last.Promise, last.ReadMinutes, last.DoMinutes})
	assert.Equal(t, []string{"01_open_modes", "03_seek_truncate"}, last.BuildsOn)

	require.Len(t, book.Parts, 2)
	assert.Equal(t, "Part One, Files", book.Parts[0].Name)
	assert.Equal(t, book.Exercises[:2], book.Parts[0].Exercises)

	for _, inside := range []string{"exercises/03_seek_truncate/race", "docs/tools"} {
		again, err := curriculum.Open(filepath.Join(book.Root, filepath.FromSlash(inside)))
		require.NoError(t, err)
		assert.Equal(t, book.Root, again.Root)
	}
}

func TestOpenWithoutExercises(t *testing.T) {
	t.Parallel()
	book := toybook.New(t, toybook.Files{"exercises/main.go": "package guide\n"})
	assert.Empty(t, book.Exercises)
	assert.Empty(t, book.Parts)
	_, err := book.Find("3")
	require.ErrorContains(t, err, "no exercises yet")
}

func TestOpenOutside(t *testing.T) {
	t.Parallel()
	_, err := curriculum.Open(t.TempDir())
	require.ErrorIs(t, err, curriculum.ErrNoWorkbook)
	require.ErrorContains(t, err, "change into the directory")
}

func TestLessonReadsNoOther(t *testing.T) {
	t.Parallel()
	book := toybook.New(t, toybook.Lesson("01_open_modes", "Part One, Files"), toybook.Lesson("02_close", "Part One, Files"),
		toybook.Files{"lessons/02_close/README.md": "# 02 · Close\n\nNo promise. Builds on [01](../01_open_modes/).\n"})
	whole := toybook.Find(t, book, "1")
	alone, problems, err := curriculum.Lesson(book.Root, "01_open_modes")
	require.NoError(t, err)
	require.Empty(t, problems)
	assert.Equal(t, whole, alone)

	second, problems, err := curriculum.Lesson(book.Root, "02_close")
	require.NoError(t, err)
	assert.Equal(t, book.Problems, problems)
	assert.Equal(t, []string{"01_open_modes"}, second.BuildsOn)

	for _, id := range []string{"03_none", "close", "../lessons/01_open_modes", ""} {
		_, _, err := curriculum.Lesson(book.Root, id)
		require.ErrorIs(t, err, fs.ErrNotExist, id)
	}
	root, err := curriculum.Root(second.SolutionFolder())
	require.NoError(t, err)
	assert.Equal(t, book.Root, root)
}

func TestProblems(t *testing.T) {
	t.Parallel()
	book := toybook.New(t, toybook.Lesson("01_open_modes", "Part One, Files"), toybook.Lesson("01_close", "Part Two, Others"),
		toybook.Lesson("04_json", "Part One, Files"),
		toybook.Files{
			"lessons/02_text_only/README.md": "# Text\n\nNo promise.\n\n## The bug\n",
			"exercises/03_empty/.gitkeep":    "",
		})
	var problems []string
	for _, problem := range book.Problems {
		problems = append(problems, problem.Error())
	}
	all := strings.Join(problems, "\n")
	for _, part := range []string{
		"01_close and 01_open_modes have the same number",
		"02_text_only: exercises/02_text_only is missing or empty",
		"02_text_only: solutions/02_text_only is missing or empty",
		"gives no title", "gives no promise", "gives no part", "gives no minutes",
		`04_json: lessons/04_json/README.md says "Part One, Files"`,
	} {
		part = strings.Replace(part, "gives no", "README.md give no", 1)
		assert.Contains(t, all, part)
	}
	assert.NotContains(t, all, "03_empty", "a directory that git left empty is not an exercise")
	assert.Equal(t, "Text only", toybook.Find(t, book, "2").Title)
}

func TestFind(t *testing.T) {
	book := toybook.New(t, toybook.Lesson("03_seek_truncate", "Part One, Files"), toybook.Lesson("08_flock", "Part One, Files"),
		toybook.Lesson("11_locked_file", "Part One, Files"), toybook.Lesson("07_lock_files", "Part One, Files"))
	t.Chdir(filepath.Join(book.Root, "exercises"))
	for query, want := range map[string]string{
		"3": "03_seek_truncate", "03": "03_seek_truncate", "seek": "03_seek_truncate", "SEEK": "03_seek_truncate",
		"truncate": "03_seek_truncate", "03_seek_truncate": "03_seek_truncate", "03_s": "03_seek_truncate", "seek-truncate": "03_seek_truncate",
		"lock_files": "07_lock_files", "flock": "08_flock", "locked": "11_locked_file",
		"exercises/08_flock": "08_flock", "./lessons/08_flock/": "08_flock", "08_flock/race/main.go": "08_flock",
		"../solutions/08_flock": "08_flock", filepath.Join(book.Root, "exercises", "08_flock", "double.go"): "08_flock",
	} {
		e, err := book.Find(query)
		if assert.NoError(t, err, query) {
			assert.Equal(t, want, e.ID, query)
		}
	}
	for query, want := range map[string]curriculum.UnknownError{
		"lock":          {Near: []string{"07_lock_files", "11_locked_file"}, Ambiguous: true},
		"file":          {Near: []string{"07_lock_files", "11_locked_file"}, Ambiguous: true},
		"seke":          {Near: []string{"03_seek_truncate"}},
		"floc_k":        {Near: []string{"08_flock", "07_lock_files"}},
		"12":            {Near: []string{"03_seek_truncate", "07_lock_files", "08_flock", "11_locked_file"}},
		"zebra":         {Near: []string{"03_seek_truncate", "07_lock_files", "08_flock", "11_locked_file"}},
		"":              {Near: []string{"03_seek_truncate", "07_lock_files", "08_flock", "11_locked_file"}},
		"lessons/99_no": {Near: []string{"03_seek_truncate", "07_lock_files", "08_flock", "11_locked_file"}},
	} {
		_, err := book.Find(query)
		want.Query = query
		var unknown *curriculum.UnknownError
		if assert.ErrorAs(t, err, &unknown, query) {
			assert.Equal(t, want, *unknown, query)
			assert.Contains(t, err.Error(), want.Near[0])
		}
	}
}

func TestAHeadIsExactInItsOneFormOnly(t *testing.T) {
	t.Parallel()
	const good = "# 05 · Lost update\n\n**You will keep an update.** Part Two, Races. 20 minutes to read, 25 to do.\n" +
		"Builds on [01](../01_open_modes/), [03](../03_seek/).\n\nMore.\n\n## The bug\n"
	head := curriculum.ParseHead([]byte(good))
	require.Equal(t, curriculum.Head{
		Number: "05", Title: "Lost update", Promise: "You will keep an update.", Part: "Part Two, Races", ReadMinutes: 20, DoMinutes: 25,
		BuildsOn: []string{"01_open_modes", "03_seek"}, Exact: true,
	}, head)
	require.True(t, curriculum.ParseHead([]byte(head.Form())).Exact)
	for _, change := range [][2]string{
		{"# 05 ·", "# 5 ·"},
		{"\n\n**You", "\n**You"},
		{"Part Two", "In part Two"},
		{"25 to do", "25 minutes to do"},
		{"20 minutes to read, 25 to do.", "About an hour."},
		{"[01](../01_open_modes/)", "[02](../01_open_modes/)"},
		{"[01](../01_open_modes/)", "lesson one"},
		{"[01](../01_open_modes/)", "[01](../01_open_modes)"},
		{", [03]", " and [03]"},
		{"Builds on", "\nBuilds on"},
	} {
		require.Contains(t, good, change[0])
		changed := strings.Replace(good, change[0], change[1], 1)
		assert.False(t, curriculum.ParseHead([]byte(changed)).Exact, changed)
	}
}
