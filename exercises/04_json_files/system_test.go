package jsonfiles_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/exercises/04_json_files"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

// The kernel's refusals and the other programs' moves that no file in a directory can bring about.

func TestAFileThatCannotBeReadIsNotJudged(t *testing.T) {
	t.Parallel()
	lab.EachErrno(t, func(t *testing.T, errno error) {
		t.Parallel()
		lesson := lab.Lesson{
			Says:     "Load judged what it could not read",
			Did:      "the kernel refused to open the file for reading: " + errno.Error(),
			Expected: other + ": " + errno.Error(),
			Means:    "a file that could not be read passes for missing or damaged, and the cause is hidden",
			Read:     missed,
		}
		path := newFile(t, taken)
		const opening = "open for reading"
		var doc *jsonfiles.Document
		var err error
		refusing(t, opening, errno, "Load", func() { doc, err = jsonfiles.Load(path) })
		lesson.Found = found(doc, err)
		lab.Require(t, err != nil, lab.Lesson{
			Says:     "Load needs more than the right to read",
			Did:      "the kernel refused to open any file for reading alone: " + errno.Error(),
			Expected: lesson.Expected,
			Found:    "Load opened the file for writing too, and returned " + lesson.Found,
			Means:    "a colleague who may look, and not change anything, sees nothing",
			Read:     fix,
		})
		lab.Require(t, verdictOf(err) == other && errors.Is(err, errno), lesson)
		requireNamed(t, path, err)
		requireNoDocument(t, doc, lesson)

		function := "Save"
		for _, generation := range []int64{0, 6} {
			doc = documentOf(generation, 1)
			before := snapshot(doc)
			refusing(t, opening, errno, function, func() { err = jsonfiles.Save(path, doc) })
			function = "The Save after a refused one"
			lesson.Says, lesson.Expected, lesson.Found = "Save overwrote a document that it could not read", "", ""
			requireKept(t, path, taken, lesson)
			requireDocumentKept(t, before, doc, lesson.Did)
			if verdictOf(err) == changed {
				continue // this Save opens the file for reading and writing at once, which was not refused, and knows its generation
			}
			lesson.Says = "Save did not pass on that the file cannot be read"
			lesson.Expected, lesson.Found = other+": "+errno.Error(), returned(err)
			lab.Require(t, verdictOf(err) == other && errors.Is(err, errno), lesson)
		}

		path = newFile(t, "{")
		refusing(t, opening, errno, "SetAside", func() { _, err = jsonfiles.SetAside(path) })
		lesson.Says, lesson.Expected, lesson.Found = "SetAside took away what could not be read", "", ""
		requireUntouched(t, path, "{", lesson)
		lesson.Says = "SetAside did not report that the file cannot be read"
		lesson.Expected, lesson.Found = other+": "+errno.Error(), returned(err)
		lab.Require(t, verdictOf(err) == other && errors.Is(err, errno), lesson)
	}, syscall.EACCES, syscall.EMFILE)

	t.Run("one call alone", requireEndAtOneRefusal("Load", taken, func(path string) (string, error) { return path, loadOnly(path) }))

	all := []struct {
		name string
		when int
	}{{"the second read fails with EIO", 2}, {"every read fails with EIO", 0}}
	for _, c := range all[:lab.Rounds(len(all))] {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := newFile(t, taken)
			lesson := lab.Lesson{
				Says:     "Load judged what it could not read",
				Did:      "the file held a good document; " + c.name + " (injected by strace)",
				Expected: other + ": " + syscall.EIO.Error(),
				Means:    "what was read is a part of the file at best; the rest may be anything, and the cause is hidden",
				Read:     missed,
			}
			rule := lab.Rule{Calls: "read,pread64", Paths: []string{path}, Fail: syscall.EIO, When: c.when}
			worker := lab.Trace(t, rule, lab.Options{}, "load", path)
			loaded := reportOf(t, worker.Process, "load", lesson)
			if len(worker.Injected()) == 0 {
				return // this Load knows after one read that it has the whole file
			}
			lesson.Found = loaded.Text
			lab.Require(t, loaded.Verdict == other && strings.Contains(loaded.Text, syscall.EIO.Error()), lesson)
			lesson.Expected = "an error with the path …/locks.json"
			lab.Require(t, strings.Contains(loaded.Text, "locks.json"), lesson.Say("Load's error does not name the file"))
		})
	}
}

