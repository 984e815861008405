package jsonfiles_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"example/turnstile/exercises/04_json_files"
	"example/turnstile/internal/lab"
)

func TestLoadTellsMissingEmptyAndDamagedApart(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{Means: "the program believes that no part is taken: Bob gets the bracket that Alice is working on", Read: missed}
	for _, c := range []struct{ name, content, verdict, says, did string }{
		{
			"half a document", taken[:100], corrupt,
			"Load returned half a document as an empty one", "the file ended after 100 bytes of a document with two checkouts",
		},
		{
			"an empty file", "", empty,
			"Load did not report that the file is empty", "the file had 0 bytes, as a process crash between truncate and write leaves it",
		},
		{
			"only white space", " \n", corrupt,
			"Load did not report a file of white space as damaged", "the file held a blank and a line end: not empty, and not a document",
		},
		{
			"zero bytes", strings.Repeat("\x00", 64), corrupt,
			"Load accepted zero bytes as a document", "the file held 64 zero bytes, as a power cut may leave it",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson := lesson
			lesson.Says, lesson.Did = c.says, c.did
			requireRefused(t, c.content, c.verdict, lesson)
		})
	}

	t.Run("bytes in a file whose length is reported as 0", func(t *testing.T) {
		t.Parallel()
		const path = "/proc/version"
		if info, err := os.Stat(path); err != nil || info.Size() > 0 {
			t.Skip("this system has no ", path, " for which Stat reports 0 bytes")
		}
		lesson := lesson
		lesson.Says = "Load trusted the length that Stat reports"
		lesson.Did = "Load was called on /proc/version, which holds a line of text, and for which Stat reports 0 bytes"
		lesson.Means = "Load calls a file empty that it has not read, and SetAside may take it away"
		doc, err := loading(t, path)
		lesson.Expected, lesson.Found = corrupt, found(doc, err)
		lab.Require(t, verdictOf(err) == corrupt, lesson)
	})

	t.Run("no file", func(t *testing.T) {
		t.Parallel()
		path := newPath(t)
		lesson := lesson
		lesson.Says = "Load did not report that there is no file"
		lesson.Did = "Load was called on a path where there is no file"
		doc, err := loading(t, path)
		lesson.Expected, lesson.Found = missing, found(doc, err)
		lab.Require(t, verdictOf(err) == missing, lesson)
		requireNoDocument(t, doc, lesson)
		requireNamed(t, path, err)
		lesson.Says = "Load created a file"
		lesson.Means = "a program that only reads makes an empty list out of a mistyped path"
		lesson.Expected, lesson.Found = "an empty directory", strings.Join(names(t, filepath.Dir(path)), ", ")
		lab.Require(t, lesson.Found == "", lesson)
	})

	for name, path := range unreadable(t) {
		t.Run("what cannot be read: "+name, func(t *testing.T) {
			t.Parallel()
			doc, err := loading(t, path)
			lesson := lab.Lesson{
				Says:     "Load judged what it could not read",
				Did:      "the path led to " + name + ", so that nothing could be read",
				Expected: other,
				Found:    found(doc, err),
				Means:    "the content is unknown: it is neither missing nor damaged, and setting it aside would hide the cause",
				Read:     missed,
			}
			lab.Require(t, verdictOf(err) == other, lesson)
			requireNoDocument(t, doc, lesson)
			requireNamed(t, path, err)
		})
	}
}

