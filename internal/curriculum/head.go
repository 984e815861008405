package curriculum

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Head is what the first lines of a lesson's page say. What cannot be read from them stays empty.
type Head struct {
	Number  string // "03"
	Title   string // "Seek and truncate"
	Promise string // "You will be able to rewrite part of a file without leaving the rest behind."
	Part    string // "Part One, Files"

	ReadMinutes, DoMinutes int

	BuildsOn []string // the IDs of the lessons linked after "Builds on"

	// Exact says that the lines are Form, word by word: less is enough for a learner, but not for a page in the repository.
	Exact bool
}

var (
	titleForm    = regexp.MustCompile(`^# ([0-9]{2}) · (\S.*)$`)
	promiseForm  = regexp.MustCompile(`^\*\*(.+?)\*\*(?:\s|$)`)
	partForm     = regexp.MustCompile(`(?:^|\s)(Part [A-Z][a-z]+, [^.]+)\.(?:\s|$)`)
	minutesForm  = regexp.MustCompile(`([0-9]+) minutes? to read, ([0-9]+)(?: minutes?)? to do\.`)
	buildsOnForm = regexp.MustCompile(`Builds on (.*?)\.(?:\s|$)`)
	lessonLink   = regexp.MustCompile(`\]\(\.\./([0-9]{2}_[a-z0-9_]+)/?\)`)
)

// ParseHead reads the lines of a lesson's page before its first section (docs/contributing.md, "A lesson page").
func ParseHead(page []byte) Head {
	text := strings.ReplaceAll(string(page), "\r\n", "\n")
	title, rest, _ := strings.Cut(text, "\n")
	if at := strings.Index("\n"+rest, "\n## "); at >= 0 {
		rest = rest[:max(at-1, 0)]
	}
	var h Head
	if m := titleForm.FindStringSubmatch(title); m != nil {
		h.Number, h.Title = m[1], strings.TrimSpace(m[2])
	}
	words := strings.Join(strings.Fields(rest), " ")
	if m := promiseForm.FindStringSubmatch(words); m != nil {
		h.Promise = m[1]
		words = words[len(m[0]):]
	}
	if m := partForm.FindStringSubmatch(words); m != nil {
		h.Part = m[1]
	}
	if m := minutesForm.FindStringSubmatch(words); m != nil {
		h.ReadMinutes, _ = strconv.Atoi(m[1])
		h.DoMinutes, _ = strconv.Atoi(m[2])
	}
	if m := buildsOnForm.FindStringSubmatch(words); m != nil {
		for _, link := range lessonLink.FindAllStringSubmatch(m[1], -1) {
			h.BuildsOn = append(h.BuildsOn, link[1])
		}
	}
	// The paragraph below the title, and no other text, holds it all.
	below, separated := strings.CutPrefix(rest, "\n")
	paragraph, _, _ := strings.Cut(below, "\n\n")
	h.Exact = separated && title+"\n\n"+strings.Join(strings.Fields(paragraph), " ") == h.Form()
	return h
}

// Form is the only form that a page may say this in: the title, an empty line, and a paragraph, here on one line.
func (h Head) Form() string {
	form := fmt.Sprintf("# %s · %s\n\n**%s** %s. %d minutes to read, %d to do.", h.Number, h.Title, h.Promise, h.Part, h.ReadMinutes,
		h.DoMinutes)
	var links []string
	for _, id := range h.BuildsOn {
		links = append(links, fmt.Sprintf("[%s](../%s/)", id[:2], id))
	}
	if links != nil {
		form += " Builds on " + strings.Join(links, ", ") + "."
	}
	return form
}
