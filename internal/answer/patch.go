package answer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/udiff"
)

// A Patch is one checked-in answer: a sentence that says what it is, and its difference from the reference.
// The text format is in docs/contributing.md, "Answers".
type Patch struct {
	Path     string   // the file, absolute
	Name     string   // "wrong/02_no_seek"
	Sentence string   // what the mistake (or the design) is
	CaughtBy string   // wrong answers: the test that must fail, "TestX" or "TestX/subtest"
	Says     string   // wrong answers: a part of that test's message
	OnlyOn   []string // the GOOS where the answer can be told apart; empty for all
	Text     []byte   // the text above the diff, as written
	Diff     []byte   // the unified diff, LF line endings
}

// RunsOn reports whether the patch can be told apart on that system.
func (p Patch) RunsOn(goos string) bool { return len(p.OnlyOn) == 0 || slices.Contains(p.OnlyOn, goos) }

// Wrong returns the patches of solutions/NN_name/wrong by name, 00_as_shipped first.
// A patch without a sentence, the name of a test, or what it says is an error, as is a directory without patches.
func Wrong(e *curriculum.Exercise) ([]Patch, error) {
	patches, err := readPatches(e, "wrong")
	if err == nil && len(patches) == 0 {
		err = &fs.PathError{Op: "find wrong answers in", Path: filepath.Join(e.SolutionFolder(), "wrong"), Err: fs.ErrNotExist}
	}
	return patches, err
}

// Right returns the patches of solutions/NN_name/right by name. There may be none.
func Right(e *curriculum.Exercise) ([]Patch, error) { return readPatches(e, "right") }

func readPatches(e *curriculum.Exercise, kind string) ([]Patch, error) {
	folder := filepath.Join(e.SolutionFolder(), kind)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the %s answers of %s: %w", kind, e.ID, err)
	}
	var patches []Patch
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".patch") || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		p, err := ReadPatch(filepath.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		patches = append(patches, p)
	}
	return patches, nil
}

// ReadPatch reads one patch file, solutions/NN_name/wrong/NAME.patch or …/right/NAME.patch.
//
// What its text lacks (a sentence; in wrong/ the test and what it says) is an error, and so is a damaged diff (*PatchError).
// Whether it applies is for Apply to say. Beside an error of that kind the patch holds what could be read.
func ReadPatch(path string) (Patch, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Patch{}, err
	}
	kind := filepath.Base(filepath.Dir(path))
	p := Patch{Path: path, Name: kind + "/" + strings.TrimSuffix(filepath.Base(path), ".patch")}
	p.Text, p.Diff = splitPatch(LF(text))
	if err := p.readText(kind == "wrong"); err != nil {
		return p, fmt.Errorf("read %s: %w", path, err)
	}
	if _, err := p.parse(); err != nil {
		return p, err
	}
	return p, nil
}

// splitPatch parts the text from the diff, which begins with the first "--- " line.
func splitPatch(text []byte) (head, diff []byte) {
	if bytes.HasPrefix(text, []byte("--- ")) {
		return nil, text
	}
	at := bytes.Index(text, []byte("\n--- "))
	if at < 0 {
		return text, nil
	}
	return text[:at+1], text[at+1:]
}

// Placeholder begins the sentence above a new patch until its author writes one; ReadPatch refuses it.
const Placeholder = "TODO:"

func (p *Patch) readText(wrong bool) error {
	var sentence []string
	for line := range strings.Lines(string(p.Text)) {
		line = strings.TrimSpace(line)
		key, value, isField := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case isField && key == "caught by":
			p.CaughtBy = value
		case isField && key == "says":
			says, err := strconv.Unquote(value)
			if err != nil {
				return fmt.Errorf("the line %q: write says: and a part of the message between double quotes", line)
			}
			p.Says = says
		case isField && key == "only on":
			for goos := range strings.SplitSeq(value, ",") {
				p.OnlyOn = append(p.OnlyOn, strings.TrimSpace(goos))
			}
		case line != "":
			sentence = append(sentence, line)
		}
	}
	p.Sentence = strings.Join(sentence, " ")
	return p.checkText(wrong)
}