// named are the calls that onlyThePath traces, each in a directory of its own that holds a file of this content, or none,
// and some files of others.
var named = []struct {
	function, file, content string // a file that is not named is there
	call                    func(path string) error
	want                    string
}{
	{"Load", "a good document", taken, loadOnly, success},
	{"Load", "a damaged document", "{", loadOnly, corrupt},
	{"Load", "an empty file", "", loadOnly, empty},
	{"Load", "a newer document", future, loadOnly, newer},
	{"Load", none, "", loadOnly, missing},
	{"Save", "a good document", taken, func(path string) error { return jsonfiles.Save(path, documentOf(7, 1)) }, success},
	{"Save", "a document of another program", taken, func(path string) error { return jsonfiles.Save(path, documentOf(6, 1)) }, changed},
	{"Save", "a damaged document", "{", func(path string) error { return jsonfiles.Save(path, documentOf(7, 1)) }, corrupt},
	{"Save", none, "", func(path string) error { return jsonfiles.Save(path, documentOf(0, 1)) }, success},
	{"Save", aLink, taken, func(path string) error { return jsonfiles.Save(path, documentOf(7, 1)) }, success},
	{"Load", aLink, taken, loadOnly, success},
	{"SetAside", aLink, "{", setAsideOnly, success},
	{"SetAside", "a damaged document", "{", setAsideOnly, success},
	{"SetAside", "a good document", taken, setAsideOnly, plain},
	{"SetAside", none, "", setAsideOnly, missing},
}

const none, aLink = "no file", "a link to a document in another directory"

func loadOnly(path string) error {
	_, err := jsonfiles.Load(path)
	return err
}

func setAsideOnly(path string) error {
	_, err := jsonfiles.SetAside(path)
	return err
}

// model stands before the number of a call in the trace when os.Open opens the file; again, when the call is made a second time.
const model, again = "os.Open for ", "again "

// byName makes the named calls in directories below the current one. Each Load is made twice.
func byName(w *lab.Worker) error {
	lab.Mark("") // the first time, packages of Go read files of their own
	_, _, _ = jsonfiles.Save("first", documentOf(0, 1)), loadOnly("first"), setAsideOnly("first")
	var all []outcome
	start, err := os.Getwd()
	for i, c := range named {
		directory, path := fmt.Sprint(i), "locks.json"
		err = errors.Join(err, os.Mkdir(directory, 0o700), os.Chdir(directory))
		for _, name := range []string{"backup", path + "~", path + ".damaged-1"} {
			err = errors.Join(err, os.WriteFile(name, []byte(taken), 0o600))
		}
		switch c.file {
		case none:
		case aLink:
			target := filepath.Join("..", "shared "+directory)
			err = errors.Join(err, os.WriteFile(target, []byte(c.content), 0o600), os.Symlink(target, path))
		default:
			err = errors.Join(err, os.WriteFile(path, []byte(c.content), 0o600))
		}
		if c.function == "Load" {
			lab.Mark(model + fmt.Sprint(i))
			if file, err := os.Open(path); err == nil {
				_ = file.Close()
			}
			lab.Mark(again + fmt.Sprint(i))
			_ = c.call(path)
		}
		lab.Mark(fmt.Sprint(i))
		failed := c.call(path)
		lab.Mark("")
		all = append(all, outcome{Verdict: verdictOf(failed), Text: returned(failed)})
		err = errors.Join(err, os.Chdir(start))
	}
	return errors.Join(err, w.Result(all))
}