func TestLoadRefusesWhatIsNotExactlyOneDocument(t *testing.T) {
	t.Parallel()
	tail := lab.Lesson{
		Says:  "Load did not look at what follows the document",
		Means: "the file is damaged and no error says so; another program refuses the file, or reads on into the rest",
		Read:  blind,
	}
	mark := tail.Say("Load did not report a byte order mark as damage")
	mark.Means = "what an editor has put there is gone with the next Save, and other programs refuse the file until then"
	twice := lab.Lesson{
		Says:  "Load accepted a document that names one key twice",
		Means: "one of two people is dropped in silence, and another program may drop the other",
		Read:  blind,
	}
	unknown := lab.Lesson{
		Says:  "Load dropped a field that it does not know",
		Means: "the field is gone with the next Save, and the program that wrote it never learns why",
		Read:  dropped,
	}
	invalid := lab.Lesson{
		Says:  "Load did not report as damaged a document in which something is missing",
		Means: "what the file does not say is made up: no checkouts, no person, the year 1",
		Read:  madeUp,
	}
	impossible := lab.Lesson{
		Says:  "Load did not report as damaged a document with a version or generation that no save writes",
		Means: "no program wrote this document: a newer program would read it no better, and the next Save would count on from it",
		Read:  madeUp,
	}
	garbled := lab.Lesson{
		Says:  "Load accepted a damaged name",
		Means: "bytes that are not UTF-8 come back as U+FFFD, which no person has typed, and two names may become one",
		Read:  roundTrip,
	}
	entry := func(checkout string) string {
		return `{"version":1,"generation":3,"checkouts":{"bracket.step":` + checkout + `}}`
	}
	for _, c := range []struct {
		name, content string
		lesson        lab.Lesson
	}{
		{"the tail of an older document", free + `ice"}}}`, tail},
		{"a second document", free + "\n" + free, tail},
		{"a brace too many", free + "}", tail},
		{"a tail after 128 KiB of white space", free + strings.Repeat(" ", 128<<10) + "}", tail},
		{"what is white space, but not in JSON, after it", free + "\v\u00a0", tail},
		{"zero bytes after it", free + "\x00\x00", tail},
		{"a newer document with a tail", `{"version":2,"x":1}x":1}`, tail},
		{"a byte order mark before it", "\uFEFF" + free, mark},
		{"a byte order mark before a newer document", "\uFEFF" + future, mark},
		{"a part twice", `{"version":1,"generation":3,"checkouts":{` +
			`"bracket.step":{"person":"alice","since":"2026-03-02T09:00:00Z"},` +
			`"bracket.step":{"person":"bob","since":"2026-03-02T09:00:00Z"}}}`, twice},
		{"a person twice", entry(`{"person":"alice","since":"2026-03-02T09:00:00Z","person":"bob"}`), twice},
		{"checkouts twice in another letter case", `{"version":1,"generation":3,` +
			`"checkouts":{"bracket.step":{"person":"alice","since":"2026-03-02T09:00:00Z"}},"Checkouts":{}}`, twice},
		// To a struct's fields, the long s is an s in another letter case, and the kelvin sign a k.
		{"a person twice, once with a long s", entry(`{"person":"alice","since":"2026-03-02T09:00:00Z","per\u017fon":"bob"}`), twice},
		{"checkouts twice, once with a kelvin sign", `{"version":1,"generation":3,"checkouts":{},"chec\u212aouts":{}}`, twice},
		{"an unknown field", `{"version":1,"generation":3,"checkouts":{},"queue":["bob"]}`, unknown},
		{"an unknown field in a checkout", entry(`{"person":"alice","since":"2026-03-02T09:00:00Z","note":"milling"}`), unknown},
		{"no checkouts", `{"version":1,"generation":3}`, invalid},
		{"null for checkouts", `{"version":1,"generation":3,"checkouts":null}`, invalid},
		{"no generation", `{"version":1,"checkouts":{}}`, invalid},
		{"a generation below 1", `{"version":1,"generation":-3,"checkouts":{}}`, impossible},
		{"no version", `{"generation":3,"checkouts":{}}`, invalid},
		{"a version below 1", `{"version":0,"generation":3,"checkouts":{}}`, impossible},
		{"a version in quotes", `{"version":"2","generation":3,"checkouts":{}}`, impossible},
		{"a version that is not a whole number", `{"version":1.5,"generation":3,"checkouts":{}}`, impossible},
		{"a version with a decimal point", `{"version":2.0,"generation":3,"checkouts":{}}`, impossible},
		{"a version with an exponent", `{"version":2e1,"generation":3,"checkouts":{}}`, impossible},
		{"a version that no int holds", `{"version":100000000000000000000,"generation":3,"checkouts":{}}`, impossible},
		{"a newer document in a list", "[" + future + "]", impossible},
		{"a newer document in an unknown field", free[:len(free)-1] + `,"next":{"version":2}}`, unknown},
		{"the course's bare object", `{"bracket.step":"alice"}`, unknown},
		{"null", `null`, invalid},
		{"a checkout without a person", entry(`{"since":"2026-03-02T09:00:00Z"}`), invalid},
		{"a checkout without a time", entry(`{"person":"alice"}`), invalid},
		{"a checkout of nothing", strings.Replace(taken, "hinge.step", "", 1), invalid},
		{"a person with U+FFFD", strings.Replace(taken, "alice", "al\uFFFDice", 1), garbled},
		{"a person that is not UTF-8", entry("{\"person\":\"al\xffice\",\"since\":\"2026-03-02T09:00:00Z\"}"), garbled},
		{"a path that is not UTF-8", strings.Replace(taken, "hinge", "hin\xffge", 1), garbled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson := c.lesson
			lesson.Did = "the file held " + lab.Show([]byte(c.content))
			requireRefused(t, c.content, corrupt, lesson)
		})
	}

	// A stack that overflows ends its process.
	t.Run("a million values inside each other", func(t *testing.T) {
		t.Parallel()
		lesson := lab.Lesson{
			Says:     "Load did not report a file of brackets as damaged",
			Did:      "the file held " + `[{"a":[{"a":[{"a":` + "… and so on, without an end",
			Expected: corrupt,
			Means:    "one damaged file, and every program that looks at it ends, without a chance to set it aside",
			Read:     why,
		}
		loaded := inWorker(t, lab.Options{}, lesson, "load", newFile(t, strings.Repeat(`[{"a":`, 1<<19)))
		lesson.Found = loaded.Text
		lab.Require(t, loaded.Verdict == corrupt, lesson)
	})
}

