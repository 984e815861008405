package document_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"example/turnstile/exercises/11_locked_file/filelock"
	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/13_document/format"
	"example/turnstile/exercises/13_document/lockfile"
	"example/turnstile/internal/lab"
)

func TestUpdateWritesTheNextGeneration(t *testing.T) {
	t.Parallel()
	path := shelf(t)
	d := open(path)
	l := lab.Lesson{Did: "Update of a document of generation 7 that checks hinge.step out to bob", Read: fix}
	saw := ""
	succeed(t, l.Say("Update failed"), func() error {
		return d.Update(t.Context(), func(content *shop) error {
			saw = list(content)
			return checkOut("hinge.step", "bob")(content)
		})
	})
	lab.RequireEqual(t, "bracket.step=alice", saw, l.Say("Update called change with another content than the file's"))
	l.Means = "the change that was acknowledged is not there"
	requireCheckouts(t, path, l.Say("Update did not write what change has made"), "bracket.step=alice hinge.step=bob")
	l.Means = "other programs, and copies in memory, cannot tell that the document has changed"
	generation, _ := read(t, path, l)
	lab.RequireEqual(t, 8, generation, l.Say("Update did not count the generation"))
	succeed(t, l.Say("Update failed the second time"), func() error { return d.Update(t.Context(), checkOut("plate.step", "carol")) })
	generation, _ = read(t, path, l)
	lab.RequireEqual(t, 9, generation, l.Say("Update did not count the second generation"))
	requireCheckouts(t, path, l.Say("Update lost a checkout"), "bracket.step=alice hinge.step=bob plate.step=carol")
	lab.Require(t, !strings.Contains(entries(t, path), ".tmp"), l.Say("Update left a temporary file"))
	l.Means = "a program that dies leaves there what is not true any more, and someone acts on it"
	lab.RequireFile(t, path+".lock", "", l.Say("Update wrote to the lock file"))
	now, err := os.ReadFile(path)
	lab.RequireSetUp(t, err)
	l.Did, l.Means = "Update with a change that changes nothing", "who waits for the next generation, or looks into the backup, is misled"
	succeed(t, l.Say("Update failed"), func() error { return d.Update(t.Context(), func(*shop) error { return nil }) })
	generation, _ = read(t, path, l)
	lab.RequireEqual(t, 10, generation, l.Say("Update did not make the next generation when the content was the same"))
	lab.RequireFile(t, path+".bak", string(now), l.Say("Update did not keep the generation before when the content was the same"))
}

func large(t *testing.T) {
	t.Parallel()
	path := lab.Path(t, "locks.json")
	content := &shop{Checkouts: map[string]string{}}
	for i := range 300 { // more than a mebibyte in all
		content.Checkouts[fmt.Sprintf("assembly-%03d/bracket.step", i)] = strings.Repeat("alice ", 800)
	}
	data, _, err := format.Encode(path, 7, content, validate)
	lab.RequireSetUp(t, err)
	data = append(bytes.Repeat([]byte(" "), 17<<20), data...) // which costs less to decode than content
	lab.RequireSetUp(t, os.WriteFile(path, data, 0o644))
	l := lab.Lesson{
		Did:   fmt.Sprintf("View and Update of a file of %d bytes, most of which are spaces before the document", len(data)),
		Means: "the workshop stands still on the day on which the document has grown too large", Read: strict,
	}
	d := open(path)
	succeed(t, l.Say("Update failed for a large document"), func() error { return d.Update(t.Context(), checkOut("hinge.step", "bob")) })
	l.Did += "; then View of what Update has written"
	found := 0
	succeed(t, l.Say("View failed for a large document"), func() error {
		return d.View(t.Context(), func(content *shop) error { found = len(content.Checkouts); return nil })
	})
	lab.RequireEqual(t, 301, found, l.Say("Update lost checkouts of a large document"))
}

func TestUpdateThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	for name, change := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := kept(t)
			d := open(path)
			l := lab.Lesson{Did: "Update of a document; " + name, Means: "the document holds what no caller was told is in it", Read: failing}
			o := end(t, l.Say("Update does not come to its end"), func() error { return d.Update(t.Context(), change) })
			lab.RequireFile(t, path, good, l.Say("Update wrote although its change had failed"))
			switch name {
			case "change panics":
				requirePanic(t, o, l.Say("Update did not pass the panic of change on to its caller"))
			case "change ends its goroutine":
				lab.Require(t, o.exited, l.Say("Update did not let change end its goroutine"))
			default:
				lab.RequireError(t, o.err, l.Say("Update returned nil although its change had failed"))
				l := l.Say("Update returned a CorruptError although the file is a good document")
				l.Means = "the caller recovers a good document, or stops, for a mistake of its own"
				lab.Require(t, !isCorrupt(o.err), l)
			}
			switch name {
			case "change returns an error":
				lab.RequireErrorIs(t, o.err, errOwn, l.Say("Update did not return the error of change"))
			case "Validate refuses the result", "Validate refuses what would be loaded of it":
				lab.RequireErrorIs(t, o.err, errInvalid, l.Say("Update hid the reason that Validate gave"))
			}
			lab.RequireFile(t, path+".bak", before, l.Say("Update changed the backup although its change had failed"))
			lab.RequireEqual(t, "locks.json locks.json.bak", entries(t, path), l.Say("Update left a file when its change had failed"))
			requireFree(t, path, l.Say("Update left the document locked when its change had failed"))
			l.Did += "; then an Update that succeeds, of the same Document"
			succeed(t, l.Say("Update failed after one that had failed"), func() error {
				return d.Update(t.Context(), checkOut("hinge.step", "bob"))
			})
			requireCheckouts(t, path, l.Say("Update wrote what an earlier change had spoiled"), "bracket.step=alice hinge.step=bob")
			generation, _ := read(t, path, l)
			lab.RequireEqual(t, 8, generation, l.Say("Update counted a generation that was never written"))
		})
	}
	for name, call := range methods {
		t.Run("Validate ends its goroutine in "+name, func(t *testing.T) {
			t.Parallel()
			path := prepared(t, name)
			was := documents(t, path)
			d := document.New(path, document.Options[shop]{Validate: func(*shop) error { runtime.Goexit(); return nil }})
			l := lab.Lesson{Did: name + "; Validate ended its goroutine", Means: "the document holds what no one has checked", Read: failing}
			o := end(t, l.Say("%s does not come to its end", name), func() error { return call(t.Context(), d, func(*shop) error { return nil }) })
			lab.Require(t, o.exited, l.Say("%s did not let Validate end its goroutine", name))
			if name != "Recover" { // which may have set the damaged one aside
				lab.RequireEqual(t, was, documents(t, path), l.Say("%s wrote although Validate had ended its goroutine", name))
			}
			requireFree(t, path, l.Say("%s left the document locked when Validate had ended its goroutine", name))
		})
		t.Run("Validate panics in "+name, func(t *testing.T) {
			t.Parallel()
			for number := 1; ; number++ {
				path := prepared(t, name)
				was, _ := os.ReadFile(path) // there is none before Create
				l := lab.Lesson{
					Did:   fmt.Sprintf("%s; Validate panicked when it was called for time number %d", name, number),
					Means: "a bug is hidden, or the document holds what no one has checked", Read: failing,
				}
				p := lab.Start(t, "refuse loudly", name, path, fmt.Sprint(number))
				err := p.Wait(l)
				if err == nil && number > 1 {
					return // it has been called less often
				}
				lab.RequireErrorIs(t, err, errTest, l.Say("%s did not pass the panic of Validate on to its caller", name))
				now, _ := os.ReadFile(path)
				lab.RequireEqual(t, string(was), string(now), l.Say("%s wrote although Validate had panicked", name))
				l.Means = "every program that needs the document waits for a call that is over"
				lab.Require(t, !errors.Is(err, context.DeadlineExceeded), l.Say("%s left the document locked when Validate had panicked", name))
			}
		})
	}
}

