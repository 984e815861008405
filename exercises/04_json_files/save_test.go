package jsonfiles_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"example/turnstile/exercises/04_json_files"
	"example/turnstile/internal/lab"
)

func TestSaveWritesWhatLoadReads(t *testing.T) {
	t.Parallel()
	large := documentOf(0, 6).Checkouts
	large["lid.step"] = jsonfiles.Checkout{Person: strings.Repeat("Zoë ", 220_000), Since: morning}
	for _, c := range []struct {
		name      string
		checkouts map[string]jsonfiles.Checkout
	}{
		{"a part", map[string]jsonfiles.Checkout{"bracket.step": alice}},
		{"a time in nanoseconds", map[string]jsonfiles.Checkout{"bracket.step": {Person: "alice", Since: morning.Add(123456789)}}},
		{"a time as time.Now returns it", map[string]jsonfiles.Checkout{"bracket.step": {Person: "alice", Since: time.Now()}}},
		{"times that no clock of today shows", map[string]jsonfiles.Checkout{
			"bracket.step": {Person: "alice", Since: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
			"hinge.step":   {Person: "bob", Since: time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)},
		}},
		{"a time in another zone", map[string]jsonfiles.Checkout{"bracket.step": {Person: "alice", Since: morning.In(time.FixedZone("", 5400))}}},
		{"characters that JSON or HTML escapes", map[string]jsonfiles.Checkout{
			`a<b>&"c"\d\u003c\n` + "\t\u2028.step": {Person: "\x00 Zoë ☂ \\u0026\r\n", Since: morning},
		}},
		{"blanks and capital letters", map[string]jsonfiles.Checkout{" Bracket.STEP ": {Person: " Alice  B. ", Since: morning}}},
		{"paths that name no file, or one outside, or several that are one", map[string]jsonfiles.Checkout{
			"lid.step": alice, "old/../lid.step": {Person: "bob", Since: morning}, ".//lid.step": {Person: "carol", Since: morning},
			"../lid.step": alice, "/lid.step": alice, `C:\lid.step`: alice, "..": alice, "con": alice, "%d": alice, " ": alice, "\x00\n": alice,
		}},
		{"two spellings of one letter", map[string]jsonfiles.Checkout{"\u00e9.step": alice, "e\u0301.step": {Person: "bob", Since: morning}}},
		{"more than 1 MiB", large},
		{"no checkouts", map[string]jsonfiles.Checkout{}},
		{"a nil map", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			doc := &jsonfiles.Document{Version: jsonfiles.Version, Checkouts: c.checkouts}
			lesson := lab.Lesson{
				Says:  "Save failed on a good document",
				Did:   "there was no file; Save was called with " + describe(doc),
				Means: "the workshop cannot begin",
				Read:  fix,
			}
			given := &jsonfiles.Document{Version: doc.Version, Checkouts: maps.Clone(doc.Checkouts)}
			for given.Generation < 2 { // a first file, then one that is written over
				given.Generation++
				lesson := lesson
				if given.Generation > 1 {
					lesson.Did += "; it was saved again"
				}
				lab.RequireNoError(t, saving(t, path, doc), lesson)
				lesson.Says = "Save wrote a document that Load refuses"
				lesson.Means = "the document is on the disk, and no program can read it any more"
				got := load(t, path, lesson)
				lesson.Says = "Save wrote another document than it was given"
				lesson.Means = "a checkout that was saved is not there, or belongs to another person"
				lesson.Read = roundTrip
				requireSame(t, given, got, lesson)
				lab.Require(t, len(doc.Checkouts) == 0 || snapshot(doc) == snapshot(given), lab.Lesson{
					Says:     "Save changed the caller's checkouts",
					Did:      lesson.Did,
					Expected: snapshot(given),
					Found:    snapshot(doc),
					Means:    "the program goes on with a checkout that it never made: the caller's map is the caller's",
					Read:     memory,
				})
			}
		})
	}

	t.Run("a shorter document over a longer one", func(t *testing.T) {
		t.Parallel()
		path := newFile(t, taken+strings.Repeat("\n", 2000))
		lesson := lab.Lesson{
			Says:  "Save failed on a good document",
			Did:   "a document with two checkouts was loaded, both parts were returned, and it was saved",
			Means: "parts that were returned stay taken",
			Read:  fix,
		}
		doc := load(t, path, lesson)
		clear(doc.Checkouts)
		lab.RequireNoError(t, saving(t, path, doc), lesson)

		lesson.Says = "Save left more in the file than the new document"
		lesson.Means = "the file is not JSON any more: the next program that reads it fails, or reads half of an old checkout"
		lesson.Expected = "one document, with no more than white space after it"
		content, err := os.ReadFile(path)
		lab.RequireNoError(t, err, lesson)
		var saved jsonfiles.Document
		lesson.Found = lab.Show(content)
		lab.Require(t, json.Unmarshal(content, &saved) == nil, lesson)
		lesson = lesson.Say("Save wrote another document than it was given")
		lesson.Means = "parts that were returned stay taken"
		requireSame(t, &jsonfiles.Document{Version: 1, Generation: 8}, &saved, lesson)
	})
}