// onlyThePath demands that each function asks the kernel by name for what its contract names, and Load for one open.
func onlyThePath(t *testing.T) {
	t.Parallel()
	directory, err := filepath.EvalSymlinks(t.TempDir()) // as strace shows it
	must(t, err)
	calls := "%file,umask,fchdir,read,pread64,flock,fcntl," + trace.Writes
	worker := lab.Trace(t, lab.Rule{Calls: calls}, lab.Options{Dir: directory}, "by name")
	lesson := lab.Lesson{Did: "a process called each function; strace noted its calls", Means: "nothing works any more", Read: fix}
	var reported []outcome
	worker.Result(&reported, lesson)
	lab.RequireNoError(t, worker.Wait(lesson), lesson)
	marked := worker.Marked()
	for i, c := range named {
		lesson.Did = fmt.Sprintf("%s was called for %s at the path locks.json; strace noted its calls", c.function, c.file)
		lesson.Expected, lesson.Found = c.want, reported[i].Text
		lab.Require(t, reported[i].Verdict == c.want, lesson.Say("%s gave another verdict than its contract promises", c.function))
		asked := marked[fmt.Sprint(i)]
		path := filepath.Join(directory, fmt.Sprint(i), "locks.json")
		requireNamesOnly(t, c.function, path, asked, lesson)
		if c.function != "Save" {
			requireNoLock(t, c.function, directory, asked, lesson)
		}
		switch c.function {
		case "Load":
			requireOneOpen(t, path, marked[model+fmt.Sprint(i)], asked, len(c.content), lesson)
			lesson.Did = "Load was called for " + c.file + " a second time; strace noted its calls"
			requireOneOpen(t, path, marked[model+fmt.Sprint(i)], marked[again+fmt.Sprint(i)], len(c.content), lesson)
		case "Save":
			requireNotReadBack(t, path, asked, lesson)
		}
	}
}

// asksByName leaves out what is asked of a handle.
func asksByName(calls []lab.Call) (asking []lab.Call) {
	for _, call := range calls {
		handle := strings.Contains(call.Name, "read") && call.Name != "readlink" && call.Name != "readlinkat" ||
			strings.Contains(call.Name, "write") || call.Name == "flock" || call.Name == "fcntl"
		if !handle && !strings.Contains(call.Args, "AT_EMPTY_PATH") && call.Errno != "EINTR" && !call.Interrupted() {
			asking = append(asking, call)
		}
	}
	return asking
}

// requireNamesOnly demands that the calls name the path and, if they are not Load's, what the function may name beside it.
func requireNamesOnly(t *testing.T, function, path string, calls []lab.Call, lesson lab.Lesson) {
	t.Helper()
	directory := filepath.Dir(path)
	ending := map[string]string{"Load": "", "Save": "", "SetAside": ".damaged-"}[function]
	for _, call := range asksByName(calls) {
		lesson.Found = call.Short(directory)
		lesson.Expected = "no change of the umask or of the working directory"
		lesson.Means = "a file that another goroutine creates at this moment may be written by everyone, or is in another directory"
		private := call.Name != "umask" && call.Name != "chdir" && call.Name != "fchdir"
		lab.Require(t, private, lesson.Say("%s changed the whole process", function))
		if !call.Within(filepath.Dir(directory)) && !strings.Contains(call.Args, "O_CREAT") {
			continue // a file of Go's runtime
		}
		lesson.Expected = map[string]string{
			"Load": "no other name than locks.json", "Save": "no other name than locks.json, or that with an ending",
			"SetAside": "no other name than locks.json, or locks.json.damaged-…",
		}[function]
		lesson.Means = "it needs a right that the file does not ask for, or acts on what belongs to others"
		for _, asked := range call.Paths {
			own := asked == path || function != "Load" && strings.HasPrefix(asked, path+ending)
			if asked == directory && len(call.Paths) > 1 {
				own = true // the working directory, to which a name is relative
			}
			lab.Require(t, own, lesson.Say("%s asked the kernel for a name that is not its own", function))
		}
		lesson.Expected = "each file opened with O_CLOEXEC"
		lesson.Means = "the program that another goroutine starts at this moment keeps the file open, and with it its lock"
		opens := strings.HasPrefix(call.Name, "open") || call.Name == "creat"
		lab.Require(t, !opens || strings.Contains(call.Args, "O_CLOEXEC"), lesson.Say("A program that is started inherits a file"))
	}
}

