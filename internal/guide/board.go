package guide

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"example/turnstile/internal/curriculum"
)

// A person is what is known of one learner of a class.
type person struct {
	name      string
	directory string // where the answers are, with forward slashes; "" if the person sent a report on their own machine
	problem   string // why exercises is empty; "" otherwise
	exercises []exerciseReport
}

// A class is what board has read.
type class struct {
	people  []person
	unknown []string // what the reports do not know
	trouble []string // what could not be used, in sentences
}

func (c *class) refuse(format string, values ...any) {
	c.trouble = append(c.trouble, fmt.Sprintf(format, values...))
}

// board merges the reports on many learners into one page. What is wrong with one file or directory is said on the page, and stops no
// other.
func (s *session) board(ctx context.Context) error {
	if s.options.reference {
		return &usageError{"board shows what learners wrote: leave out -solution."}
	}
	if err := s.checkOutput(".html"); err != nil {
		return err
	}
	exercises, files, directories, c, err := s.boardOperands()
	if err != nil {
		return err
	}
	for _, file := range files {
		s.readInto(c, file)
	}
	if len(directories) > 0 {
		learners, err := s.reportLearners(ctx, exercises, directories)
		if err != nil {
			return err
		}
		c.addLearners(learners)
		c.addUnknown(unknown(true))
	}
	c.mergePeople()
	c.findStrangers(s.book.Exercises)
	for _, sentence := range c.trouble {
		s.remark("%s", visible(sentence))
	}
	if len(c.people) == 0 {
		return errors.New("no report and no learner's directory could be read, so no page was made")
	}
	text, err := c.page(s.book, exercises, s.now())
	if err != nil {
		return err
	}
	return s.deliver(text)
}

// boardOperands sorts the operands: exercises are columns of the page, all if none is named.
func (s *session) boardOperands() (exercises []*curriculum.Exercise, files, directories []string, c *class, err error) {
	c = &class{}
	for _, word := range s.options.operands {
		where := s.absolute(word)
		info, statErr := os.Stat(where)
		switch {
		case statErr == nil && info.Mode().IsRegular():
			files = append(files, where)
		case s.isOutside(word):
			moreFiles, moreDirectories := s.inside(where)
			files, directories = append(files, moreFiles...), append(directories, moreDirectories...)
			if len(moreFiles)+len(moreDirectories) == 0 {
				c.refuse("%s holds neither exercises nor reports (*.json) nor directories.", s.path(where))
			}
		default:
			e, findErr := s.findNamed(word)
			if findErr == nil {
				exercises = append(exercises, e)
				continue
			}
			if !strings.ContainsAny(word, `/\.`) {
				return nil, nil, nil, nil, findErr
			}
			c.refuse("%s was not read: %v.", s.path(where), reasonOf(statErr))
		}
	}
	if len(files)+len(directories)+len(c.trouble) == 0 {
		return nil, nil, nil, nil, &usageError{fmt.Sprintf("board needs the learners' reports, or their directories: `%s`.",
			s.command("board -o board.html reports"))}
	}
	if len(exercises) == 0 {
		exercises = s.book.Exercises
	}
	return exercises, files, directories, c, nil
}

// reasonOf is what the system says of a path that is in the sentence already.
func reasonOf(err error) error {
	var of *fs.PathError
	if err == nil {
		return errors.New("it is neither a file nor a directory")
	}
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// inside returns what a directory holds: itself if it is one learner's, otherwise the reports and the learners' directories in it.
func (s *session) inside(directory string) (files, directories []string) {
	if _, err := learnersHome(directory, s.book.Exercises); err == nil {
		return nil, []string{directory}
	}
	entries, _ := os.ReadDir(directory) // the caller reports a directory without entries
	for _, entry := range entries {
		where := filepath.Join(directory, entry.Name())
		info, err := os.Stat(where)
		switch {
		case err != nil || strings.HasPrefix(entry.Name(), "."):
		case info.IsDir():
			directories = append(directories, where)
		case info.Mode().IsRegular() && strings.EqualFold(filepath.Ext(where), ".json"):
			files = append(files, where)
		}
	}
	return files, directories
}

// readInto adds what a report file says. A file that is not such a report says so on the page.
func (s *session) readInto(c *class, file string) {
	report, err := readReport(file)
	if err != nil {
		c.refuse("%s was not used: %v.", s.path(file), reasonOf(err))
		return
	}
	c.addUnknown(report.Unknown)
	if len(report.Learners) > 0 {
		c.addLearners(report.Learners)
		return
	}
	name := filepath.Base(file)
	c.people = append(c.people, person{name: strings.TrimSuffix(name, filepath.Ext(name)), exercises: report.Exercises})
}

func (c *class) addLearners(learners []learnerReport) {
	for _, l := range learners {
		directory := path.Clean(strings.ReplaceAll(l.Directory, `\`, "/")) // the report may come from Windows
		c.people = append(c.people, person{directory: directory, problem: l.Problem, exercises: l.Exercises})
	}
}

func (c *class) addUnknown(sentences []string) {
	for _, sentence := range sentences {
		if !slices.Contains(c.unknown, sentence) && len(c.unknown) < 20 {
			c.unknown = append(c.unknown, sentence)
		}
	}
}

// mergePeople names those who have only a directory after it, and keeps one entry for each name: the last one, since a report does
// not say when it was made. Two directories of one name are two people, and get as much of their paths as tells them apart.
func (c *class) mergePeople() {
	var directories []string
	for _, p := range c.people {
		if p.directory != "" && !slices.Contains(directories, p.directory) {
			directories = append(directories, p.directory)
		}
	}
	names := shortest(directories)
	at := map[string]int{}
	var people []person
	for _, p := range c.people {
		if p.directory != "" {
			p.name = names[p.directory]
		}
		if first, found := at[p.name]; found {
			people[first] = p
			c.refuse("%s is there more than once: the page shows the one that came last.", p.name)
			continue
		}
		at[p.name] = len(people)
		people = append(people, p)
	}
	if len(people) > mostPeople {
		c.refuse("Of %d people, the page shows the first %d.", len(people), mostPeople)
		people = people[:mostPeople]
	}
	slices.SortStableFunc(people, func(a, b person) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	c.people = people
}

// shortest returns for each of the different paths as many of its last elements as tell it from the others.
func shortest(paths []string) map[string]string {
	names := map[string]string{}
	for n := 1; len(names) < len(paths); n++ {
		endings, count := map[string]string{}, map[string]int{}
		for _, p := range paths {
			parts := strings.Split(strings.Trim(p, "/"), "/")
			endings[p] = strings.Join(parts[max(0, len(parts)-n):], "/")
			if n >= len(parts) {
				endings[p] = p
			}
			count[endings[p]]++
		}
		for _, p := range paths {
			if _, done := names[p]; !done && (count[endings[p]] == 1 || endings[p] == p) {
				names[p] = endings[p]
			}
		}
	}
	return names
}