func TestSaveCountsTheGenerations(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	lesson := lab.Lesson{
		Says:  "Save did not write the next generation",
		Did:   "a new document was saved three times in a row",
		Means: "no program can tell by the number that another one has saved since",
		Read:  known,
	}
	doc := jsonfiles.New()
	doc.Checkouts["bracket.step"] = alice
	parts := doc.Checkouts
	for generation := int64(1); generation <= 3; generation++ {
		lab.RequireNoError(t, saving(t, path, doc), lesson)
		lesson.Expected = fmt.Sprintf("generation %d in the file and in the document", generation)
		got := load(t, path, lesson)
		lesson.Found = fmt.Sprintf("generation %d in the file, %d in the document", got.Generation, doc.Generation)
		lab.Require(t, got.Generation == generation && doc.Generation == generation, lesson)
		lesson.Expected, lesson.Found = "", ""
	}
	const great = 1 << 53
	old := newFile(t, strings.Replace(free, "3", fmt.Sprint(great), 1))
	lesson.Did = "a document of generation 2⁵³ was loaded and saved"
	lab.RequireNoError(t, saving(t, old, load(t, old, lesson)), lesson)
	lesson.Expected, lesson.Found = fmt.Sprint(great+1), fmt.Sprint(load(t, old, lesson).Generation)
	lab.Require(t, lesson.Expected == lesson.Found, lesson)
	last := strings.Replace(free, "3", fmt.Sprint(math.MaxInt64), 1)
	old = newFile(t, last)
	doomed := lab.Lesson{
		Says: "Save wrote a document that Load refuses", Did: "a document of the last generation that an int64 holds was loaded and saved",
		Means: "the number after it is below 0: no program can read the document any more", Read: memory,
	}
	lab.RequireError(t, saving(t, old, load(t, old, doomed)), doomed)
	requireKept(t, old, last, doomed)
	lesson.Did, lesson.Expected, lesson.Found = "a new document was saved three times in a row", "", ""
	parts["lid.step"] = alice
	lab.Require(t, len(doc.Checkouts) == 2, lab.Lesson{
		Says:     "Save gave the document another map of checkouts",
		Did:      "a document was saved; then its caller added a checkout of the lid to the map that he had put into it",
		Expected: "the document has both checkouts",
		Found:    describe(doc),
		Means:    "what the caller does with his map from now on is never saved, and no error reports it",
		Read:     memory,
	})
	lesson.Says = "Save leaves a new file behind each time"
	requireNoFilesLeft(t, path, lesson)
}