func requireNoLock(t *testing.T, function, directory string, calls []lab.Call, lesson lab.Lesson) {
	t.Helper()
	lesson.Means = "the program stands still until another one that holds a lock has finished, or makes that one wait"
	for _, call := range calls {
		lesson.Expected, lesson.Found = "no lock", call.Short(directory)
		locks := call.Name == "flock" || call.Name == "fcntl" && strings.Contains(call.Args, "LK")
		lab.Require(t, !locks, lesson.Say("%s takes a lock", function))
	}
}

// requireOneOpen demands that a Load opens the file as os.Open has done, names none beside, and reads all of the file.
func requireOneOpen(t *testing.T, path string, wanted, calls []lab.Call, size int, lesson lab.Lesson) {
	t.Helper()
	directory := filepath.Dir(path)
	show := func(calls []lab.Call) string {
		var all []string
		for _, call := range asksByName(calls) {
			if call.Within(directory) {
				all = append(all, call.Short(directory))
			}
		}
		return strings.Join(all, "\n")
	}
	lesson.Expected, lesson.Found = "as by os.Open: "+show(wanted), show(calls)
	lesson.Means = "between two calls another program can put another file there: Load judges one, and returns the other"
	lab.Require(t, show(wanted) == show(calls), lesson.Say("Load did not make one open of its path and nothing else by name"))
	read := 0
	for _, call := range calls {
		if strings.Contains(call.Name, "read") && call.Within(filepath.Dir(directory)) && call.Errno == "" {
			n, _ := strconv.Atoi(call.Result)
			read += n
		}
	}
	lesson.Expected, lesson.Found = fmt.Sprintf("%d bytes are read", size), fmt.Sprintf("%d are read", read)
	lesson.Means = "what it returns is what the file held once, and no one knows what it holds now"
	lab.Require(t, read >= size, lesson.Say("Load gave a verdict on a file that it did not read"))
}

// requireNotReadBack demands that a Save reads no document after it has written one for the last time.
func requireNotReadBack(t *testing.T, path string, calls []lab.Call, lesson lab.Lesson) {
	t.Helper()
	last := -1
	for i, call := range calls {
		if strings.Contains(call.Name, "write") && call.Within(filepath.Dir(path)) {
			last = i
		}
	}
	if last < 0 {
		return // nothing was written
	}
	lesson.Expected = "Save looks into the file before it writes, and not afterwards"
	lesson.Means = "another program may have saved in between: its generation passes for this document's, and the next Save overwrites it"
	for _, call := range calls[last:] {
		lesson.Found = call.Short(filepath.Dir(path))
		reads := strings.HasPrefix(call.Name, "open") && !strings.Contains(call.Args, "O_WRONLY") ||
			strings.Contains(call.Name, "pread") || call.Name == "read"
		lab.Require(t, !reads || !call.On(path), lesson.Say("Save read back what it had written"))
	}
}

// stopping runs call and stops it before its system calls, or skips the test where the system cannot do that.
func stopping(t *testing.T, call func(), at func(name string), lesson lab.Lesson) {
	t.Helper()
	err := lab.Watch(call, at)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this test cannot stop a thread at its calls: ", err)
	}
	lab.RequireNoError(t, err, lesson)
}

