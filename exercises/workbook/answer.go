package workbook

// An Answer is what a learner writes: the base name of each answer file, and its content with LF line endings.
//
// Answer files are the .go files directly in the exercise's folder that are not tests.
type Answer map[string][]byte

// Equal reports whether both answers have the same files with the same content, whatever their line endings.
func (a Answer) Equal(b Answer) bool { return false }

// Learner returns the answer that stands in the exercise's folder now.
func (e *Exercise) Learner() (Answer, error) { return nil, errSkeleton }

// Reference returns the answer in solutions/.
func (e *Exercise) Reference() (Answer, error) { return nil, errSkeleton }

// AsShipped returns the answer as the workbook came: the reference with wrong/00_as_shipped.patch applied.
func (e *Exercise) AsShipped() (Answer, error) { return nil, errSkeleton }

// Write puts the answer in place of the learner's files and removes answer files that it does not have.
//
// Each file is written beside its place, synced and renamed, so that a crash leaves every single file old or new, never
// half; between two files a crash leaves some old and some new. Tests, hints and the race demo are not touched.
func (e *Exercise) Write(a Answer) error { return errSkeleton }
