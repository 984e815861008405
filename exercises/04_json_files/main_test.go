package jsonfiles_test

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"example/turnstile/exercises/04_json_files"
	"example/turnstile/internal/lab"
)

// taken is a document as a program or a person may have written it before the test began.
const taken = `{
  "version": 1,
  "generation": 7,
  "checkouts": {
    "bracket.step": {"person": "alice", "since": "2026-03-02T09:00:00Z"},
    "hinge.step": {"person": "bob", "since": "2026-03-02T09:30:00Z"}
  }
}
`

const (
	free   = `{"version":1,"generation":3,"checkouts":{}}`
	future = `{"version":2,"generation":8,"shelf":{}}`
)

var (
	morning = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	alice   = jsonfiles.Checkout{Person: "alice", Since: morning}
)

// Where the messages send the reader.
const (
	why       = `lessons/04_json_files, "Why it happens"`
	fix       = `lessons/04_json_files, "The fix"`
	missed    = `lessons/04_json_files, "Missing, empty, damaged"`
	blind     = `lessons/04_json_files, "What a decoder does not look at"`
	madeUp    = `lessons/04_json_files, "What a decoder makes up"`
	dropped   = `lessons/04_json_files, "What an older program drops"`
	ahead     = `lessons/04_json_files, "A document from the future"`
	memory    = `lessons/04_json_files, "Save: memory first"`
	known     = `lessons/04_json_files, "Replace only what you know"`
	refusal   = `lessons/04_json_files, "When the kernel refuses a write"`
	evidence  = `lessons/04_json_files, "Set the damage aside"`
	roundTrip = `lessons/04_json_files, "What JSON changes"`
	handles   = `lessons/02_close, "When the handles run out"`
)

var (
	refusedGood = lab.Lesson{
		Says: "Load refused a good document", Did: "the file held a good document", Means: "the workshop stops", Read: fix,
	}
	failedOnGood = lab.Lesson{
		Says: "Save failed on a good document", Did: "a loaded document was saved", Means: "no part can be checked out", Read: fix,
	}
)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{
		"take": take, "load": loadAlone, "load again": loadAgain, "save": saveAlone, "set aside": setAsideAlone, "elsewhere": elsewhere,
		"by name": byName, "protected": protected,
	})
}

// An outcome is what a worker process reports of one call.
type outcome struct {
	Verdict, Text, Name string
	Function, Want      string // the verdict that its path asks for
	Kept                bool   // Save left the caller's document as it was
	Left                int    // how many handles were open afterwards that had not been open before
}

// watching runs call and returns how many handles it left open.
func watching(call func()) int {
	debug.SetGCPercent(-1) // the collector would close a file that is no longer in use
	runtime.LockOSThread() // strace counts a thread's calls
	if first, err := os.Open(os.DevNull); err == nil {
		_ = first.Close() // with the first file, Go's runtime opens handles of its own
	}
	before, _ := lab.OpenHandles()
	call()
	after, _ := lab.OpenHandles()
	return after - before
}

// take is another process that checks a part out: load, add a checkout, save.
func take(w *lab.Worker) error {
	doc, err := jsonfiles.Load(w.Arg(0))
	if err != nil {
		return err
	}
	doc.Checkouts[w.Arg(1)] = jsonfiles.Checkout{Person: w.Arg(2), Since: morning}
	return jsonfiles.Save(w.Arg(0), doc)
}

func loadAlone(w *lab.Worker) error {
	debug.SetMaxStack(64 << 20) // more than any Load needs that does not call itself for each byte
	var doc *jsonfiles.Document
	var err error
	left := watching(func() { doc, err = jsonfiles.Load(w.Arg(0)) })
	return w.Result(outcome{Verdict: verdictOf(err), Text: found(doc, err), Left: left})
}

// loadAgain loads Arg(0) so many times and reports a result that no reader of a file that is being written should get.
func loadAgain(w *lab.Worker) error {
	for range w.Int(1) {
		doc, err := jsonfiles.Load(w.Arg(0))
		if verdict := verdictOf(err); !slices.Contains([]string{success, empty, corrupt}, verdict) {
			return w.Result(found(doc, err))
		}
	}
	return w.Result("")
}