func TestSaveChecksAndEncodesBeforeItTouchesTheFile(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:  "Save destroyed the old document before it had a new one",
		Means: "one document that cannot be saved, and every checkout of the workshop is gone",
		Read:  fix,
	}
	unsaid := lab.Lesson{
		Says:  "Save did not report that it saved nothing",
		Means: "the caller believes that the checkout is on the disk",
		Read:  fix,
	}
	damaged := "bracket\xff.step"
	inAnotherZone := jsonfiles.Checkout{Person: "alice", Since: morning.In(time.FixedZone("", 5400))}
	now := jsonfiles.Checkout{Person: "alice", Since: time.Now()} // with a monotonic reading
	for _, c := range []struct {
		name, did string
		spoil     func(doc *jsonfiles.Document)
	}{
		{
			"a time that JSON cannot hold", "a checkout was given the year 10000, for which JSON has no form, and the document was saved",
			func(doc *jsonfiles.Document) {
				doc.Checkouts["bracket.step"] = jsonfiles.Checkout{Person: "alice", Since: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}
			},
		},
		{
			"a checkout without a person", "a checkout without a person was added, and the document was saved",
			func(doc *jsonfiles.Document) { doc.Checkouts["lid.step"] = jsonfiles.Checkout{Since: morning} },
		},
		{
			"another version", "the document's version was set to 2, and the document was saved",
			func(doc *jsonfiles.Document) { doc.Version = 2 },
		},
		{
			"no version", "the document's version was set to 0, and the document was saved",
			func(doc *jsonfiles.Document) { doc.Version = 0 },
		},
		{
			"a name that is not UTF-8", fmt.Sprintf("a checkout of %q was added, and the document was saved", damaged),
			func(doc *jsonfiles.Document) { doc.Checkouts[damaged] = alice },
		},
		{
			"two paths that differ only in letter case", "checkouts of lid.step and Lid.step were added, and the document was saved",
			func(doc *jsonfiles.Document) { doc.Checkouts["lid.step"], doc.Checkouts["Lid.step"] = alice, alice },
		},
		{
			"a generation below 0", "the document's generation was set to -1, and the document was saved",
			func(doc *jsonfiles.Document) { doc.Generation = -1 },
		},
		{
			"a nil map and another version", "the document's map was set to nil and its version to 2, and the document was saved",
			func(doc *jsonfiles.Document) { doc.Version, doc.Checkouts = 2, nil },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson, unsaid := lesson, unsaid
			lesson.Did, unsaid.Did = c.did, c.did
			path := newFile(t, taken)
			doc := load(t, path, refusedGood)
			doc.Checkouts["gear.step"], doc.Checkouts["cog.step"] = inAnotherZone, now
			c.spoil(doc)
			before := snapshot(doc)
			err := saving(t, path, doc)
			lab.RequireError(t, err, unsaid)
			requireKept(t, path, taken, lesson)
			requireDocumentKept(t, before, doc, c.did)
			requireNextSaved(t, path, c.did)
		})
		t.Run(c.name+", the first time", func(t *testing.T) {
			t.Parallel()
			unsaid := unsaid
			unsaid.Did = "there was no file; " + c.did
			path := newPath(t)
			doc := jsonfiles.New()
			doc.Checkouts["gear.step"], doc.Checkouts["cog.step"] = inAnotherZone, now
			c.spoil(doc)
			before := snapshot(doc)
			err := saving(t, path, doc)
			lab.RequireError(t, err, unsaid)
			lab.RequireNoFile(t, path, lab.Lesson{
				Says:  "Save created a file for a document that it refused",
				Did:   unsaid.Did,
				Means: "the next program finds an empty or invalid file, and stops",
				Read:  memory,
			})
			requireDocumentKept(t, before, doc, unsaid.Did)
			requireNextSaved(t, path, unsaid.Did)
		})
	}
}

func TestSaveReplacesOnlyWhatLoadAccepts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, content, verdict string }{
		{"not half a document", taken[:100], corrupt},
		{"not a document with a tail", taken + "}", corrupt},
		{"not a document with an unknown field", strings.Replace(taken, "{", `{"queue": [],`, 1), corrupt},
		{"not a document in which a person is missing", strings.Replace(taken, `"bob"`, `""`, 1), corrupt},
		{"not an empty file", "", empty},
		{"not a newer document", future, newer},
	} {
		for _, generation := range []int64{0, 7} {
			t.Run(fmt.Sprintf("%s, by generation %d", c.name, generation), func(t *testing.T) {
				t.Parallel()
				path := newFile(t, c.content)
				lesson := lab.Lesson{
					Says:  "Save overwrote a file that Load refuses",
					Did:   fmt.Sprintf("the file held %s; a document of generation %d was saved over it", lab.Show([]byte(c.content)), generation),
					Means: "what could have been mended, or read by a newer program, is replaced by a document without checkouts",
					Read:  fix,
				}
				doc := documentOf(generation, 0)
				before := snapshot(doc)
				err := saving(t, path, doc)
				requireKept(t, path, c.content, lesson)
				requireDocumentKept(t, before, doc, lesson.Did)
				lesson.Says = "Save did not report why it refused the file"
				lesson.Means = "the caller cannot tell whether to set the file aside, to use a newer program or to try again"
				lesson.Expected, lesson.Found = c.verdict, returned(err)
				lab.Require(t, verdictOf(err) == c.verdict, lesson)
				write(t, path, taken)
				requireNextSaved(t, path, lesson.Did+", which was refused; a person mended the file")
			})
		}
	}

	for name, path := range unreadable(t) {
		t.Run("not what cannot be read: "+name, func(t *testing.T) {
			t.Parallel()
			lesson := lab.Lesson{
				Says:  "Save did not pass on that the file cannot be read",
				Did:   "the path led to " + name + ", so that nothing could be read; a new document was saved there",
				Means: "the caller believes that the checkout is on the disk, or looks for another cause",
				Read:  known,
			}
			doc := jsonfiles.New()
			before := snapshot(doc)
			err := saving(t, path, doc)
			lesson.Expected, lesson.Found = other, returned(err)
			lab.Require(t, verdictOf(err) == other, lesson)
			requireDocumentKept(t, before, doc, lesson.Did)
		})
	}
}

