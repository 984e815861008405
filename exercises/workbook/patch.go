package workbook

// A Patch is one checked-in answer: a sentence that says what it is, and its difference from the reference.
type Patch struct {
	Path     string   // the file, absolute
	Name     string   // "wrong/02_no_seek"
	Sentence string   // what the mistake (or the design) is
	CaughtBy string   // wrong answers: the test that must fail, "TestX" or "TestX/subtest"
	Says     string   // wrong answers: a part of that test's message
	OnlyOn   []string // the GOOS where the answer can be told apart; empty for all
	Diff     []byte   // the unified diff, LF line endings
}

// WrongAnswers returns the patches of solutions/NN_name/wrong by name, 00_as_shipped first.
func (e *Exercise) WrongAnswers() ([]Patch, error) { return nil, errSkeleton }

// RightAnswers returns the patches of solutions/NN_name/right by name. There may be none.
func (e *Exercise) RightAnswers() ([]Patch, error) { return nil, errSkeleton }

// Apply returns the reference with the patch applied. It is strict: every hunk must fit at its line, to the letter.
// Otherwise the error is a *PatchError that says what was expected where, and how to refresh the patch.
func (p Patch) Apply(reference Answer) (Answer, error) { return nil, errSkeleton }

// Diff returns what changes from one answer to the other as `diff -u` would: unified, three lines of context, files by
// name, new and removed files through /dev/null. Equal answers give no bytes. The names stand before the file names:
// Diff("a", "b", …) begins "--- a/file.go".
func Diff(fromName, toName string, from, to Answer) []byte { return nil }