// requireNamed demands that Load's error names the file.
func requireNamed(t *testing.T, path string, err error) {
	t.Helper()
	lab.Require(t, err != nil && strings.Contains(err.Error(), path), lab.Lesson{
		Says:     "Load's error does not name the file",
		Did:      "the text of the error was searched for the path",
		Expected: "an error with the path …/locks.json",
		Found:    returned(err),
		Means:    "a workshop with twenty such files does not know which one to mend",
		Read:     fix,
	})
}

func TestLoadsErrorsNameThePathAndTheCause(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{Means: "a workshop with twenty such files does not know which one to mend, or where", Read: fix}
	for _, c := range []struct{ name, content string }{
		{"a damaged file", `{"version":1,`},
		{"a file that Validate refuses", `{"version":1,"generation":1}`},
		{"an empty file", ""},
		{"a newer file", future},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := newFile(t, c.content)
			_, err := loading(t, path)
			requireNamed(t, path, err)
			requireFields(t, c.content, path, err)
		})
	}

	for _, c := range []struct {
		name, content string
		first, last   int64
		may           bool // the place may be unknown
	}{
		{"a syntax error at its place", `{"version":1,]`, 13, 14, false},
		{
			"a number for a person at its place", strings.Replace(taken, `"bob"`, "1234", 1),
			int64(strings.Index(taken, `"bob"`)), int64(len(taken)), true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := loading(t, newFile(t, c.content))
			lesson := lesson
			lesson.Says = "Load's *CorruptError lost the decoder's error, or the place of it in the file"
			lesson.Did = "the file held " + lab.Show([]byte(c.content)) + "; the error was asked for its Offset"
			lesson.Expected, lesson.Found = fmt.Sprintf("a damage noticed after %d to %d bytes", c.first, c.last), returned(err)
			damage, ok := errors.AsType[*jsonfiles.CorruptError](err)
			lab.Require(t, ok, lesson)
			offset, isKnown := damage.Offset()
			lab.Require(t, !isKnown && c.may || isKnown && offset >= c.first && offset <= c.last, lesson)
		})
	}
}