func TestUpdateKeepsTheGenerationBefore(t *testing.T) {
	t.Parallel()
	for name, old := range map[string]string{
		"the first time": "", "again": before, "after a process crash, which left two names of one file": good,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := shelf(t)
			lab.RequireSetUp(t, os.Chmod(path, 0o640))
			if old != "" {
				lab.RequireSetUp(t, os.WriteFile(path+".bak", []byte(old), 0o644))
			}
			if old == good {
				lab.RequireSetUp(t, os.Remove(path+".bak"))
				if err := os.Link(path, path+".bak"); err != nil {
					t.Skip("no hard links here: " + err.Error())
				}
			}
			l := lab.Lesson{
				Did: "Update of a document of generation 7, " + name, Means: "if the document is damaged one day, nothing is left to go back to",
				Read: durable,
			}
			d := open(path)
			succeed(t, l.Say("Update failed"), func() error { return d.Update(t.Context(), checkOut("hinge.step", "bob")) })
			lab.RequireFile(t, path+".bak", good, l.Say("Update did not keep the generation before as PATH.bak"))
			if runtime.GOOS != "windows" {
				l := l.Say("Update gave the backup another mode than the document has")
				l.Means = "a document that only some users may read can be read by all of them in its backup"
				lab.RequireEqual(t, "-rw-r-----", mode(t, path+".bak"), l)
			}
			now, err := os.ReadFile(path)
			lab.RequireSetUp(t, err)
			succeed(t, l.Say("Update failed"), func() error { return d.Update(t.Context(), checkOut("plate.step", "carol")) })
			lab.RequireFile(t, path+".bak", string(now), l.Say("Update did not keep the generation before the second time"))
			lab.RequireEqual(t, "locks.json locks.json.bak", entries(t, path), l.Say("Update left another file"))
		})
	}
}

func mode(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	lab.RequireSetUp(t, err)
	return info.Mode().String()
}

func TestViewShowsTheContent(t *testing.T) {
	t.Parallel()
	path := shelf(t)
	_ = leftover(t, path) // of a program that is at work, for all that a View knows
	was := entries(t, path)
	d := open(path)
	l := lab.Lesson{Did: "View of a document in which alice has bracket.step", Read: fix}
	saw := ""
	succeed(t, l.Say("View failed"), func() error {
		return d.View(t.Context(), func(content *shop) error { saw = list(content); return nil })
	})
	lab.RequireEqual(t, "bracket.step=alice", saw, l.Say("View called use with another content than the file's"))
	for name, use := range map[string]func(*shop) error{
		"returns an error": func(s *shop) error { s.Checkouts["bracket.step"] = "eve"; return errOwn },
		"panics":           func(s *shop) error { s.Checkouts["bracket.step"] = "eve"; panic(errTest) },
		"ends its goroutine": func(s *shop) error {
			s.Checkouts["bracket.step"] = "eve"
			runtime.Goexit()
			return nil
		},
		"changes its content": func(s *shop) error { s.Checkouts["bracket.step"] = "eve"; return nil },
	} {
		l := lab.Lesson{Did: "View; use " + name, Means: "a reader, who changes nothing, stands in everyone's way", Read: failing}
		o := end(t, l.Say("View does not come to its end"), func() error { return d.View(t.Context(), use) })
		switch name {
		case "returns an error":
			lab.RequireErrorIs(t, o.err, errOwn, l.Say("View did not return the error of use"))
		case "panics":
			requirePanic(t, o, l.Say("View did not pass the panic of use on to its caller"))
		}
		requireFree(t, path, l.Say("View left the document locked when use %s", strings.Fields(name)[0]+"…"))
		lab.RequireFile(t, path, good, l.Say("View wrote the document"))
	}
	l.Means = "a reader, who has others beside it, cannot know whose file that is"
	lab.RequireEqual(t, was, entries(t, path), l.Say("View left a file beside the document, or removed one"))
}