// saveAlone saves a document of generation Arg(1) with Arg(2) checkouts. No file may grow beyond Arg(3) bytes, unless that is -1.
func saveAlone(w *lab.Worker) error {
	doc := documentOf(int64(w.Int(1)), w.Int(2))
	before := snapshot(doc)
	if room := w.Int(3); room >= 0 {
		if err := lab.LimitFileSize(int64(room)); err != nil {
			return err
		}
	}
	var err error
	left := watching(func() { err = jsonfiles.Save(w.Arg(0), doc) })
	return w.Result(outcome{Verdict: verdictOf(err), Text: found(doc, err), Kept: snapshot(doc) == before, Left: left})
}

// protected saves documents over two of its own files in the directory Arg(0), one that it may write and one that it may not. Kept is
// whether the file at the path is the one that was there.
func protected(w *lab.Worker) error {
	var all []outcome
	for i, mode := range []os.FileMode{0o644, 0o444} {
		path := filepath.Join(w.Arg(0), fmt.Sprint(i))
		if err := errors.Join(os.WriteFile(path, []byte(taken), 0o600), os.Chmod(path, mode)); err != nil {
			return err
		}
		before, _ := os.Stat(path)
		failed := jsonfiles.Save(path, documentOf(7, 1))
		after, err := os.Stat(path)
		all = append(all, outcome{Verdict: verdictOf(failed), Text: returned(failed), Kept: err == nil && os.SameFile(before, after)})
	}
	return w.Result(all)
}

// setAsideAlone is SetAside in a process where no file may grow beyond Arg(1) bytes, unless that is -1.
func setAsideAlone(w *lab.Worker) error {
	if room := w.Int(1); room >= 0 {
		if err := lab.LimitFileSize(int64(room)); err != nil {
			return err
		}
	}
	var name string
	var err error
	left := watching(func() { name, err = jsonfiles.SetAside(w.Arg(0)) })
	text := "no error, and the name " + name
	if err != nil {
		text = oneLine(err)
	}
	return w.Result(outcome{Verdict: verdictOf(err), Text: text, Name: name, Left: left})
}

// elsewhere goes to the directory Arg(0) and calls all three functions with the path Arg(1), where a good document of generation 7 is,
// and with paths that begin with it.
func elsewhere(w *lab.Worker) error {
	if err := os.Chdir(w.Arg(0)); err != nil {
		return err
	}
	path := w.Arg(1)
	var all []outcome
	add := func(function, want string, err error) {
		all = append(all, outcome{Function: function, Want: want, Verdict: verdictOf(err), Text: returned(err)})
	}
	add("Save", success, jsonfiles.Save(path+".first", documentOf(0, 1)))
	_, err := jsonfiles.Load(path)
	add("Load", success, err)
	add("Save", success, jsonfiles.Save(path, documentOf(7, 1)))
	add("Save", changed, jsonfiles.Save(path, documentOf(7, 1)))
	_, err = jsonfiles.Load(path + ".none")
	add("Load", missing, err)
	_, err = jsonfiles.SetAside(path + ".none")
	add("SetAside", missing, err)
	for _, c := range []struct{ content, want string }{{future, newer}, {"{", corrupt}} {
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			return err
		}
		_, err = jsonfiles.Load(path)
		add("Load", c.want, err)
		if future, ok := errors.AsType[*jsonfiles.VersionError](err); ok {
			all[len(all)-1].Name = future.Path
		}
		if damage, ok := errors.AsType[*jsonfiles.CorruptError](err); ok {
			all[len(all)-1].Name = damage.Path
		}
	}
	name, err := jsonfiles.SetAside(path)
	add("SetAside", success, err)
	all[len(all)-1].Name = name
	return w.Result(all)
}

// documentOf makes a document as it is after a Load of that generation, with so many checkouts.
func documentOf(generation int64, parts int) *jsonfiles.Document {
	doc := jsonfiles.New()
	doc.Generation = generation
	for part := range parts {
		doc.Checkouts[fmt.Sprintf("part-%05d.step", part)] = alice
	}
	return doc
}

// inWorker runs one call in a process of its own and returns what it reported.
func inWorker(t *testing.T, o lab.Options, lesson lab.Lesson, worker string, args ...string) outcome {
	t.Helper()
	return reportOf(t, lab.Launch(t, o, worker, args...), worker, lesson)
}

// reportOf returns what a worker reports of its call, and demands that the call left no handle open.
func reportOf(t *testing.T, process *lab.Process, worker string, lesson lab.Lesson) outcome {
	t.Helper()
	var reported outcome
	process.Result(&reported, lesson)
	lab.RequireNoError(t, process.Wait(lesson), lesson)
	function := map[string]string{"load": "Load", "save": "Save", "set aside": "SetAside"}[worker]
	lab.Require(t, reported.Left <= 0, leftOpen(function, lesson.Did, fmt.Sprintf("%d more after %s", reported.Left, reported.Text)))
	return reported
}