func TestSaveNoticesThatTheFileHasChanged(t *testing.T) {
	t.Parallel()
	const unsaid = "Save did not report that the file had changed"
	lesson := lab.Lesson{
		Says:  "Save overwrote another program's change",
		Means: "Bob's program reported success, and his checkout of the lid is gone",
		Read:  known,
	}
	// refusedTwice demands that Save refuses the stale document, the second time too, and that both file and document stay.
	refusedTwice := func(t *testing.T, path, content string, doc *jsonfiles.Document, lesson lab.Lesson) {
		t.Helper()
		before := snapshot(doc)
		for range 2 {
			err := saving(t, path, doc)
			requireKept(t, path, content, lesson)
			silent := lesson
			silent.Says = unsaid
			lab.RequireErrorIs(t, err, jsonfiles.ErrChanged, silent)
			requireDocumentKept(t, before, doc, lesson.Did)
			lesson.Did += ", and once more"
		}
		lesson.Says = "Save leaves a new file behind for each attempt"
		requireNoFilesLeft(t, path, lesson)
		requireNextSaved(t, path, lesson.Did)
	}

	t.Run("when another process has saved", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Did = "this process loaded the document; another one loaded it, gave the lid to Bob and saved; then this one saved"
		path := newFile(t, taken)
		doc := load(t, path, refusedGood)
		lab.RequireNoError(t, lab.Run(t, "take", path, "lid.step", "bob"), lab.Lesson{
			Says: "Save failed on a good document", Did: "another process loaded the document, added a checkout and saved",
			Means: "no part can be checked out", Read: fix,
		})
		content, err := os.ReadFile(path)
		must(t, err)
		doc.Checkouts["gear.step"] = alice
		refusedTwice(t, path, string(content), doc, lesson)
	})

	t.Run("when the same process has saved another document", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Did = "one process loaded the document twice and saved the first; then it saved the second"
		path := newFile(t, taken)
		first, second := load(t, path, refusedGood), load(t, path, refusedGood)
		first.Checkouts["lid.step"] = jsonfiles.Checkout{Person: "bob", Since: morning}
		lab.RequireNoError(t, saving(t, path, first), failedOnGood)
		content, err := os.ReadFile(path)
		must(t, err)
		refusedTwice(t, path, string(content), second, lesson)
	})

	for _, c := range []struct {
		name, did, means, now string
		generation            int64
	}{
		{
			"when a copy was put back", "generation 7 was loaded; a person put a copy of generation 5 back; then the document was saved",
			"the person went back to the copy on purpose, and finds what the copy was to undo",
			strings.Replace(taken, `"generation": 7`, `"generation": 5`, 1), 7,
		},
		{
			"when a new document meets one of generation 7", "the file held generation 7; a new document was saved over it",
			"a program that begins with an empty document wipes out every checkout of the workshop", taken, 0,
		},
		{
			"when a new document meets one of generation 1", "the file held generation 1; a new document was saved over it",
			"the first program's checkouts are gone, and it was told that they were saved",
			strings.Replace(taken, `"generation": 7`, `"generation": 1`, 1), 0,
		},
		{
			"when another program counted on by one", "generation 6 was loaded; another program saved generation 7; then the document was saved",
			"the other program's change is gone", taken, 6,
		},
		{
			"when another program saved the same checkouts",
			"generation 6 was loaded; another program saved the same checkouts as generation 7; then the document was saved",
			"a part that was returned and taken again by another program passes for never returned",
			`{"version":1,"generation":7,"checkouts":{"part-00000.step":{"person":"alice","since":"2026-03-02T09:00:00Z"}}}`, 6,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson := lesson
			lesson.Did, lesson.Means = c.did, c.means
			refusedTwice(t, newFile(t, c.now), c.now, documentOf(c.generation, 1), lesson)
		})
	}

	t.Run("when a link that leads nowhere has the name", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows lets only some users create symbolic links")
		}
		path := newPath(t)
		must(t, os.Symlink("nowhere.json", path))
		lesson := lab.Lesson{
			Says:  "Save created a file where a link leads",
			Did:   "locks.json was a symbolic link to a file that does not exist; a new document was saved",
			Means: "the person who made the link, or removed what it leads to, finds a document in a directory that no user named",
			Read:  known,
		}
		err := saving(t, path, jsonfiles.New())
		lab.RequireNoFile(t, filepath.Join(filepath.Dir(path), "nowhere.json"), lesson)
		lesson.Says = "Save replaced a symbolic link"
		target, _ := os.Readlink(path)
		lesson.Expected, lesson.Found = `a link to "nowhere.json"`, fmt.Sprintf("a link to %q", target)
		lab.Require(t, lesson.Expected == lesson.Found, lesson)
		lesson.Says, lesson.Expected, lesson.Found = unsaid, "", ""
		lab.RequireErrorIs(t, err, jsonfiles.ErrChanged, lesson)
		must(t, os.Remove(path))
		requireNextSaved(t, path, lesson.Did+", which was refused; the link was removed")
	})

	for _, generation := range []int64{1, 7} {
		t.Run(fmt.Sprintf("when generation %d was removed", generation), func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			lesson := lab.Lesson{
				Says:  "Save brought back a file that was removed",
				Did:   fmt.Sprintf("a document of generation %d was loaded, the file was removed, then the document was saved", generation),
				Means: "checkouts that a person has put away on purpose, or set aside as damaged, are there again",
				Read:  known,
			}
			doc := documentOf(generation, 1)
			if generation == 7 {
				doc.Checkouts = nil // and so it must stay
			}
			before := snapshot(doc)
			err := saving(t, path, doc)
			lab.RequireNoFile(t, path, lesson)
			lesson.Says = unsaid
			lab.RequireErrorIs(t, err, jsonfiles.ErrChanged, lesson)
			requireDocumentKept(t, before, doc, lesson.Did)
			requireNextSaved(t, path, lesson.Did)
		})
	}
}