func TestSaveDoesNotReplaceAFileThatAppearsMeanwhile(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says: "Save overwrote a file that another program had just created",
		Did: "there was no file; a new document was saved, and before one of the system calls of Save another program created " +
			"the file",
		Means: "the other program's checkouts are gone, and it was told that they were saved",
		Read:  known,
	}
	for number := 1; ; number++ {
		path := newPath(t)
		doc := documentOf(0, 1)
		before := snapshot(doc)
		stops, planted := 0, false
		var err error
		stopping(t, func() { err = jsonfiles.Save(path, doc) }, func(string) {
			if stops++; stops != number {
				return
			}
			if _, failed := os.Lstat(path); failed != nil {
				write(t, path, taken)
				planted = true
			}
		}, lesson)
		if !planted {
			return // from here on the name is Save's
		}
		requireKept(t, path, taken, lesson)
		silent := lesson
		silent.Says = "Save did not report that the file had changed"
		lab.RequireErrorIs(t, err, jsonfiles.ErrChanged, silent)
		requireDocumentKept(t, before, doc, lesson.Did)
	}
}

func TestSaveReportsEveryErrorOfTheCallsThatWrite(t *testing.T) {
	t.Parallel()
	longer := taken + strings.Repeat("\n", 2000)
	for _, c := range []struct{ name, what, old string }{
		{"write", "write", longer},
		{"write, over a shorter one", "write", taken},
		{"write, the first time", "write", ""},
		{"truncate", "truncate", longer},
		{"close", "close", longer},
		{"close, the first time", "close", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lab.EachErrno(t, func(t *testing.T, errno error) {
				path, doc := newPath(t), documentOf(0, 10)
				if c.old != "" {
					write(t, path, c.old)
					doc.Generation = 7
				}
				requireRefusedWrite(t, path, doc, c.what, errno)
			}, syscall.EIO, syscall.EDQUOT)
		})
	}

	// Each call by itself: not all that opens, as by a limit, but this file, this time. A Save must not try another way.
	for name, isThere := range map[string]bool{"the first time": false, "over a document": true} {
		t.Run("one call alone, "+name, func(t *testing.T) {
			t.Parallel()
			lab.EachErrno(t, func(t *testing.T, errno error) {
				var usual *refusedSave // without a refusal
				for made := -1; ; made++ {
					one := saveWithOneRefused(t, isThere, made, errno)
					if made < 0 {
						usual = one
						continue
					}
					if made >= len(one.calls) {
						return
					}
					one.judge(t, usual)
				}
			}, oneRefused...)
		})
	}
}

// oneRefused are what the kernel may answer to one call: no way round it is right, whether the disk is full, or the right is missing.
var oneRefused = []error{
	syscall.EACCES, syscall.EIO, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EPERM, syscall.EMFILE, syscall.ENAMETOOLONG,
	syscall.EINVAL, syscall.ENOTSUP, syscall.EXDEV,
}

// requireEndAtOneRefusal returns a test in which the kernel refuses each call of the function by itself, for a file of that content.
func requireEndAtOneRefusal(function, content string, call func(path string) (name string, err error)) func(t *testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			for made := 0; ; made++ {
				path := newFile(t, content)
				kept := path + ".damaged-1"
				write(t, kept, "yesterday's")
				var name string
				var err error
				calls, failed := lab.RefuseOne(made, errno, func() { name, err = call(path) })
				lab.RequireRefuse(t, failed)
				if made >= len(calls) {
					return
				}
				lesson := lab.Lesson{
					Did:   fmt.Sprintf("the kernel refused %s, call %d of %s: %s", calls[made], made+1, function, errno.Error()),
					Means: "what the kernel has refused is done in a way that keeps no promise, or its reason is lost", Read: refusal,
				}
				lesson.Expected, lesson.Found = "an error that wraps the kernel's", returned(err)
				looks := slices.Contains([]string{"fstat", "newfstatat", "close"}, calls[made]) // some designs need no answer
				lab.Require(t, err != nil || looks, lesson.Say("%s went another way when the kernel refused the first", function))
				lab.Require(t, err == nil || errors.Is(err, errno), lesson.Say("%s did not pass on what the kernel refused", function))
				where := path
				if err == nil {
					where = name
				} else if function == "SetAside" {
					requireNoName(t, name, err)
				}
				lesson.Expected, lesson.Found = "", ""
				lesson.Means = onlyEvidence.Means
				requireKept(t, where, content, lesson.Say("%s lost the file", function))
				requireKept(t, kept, "yesterday's", lesson.Say("%s changed a file that was set aside before", function))
				all := names(t, filepath.Dir(path))
				lesson.Expected, lesson.Found = "the file and locks.json.damaged-1", strings.Join(all, ", ")
				lab.Require(t, len(all) == 2, lesson.Say("%s left something in the directory", function))
			}
		}, oneRefused...)
	}
}