func leftOpen(function, did, found string) lab.Lesson {
	return lab.Lesson{
		Says: function + " left a file open", Did: did, Expected: "no more open files than before", Found: found,
		Means: "a program that works all day runs out of handles, and then it can open nothing", Read: handles,
	}
}

// requireClosed demands that this process has no handle to the file at path.
func requireClosed(t *testing.T, path, function string, err error) {
	t.Helper()
	if open, failed := lab.IsOpen(path); failed == nil && open {
		lab.Fail(t, leftOpen(function, function+" was called", "a handle to "+filepath.Base(path)+" after "+returned(err)))
	}
}

const (
	missing = "missing (fs.ErrNotExist)"
	empty   = "empty (ErrEmpty)"
	corrupt = "corrupt (*CorruptError)"
	newer   = "newer (*VersionError)"
	changed = "changed (ErrChanged)"
	other   = "the kernel's error and none of the package's"
	plain   = "an error that is neither the kernel's nor one of the package's"
	success = "no error"
)

// verdictOf names what an error reports about the file. It names more than one kind if errors that should differ match together.
func verdictOf(err error) string {
	if err == nil {
		return success
	}
	_, isCorrupt := errors.AsType[*jsonfiles.CorruptError](err)
	_, isNewer := errors.AsType[*jsonfiles.VersionError](err)
	var kinds []string
	for _, kind := range []struct {
		name string
		is   bool
	}{
		{missing, errors.Is(err, fs.ErrNotExist)},
		{empty, errors.Is(err, jsonfiles.ErrEmpty)},
		{corrupt, isCorrupt},
		{newer, isNewer},
		{changed, errors.Is(err, jsonfiles.ErrChanged)},
	} {
		if kind.is {
			kinds = append(kinds, kind.name)
		}
	}
	if len(kinds) == 0 {
		if _, ok := errors.AsType[syscall.Errno](err); ok {
			return other
		}
		return plain
	}
	return strings.Join(kinds, " and ")
}

// found describes what a call returned.
func found(doc *jsonfiles.Document, err error) string {
	switch {
	case err != nil:
		return verdictOf(err) + ": " + oneLine(err)
	case doc == nil:
		return "no error and no document"
	}
	return "no error, and " + describe(doc)
}

// returned describes what a call returned that returns no document.
func returned(err error) string {
	if err == nil {
		return success
	}
	return found(nil, err)
}

func describe(doc *jsonfiles.Document) string {
	switch {
	case doc == nil:
		return "no document"
	case len(doc.Checkouts) == 0:
		return fmt.Sprintf("a document of generation %d without checkouts", doc.Generation)
	case len(doc.Checkouts) > 5:
		return fmt.Sprintf("a document of generation %d with %d checkouts", doc.Generation, len(doc.Checkouts))
	}
	return fmt.Sprintf("a document of generation %d with the checkouts %s", doc.Generation, describeCheckouts(doc.Checkouts))
}

func describeCheckouts(checkouts map[string]jsonfiles.Checkout) string {
	all := make([]string, 0, len(checkouts))
	for _, path := range slices.Sorted(maps.Keys(checkouts)) {
		all = append(all, fmt.Sprintf("%q: %q", path, checkouts[path].Person))
	}
	return "{" + strings.Join(all, ", ") + "}"
}

// snapshot is all that can be seen of a document, a nil map included, and what a time has beside its instant, which == compares.
func snapshot(doc *jsonfiles.Document) string {
	text := fmt.Sprintf("%#v", *doc)
	for _, path := range slices.Sorted(maps.Keys(doc.Checkouts)) {
		if _, monotonic, has := strings.Cut(doc.Checkouts[path].Since.String(), " m="); has {
			text += fmt.Sprintf(", the time of %q with the monotonic reading %s", path, monotonic)
		}
	}
	return text
}

// oneLine is an error's text without line ends and without the long names of the test's directories.
func oneLine(err error) string {
	return testDirectory.ReplaceAllString(strings.ReplaceAll(err.Error(), "\n", "; "), "…$1")
}

var testDirectory = regexp.MustCompile(`[^ :]*[/\\]\d{3}([/\\])(?:` + oddName + `[/\\])?`)

// The calls under test. A call that panics or does not return fails the test with words of its own.

