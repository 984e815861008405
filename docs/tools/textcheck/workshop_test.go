package textcheck_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/docs/tools/textcheck"
	"example/turnstile/internal/curriculum"
)

var twoLessons = []*curriculum.Exercise{
	{ID: "01_open", Number: 1, Title: "Open", ReadMinutes: 10, DoMinutes: 30},
	{ID: "02_close", Number: 2, Title: "Close", ReadMinutes: 5, DoMinutes: 20},
}

const goodSchedule = `# A guide

### An hour: 60 minutes

| at | what | minutes |
|---|---|---|
| 0:00 | Welcome | 10 |
| 0:10 | [01 Open](../../lessons/01_open/) | 10 + 30 |

After lunch:

| at | what | minutes |
|---|---|---|
| 0:50 | [02 Close](../../lessons/02_close/), on the wall | 5 + 0 |
| 0:55 | Questions | 5 |

## Another table

| at | what | minutes |
|---|---|---|
| 7 | not a schedule | x |
`

func TestSchedules(t *testing.T) {
	t.Parallel()
	book := &curriculum.Book{Exercises: twoLessons}
	require.Empty(t, textcheck.Schedules(textcheck.Parse("guide.md", []byte(goodSchedule)), book))
	for _, c := range []struct{ old, new, says string }{
		{"60 minutes", "90 minutes", "take 60 minutes, and its title says 90"},
		{"10 + 30 |", "10 + 20 |", "lesson 01 takes 10 + 30, and the row says 10 + 20"},
		{"5 + 0", "5 + 20", "lesson 02 takes 5 + 0"},
		{", on the wall", "", "lesson 02 takes 5 + 20"},
		{"| 0:50", "| 0:45", "the row begins at 0:45, and the one before ends at 0:50"},
		{"Welcome | 10", "Welcome | ten", `"ten" is not a number of minutes`},
		{"lessons/01_open/", "lessons/09_gone/", "links no lesson"},
		{"[01 Open]", "[01 Opening]", `calls the lesson "01 Opening"`},
		{"### An hour: 60 minutes", "### An hour", "no schedule"},
	} {
		page := textcheck.Parse("guide.md", []byte(strings.Replace(goodSchedule, c.old, c.new, 1)))
		require.Contains(t, texts(textcheck.Schedules(page, book)), c.says)
	}
}

const goodNotes = `# Part One

## 01 · Open

[The lesson](../../lessons/01_open/), 10 + 30 minutes.

**Note.** Something.

**Ask.** A question?

**Demo.** Look.

~~~sh
go run ./exercises race 1
~~~

**Mistake.** [This](../../solutions/01_open/wrong/01_this.patch).

**Stuck.** "Why?"

**Board.** A drawing.

~~~text
-->
~~~

## 02 · Close

[The lesson](../../lessons/02_close/), 5 + 20 minutes.

**Note.** N

**Ask.** A

**Demo.** D

~~~sh
go run ./exercises race 2
~~~

**Mistake.** [That](../../solutions/02_close/wrong/01_that.patch).

**Stuck.** S

**Board.** B

~~~text
-->
~~~
`

func TestNotes(t *testing.T) {
	t.Parallel()
	fences := func(text string) string { return strings.ReplaceAll(text, "~~~", "```") }
	require.Empty(t, textcheck.Notes(textcheck.Parse("part1.md", []byte(fences(goodNotes))), twoLessons))
	for _, c := range []struct{ old, new, says string }{
		{"## 01 · Open", "## 01 · Opening", "lesson 01 · Open has no section in its place"},
		{"10 + 30", "10 + 20", "its link and its minutes are missing"},
		{"**Ask.** A question?", "A question?", "has the paragraphs [Note. Demo."},
		{"solutions/01_open/wrong/01_this.patch", "solutions/02_close/wrong/01_that.patch", "lesson 01 links no mistake"},
		{"~~~text", "~~~json", "no block of the kind text"},
		{"race 2", "race 1", "lesson 02: its race demo is missing"},
		{"# Part One\n", "# Part One\n\n## 00 · Nothing\n", "a section about no lesson"},
	} {
		page := textcheck.Parse("part1.md", []byte(fences(strings.Replace(goodNotes, c.old, c.new, 1))))
		require.Contains(t, texts(textcheck.Notes(page, twoLessons)), c.says)
	}
}

func texts(problems []textcheck.Problem) string {
	var all strings.Builder
	for _, problem := range problems {
		all.WriteString(problem.String() + "\n")
	}
	return all.String()
}