// requireNotChanged demands that a refusal is not reported as another program's change.
func requireNotChanged(t *testing.T, err error, lesson lab.Lesson) {
	t.Helper()
	lesson.Found = returned(err)
	lesson.Means = "the caller loads the document again and repeats the change, for ever; neither a refusal nor what Save itself has " +
		"written is another program's change"
	lab.Require(t, !errors.Is(err, jsonfiles.ErrChanged), lesson.Say("Save reported a change where there was none"))
}

// requireRefusedWrite demands that Save passes on what the kernel refuses, leaves path and doc as they were, and succeeds afterwards.
func requireRefusedWrite(t *testing.T, path string, doc *jsonfiles.Document, what string, errno error) {
	t.Helper()
	old, _ := os.ReadFile(path)
	before := snapshot(doc)
	lesson := lab.Lesson{
		Says:     "Save did not report what the kernel refused",
		Did:      "a document was saved while the kernel refused each " + what + ": " + errno.Error(),
		Expected: "an error that wraps the kernel's: " + errno.Error(),
		Means:    "the caller believes that the checkout is on the disk",
		Read:     refusal,
	}
	var err error
	refusing(t, what, errno, "Save", func() { err = jsonfiles.Save(path, doc) })
	if err == nil && what == "truncate" { // a Save that has no need to shorten a file
		lesson = lesson.Say("Save reported success, and the file does not hold the document")
		lesson.Expected = ""
		requireSame(t, doc, load(t, path, lesson), lesson)
		return
	}
	lesson.Found = returned(err)
	lab.Require(t, errors.Is(err, errno), lesson)
	requireNotChanged(t, err, lesson)
	requireDocumentKept(t, before, doc, lesson.Did)
	lesson.Expected, lesson.Found = "", ""
	if old == nil {
		lesson.Says = "Save left a broken first document behind"
		lesson.Means = "the caller was told that nothing was saved, and the next program finds what is damaged, or was never promised"
		lab.RequireNoFile(t, path, lesson)
	}
	if what != "write" {
		return // the bytes have been written, so what remains of a document is not promised
	}
	if old != nil {
		lesson.Says = "Save destroyed the old document before it had a new one"
		lesson.Means = "the kernel refuses one write, and every checkout of the workshop is gone"
		requireKept(t, path, string(old), lesson)
	}
	lesson.Says = "Save left something behind that stops the next Save"
	lesson.Did += "; then it was saved without any refusal"
	lesson.Means = "the disk has room again, and the workshop stays closed"
	lab.RequireNoError(t, saving(t, path, doc), lesson)
	requireSame(t, doc, load(t, path, lesson), lesson)
	lesson.Says = "Save leaves a new file behind for each attempt"
	requireNoFilesLeft(t, path, lesson)
}

// A refusedSave is what became of a Save of which one call was refused.
type refusedSave struct {
	path      string
	doc       *jsonfiles.Document
	before    string // of doc
	old       string // the file's content; empty if there was none
	calls     []string
	made      int // how many of them were made before the one that was refused
	errno     error
	err       error
	samePlace bool // the file at path is the one that was there
}

// keptMode is not the mode of a temporary file.
const keptMode os.FileMode = 0o640