// newer is a good document of another program.
const newer = `{"version":2,"generation":7,"contents":[]}`

// damage is what is no document, by what is wrong with it.
var damage = map[string]string{
	"a file of no bytes":          "",
	"white space":                 " \n",
	"half a document":             good[:50],
	"zeros":                       strings.Repeat("\x00", 60),
	"a byte order mark before it": "\ufeff" + good, // which some editors write
	"half of generation 900":      strings.Replace(good, "7", "900", 1)[:50],
	"an old tail":                 good + `lice"}}}`,
	"two documents":               good + good,
	"a key twice":                 `{"version":1,"generation":7,"content":{"checkouts":{"a":"alice","a":"bob"}}}`,
	"a key in two letter cases":   `{"version":1,"generation":7,"content":{"checkouts":{"a":"alice","A":"bob"}}}`,
	"the content twice":           `{"version":1,"generation":7,"content":{"checkouts":{}},"content":{"checkouts":{}}}`,
	"an unknown field":            `{"version":1,"generation":7,"content":{"checkouts":{},"reservations":{}}}`,
	"an unknown field outside":    `{"version":1,"generation":7,"owner":"eve","content":{"checkouts":{}}}`,
	"no content":                  `{"version":1,"generation":7}`,
	"no generation":               `{"version":1,"content":{"checkouts":{}}}`,
	"an older version":            `{"version":0,"generation":7,"content":{"checkouts":{}}}`,
	"another type":                `{"version":1,"generation":7,"content":{"checkouts":["alice"]}}`,
	"what Validate refuses":       `{"version":1,"generation":7,"content":{"checkouts":{"bracket.step":""}}}`,
	"what Validate does not find": `{"version":1,"generation":7,"content":{"checkouts":{"bracket.step":"` + stranger + `"}}}`,
	"the bare object of lesson 1": `{"bracket.step":"alice"}`,
}

func TestOnlyAValidDocumentIsLoaded(t *testing.T) {
	t.Parallel()
	for name, text := range damage {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireRefused(t, name, text, func(t *testing.T, err error, path, method string, l lab.Lesson) {
				t.Helper()
				instead := func(of string) lab.Lesson { return l.Say("%s %s %s", method, of, name) }
				corrupt, is := errors.AsType[*document.CorruptError](err)
				l.Means = "the caller cannot tell damage from other errors, or cannot find what to repair"
				lab.Require(t, is, instead("did not return a *CorruptError for"))
				lab.Require(t, errors.Is(err, document.ErrEmpty) == (text == ""), instead("returned ErrEmpty, or hid it, for"))
				lab.RequireEqual(t, filepath.Base(path), filepath.Base(corrupt.Path), instead("returned a CorruptError with another path for"))
				want := ""
				if exists(path + ".bak") {
					want = "locks.json.bak"
				}
				found := filepath.Base(corrupt.Backup)
				if corrupt.Backup == "" {
					found = ""
				}
				lab.RequireEqual(t, want, found, instead("returned a CorruptError with another backup than there is, for"))
			})
		})
	}
	t.Run("a missing file", missing)
	t.Run("and a large document is", large)
	t.Run("without Validate, whatever JSON has a form for", func(t *testing.T) {
		t.Parallel()
		for name, call := range methods {
			path := prepared(t, name)
			l := lab.Lesson{Did: name + " with the zero Options", Means: "a program that has no rules cannot use its document", Read: strict}
			succeed(t, l.Say("%s failed without Validate", name), func() error {
				return call(t.Context(), document.New(path, document.Options[shop]{}), checkOut("hinge.step", ""))
			})
		}
	})
	t.Run("a newer version", func(t *testing.T) {
		t.Parallel()
		const name = "a newer version"
		requireRefused(t, name, newer, func(t *testing.T, err error, _, method string, l lab.Lesson) {
			t.Helper()
			version, is := errors.AsType[*document.VersionError](err)
			l.Means = "a good document of a newer program is treated as damage"
			lab.Require(t, is && version.Version == 2, l.Say("%s did not return a *VersionError for %s", method, name))
		})
	})
}

