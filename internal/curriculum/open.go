package curriculum

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrNoWorkbook is matched by the error of Open when no directory above holds the workbook's go.mod.
var ErrNoWorkbook = errors.New("this is not inside the workbook")

// trees are the three directories that hold one directory per lesson each.
var trees = []string{"lessons", "exercises", "solutions"}

var idForm = regexp.MustCompile(`^([0-9]{2})_([a-z0-9]+(?:_[a-z0-9]+)*)$`)

// Open finds the workbook that contains dir (it walks up to the go.mod of module example/turnstile) and reads its directories.
//
// Outside a workbook the error matches ErrNoWorkbook. A problem with a single lesson is not an error: see Book.Problems.
// Links in the path are resolved, so that a directory has one name in every message.
func Open(dir string) (*Book, error) {
	root, err := findRoot(dir)
	if err != nil {
		return nil, err
	}
	b := &Book{Root: root}
	ids, err := b.findIDs()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		b.add(id)
	}
	b.group()
	return b, nil
}

var moduleLine = regexp.MustCompile(`(?m)^module[ \t]+"?([^\s"]+)"?`)

// Lesson reads one lesson of the workbook at root, and nothing of the others: go's test cache then runs a test that needs one lesson
// again only when that lesson has changed. It also returns what Book.Problems would say of the lesson alone.
// Where none of its three directories holds anything, the error matches fs.ErrNotExist.
func Lesson(root, id string) (*Exercise, []error, error) {
	b := &Book{Root: root}
	inAny := func(tree string) bool { return holdsAnything(filepath.Join(root, tree, id)) }
	if !idForm.MatchString(id) || !slices.ContainsFunc(trees, inAny) {
		return nil, nil, fmt.Errorf("read lesson %q: %w in %s; a lesson's directory is named NN_words", id, fs.ErrNotExist, root)
	}
	b.add(id)
	return b.Exercises[0], b.Problems, nil
}

// Root returns the root directory of the workbook that contains dir, as Book.Root. Its error is that of Open.
func Root(dir string) (string, error) { return findRoot(dir) }

func findRoot(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the workbook from %s: %w", dir, err)
	}
	if resolved, err := filepath.EvalSymlinks(start); err == nil {
		start = resolved
	}
	for folder := start; ; folder = filepath.Dir(folder) {
		text, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		switch {
		case err == nil:
			// docs/tools and bench are modules of their own inside the workbook: another module's go.mod ends nothing.
			if m := moduleLine.FindSubmatch(text); m != nil && string(m[1]) == ModulePath {
				return folder, nil
			}
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("find the workbook from %s: %w; make the file readable and try again", start, err)
		}
		if folder == filepath.Dir(folder) {
			return "", fmt.Errorf("find the workbook from %s: %w; change into the directory that holds its go.mod (module %s) and try again",
				start, ErrNoWorkbook, ModulePath)
		}
	}
}

// findIDs returns the names of the numbered directories that hold anything, in order.
func (b *Book) findIDs() ([]string, error) {
	var ids []string
	for _, tree := range trees {
		entries, err := os.ReadDir(filepath.Join(b.Root, tree))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the workbook's directories: %w; make the directory readable and try again", err)
		}
		for _, entry := range entries {
			folder := filepath.Join(b.Root, tree, entry.Name())
			if idForm.MatchString(entry.Name()) && holdsAnything(folder) && !slices.Contains(ids, entry.Name()) {
				ids = append(ids, entry.Name())
			}
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// holdsAnything is false for a directory that git or an editor left empty. A directory that cannot be read counts: the
// trouble is then reported where its files are wanted.
func holdsAnything(folder string) bool {
	info, err := os.Stat(folder)
	if err != nil || !info.IsDir() {
		return false
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return true
	}
	return slices.ContainsFunc(entries, func(entry fs.DirEntry) bool { return !strings.HasPrefix(entry.Name(), ".") })
}

func (b *Book) add(id string) {
	m := idForm.FindStringSubmatch(id)
	number, _ := strconv.Atoi(m[1]) // two digits, by idForm
	e := &Exercise{Number: number, ID: id, Slug: m[2], Root: b.Root}
	if n := len(b.Exercises); n > 0 && b.Exercises[n-1].Number == number {
		b.problem("%s and %s have the same number: rename one", b.Exercises[n-1].ID, id)
	}
	for _, tree := range trees {
		if !holdsAnything(filepath.Join(b.Root, tree, id)) {
			b.problem("%s: %s/%s is missing or empty: a lesson has a directory in %s", id, tree, id, strings.Join(trees, ", "))
		}
	}
	b.readHead(e)
	b.Exercises = append(b.Exercises, e)
}

func (b *Book) problem(format string, args ...any) {
	b.Problems = append(b.Problems, fmt.Errorf(format, args...))
}

// group puts the exercises into Parts. A part that is interrupted and continued later is a problem: it would be two parts.
func (b *Book) group() {
	for _, e := range b.Exercises {
		if n := len(b.Parts); n > 0 && b.Parts[n-1].Name == e.Part {
			b.Parts[n-1].Exercises = append(b.Parts[n-1].Exercises, e)
			continue
		}
		if e.Part != "" && slices.ContainsFunc(b.Parts, func(p Part) bool { return p.Name == e.Part }) {
			b.problem("%s: lessons/%s/README.md says %q, but lessons of another part come between it and the others of that part", e.ID,
				e.ID, e.Part)
		}
		b.Parts = append(b.Parts, Part{Name: e.Part, Exercises: []*Exercise{e}})
	}
}

// readHead takes from the lesson's page what its first lines say, and reports what they lack.
func (b *Book) readHead(e *Exercise) {
	e.Title = sentenceCase(strings.ReplaceAll(e.Slug, "_", " "))
	text, err := os.ReadFile(filepath.Join(e.LessonFolder(), "README.md"))
	if err != nil {
		if holdsAnything(e.LessonFolder()) { // otherwise add has reported it
			b.problem("%s: read the lesson's page: %w", e.ID, err)
		}
		return
	}
	head := ParseHead(text)
	if head.Number == e.ID[:2] {
		e.Title = head.Title
	}
	e.Promise, e.Part, e.BuildsOn = head.Promise, head.Part, head.BuildsOn
	e.ReadMinutes, e.DoMinutes = head.ReadMinutes, head.DoMinutes
	for _, line := range []struct {
		missing    bool
		what, form string
	}{
		{head.Number != e.ID[:2], "title", "`# " + e.ID[:2] + " · Title` as the first line"},
		{head.Promise == "", "promise", "one sentence between ** and ** after the title"},
		{head.Part == "", "part", "`Part One, Files.`"},
		{head.ReadMinutes == 0, "minutes", "`20 minutes to read, 25 to do.`"},
	} {
		if line.missing {
			b.problem("%s: the first lines of lessons/%s/README.md give no %s: write %s", e.ID, e.ID, line.what, line.form)
		}
	}
}

func sentenceCase(words string) string { return strings.ToUpper(words[:1]) + words[1:] }