func loading(t *testing.T, path string) (doc *jsonfiles.Document, err error) {
	t.Helper()
	lab.Finishes(t, func() { doc, err = jsonfiles.Load(path) }, lab.Lesson{
		Says: "Load does not return", Did: "Load was called", Means: "the program stops at its first step", Read: fix,
	})
	requireClosed(t, path, "Load", err)
	return doc, err
}

func saving(t *testing.T, path string, doc *jsonfiles.Document) (err error) {
	t.Helper()
	lab.Finishes(t, func() { err = jsonfiles.Save(path, doc) }, lab.Lesson{
		Says: "Save does not return", Did: "Save was called with a document",
		Means: "the program stops, and its user does not know what was saved", Read: fix,
	})
	requireClosed(t, path, "Save", err)
	return err
}

func settingAside(t *testing.T, path string) (name string, err error) {
	t.Helper()
	lab.Finishes(t, func() { name, err = jsonfiles.SetAside(path) }, lab.Lesson{
		Says: "SetAside does not return", Did: "SetAside was called",
		Means: "the program hangs instead of reporting that the damage cannot be set aside", Read: evidence,
	})
	requireClosed(t, cmp.Or(name, path), "SetAside", err)
	requireNoName(t, name, err)
	return name, err
}

func requireNoName(t *testing.T, name string, err error) {
	t.Helper()
	lab.Require(t, err == nil || name == "", lab.Lesson{
		Says: "SetAside returned a name together with an error", Did: "SetAside was called, and failed",
		Expected: "no name", Found: name,
		Means: "a caller who overlooks the error tells a person to look where nothing is", Read: evidence,
	})
}

// refusing runs call while the kernel refuses some of its system calls, or skips the test where the system cannot do that.
func refusing(t *testing.T, what string, errno error, function string, call func()) {
	t.Helper()
	lesson := lab.Lesson{
		Says:  function + " does not return",
		Did:   fmt.Sprintf("%s was called while the kernel refused to %s with %q", function, what, errno),
		Means: "the program hangs instead of reporting what the kernel refused",
		Read:  refusal,
	}
	var err error
	lab.Finishes(t, func() { err = lab.Refuse(what, errno, call) }, lesson)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this test cannot make the kernel refuse: ", err)
	}
	lab.RequireNoError(t, err, lesson)
}

// load is for a Load that must succeed.
func load(t *testing.T, path string, lesson lab.Lesson) *jsonfiles.Document {
	t.Helper()
	doc, err := loading(t, path)
	if err != nil || doc == nil {
		lesson.Expected, lesson.Found = success, found(doc, err)
		lab.Fail(t, lesson)
	}
	return doc
}

// requireRefused demands that Load refuses a file of this content with the given verdict and changes nothing in the directory.
func requireRefused(t *testing.T, content, verdict string, lesson lab.Lesson) {
	t.Helper()
	path := newFile(t, content)
	doc, err := loading(t, path)
	lesson.Expected, lesson.Found = verdict, found(doc, err)
	lab.Require(t, verdictOf(err) == verdict, lesson)
	requireNoDocument(t, doc, lesson)
	requireFields(t, content, path, err)
	requireUntouched(t, path, content, lab.Lesson{
		Says:  "Load changed the file that it refused",
		Did:   lesson.Did,
		Means: "the damaged file is the best evidence of what was in it, and reading it must not change it",
		Read:  evidence,
	})
}

// requireFields demands that the fields of Load's error, if it has some, say what the file of this content at path is.
func requireFields(t *testing.T, content, path string, err error) {
	t.Helper()
	lesson := lab.Lesson{
		Says:     "Load's *CorruptError lacks its path or its cause",
		Did:      "the file held " + lab.Show([]byte(content)) + "; the error's fields were read",
		Expected: "the Path …/locks.json, and in Err what is wrong",
		Means:    "a workshop with twenty such files does not know which one to mend, or where",
		Read:     fix,
	}
	if damage, ok := errors.AsType[*jsonfiles.CorruptError](err); ok {
		lesson.Found = fmt.Sprintf("Path %q, Err %v", damage.Path, damage.Err)
		lab.Require(t, damage.Path == path && damage.Err != nil, lesson)
	}
	if future, ok := errors.AsType[*jsonfiles.VersionError](err); ok {
		lesson.Expected = "the Path …/locks.json, the version in the file"
		lesson.Found = fmt.Sprintf("Path %q, Version %d", future.Path, future.Version)
		named := strings.Contains(strings.ToLower(content), fmt.Sprintf(`"version":%d`, future.Version))
		lab.Require(t, future.Path == path && named && future.Version > 1, lesson.Say("Load's *VersionError lacks its path or the version"))
	}
}