// requireRefused demands that View and Update refuse the text, call nobody and change nothing, with a backup and without.
func requireRefused(t *testing.T, name, text string, judge func(t *testing.T, err error, path, method string, l lab.Lesson)) {
	t.Helper()
	for _, backup := range []bool{false, true} {
		for _, method := range []string{"View", "Update"} {
			path := lab.WriteFile(t, "locks.json", text)
			if backup {
				lab.RequireSetUp(t, os.WriteFile(path+".bak", nil, 0o644)) // not a good one
			}
			listed := entries(t, path)
			d, called := open(path), false
			use := func(*shop) error { called = true; return nil }
			l := lab.Lesson{
				Says: method + " took " + name + " for a document", Did: method + " of a file that holds " + name,
				Expected: "an error", Means: "the next save is made of what was never understood, and writes over it", Read: strict,
			}
			if backup { // what one Document accepts is not what another one does
				l.Did += "; another Document, without Validate, had tried to read it"
				_ = end(t, l.Say("View does not come to its end"), func() error {
					return document.New(path, document.Options[shop]{}).View(t.Context(), func(*shop) error { return nil })
				})
			}
			err := fail(t, l, func() error {
				if method == "View" {
					return d.View(t.Context(), use)
				}
				return d.Update(t.Context(), use)
			})
			l.Expected = ""
			requireNamed(t, path, err, l.Say("%s returned an error that does not name the file, for %s", method, name))
			lab.Require(t, !called, l.Say("%s called its function with the content of %s", method, name))
			lab.RequireFile(t, path, text, l.Say("%s wrote over %s", method, name))
			lab.RequireEqual(t, listed, entries(t, path), l.Say("%s created or removed a file when it found %s", method, name))
			judge(t, err, path, method, l)
			requireFree(t, path, l.Say("%s left the document locked when it found %s", method, name))
		}
	}
}

func missing(t *testing.T) {
	t.Parallel()
	for _, backup := range []bool{false, true} {
		for _, method := range []string{"View", "Update"} {
			path := lab.Path(t, "locks.json")
			if backup {
				lab.RequireSetUp(t, os.WriteFile(path+".bak", []byte(before), 0o644))
			}
			listed := entries(t, path)
			called := false
			use := func(*shop) error { called = true; return nil }
			l := lab.Lesson{
				Says: method + " took a missing file for a first start", Did: method + "; there was no file",
				Means: "a wrong path, or a lost file, looks like a workshop where nobody has anything", Read: firstTime,
			}
			if backup {
				l.Did += ", but a backup"
			}
			d := open(path)
			err := fail(t, l, func() error {
				if method == "View" {
					return d.View(t.Context(), use)
				}
				return d.Update(t.Context(), use)
			})
			lab.RequireErrorIs(t, err, os.ErrNotExist, l)
			requireNamed(t, path, err, l.Say("%s returned an error that does not name the file that is missing", method))
			lab.Require(t, !called, l.Say("%s called its function without a document", method))
			lab.RequireEqual(t, listed, entries(t, path), l.Say("%s created a file where none was", method))
		}
	}
}