func TestLoadAcceptsEveryGoodDocument(t *testing.T) {
	t.Parallel()
	t.Run("in pieces", requireReadInPieces)
	one := map[string]jsonfiles.Checkout{"bracket.step": alice}
	both := map[string]jsonfiles.Checkout{"bracket.step": alice, "hinge.step": {Person: "bob", Since: morning.Add(30 * time.Minute)}}
	none := map[string]jsonfiles.Checkout{}
	many := documentOf(7, 5000)
	entries := make([]string, 0, len(many.Checkouts))
	for path := range many.Checkouts {
		entries = append(entries, fmt.Sprintf(`%q:{"person":"alice","since":"2026-03-02T09:00:00Z"}`, path))
	}
	const plain = `{"person":"alice","since":"2026-03-02T09:00:00Z"}`
	for _, c := range []struct {
		name, content string
		generation    int64
		checkouts     map[string]jsonfiles.Checkout
	}{
		{"as a person writes it", taken, 7, both},
		{"with Windows line ends", strings.ReplaceAll(taken, "\n", "\r\n"), 7, both},
		{"without its last line end", strings.TrimSpace(taken), 7, both},
		{"with white space around it", "\n\t " + free + strings.Repeat(" \n", 500), 3, none},
		{"without checkouts", free, 3, none},
		{"with the keys in another order", `{"checkouts":{"bracket.step":{"since":"2026-03-02T09:00:00Z","person":"alice"}},` +
			`"generation":3,"version":1}`, 3, one},
		{"with field names in another letter case", `{"VERSION":1,"Generation":3,"checkOuts":{"bracket.step":` + plain + `}}`, 3, one},
		{"with escaped letters", `{"version":1,"generation":3,"checkouts":{"br\u0061cket.step":` +
			`{"person":"\u0061lice","since":"2026-03-02T09:00:00Z"}}}`, 3, one},
		{"with 5,000 checkouts", `{"version":1,"generation":7,"checkouts":{` + strings.Join(entries, ",") + `}}`, 7, many.Checkouts},
		{"with mebibytes of white space", free[:1] + strings.Repeat(" ", lab.Rounds(16)<<20-len(free)) + free[1:], 3, none},
		{"with a generation that no float64 holds", `{"version":1,"generation":9007199254740993,"checkouts":{}}`, 9007199254740993, none},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson := lab.Lesson{
				Says:  "Load refused a good document",
				Did:   "the file held " + lab.Show([]byte(c.content)),
				Means: "the workshop stops because of white space, an order, a spelling or a size",
				Read:  fix,
			}
			path := newFile(t, c.content)
			got := load(t, path, lesson)
			lesson.Says = "Load returned another document than the file holds"
			lesson.Means = "the program works with a checkout, or a number, that was never saved"
			requireSame(t, &jsonfiles.Document{Version: 1, Generation: c.generation, Checkouts: c.checkouts}, got, lesson)
			lesson.Says = "Load returned a document whose map of checkouts is nil"
			lesson.Means = "the first checkout that is put into it ends the program"
			lesson.Expected, lesson.Found = "a map", "nil"
			lab.Require(t, got.Checkouts != nil, lesson)
			lesson.Says = "Load changed a good file"
			lesson.Means = "a program that only reads needs the right to write, and races with those that write"
			requireUntouched(t, path, c.content, lesson)
		})
	}
}