func (p *Patch) checkText(wrong bool) error {
	switch {
	case p.Sentence == "" || strings.HasPrefix(p.Sentence, Placeholder):
		return errors.New("it does not say what the answer is: write one sentence above the diff")
	case wrong && !strings.HasPrefix(p.CaughtBy, "Test"):
		return fmt.Errorf("caught by: %q: name the test that must fail, `caught by: TestX`", p.CaughtBy)
	case wrong && p.Says == "":
		return errors.New("it does not say what the test says: write `says: \"part of the message\"`")
	case !wrong && (p.CaughtBy != "" || p.Says != ""):
		return errors.New("a right answer is caught by no test: remove `caught by:` and `says:`, or move it to wrong/")
	}
	return nil
}

// A PatchError says that a patch does not apply to the reference: either the reference has changed since, or the patch
// is damaged.
type PatchError struct {
	Path           string // the patch
	udiff.Mismatch        // where it does not fit; zero if the diff as a whole is damaged
	// Err is what is wrong with the diff itself, nil if it is well-formed.
	Err error
}

func (e *PatchError) Unwrap() error { return e.Err }

func (e *PatchError) Error() string {
	where, name := "NN", "wrong/NAME"
	if kind := filepath.Dir(e.Path); filepath.Base(filepath.Dir(filepath.Dir(kind))) == "solutions" {
		where = strings.SplitN(filepath.Base(filepath.Dir(kind)), "_", 2)[0]
		name = filepath.Base(kind) + "/" + strings.TrimSuffix(filepath.Base(e.Path), ".patch")
	}
	remedy := fmt.Sprintf("`go run ./internal/cmd/patch refresh %s` fixes a patch whose lines only moved; otherwise "+
		"`go run ./internal/cmd/patch lay %s %s DIR`, edit DIR, and `save` in place of `lay`", where, where, name)
	if e.Err != nil {
		return fmt.Sprintf("%s is damaged: %v; %s", e.Path, e.Err, remedy)
	}
	at := e.File
	if e.Hunk > 0 {
		at = fmt.Sprintf("%s, hunk %d, line %d", e.File, e.Hunk, e.Line)
	}
	return fmt.Sprintf("%s does not apply: %s: expected %s, found %s; %s", e.Path, at, e.Expected, e.Found, remedy)
}

// parse reads the diff, which may name answer files only.
func (p Patch) parse() ([]udiff.File, error) {
	files, err := udiff.Parse(p.Diff)
	if err != nil {
		return nil, p.damaged(err)
	}
	for _, f := range files {
		if !IsFile(f.Name) {
			return nil, p.damaged(fmt.Errorf("%q is not the name of an answer file (a .go file that is not a test)", f.Name))
		}
	}
	return files, nil
}

func (p Patch) damaged(err error) error { return &PatchError{Path: p.Path, Err: err} }

// Apply returns the reference with the patch applied. It is strict: every hunk must fit at its line, to the letter, and
// something must change. Otherwise the error is a *PatchError that says what was expected where, and how to refresh the
// patch.
func (p Patch) Apply(reference Answer) (Answer, error) {
	files, err := p.parse()
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, p.damaged(errors.New("it holds no diff"))
	}
	answer := clone(reference)
	for _, f := range files {
		if mismatch := f.Apply(answer); mismatch != nil {
			return nil, &PatchError{Path: p.Path, Mismatch: *mismatch}
		}
	}
	if answer.Equal(reference) {
		return nil, p.damaged(errors.New("it changes nothing"))
	}
	return answer, nil
}

func clone(a Answer) Answer {
	b := Answer{}
	for name, text := range a {
		b[name] = bytes.Clone(LF(text))
	}
	return b
}

// Refit applies the patch to a reference that has changed since: a hunk that fits in exactly one other place goes there,
// one that does not is left out and listed. It is for maintainers who refresh patches; the tests use Apply.
func (p Patch) Refit(reference Answer) (Answer, udiff.Refit, error) {
	files, err := p.parse()
	if err != nil {
		return nil, udiff.Refit{}, err
	}
	answer := clone(reference)
	var refit udiff.Refit
	for _, f := range files {
		f.Refit(answer, &refit)
	}
	return answer, refit, nil
}