func TestCreateMakesTheFirstDocument(t *testing.T) {
	t.Parallel()
	first := func() *shop { return &shop{Checkouts: map[string]string{"bracket.step": "alice"}} }
	t.Run("where there is none", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		l := lab.Lesson{Did: "Create; there was no file", Read: firstTime}
		d := open(path)
		succeed(t, l.Say("Create failed"), func() error { return d.Create(t.Context(), first()) })
		generation, _ := read(t, path, l)
		lab.RequireEqual(t, 1, generation, l.Say("Create did not begin with generation 1"))
		requireCheckouts(t, path, l.Say("Create wrote another content"), "bracket.step=alice")
		lab.RequireEqual(t, "locks.json", entries(t, path), l.Say("Create left another file"))
		succeed(t, l.Say("Update failed after Create"), func() error { return d.Update(t.Context(), checkOut("hinge.step", "bob")) })
		requireCheckouts(t, path, l.Say("Update lost what Create had written"), "bracket.step=alice hinge.step=bob")
	})
	t.Run("but no directory for it", noDirectory)
	for what, file := range map[string]string{"nothing": "", "a document": "locks.json", "a backup": "locks.json.bak"} {
		t.Run("under the lock, with "+what+" when it comes", func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "locks.json")
			held, err := lockfile.Lock(t.Context(), path+".lock", filelock.Shared, 0o600)
			lab.RequireSetUp(t, err)
			l := lab.Lesson{
				Did:   "another program had a shared lock on locks.json.lock; Create waited; the other program left " + what,
				Means: "two programs make the first document, and one overwrites what the other has acknowledged", Read: firstTime,
			}
			p := lab.Start(t, "create", path)
			waits(t, p, l.Say("Create does not wait for the lock on PATH.lock"))
			lab.RequireEqual(t, "", entries(t, path), l.Say("Create wrote without the lock"))
			if file == "" {
				lab.RequireSetUp(t, held.Unlock())
				lab.RequireNoError(t, p.Wait(l), l.Say("Create failed"))
				return
			}
			lab.RequireSetUp(t, os.WriteFile(filepath.Join(filepath.Dir(path), file), []byte(good), 0o644))
			was := documents(t, path)
			lab.RequireSetUp(t, held.Unlock())
			l = l.Say("Create looked for a document before it had the lock, and not after")
			lab.RequireErrorIs(t, p.Wait(l), os.ErrExist, l)
			lab.RequireEqual(t, was, documents(t, path), l)
		})
	}
	for name, text := range map[string]string{"a document": good, "a damaged one": good[:30], "an empty file": "", "a backup alone": ""} {
		t.Run("beside "+name, func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "locks.json")
			file := path
			if name == "a backup alone" {
				file, text = path+".bak", before
			}
			lab.RequireSetUp(t, os.WriteFile(file, []byte(text), 0o644))
			listed := entries(t, path)
			l := lab.Lesson{
				Says: "Create made a new document although there was " + name, Did: "Create; there was " + name,
				Means: "the checkouts of everyone are gone", Read: firstTime,
			}
			err := fail(t, l, func() error { return open(path).Create(t.Context(), first()) })
			lab.RequireErrorIs(t, err, os.ErrExist, l)
			lab.RequireFile(t, file, text, l)
			lab.RequireEqual(t, listed, entries(t, path), l)
			requireFree(t, path, l.Say("Create left the document locked"))
		})
	}
	for name, content := range map[string]*shop{
		"Validate":                       {Checkouts: map[string]string{"a": ""}},
		"Validate, once it is loaded":    {Checkouts: map[string]string{"a": ""}, Nobody: true},
		"the strict load":                {Checkouts: map[string]string{"a": "b", "A": "b"}},
		"the encoder, which has no form": {Checkouts: map[string]string{"a": "b"}, Weight: math.NaN()},
	} {
		t.Run("not of what is refused by "+name, func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "locks.json")
			l := lab.Lesson{
				Says: "Create wrote what is refused by " + name, Did: "Create of a content that is refused by " + name,
				Means: "the document can never be loaded", Read: strict,
			}
			err := fail(t, l, func() error { return open(path).Create(t.Context(), content) })
			lab.RequireEqual(t, "", entries(t, path), l)
			if strings.HasPrefix(name, "Validate") {
				lab.RequireErrorIs(t, err, errInvalid, l.Say("Create hid the reason that Validate gave"))
			}
			l.Means = "the caller repairs a file that does not exist, for a mistake of its own"
			lab.Require(t, !isCorrupt(err), l.Say("Create returned a CorruptError although there is no file"))
		})
	}
}