func TestOfTwoFirstSavesOneFails(t *testing.T) {
	t.Parallel()
	const savers = 4
	for range lab.Rounds(30) {
		path := newPath(t)
		var winners []string
		start, results := make(chan struct{}), make(chan string, savers)
		for saver := range savers {
			go func() {
				doc := jsonfiles.New()
				doc.Checkouts["bracket.step"] = jsonfiles.Checkout{Person: fmt.Sprintf("person %d", saver), Since: morning}
				<-start
				if jsonfiles.Save(path, doc) == nil {
					results <- fmt.Sprintf("person %d", saver)
					return
				}
				results <- ""
			}()
		}
		close(start)
		lesson := lab.Lesson{
			Says:     "Save let two programs create one file",
			Did:      fmt.Sprintf("%d goroutines called Save with a new document at the same time, where there was no file", savers),
			Expected: "one of them succeeds, and the file has its checkout",
			Means:    "two people were told that the bracket is theirs",
			Read:     known,
		}
		lab.Finishes(t, func() {
			for range savers {
				if winner := <-results; winner != "" {
					winners = append(winners, winner)
				}
			}
		}, lesson)
		lesson.Found = "success for " + strings.Join(winners, " and ")
		lab.Require(t, len(winners) < 2, lesson)
		lesson.Says, lesson.Means = "Save failed for every program that wanted to create the file", "the workshop cannot begin"
		lesson.Found = "no success"
		lab.Require(t, len(winners) == 1, lesson)
		lesson.Says = "Save reported success to a program whose document is not in the file"
		lesson.Means = "the checkout is missing, and its owner was told that it was saved"
		doc := load(t, path, lesson)
		lesson.Found = describe(doc)
		lab.Require(t, doc.Checkouts["bracket.step"].Person == winners[0], lesson)
	}
}

func TestGoroutinesDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()

	// They share nothing but the package.
	t.Run("at paths of their own", func(t *testing.T) {
		t.Parallel()
		const goroutines = 4
		lesson := lab.Lesson{
			Did:   fmt.Sprintf("%d goroutines at once saved, loaded and set aside, each at a path of its own", goroutines),
			Means: "the calls share a variable, and a caller gets the document of another path, or is told of damage where there is none",
			Read:  fix,
		}
		results := make(chan string, goroutines)
		paths := []string{newPath(t), newPath(t), newPath(t), newPath(t)}
		lab.FinishesInSteps(t, func(progress func()) {
			for number := range goroutines {
				go func() {
					trouble := ""
					defer func() {
						if value := recover(); value != nil {
							trouble = fmt.Sprint("panic: ", value)
						}
						results <- trouble
					}()
					trouble = alone(paths[number], fmt.Sprintf("person %d", number), progress)
				}()
			}
			for range goroutines {
				if trouble := <-results; trouble != "" && lesson.Found == "" {
					lesson.Found = trouble
				}
			}
		}, lesson.Say("Goroutines that call the package at the same time stand still"))
		lesson.Expected = "each finds what is in its own file"
		lab.Require(t, lesson.Found == "", lesson.Say("Goroutines that use different files disturb each other"))
	})

	t.Run("at one path", func(t *testing.T) {
		t.Parallel()
		path := newPath(t)
		lab.RequireNoError(t, saving(t, path, documentOf(0, 5000)), failedOnGood)
		const goroutines = 4
		start, loaded := make(chan struct{}), make(chan *jsonfiles.Document, goroutines)
		for range goroutines {
			go func() {
				<-start
				doc, err := jsonfiles.Load(path)
				if err != nil {
					doc = nil
				}
				loaded <- doc
			}()
		}
		close(start)
		lesson := lab.Lesson{
			Says:     "Load gave two callers one document",
			Did:      fmt.Sprintf("%d goroutines loaded one file at the same time; one then added a checkout of the lid", goroutines),
			Expected: "the other documents have no lid",
			Found:    "another document has it too",
			Means:    "a caller works with checkouts that another has never saved; if both change the map, the program ends",
			Read:     madeUp,
		}
		docs := make([]*jsonfiles.Document, goroutines)
		lab.Finishes(t, func() {
			for i := range docs {
				docs[i] = <-loaded
			}
		}, lesson.Say("Goroutines that load one file at the same time stand still"))
		for i, doc := range docs {
			lab.Require(t, doc != nil, refusedGood)
			_, shared := doc.Checkouts["lid.step"]
			lab.Require(t, !shared, lesson)
			if i == 0 {
				doc.Checkouts["lid.step"] = alice
			}
		}
	})

	for name, call := range map[string]func(path string){
		"while one of them loads":      func(path string) { _, _ = jsonfiles.Load(path) },
		"while one of them saves":      func(path string) { _ = jsonfiles.Save(path, documentOf(1, 1)) },
		"while one of them sets aside": func(path string) { _, _ = jsonfiles.SetAside(path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lesson := lab.Lesson{
				Says:  "Save waits for a call at another path",
				Did:   "a goroutine called a function for a file that did not answer (a pipe into which no program wrote); then another path was used",
				Means: "one file on a server that is away, and the program can do nothing any more, whatever the file",
				Read:  fix,
			}
			stall(t, call, lesson)
			path := newPath(t)
			lab.FinishesInSteps(t, func(progress func()) { lesson.Found = alone(path, "alice", progress) }, lesson)
			lab.Require(t, lesson.Found == "", lesson.Say("A call is disturbed by one at another path"))
			lesson.Did += "; then 300 more paths"
			lab.FinishesInSteps(t, func(progress func()) {
				for number := range 300 { // some share a mutex that is chosen by a hash of the path
					other := fmt.Sprint(path, number)
					err := jsonfiles.Save(other, documentOf(0, 0))
					_, failed := jsonfiles.Load(other)
					if err = errors.Join(err, failed); err != nil && lesson.Found == "" {
						lesson.Found = oneLine(err)
					}
					_, _ = jsonfiles.SetAside(other) // it is a good document
					progress()
				}
			}, lesson)
			lab.Require(t, lesson.Found == "", lesson.Say("A call is disturbed by one at another path"))
		})
	}
}

// alone works with a file that no one else uses, and returns what is wrong.
func alone(path, person string, progress func()) (trouble string) {
	doc := documentOf(0, 150)
	for part := range doc.Checkouts {
		doc.Checkouts[part] = jsonfiles.Checkout{Person: person, Since: morning}
	}
	for round := range lab.Rounds(10) {
		if err := jsonfiles.Save(path, doc); err != nil {
			return fmt.Sprintf("round %d: Save returned %s", round+1, oneLine(err))
		}
		for range 2 {
			got, err := jsonfiles.Load(path)
			progress()
			if err != nil || got == nil {
				return fmt.Sprintf("round %d: Load in the goroutine of %s returned %s", round+1, person, found(got, err))
			}
			for part, checkout := range doc.Checkouts {
				if loaded := got.Checkouts[part]; loaded.Person != checkout.Person || !loaded.Since.Equal(checkout.Since) {
					return fmt.Sprintf("round %d: Load returned a checkout of %s by %q, where %s has all", round+1, part, loaded.Person, person)
				}
			}
			if got.Generation != doc.Generation {
				return fmt.Sprintf("round %d: Load returned generation %d of %d", round+1, got.Generation, doc.Generation)
			}
		}
	}
	damage := strings.Repeat(person, 1000)
	if err := os.WriteFile(path, []byte(damage), 0o600); err != nil {
		return err.Error()
	}
	name, err := jsonfiles.SetAside(path)
	if err != nil {
		return "SetAside returned " + oneLine(err)
	}
	if kept, err := os.ReadFile(name); err != nil || string(kept) != damage {
		return fmt.Sprintf("SetAside returned %s, which holds %d other bytes, or cannot be read (%v)", filepath.Base(name), len(kept), err)
	}
	return ""
}

func TestSaveReportsAWriteThatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no limit of the file size (RLIMIT_FSIZE), by which this test makes a write fail")
	}
	unsaid := lab.Lesson{
		Says: "Save did not report that it saved nothing", Means: "the caller believes that the checkout is on the disk", Read: refusal,
	}
	t.Run("over a file that its user may not write", requireNotForced)
	long := taken + strings.Repeat("\n", 2000)
	for _, c := range []struct {
		name, did         string
		isThere           bool
		generation, parts int
		room              int
		kept              bool // the file must be what it was
	}{
		{"the first", "there was no file; the kernel refused every write (RLIMIT_FSIZE 0)", false, 0, 3, 0, true},
		{"the first, in the middle", "there was no file; the kernel refused what a write put beyond byte 200", false, 0, 50, 200, true},
		{"the first, at 4,096 bytes", "there was no file; the kernel refused what a write put beyond byte 4,096", false, 0, 500, 4096, true},
		{"over a document", "a shorter document was saved over another; the kernel refused every write", true, 7, 3, 0, true},
		{"over a document, at 60 bytes", "a shorter one was saved over another; the kernel refused all beyond byte 60", true, 7, 3, 60, false},
		{"over a document, in the middle", "a longer one was saved over it; the kernel refused all from byte 2,300 on", true, 7, 50, 2300, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			if c.isThere {
				write(t, path, long)
			}
			unsaid := unsaid
			unsaid.Did = c.did
			saved := inWorker(t, lab.Options{}, unsaid, "save", path, strconv.Itoa(c.generation), strconv.Itoa(c.parts), strconv.Itoa(c.room))
			unsaid.Expected, unsaid.Found = "an error", saved.Text
			lab.Require(t, saved.Verdict != success, unsaid)
			requireKeptInWorker(t, saved, c.did)
			if !c.isThere {
				lab.RequireNoFile(t, path, lab.Lesson{
					Says:  "Save left a broken first document behind",
					Did:   c.did,
					Means: "the next program finds damage where there never was a document, and a person has to remove it by hand",
					Read:  refusal,
				})
				return
			}
			destroyed := lab.Lesson{
				Says:  "Save destroyed the old document before it had a new one",
				Did:   c.did,
				Means: "the kernel refuses one write, and every checkout of the workshop is gone",
				Read:  refusal,
			}
			if c.kept {
				requireKept(t, path, long, destroyed)
				return
			}
			destroyed.Says = "Save removed a document that it could not replace"
			destroyed.Expected, destroyed.Found = "a file, with whatever is left of the documents", "no file"
			destroyed.Means = "what was left of the checkouts is gone, and a missing file passes for a first start"
			_, err := os.Lstat(path)
			lab.Require(t, err == nil, destroyed)
		})
	}
}

// requireNotForced demands that Save does not write over a file that its user has protected, unless it puts new files at all paths.
func requireNotForced(t *testing.T) {
	t.Parallel()
	directory := lab.SharedDir(t)
	lesson := lab.Lesson{
		Did:   "a user who is not root saved over two files of his own, one that he may write and one of mode 0444",
		Means: "a file that its owner has protected is changed, although the kernel had refused to change it", Read: refusal,
	}
	process := lab.Launch(t, lab.Options{Unprivileged: true}, "protected", directory)
	var saved []outcome
	process.Result(&saved, lesson)
	lab.RequireNoError(t, process.Wait(lesson), lesson)
	lesson.Expected, lesson.Found = success, saved[0].Text
	lab.Require(t, saved[0].Verdict == success, lesson.Say("Save failed on a good document"))
	way := map[bool]string{true: "changed the file that was there", false: "put a new file at the path"}
	lesson.Found = fmt.Sprintf("the first Save %s, the second one %s: %s", way[saved[0].Kept], way[saved[1].Kept], saved[1].Text)
	if saved[1].Verdict == success {
		lesson.Expected = "an error from the second Save, or from both a new file at the path"
		lab.Require(t, !saved[0].Kept && !saved[1].Kept, lesson.Say("Save went another way when the kernel refused the first"))
		return
	}
	lesson.Expected, lesson.Found = other, saved[1].Text
	lab.Require(t, saved[1].Verdict == other, lesson.Say("Save did not pass on what the kernel refused"))
	lesson.Expected, lesson.Found = "", ""
	requireKept(t, filepath.Join(directory, "1"), taken, lesson.Say("Save changed a file though it failed"))
}