// saveWithOneRefused lets the kernel refuse the call after so many others, or none if made is below 0.
func saveWithOneRefused(t *testing.T, isThere bool, made int, errno error) *refusedSave {
	t.Helper()
	s := &refusedSave{path: newPath(t), doc: documentOf(0, 1), made: made, errno: errno}
	if isThere {
		s.doc.Generation, s.old = 7, taken+strings.Repeat("\n", 2000)
		write(t, s.path, s.old)
		must(t, os.Chmod(s.path, keptMode))
	}
	s.before = snapshot(s.doc)
	then, _ := os.Stat(s.path)
	if made < 0 {
		made = 1 << 30
	}
	calls, failed := lab.RefuseOne(made, errno, func() { s.err = jsonfiles.Save(s.path, s.doc) })
	lab.RequireRefuse(t, failed)
	if made >= len(calls) {
		lab.RequireNoError(t, s.err, failedOnGood)
	}
	s.calls = calls
	now, _ := os.Stat(s.path)
	s.samePlace = then != nil && now != nil && os.SameFile(then, now)
	if isThere && now != nil && runtime.GOOS != "windows" {
		refused := ""
		if made < len(calls) {
			refused = fmt.Sprintf("; call %d of them was refused", made+1)
		}
		lab.RequireEqual(t, keptMode, now.Mode(), lab.Lesson{
			Says: "Save left the file with another mode",
			Did: fmt.Sprintf("a document of mode %v was saved over; the calls of Save were %s%s",
				keptMode, strings.Join(calls, ", "), refused),
			Means: "people who share the file cannot read it any more, or others can",
			Read:  refusal,
		})
	}
	return s
}

// judge demands that Save has passed the refusal on and left things as they were, or had no need of the call. A Save that usually writes
// in place must not put another file there when it may not, nor the other way round, nor give itself the right to write.
func (s *refusedSave) judge(t *testing.T, usual *refusedSave) {
	t.Helper()
	call := s.calls[s.made]
	if call == "unlinkat" {
		return // it tidies up; what was saved by then is not promised
	}
	lesson := lab.Lesson{
		Did:   fmt.Sprintf("a document was saved; the kernel refused %s, call %d of Save: %s", call, s.made+1, s.errno.Error()),
		Means: "the caller believes that the checkout is on the disk",
		Read:  refusal,
	}
	if s.err == nil {
		lesson = lesson.Say("Save reported success, and the file does not hold the document")
		got, err := jsonfiles.Load(s.path) // what the kernel has not closed is open
		lesson.Found = found(got, err)
		lab.Require(t, err == nil && got != nil, lesson)
		requireSame(t, s.doc, got, lesson)
		lesson.Expected = "an error that wraps the kernel's: " + s.errno.Error()
		lesson.Found = "no error, and not the file, or the mode, that Save leaves as a rule; the calls were " + strings.Join(s.calls, ", ")
		lesson.Means = "a file that its owner has protected is changed or replaced, although the kernel had refused to change it"
		chmods := func(s *refusedSave) bool { return strings.Contains(strings.Join(s.calls, " "), "fchmod") }
		lab.Require(t, s.old == "" || s.samePlace == usual.samePlace && (chmods(s) == chmods(usual) || !s.samePlace),
			lesson.Say("Save went another way when the kernel refused the first"))
		needed := slices.Contains([]string{"openat", "openat2", "linkat", "renameat", "renameat2", "fsync", "fdatasync"}, call)
		lacks := slices.Contains([]error{syscall.EINVAL, syscall.ENOTSUP}, s.errno) // so answers a file system that has no such call
		lesson.Found, lesson.Means = "no error", "the caller believes that the checkout is on the disk"
		lab.Require(t, !needed || lacks, lesson.Say("Save dropped an error"))
		return
	}
	lesson.Expected, lesson.Found = "an error that wraps the kernel's: "+s.errno.Error(), returned(s.err)
	lab.Require(t, errors.Is(s.err, s.errno), lesson.Say("Save did not pass on what the kernel refused"))
	requireNotChanged(t, s.err, lesson)
	requireDocumentKept(t, s.before, s.doc, lesson.Did)
	lesson.Expected, lesson.Found = "", ""
	if s.old == "" {
		lesson.Means = "the caller was told that nothing was saved, and the next Save meets a file that it does not know"
		lab.RequireNoFile(t, s.path, lesson.Say("Save left a broken first document behind"))
	} else {
		lesson.Means = "a missing file passes for a first start, and every checkout of the workshop is gone"
		_, err := os.Lstat(s.path)
		lab.RequireNoError(t, err, lesson.Say("Save removed a document that it could not replace"))
	}
	if call == "close" {
		return // a file that the kernel does not close keeps its locks
	}
	requireClosed(t, s.path, "Save", s.err)
	if content, _ := os.ReadFile(s.path); string(content) == s.old {
		lesson.Did += "; then it was saved without any refusal"
		lesson.Means = "what was in the way is gone, and the workshop stays closed"
		lab.RequireNoError(t, saving(t, s.path, s.doc), lesson.Say("Save left something behind that stops the next Save"))
		requireNoFilesLeft(t, s.path, lesson.Say("Save leaves a new file behind for each attempt"))
	}
}