// A directory that is made for a wrong path is a second document one day.
func noDirectory(t *testing.T) {
	t.Parallel()
	for name, call := range methods {
		path := lab.Path(t, "wrokshop")
		l := lab.Lesson{
			Says: name + " made the directory of its document", Did: name + " of a document in a directory that did not exist",
			Means: "nobody notices the wrong path, and there are two documents from now on", Read: firstTime,
		}
		err := fail(t, l, func() error {
			return call(t.Context(), open(filepath.Join(path, "locks.json")), func(*shop) error { return nil })
		})
		lab.Require(t, !exists(path), l)
		lab.RequireErrorIs(t, err, os.ErrNotExist, l.Say("%s hid why it had failed", name))
	}
}

func TestWhatIsKeptOfTheFile(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes, umask and plain symbolic links")
	}
	t.Run("its mode", func(t *testing.T) {
		t.Parallel()
		for _, perm := range []os.FileMode{0o600, 0o640, 0o664, 0o444} {
			path := shelf(t)
			lab.RequireSetUp(t, os.Chmod(path, perm))
			l := lab.Lesson{
				Says: "Update changed the mode of the document", Did: fmt.Sprintf("Update of a document with the mode %o", perm),
				Means: "other users can read it, or its own can no longer", Read: durable,
			}
			succeed(t, l.Say("Update failed"), func() error { return open(path).Update(t.Context(), checkOut("hinge.step", "bob")) })
			lab.RequireEqual(t, perm.String(), mode(t, path), l)
		}
	})
	t.Run("its owner", func(t *testing.T) {
		t.Parallel()
		owner := func(path string) string {
			info, err := os.Stat(path)
			lab.RequireSetUp(t, err)
			system := reflect.Indirect(reflect.ValueOf(info.Sys()))
			return fmt.Sprint(system.FieldByName("Uid"), ":", system.FieldByName("Gid"))
		}
		for _, name := range []string{"Update", "Recover"} {
			path := prepared(t, name)
			given := os.Chown(path, 65534, 65534) == nil // as root
			groups, _ := os.Getgroups()
			for _, group := range groups {
				given = given || group != os.Getegid() && os.Chown(path, -1, group) == nil
			}
			if !given {
				t.Skip("it takes root, or a second group, to give a file away")
			}
			was := owner(path)
			l := lab.Lesson{
				Says: name + " changed the owner or the group of the document", Did: name + " of a document of " + was,
				Means: "those whose file it was can no longer read it", Read: durable,
			}
			succeed(t, l.Say("%s failed", name), func() error { return methods[name](t.Context(), open(path), checkOut("hinge.step", "bob")) })
			lab.RequireEqual(t, was, owner(path), l)
		}
	})
	t.Run("its mode, which changes while Update waits", func(t *testing.T) {
		t.Parallel()
		path := shelf(t)
		held, err := lockfile.Lock(t.Context(), path+".lock", filelock.Exclusive, 0o644)
		lab.RequireSetUp(t, err)
		l := lab.Lesson{
			Did:   "another program had the lock on locks.json.lock; Update waited; the other program gave the document the mode 640",
			Means: "Update looked at the file before it had the lock: its group can read it no longer", Read: durable,
		}
		p := lab.Start(t, "update", path, "hinge.step", "bob")
		waits(t, p, l.Say("Update does not wait for the lock on PATH.lock"))
		lab.RequireSetUp(t, os.Chmod(path, 0o640))
		lab.RequireSetUp(t, held.Unlock())
		p.Reached("inside", l.Say("Update did not get the lock"))
		finish(t, p, l.Say("Update failed"))
		lab.RequireEqual(t, "-rw-r-----", mode(t, path), l.Say("Update gave the document the mode that it had before the wait"))
	})
	t.Run("a symbolic link to it", func(t *testing.T) {
		t.Parallel()
		path := shelf(t)
		link := lab.Path(t, "link.json")
		lab.RequireSetUp(t, os.Symlink(path, link))
		d := open(link)
		l := lab.Lesson{
			Says: "Update replaced the link instead of the document", Did: "Update of a document through a symbolic link in another directory",
			Means: "there are two documents from now on", Read: names,
		}
		succeed(t, l.Say("Update failed"), func() error { return d.Update(t.Context(), checkOut("hinge.step", "bob")) })
		requireCheckouts(t, path, l, "bracket.step=alice hinge.step=bob")
		lab.RequireEqual(t, "link.json", entries(t, link), l.Say("Update put files beside the link"))
		lab.RequireFile(t, path+".bak", good, l.Say("Update did not keep the backup beside the document"))
		other := shelf(t)
		lab.RequireSetUp(t, errors.Join(os.Remove(link), os.Symlink(other, link)))
		l.Did += "; then the link was made to lead to another document; then Update of the same Document"
		succeed(t, l.Say("Update failed"), func() error { return d.Update(t.Context(), checkOut("plate.step", "carol")) })
		requireCheckouts(t, other, l.Say("Update did not follow the link again"), "bracket.step=alice plate.step=carol")
		lab.RequireSetUp(t, os.WriteFile(other, []byte(torn), 0o644))
		l.Did, l.Means = "View of a damaged document, which has a backup, through a symbolic link", "no one finds what is left of the work"
		err := fail(t, l.Say("View took half a document for one"), func() error { return d.View(t.Context(), func(*shop) error { return nil }) })
		corrupt, _ := errors.AsType[*document.CorruptError](err)
		lab.Require(t, corrupt != nil, l.Say("View did not return a *CorruptError"))
		lab.RequireEqual(t, "locks.json.bak", filepath.Base(corrupt.Backup), l.Say("View looked for the backup beside the link"))
		_ = recovered(t, link, l)
		requireCheckouts(t, other, l.Say("Recover did not bring back the backup of a document behind a link"), "bracket.step=alice")
		lab.RequireEqual(t, "link.json", entries(t, link), l.Say("Recover put files beside the link"))
	})
	t.Run("the mode of a new one", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		p := lab.StartProgram(t, lab.Options{Umask: "0027"}, stuck, "desk", path)
		l := lab.Lesson{
			Says: "Create gave the new document another mode than 0644 less the umask", Did: "Create, with the umask 027 and no Perm",
			Means: "others can read it, or its own group cannot", Read: firstTime,
		}
		p.Succeed("create", l.Say("Create failed"))
		lab.RequireEqual(t, "-rw-r-----", mode(t, path), l)
		l = l.Say("Create gave the lock file another mode than 0644 less the umask")
		l.Means = "those who may read the document cannot lock it, and so not read it"
		lab.RequireEqual(t, "-rw-r-----", mode(t, path+".lock"), l)
	})
	t.Run("what Perm says of a new one", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		d := document.New(path, document.Options[shop]{Perm: 0o600})
		l := lab.Lesson{
			Says: "Create did not give the new document the mode Perm", Did: "Create with Perm 0600", Means: "others can read it", Read: firstTime,
		}
		succeed(t, l.Say("Create failed"), func() error { return d.Create(t.Context(), &shop{Checkouts: map[string]string{}}) })
		lab.RequireEqual(t, "-rw-------", mode(t, path), l)
		l.Means = "a user who may not read the document can keep its lock, and stop all programs"
		for name, call := range methods {
			path := prepared(t, name)
			l.Did = name + " with Perm 0600"
			succeed(t, l.Say("%s failed", name), func() error {
				return call(t.Context(), document.New(path, document.Options[shop]{Perm: 0o600}), checkOut("hinge.step", "bob"))
			})
			lab.RequireEqual(t, "-rw-------", mode(t, path+".lock"), l.Say("%s did not give the lock file the mode Perm", name))
		}
	})
}

func stuck(order string, l lab.Lesson) lab.Lesson {
	l.Expected, l.Found = order+" returns", "the kernel says that it waits for a file lock"
	return l
}