func TestLoadRefusesANewerVersion(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"with a field of the future": `{"version":2,"generation":8,"checkouts":` +
			`{"bracket.step":{"person":"alice","since":"2026-03-02T09:00:00Z","lease":"PT8H"}}}`,
		"with another layout":                      `{"checkouts":[["bracket.step","alice"]],"generation":"8","version":3}`,
		"with a key twice":                         `{"version":2,"generation":8,"queue":["bob"],"queue":["carol"]}`,
		"with nothing else new":                    strings.Replace(free, `"version":1`, `"version":2`, 1),
		"with its field's name in capital letters": `{"VERSION":2,"shelf":{}}`,
		"with documents of this version inside":    `{"before":` + free + `,"version":2,"was":` + free + `}`,
		"with the last version that an int holds":  fmt.Sprintf(`{"version":%d}`, math.MaxInt),
		"with a thousand values inside each other": `{"version":2,"tree":` + strings.Repeat("[", 990) + strings.Repeat("]", 990) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireRefused(t, content, newer, lab.Lesson{
				Says:  "Load did not report that the document is from a newer program",
				Did:   "the file held " + lab.Show([]byte(content)),
				Means: "an older program drops what it does not know, or calls a good file damaged and sets it aside",
				Read:  ahead,
			})
		})
	}
}

func TestLoadNeverFallsBack(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:  "Load covered up the damage with an older document",
		Means: "checkouts of an hour ago pass for today's, and the users do not learn that the file is damaged",
		Read:  why,
	}
	good := strings.Replace(taken, `"generation": 7`, `"generation": 6`, 1)
	for _, c := range []struct{ name, content, verdict string }{
		{"on damage", taken[:100], corrupt},
		{"on an empty file", "", empty},
		{"on a newer document", future, newer},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := newFile(t, good)
			for _, suffix := range []string{".bak", "~", ".old", ".orig", ".tmp", ".new", ".backup", ".last", ".damaged-1", ".1"} {
				write(t, path+suffix, good)
			}
			lesson := lesson
			lesson.Did = "a good document was loaded and saved, copies of it lay beside the file, then the file held " + lab.Show([]byte(c.content))
			doc := load(t, path, refusedGood)
			lab.RequireNoError(t, saving(t, path, doc), failedOnGood)
			write(t, path, c.content)
			doc, err := loading(t, path)
			lesson.Expected, lesson.Found = c.verdict, found(doc, err)
			lab.Require(t, verdictOf(err) == c.verdict, lesson)

			must(t, os.Remove(path))
			lesson.Did = "a good document was loaded and saved, copies of it lay beside the file, then the file was removed"
			doc, err = loading(t, path)
			lesson.Expected, lesson.Found = missing, found(doc, err)
			lab.Require(t, verdictOf(err) == missing, lesson)
		})
	}

	for name, content := range map[string]string{"": taken, " and that had no checkouts": free} {
		t.Run("on a document that its caller has changed"+name, func(t *testing.T) {
			t.Parallel()
			path := newFile(t, content)
			first, second := load(t, path, refusedGood), load(t, path, refusedGood)
			before := snapshot(second)
			first.Generation, first.Checkouts["lid.step"] = 9, alice
			for _, got := range []*jsonfiles.Document{second, load(t, path, refusedGood)} {
				lab.Require(t, snapshot(got) == before, lab.Lesson{
					Says:     "Load returned what a caller has made of an earlier document",
					Did:      "a file was loaded; the caller added a checkout of the lid, and did not save; the file was loaded again",
					Expected: "what the file holds, " + before,
					Found:    snapshot(got),
					Means:    "two callers share one document: one of them works with checkouts that the other has never saved",
					Read:     madeUp,
				})
			}
		})
	}
}

var generationOf = regexp.MustCompile(`(?i)("generation"\s*:\s*)\d`)