func TestSetAsideThatTheKernelRefusesChangesNothing(t *testing.T) {
	t.Parallel()

	t.Run("to create a name", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			path := newFile(t, "{")
			kept := path + ".damaged-1"
			write(t, kept, "yesterday's")
			lesson := onlyEvidence
			lesson.Says = "SetAside destroyed a file that was set aside before"
			lesson.Did = "locks.json.damaged-1 existed; SetAside was called while the kernel refused to create any file: " + errno.Error()
			var name string
			var err error
			refusing(t, "create exclusively", errno, "SetAside", func() { name, err = jsonfiles.SetAside(path) })
			requireKept(t, kept, "yesterday's", lesson)
			if err == nil { // a SetAside that creates no file
				lab.RequireFile(t, name, "{", lesson)
				return
			}
			requireKept(t, path, "{", lesson)
			requireNoName(t, name, err)
			lesson.Says = "SetAside did not report why no name can be created"
			lesson.Expected, lesson.Found = other+": "+errno.Error(), returned(err)
			lab.Require(t, errors.Is(err, errno), lesson)
		}, syscall.EMFILE, syscall.ENOSPC)
	})

	left := onlyEvidence
	left.Says = "SetAside left something in the directory though it failed"
	left.Means = "what is left looks like a second damaged document"

	t.Run("to rename", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			path := newFile(t, "{")
			lesson := left
			lesson.Did = "the kernel refused to rename: " + errno.Error()
			var name string
			var err error
			refusing(t, "rename", errno, "SetAside", func() { name, err = jsonfiles.SetAside(path) })
			requireNoName(t, name, err)
			if err == nil { // a link, or a copy, made without a rename
				requireUntouched(t, name, "{", lesson)
				return
			}
			requireUntouched(t, path, "{", lesson)
			lesson.Says = "SetAside did not report why it failed"
			lesson.Expected, lesson.Found = other+": "+errno.Error(), returned(err)
			lab.Require(t, errors.Is(err, errno), lesson)
		}, syscall.EIO, syscall.EPERM, syscall.ENOENT) // the last: another program took the file away a moment ago
	})

	t.Run("one call alone", requireEndAtOneRefusal("SetAside", "{", jsonfiles.SetAside))

	// In a process of its own SetAside's handles are counted too.
	for name, calls := range map[string]string{"to remove the old name": trace.Removes, "to rename, with its handles counted": trace.Renames} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newFile(t, "{")
			lesson := left
			lesson.Did = "the kernel refused to rename or remove locks.json (EIO, injected by strace)"
			rule := lab.Rule{Calls: calls, Paths: []string{path}, Fail: syscall.EIO}
			set := reportOf(t, lab.Trace(t, rule, lab.Options{}, "set aside", path, "-1").Process, "set aside", lesson)
			where := path
			if set.Verdict == success { // it had no need of the call
				where = set.Name
			}
			requireUntouched(t, where, "{", lesson)
		})
	}
}