func requireNoDocument(t *testing.T, doc *jsonfiles.Document, lesson lab.Lesson) {
	t.Helper()
	lesson.Says = "Load returned a document together with an error"
	lesson.Expected, lesson.Found = "no document (nil)", describe(doc)
	lesson.Means = "a caller who overlooks the error goes on with a document that was never saved"
	lesson.Read = missed
	lab.Require(t, doc == nil, lesson)
}

// requireKept demands that the file has this content. What Save puts beside it is its own business.
func requireKept(t *testing.T, path, content string, lesson lab.Lesson) {
	t.Helper()
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		lesson.Expected, lesson.Found = lab.Show([]byte(content)), "no file at that path"
		lab.Fail(t, lesson)
	}
	lab.RequireFile(t, path, content, lesson)
}

// requireUntouched demands that the file has this content and is alone in its directory.
func requireUntouched(t *testing.T, path, content string, lesson lab.Lesson) {
	t.Helper()
	requireKept(t, path, content, lesson)
	lesson.Expected, lesson.Found = filepath.Base(path), strings.Join(names(t, filepath.Dir(path)), ", ")
	lab.Require(t, lesson.Found == lesson.Expected, lesson)
}

// requireNoFilesLeft demands that Save has left no more than a lock beside the file.
func requireNoFilesLeft(t *testing.T, path string, lesson lab.Lesson) {
	t.Helper()
	all := names(t, filepath.Dir(path))
	lesson.Means = "the directory fills with files that no program removes"
	lesson.Expected, lesson.Found = "locks.json, and no more than a lock beside it", strings.Join(all, ", ")
	lab.Require(t, len(all) <= 2, lesson)
}

// requireSame demands that two documents have the same content.
func requireSame(t *testing.T, want, got *jsonfiles.Document, lesson lab.Lesson) {
	t.Helper()
	equal := func(a, b jsonfiles.Checkout) bool { return a.Person == b.Person && a.Since.Equal(b.Since) }
	if want.Version == got.Version && want.Generation == got.Generation && maps.EqualFunc(want.Checkouts, got.Checkouts, equal) {
		return
	}
	lesson.Expected, lesson.Found = describe(want), describe(got)
	if lesson.Expected == lesson.Found {
		lesson.Expected, lesson.Found = snapshot(want), snapshot(got)
	}
	lab.Fail(t, lesson)
}

// requireDocumentKept demands that a Save that failed has not changed the caller's document.
func requireDocumentKept(t *testing.T, before string, doc *jsonfiles.Document, did string) {
	t.Helper()
	lab.Require(t, snapshot(doc) == before, lab.Lesson{
		Says:     "Save changed a document that it did not save",
		Did:      did,
		Expected: before,
		Found:    snapshot(doc),
		Means:    changedByFailure,
		Read:     memory,
	})
}

const changedByFailure = "the caller was told that nothing was saved, and goes on with a document that neither he nor any file had before"

// requireNextSaved demands that a Save that was refused does not stand in the way of the next one.
func requireNextSaved(t *testing.T, path, did string) {
	t.Helper()
	generation := int64(0)
	if doc, err := loading(t, path); err == nil && doc != nil {
		generation = doc.Generation
	}
	lesson := lab.Lesson{
		Says:  "Save left something behind that stops the next Save",
		Did:   did + "; then another document was saved, of the generation that the path had",
		Means: "one document was refused, and the program can save no other at this path",
		Read:  fix,
	}
	var err error
	lab.Finishes(t, func() { err = jsonfiles.Save(path, documentOf(generation, 1)) }, lesson)
	lab.RequireNoError(t, err, lesson)
}

func names(t *testing.T, directory string) []string {
	t.Helper()
	entries, err := os.ReadDir(directory)
	must(t, err)
	all := make([]string, 0, len(entries))
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// must is for what the test itself does.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("the test could not prepare its own files: %v", err)
	}
}

// newPath returns a path where no file is. Its directory has a name that is a format to package fmt and two words to a shell.
func newPath(t *testing.T) string {
	t.Helper()
	directory := lab.Path(t, oddName)
	must(t, os.Mkdir(directory, 0o700))
	return filepath.Join(directory, "locks.json")
}

const oddName = "50 %d"

func newFile(t *testing.T, content string) string {
	t.Helper()
	path := newPath(t)
	write(t, path, content)
	return path
}

func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o600))
}