// A copying program keeps the time, and some file systems count in seconds.
func TestAFileOfTheSameSizeAndTimeIsJudgedAnew(t *testing.T) {
	t.Parallel()
	// swap puts a file of the same size and time of modification at path.
	swap := func(t *testing.T, path string, change func(old string) string) string {
		t.Helper()
		info, err := os.Stat(path)
		must(t, err)
		old, err := os.ReadFile(path)
		must(t, err)
		content := change(string(old))
		write(t, path, content)
		must(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
		return content
	}
	putBack := func(old string) string { return generationOf.ReplaceAllString(old, "${1}5") }
	const sameTime = ", which had the same size and time of modification"

	t.Run("by Load", func(t *testing.T) {
		t.Parallel()
		path := newFile(t, taken)
		load(t, path, refusedGood)
		load(t, path, refusedGood)
		swap(t, path, putBack)
		lesson := lab.Lesson{
			Says:  "Load returned what the file held before",
			Did:   "generation 7 was loaded twice; a person put back a copy of generation 5" + sameTime + "; it was loaded",
			Means: "the program works with what is gone",
			Read:  known,
		}
		got := load(t, path, lesson)
		lesson.Expected, lesson.Found = "generation 5", fmt.Sprintf("generation %d", got.Generation)
		lab.Require(t, got.Generation == 5, lesson)
	})

	for _, saved := range []bool{false, true} {
		name, what := "by Save after a Load", "loaded"
		if saved {
			name, what = "by Save after a Save", "loaded and saved"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newFile(t, taken)
			doc := load(t, path, refusedGood)
			if saved {
				lab.RequireNoError(t, saving(t, path, doc), failedOnGood)
			}
			content := swap(t, path, putBack)
			lesson := lab.Lesson{
				Says:  "Save overwrote another program's change",
				Did:   "a document was " + what + "; a person put back a copy of generation 5" + sameTime + "; the document was saved",
				Means: "Save did not look into the file, and the copy that the person put back on purpose is gone",
				Read:  known,
			}
			err := saving(t, path, doc)
			requireKept(t, path, content, lesson)
			lesson.Says = "Save did not report that the file had changed"
			lab.RequireErrorIs(t, err, jsonfiles.ErrChanged, lesson)
		})
	}

	t.Run("by SetAside", func(t *testing.T) {
		t.Parallel()
		path := newFile(t, "["+taken[1:])
		_, err := loading(t, path)
		must(t, os.Chtimes(path, morning, morning))
		lab.RequireError(t, err, lab.Lesson{
			Says: "Load accepted a damaged document", Did: "the first brace of the document was a bracket",
			Means: "damage passes for data", Read: why,
		})
		swap(t, path, func(string) string { return taken })
		lesson := lab.Lesson{
			Says:  "SetAside took away a file that is not damaged",
			Did:   "Load reported damage; a person mended the file, which kept its size and time of modification; then SetAside was called",
			Means: "the work of the person who mended it is out of sight, and the next program begins with no checkouts",
			Read:  evidence,
		}
		_, err = settingAside(t, path)
		requireKept(t, path, taken, lesson)
		requireUntouched(t, path, taken, lesson.Say("SetAside left something in the directory though it failed"))
		lesson.Says = "SetAside did not report that it left the file where it was"
		lab.RequireError(t, err, lesson)
	})
}