func requireKeptInWorker(t *testing.T, saved outcome, did string) {
	t.Helper()
	lab.Require(t, saved.Kept, lab.Lesson{
		Says:     "Save changed a document that it did not save",
		Did:      did,
		Expected: "the caller's document as it was",
		Found:    "a changed generation, version or map",
		Means:    changedByFailure,
		Read:     memory,
	})
}

func TestSaveCreatesTheFileAndNothingElse(t *testing.T) {
	t.Parallel()

	t.Run("no change of other files", func(t *testing.T) {
		t.Parallel()
		path := newFile(t, taken)
		lesson := lab.Lesson{
			Says:  "Save changed a file that is not its own",
			Did:   "files with similar names lay beside locks.json when a document was saved",
			Means: "a damaged copy is the only evidence of its checkouts, and a copy of another program is that program's",
			Read:  evidence,
		}
		// A lock beside the document is Save's own matter, so no neighbour has the name of one.
		neighbours := []string{".damaged-1", ".damaged-2", ".bak", ".tmp", "~", ".new", ".old", ".part"}
		for _, suffix := range neighbours {
			write(t, path+suffix, "theirs")
		}
		hidden := filepath.Join(filepath.Dir(path), ".locks.json.tmp")
		write(t, hidden, "theirs")
		doc := load(t, path, lesson)
		lab.RequireNoError(t, saving(t, path, doc), failedOnGood)
		for _, suffix := range neighbours {
			requireKept(t, path+suffix, "theirs", lesson)
		}
		requireKept(t, hidden, "theirs", lesson)
	})

	t.Run("no directory", func(t *testing.T) {
		t.Parallel()
		directory := filepath.Join(t.TempDir(), "stroe")
		doc := jsonfiles.New()
		before := snapshot(doc)
		lesson := lab.Lesson{
			Says:  "Save created a directory",
			Did:   "a new document was saved at a path whose directory does not exist",
			Means: "a mistyped path becomes a second store, and each has half of the checkouts",
			Read:  known,
		}
		err := saving(t, filepath.Join(directory, "locks.json"), doc)
		lab.RequireNoFile(t, directory, lesson)
		lesson.Says = "Save did not report that it saved nothing"
		lab.RequireErrorIs(t, err, fs.ErrNotExist, lesson)
		lesson.Expected = "an error that matches fs.ErrNotExist, and no other"
		requireNotChanged(t, err, lesson)
		requireDocumentKept(t, before, doc, lesson.Did)
	})

	t.Run("with permissions for colleagues", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no permission bits for groups and others")
		}
		path := newPath(t)
		lesson := lab.Lesson{
			Says:  "Save created a file with other permissions than its contract promises",
			Means: "colleagues cannot see who has a part, or strangers can, or can change it",
			Read:  known,
		}
		for mask, want := range map[string]os.FileMode{"027": 0o640, "000": 0o644} {
			lesson := lesson
			lesson.Did = "a new document was saved where there was no file, in a process with umask " + mask
			wrap := []string{"sh", "-c", "umask " + mask + `; exec "$0" "$@"`}
			saved := inWorker(t, lab.Options{Wrap: wrap}, lesson, "save", path, "0", "1", "-1")
			lesson.Expected, lesson.Found = fmt.Sprintf("%04o, which is 0644 less the umask", want), saved.Text
			info, err := os.Stat(path)
			if err == nil {
				lesson.Found = fmt.Sprintf("%04o", info.Mode().Perm())
			}
			lab.Require(t, err == nil && info.Mode().Perm() == want, lesson)
			must(t, os.Remove(path))
		}
	})

	t.Run("with the permissions that the file had", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no permission bits for groups and others")
		}
		for _, mode := range []os.FileMode{0o600, 0o640, 0o664} {
			path := newFile(t, taken)
			must(t, os.Chmod(path, mode))
			lesson := lab.Lesson{
				Says:     "Save changed the permissions of a file that it replaced",
				Did:      fmt.Sprintf("a document in a file with mode %04o was loaded and saved", mode),
				Expected: fmt.Sprintf("%04o", mode),
				Means:    "colleagues cannot see who has a part any more, or strangers can",
				Read:     known,
			}
			lab.RequireNoError(t, saving(t, path, load(t, path, refusedGood)), failedOnGood)
			info, err := os.Stat(path)
			must(t, err)
			lesson.Found = fmt.Sprintf("%04o", info.Mode().Perm())
			lab.Require(t, info.Mode().Perm() == mode, lesson)
		}
	})
}
