package guide

import (
	"context"
	"fmt"
	"strings"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// list shows all exercises by part, and how far the learner is. Those whose code is as it was shipped are not run.
func (s *session) list(ctx context.Context) error {
	standings, err := s.standings(ctx, s.book.Exercises)
	if err != nil {
		return err
	}
	done, elsewhere := 0, 0
	for _, st := range standings {
		if st.result != nil && st.result.Status == gotest.Skipped {
			elsewhere++
		} else if st.done() {
			done++
		}
	}
	head := fmt.Sprintf("%d of %d exercises done", done, len(standings))
	if s.options.reference {
		head += " by the reference"
	}
	if elsewhere > 0 {
		head += fmt.Sprintf(", %d not for this system", elsewhere)
	}
	text := s.paint.bold(head) + "\n" + s.paint.list(s.book.Parts, standings)
	if done+elsewhere < len(standings) && !s.options.reference {
		text += "\n" + s.paint.rows([]row{{"then", s.command(""), "your next exercise"}})
	}
	return s.print(text)
}

// standings finds out how far the learner is with each exercise: the ones that have been begun are run in one go command.
func (s *session) standings(ctx context.Context, exercises []*curriculum.Exercise) ([]*standing, error) {
	var all, begun []*standing
	var toRun []*curriculum.Exercise
	for _, e := range exercises {
		st := &standing{exercise: e, untouched: s.isUntouched(e)}
		all = append(all, st)
		if !st.untouched {
			begun = append(begun, st)
			toRun = append(toRun, e)
		}
	}
	results, err := s.testAll(ctx, toRun, cached)
	if err != nil {
		return nil, err
	}
	for i, result := range results {
		begun[i].result = result
	}
	return all, nil
}

// list lays the exercises out by part, one a line.
func (p palette) list(parts []curriculum.Part, standings []*standing) string {
	byExercise := map[*curriculum.Exercise]*standing{}
	widest := 0
	for _, st := range standings {
		byExercise[st.exercise] = st
		widest = max(widest, len([]rune(title(st.exercise))))
	}
	var b strings.Builder
	next := true
	for _, part := range parts {
		b.WriteString("\n")
		if part.Name != "" {
			b.WriteString(p.bold(part.Name) + "\n")
		}
		for _, e := range part.Exercises {
			st := byExercise[e]
			mark, text := p.standing(st)
			remark := ""
			if !st.done() && next {
				remark, next = "  ← next", false
			}
			b.WriteString("  " + mark + " " + padded(title(e), widest) + "   " + text + remark + "\n")
		}
	}
	return b.String()
}

// standing says how far one exercise is, in a sign and in words.
func (p palette) standing(st *standing) (mark, text string) {
	switch {
	case st.result == nil:
		text = "not begun"
		if m := minutes(st.exercise); m != "" {
			text += " (" + m + ")"
		}
		return p.dim("·"), p.dim(text)
	case st.result.Status == gotest.Skipped:
		return p.dim("-"), p.dim(progress(st.result))
	case st.done():
		return p.green("✓"), p.green("done")
	}
	return p.red("✗"), p.red(progress(st.result))
}