func TestLoadOnlyReads(t *testing.T) {
	t.Parallel()

	t.Run("with permission to read alone", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("a file that may be read and not written is tried on Unix")
		}
		path := filepath.Join(lab.SharedDir(t), "locks.json")
		write(t, path, taken)
		must(t, os.Chmod(path, 0o444))                                     //nolint:gosec // an unprivileged worker reads it
		must(t, os.Chmod(filepath.Dir(path), 0o555))                       //nolint:gosec // that is the test
		t.Cleanup(func() { must(t, os.Chmod(filepath.Dir(path), 0o700)) }) //nolint:gosec // so that it can be removed
		lesson := lab.Lesson{
			Says:     "Load needs more than the right to read",
			Did:      "the user had permission to read the document, and neither to write it nor to create a file beside it",
			Expected: success,
			Means:    "a colleague who may look, and not change anything, sees nothing",
			Read:     fix,
		}
		loaded := inWorker(t, lab.Options{Unprivileged: true}, lesson, "load", path)
		lesson.Found = loaded.Text
		lab.Require(t, loaded.Verdict == success, lesson)
	})

	t.Run("while another program has it locked", func(t *testing.T) {
		t.Parallel()
		path := newFile(t, taken)
		holdLock(t, path)
		holdLock(t, path+".lock")
		lesson := lab.Lesson{
			Says: "Load waits for a lock",
			Did:  "another program held a lock (flock) on locks.json and one on locks.json.lock; Load was called",
			Means: "a program that only looks stands still until the other one has finished, and a Load inside a Save that holds the lock waits " +
				"for itself",
			Read: fix,
		}
		var err error
		lab.Finishes(t, func() { _, err = jsonfiles.Load(path) }, lesson)
		lab.RequireNoError(t, err, lesson)
	})

	// A Load that believes the length that it has asked for, or maps the file, meets a shorter file here.
	t.Run("while another program writes the file", func(t *testing.T) {
		t.Parallel()
		content := free[:1] + strings.Repeat(" ", 32<<10) + free[1:]
		path := newFile(t, content)
		loader := lab.Start(t, "load again", path, fmt.Sprint(lab.Rounds(150)))
		stop, stopped := make(chan struct{}), make(chan error, 1)
		go func() {
			var err error
			for err == nil {
				select {
				case <-stop:
					stopped <- nil
					return
				default:
					err = os.WriteFile(path, []byte(content), 0o600)
				}
			}
			stopped <- err
		}()
		t.Cleanup(func() { close(stop); must(t, <-stopped) })
		lesson := lab.Lesson{
			Says:     "Load gave no verdict on a file that another program writes",
			Did:      "another program wrote a document of 32 KiB in place, again and again; Load was called meanwhile",
			Expected: "a document, or the verdict that the file is empty or corrupt",
			Means:    "a program that only looks fails, or dies, because a colleague saves",
			Read:     `lessons/04_json_files, "What a reader sees meanwhile"`,
		}
		var unexpected string
		loader.Result(&unexpected, lesson)
		lab.RequireNoError(t, loader.Wait(lesson), lesson)
		lesson.Found = unexpected
		lab.Require(t, unexpected == "", lesson)
	})
}

// requireReadInPieces demands that Load reads on after a read that has not filled its buffer: a pipe hands out no more than it holds.
func requireReadInPieces(t *testing.T) {
	t.Parallel()
	long := free[:1] + strings.Repeat(" ", 200<<10) + free[1:]
	for _, c := range []struct{ name, content, verdict, says string }{
		{"a document", long, success, "Load took a piece of the file for the whole"},
		{"a document with a tail", free + strings.Repeat(" ", 200<<10) + "}", corrupt, "Load did not look at what follows the document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := pipe(t, c.content)
			lesson := lab.Lesson{
				Says: c.says, Did: "Load was called on a pipe that handed out 200 KiB in pieces of 64 KiB at most: " + c.name,
				Means: "a read need not fill its buffer: what comes after the first piece is lost, and a good file passes for damaged",
				Read:  why,
			}
			var doc *jsonfiles.Document
			var err error
			lab.Finishes(t, func() { doc, err = jsonfiles.Load(path) }, lesson)
			if verdictOf(err) == plain {
				t.Skip("this Load reads no pipes: ", err)
			}
			lesson.Expected, lesson.Found = c.verdict, found(doc, err)
			lab.Require(t, verdictOf(err) == c.verdict, lesson)
		})
	}
}

// unreadable returns paths at which something is that cannot be read, by what it is, each in a directory of its own.
func unreadable(t *testing.T) map[string]string {
	t.Helper()
	paths := map[string]string{"a directory": newPath(t)}
	must(t, os.Mkdir(paths["a directory"], 0o700))
	if runtime.GOOS == "windows" {
		return paths // Windows lets only some users create symbolic links, and reports a file in the place of a directory as missing
	}
	paths["a link to itself"] = newPath(t)
	must(t, os.Symlink("locks.json", paths["a link to itself"]))
	paths["a file where the directory should be"] = filepath.Join(lab.WriteFile(t, "store", "x"), "locks.json")
	return paths
}
