package jsonfiles_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"example/turnstile/exercises/04_json_files"
	"example/turnstile/internal/lab"
)

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatalf("the test cannot write its own file: %v", err)
	}
}

func TestLoadTellsWhatItFindsApart(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Means: "whoever asks is told that no part is taken: Bob gets the bracket that Alice is working on",
		Read:  `lessons/04_json_files, "Missing, empty, damaged"`,
	}
	for _, c := range []struct{ name, content, verdict, says, did string }{
		{
			"half a document", locks[:100], corrupt,
			"Load took half a document for an empty one", "the file ends after 100 bytes of a document with two locks",
		},
		{
			"an empty file", "", empty,
			"Load did not say that the file is empty", "the file has 0 bytes, as a full disk or a crash leaves it",
		},
		{
			"nothing but white space", " \n", corrupt,
			"Load did not call a file of white space damaged", "the file holds a blank and a line end: it is not empty, and it is no document",
		},
		{
			"zero bytes", strings.Repeat("\x00", 64), corrupt,
			"Load took zero bytes for a document", "the file holds 64 zero bytes, as a power cut may leave it",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson := lesson
			lesson.Says, lesson.Did = c.says, c.did
			requireRefused(t, c.content, c.verdict, lesson)
		})
	}

	t.Run("no file", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		lesson := lesson
		lesson.Says = "Load did not say that there is no file"
		lesson.Did = "there is no file at the path"
		doc, err := jsonfiles.Load(path)
		lesson.Expected, lesson.Found = missing, found(doc, err)
		lab.Require(t, verdictOf(err) == missing, lesson)
		requireNoDocument(t, doc, lesson)
		lesson.Says = "Load created a file"
		lesson.Means = "a program that only looks makes an empty store out of a mistyped path"
		lab.RequireNoFile(t, path, lesson)
	})

	t.Run("what cannot be read", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatalf("the test cannot create a folder: %v", err)
		}
		lesson := lesson
		lesson.Says = "Load gave a verdict on what it could not read"
		lesson.Did = "a folder stands at the path, so that nothing can be read"
		lesson.Means = "nobody knows what is there: it is neither no document nor a damaged one, and setting it aside would hide the cause"
		doc, err := jsonfiles.Load(path)
		lesson.Expected, lesson.Found = other, found(doc, err)
		lab.Require(t, verdictOf(err) == other, lesson)
	})
}

func TestLoadTakesOneWholeDocument(t *testing.T) {
	t.Parallel()
	tail := lab.Lesson{
		Says:  "Load did not look at what follows the document",
		Means: "the file is damaged and nobody is told; another program refuses the file, or reads on into the rest",
		Read:  `lessons/04_json_files, "What a decoder does not look at"`,
	}
	twice := lab.Lesson{
		Says:  "Load took a document that says two things at once",
		Means: "one of two owners is dropped in silence, and another program may drop the other",
		Read:  `lessons/04_json_files, "What a decoder does not look at"`,
	}
	unknown := lab.Lesson{
		Says:  "Load dropped a field that it does not know",
		Means: "the field is gone with the next Save: whoever wrote it has lost it, and nobody was told",
		Read:  `lessons/04_json_files, "What an older program drops"`,
	}
	invalid := lab.Lesson{
		Says:  "Load took a document that says too little",
		Means: "what is not said is made up: no locks, nobody, the year 1",
		Read:  `lessons/04_json_files, "What a decoder makes up"`,
	}
	lock := func(entry string) string {
		return `{"version":1,"generation":3,"locks":{"bracket.step":` + entry + `}}`
	}
	for _, c := range []struct {
		name, content string
		lesson        lab.Lesson
	}{
		{"with the tail of an older one", noLocks + `ice"}}}`, tail},
		{"with a second document", noLocks + "\n" + noLocks, tail},
		{"with a brace too many", noLocks + "}", tail},
		{"with zero bytes behind it", noLocks + "\x00\x00", tail},
		{"with the tail of an older one of a newer version", `{"version":2,"x":1}x":1}`, tail},
		{"with a part twice", `{"version":1,"generation":3,"locks":{` +
			`"bracket.step":{"owner":"alice","since":"2026-03-02T09:00:00Z"},` +
			`"bracket.step":{"owner":"bob","since":"2026-03-02T09:00:00Z"}}}`, twice},
		{"with an owner twice", lock(`{"owner":"alice","since":"2026-03-02T09:00:00Z","owner":"bob"}`), twice},
		{"with locks twice in another case", `{"version":1,"generation":3,` +
			`"locks":{"bracket.step":{"owner":"alice","since":"2026-03-02T09:00:00Z"}},"Locks":{}}`, twice},
		{"with an unknown field", `{"version":1,"generation":3,"locks":{},"queue":["bob"]}`, unknown},
		{"with an unknown field in a lock", lock(`{"owner":"alice","since":"2026-03-02T09:00:00Z","note":"milling"}`), unknown},
		{"without locks", `{"version":1,"generation":3}`, invalid},
		{"with null for locks", `{"version":1,"generation":3,"locks":null}`, invalid},
		{"without a generation", `{"version":1,"locks":{}}`, invalid},
		{"without a version", `{"generation":3,"locks":{}}`, invalid},
		{"which is null", `null`, invalid},
		{"with a lock of nobody", lock(`{"since":"2026-03-02T09:00:00Z"}`), invalid},
		{"with a lock without a time", lock(`{"owner":"alice"}`), invalid},
		{"with bytes that are no UTF-8", lock("{\"owner\":\"al\xffice\",\"since\":\"2026-03-02T09:00:00Z\"}"), invalid},
		{"with a path that is no UTF-8", strings.Replace(locks, "hinge", "hin\xffge", 1), invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson := c.lesson
			lesson.Did = "the file held " + lab.Show([]byte(c.content))
			requireRefused(t, c.content, corrupt, lesson)
		})
	}

	t.Run("and says why", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", `{"version":1,`)
		_, err := jsonfiles.Load(path)
		damage, ok := errors.AsType[*jsonfiles.CorruptError](err)
		lesson := lab.Lesson{
			Says:     "Load's error does not say what is wrong with the file",
			Did:      "the file was damaged; the Err of Load's *CorruptError was looked at",
			Expected: "the cause, as the decoder gave it",
			Found:    fmt.Sprint(err),
			Means:    "whoever has to mend the file by hand does not know where to look",
			Read:     `lessons/04_json_files, "Load: one whole document, or an error"`,
		}
		lab.Require(t, ok && damage.Err != nil, lesson)
	})

	t.Run("and names the file", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", `{"version":1,`)
		_, err := jsonfiles.Load(path)
		text := "no error"
		if err != nil {
			text = oneLine(err)
		}
		lab.Require(t, strings.Contains(text, path), lab.Lesson{
			Says:     "Load's error does not name the damaged file",
			Did:      "the file was damaged; the error's text was searched for its path",
			Expected: "an error with " + path,
			Found:    text,
			Means:    "a workshop with twenty such files does not know which one to mend",
			Read:     `lessons/04_json_files, "Load: one whole document, or an error"`,
		})
	})
}

func TestLoadTakesEveryGoodDocument(t *testing.T) {
	t.Parallel()
	alice := map[string]jsonfiles.Lock{"bracket.step": {Owner: "alice", Since: morning}}
	both := map[string]jsonfiles.Lock{
		"bracket.step": {Owner: "alice", Since: morning},
		"hinge.step":   {Owner: "bob", Since: morning.Add(30 * time.Minute)},
	}
	many := make(map[string]jsonfiles.Lock)
	for i := range 1000 {
		many[fmt.Sprintf("part-%d.step", i)] = jsonfiles.Lock{Owner: "alice", Since: morning}
	}
	entries := make([]string, 0, len(many))
	for path := range many {
		entries = append(entries, fmt.Sprintf(`%q:{"owner":"alice","since":"2026-03-02T09:00:00Z"}`, path))
	}
	manyLocks := `{"version":1,"generation":7,"locks":{` + strings.Join(entries, ",") + `}}`
	for _, c := range []struct {
		name, content string
		generation    int64
		locks         map[string]jsonfiles.Lock
	}{
		{"as a person writes it", locks, 7, both},
		{
			"with Windows line ends", strings.ReplaceAll(locks, "\n", "\r\n"), 7, both,
		},
		{"without locks", noLocks, 3, map[string]jsonfiles.Lock{}},
		{
			"with the keys in another order", `{"locks":{"bracket.step":{"since":"2026-03-02T09:00:00Z","owner":"alice"}},"generation":3,"version":1}`, 3, alice,
		},
		{
			"with escaped letters", `{"version":1,"generation":3,"locks":{"br\u0061cket.step":{"owner":"\u0061lice","since":"2026-03-02T09:00:00Z"}}}`, 3, alice,
		},
		{"with a thousand locks", manyLocks, 7, many},
		{"with a generation that no float holds", `{"version":1,"generation":9007199254740993,"locks":{}}`, 9007199254740993, map[string]jsonfiles.Lock{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson := lab.Lesson{
				Says:     "Load refused a good document",
				Did:      "the file held " + lab.Show([]byte(c.content)),
				Expected: "no error",
				Means:    "the workshop stands still because of white space, an order or a number",
				Read:     `lessons/04_json_files, "Load: one whole document, or an error"`,
			}
			path := lab.WriteFile(t, "locks.json", c.content)
			got := load(t, path, lesson)
			lesson.Says = "Load returned another document than the file holds"
			lesson.Means = "somebody works with a lock, or a number, that nobody has saved"
			requireSame(t, &jsonfiles.Document{Version: 1, Generation: c.generation, Locks: c.locks}, got, lesson)
			lesson.Says = "Load returned a document whose map of locks is nil"
			lesson.Means = "the first lock that is put into it ends the program"
			lesson.Expected, lesson.Found = "a map", "nil"
			lab.Require(t, got.Locks != nil, lesson)
		})
	}
}

func TestLoadRefusesANewerVersion(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"with a field of the future": `{"version":2,"generation":8,"locks":{"bracket.step":{"owner":"alice","since":"2026-03-02T09:00:00Z","lease":"PT8H"}}}`,
		"with another layout":        `{"locks":[["bracket.step","alice"]],"generation":"8","version":3}`,
		"with a key twice":           `{"version":2,"generation":8,"queue":["bob"],"queue":["carol"]}`,
		"with nothing else new":      strings.Replace(noLocks, `"version":1`, `"version":2`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireRefused(t, content, newer, lab.Lesson{
				Says:  "Load did not say that the document is from a newer program",
				Did:   "the file held " + lab.Show([]byte(content)),
				Means: "an older program drops what it does not know, or calls a good file damaged and sets it aside",
				Read:  `lessons/04_json_files, "A document from the future"`,
			})
		})
	}
}

func TestSetAsideKeepsWhatIsDamaged(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Means: "the damaged file is all that is left of the locks: with it goes the last chance to mend them",
		Read:  `lessons/04_json_files, "Set the damage aside"`,
	}

	t.Run("each under a name of its own", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		damaged := []string{locks[:100], "", "{}}"}
		kept := make(map[string]string)
		for _, content := range damaged {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatalf("the test cannot write its own file: %v", err)
			}
			aside, err := jsonfiles.SetAside(path)
			lesson := lesson
			lesson.Says = "SetAside did not set a damaged file aside"
			lesson.Did = "the file held " + lab.Show([]byte(content))
			lab.RequireNoError(t, err, lesson)
			lab.RequireNoFile(t, path, lesson)
			lesson.Says = "SetAside moved the file out of its folder"
			lesson.Expected, lesson.Found = filepath.Dir(path), filepath.Dir(aside)
			lab.Require(t, lesson.Expected == lesson.Found, lesson)
			kept[aside] = content
		}
		lesson := lesson
		lesson.Says = "SetAside overwrote a file that was set aside before"
		lesson.Did = "locks.json was damaged and set aside three times; the copies were counted, then read"
		lesson.Expected, lesson.Found = "3 files", strings.Join(names(t, filepath.Dir(path)), ", ")
		lab.Require(t, len(names(t, filepath.Dir(path))) == len(damaged), lesson)
		lesson.Expected, lesson.Found = "", ""
		for aside, content := range kept {
			lab.RequireFile(t, aside, content, lesson)
		}
	})

	t.Run("beside what has such a name already", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		kept := path + ".damaged-2"
		write(t, kept, "yesterday's")
		lesson := lesson
		lesson.Says = "SetAside overwrote a file that was set aside before"
		lesson.Did = "locks.json.damaged-2 was there, locks.json.damaged-1 had been removed; a damaged file was set aside, twice"
		for range 2 {
			write(t, path, "{")
			_, err := jsonfiles.SetAside(path)
			lab.RequireFile(t, kept, "yesterday's", lesson)
			lab.RequireNoError(t, err, lesson)
		}
	})

	t.Run("beside a link that leads nowhere", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows lets only some users make symbolic links")
		}
		path := lab.WriteFile(t, "locks.json", "{")
		link := path + ".damaged-1"
		if err := os.Symlink("nowhere", link); err != nil {
			t.Fatalf("the test cannot make a link: %v", err)
		}
		_, err := jsonfiles.SetAside(path)
		lesson := lesson
		lesson.Says = "SetAside took a name that was not free"
		lesson.Did = "locks.json.damaged-1 was a symbolic link that leads nowhere: Stat says that there is no file, and the name is taken"
		lesson.Means = "it asks first and renames afterwards: what comes to have the name in between is destroyed as well"
		target, _ := os.Readlink(link)
		lesson.Expected, lesson.Found = "a link to nowhere", "a link to "+target
		lab.Require(t, target == "nowhere", lesson)
		lab.RequireNoError(t, err, lesson)
	})

	t.Run("or says that no name can be made", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("how long a name may be is tried on Unix")
		}
		path := lab.WriteFile(t, strings.Repeat("x", 250), "{")
		lesson := lesson
		lesson.Says = "SetAside did not give up where no new name can be made"
		lesson.Did = "the damaged file's name had 250 letters; with .damaged- and a number it is longer than the system takes"
		lesson.Means = "the program hangs, or says that the damage is set aside, and nobody mends it"
		var err error
		lab.Finishes(t, func() { _, err = jsonfiles.SetAside(path) }, lesson)
		lab.RequireError(t, err, lesson)
		lab.RequireFile(t, path, "{", lesson)
	})

	t.Run("but not what is not there", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		_, err := jsonfiles.SetAside(path)
		lesson := lesson
		lesson.Says = "SetAside left something in the folder though it failed"
		lesson.Did = "there was no file at the path"
		lesson.Means = "somebody looks for damage that never was"
		lesson.Expected, lesson.Found = "", strings.Join(names(t, filepath.Dir(path)), ", ")
		lab.Require(t, lesson.Found == "", lesson)
		lesson.Says = "SetAside did not say that there is no file"
		lesson.Means = "the caller looks for a copy that does not exist"
		lesson.Found = ""
		lab.RequireErrorIs(t, err, fs.ErrNotExist, lesson)
	})

	t.Run("but not what cannot be read", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows lets only some users make symbolic links")
		}
		folder := t.TempDir()
		path := filepath.Join(folder, "locks.json")
		if err := errors.Join(os.Mkdir(filepath.Join(folder, "store"), 0o700), os.Symlink("store", path)); err != nil {
			t.Fatalf("the test cannot make a folder and a link: %v", err)
		}
		_, err := jsonfiles.SetAside(path)
		lesson := lesson
		lesson.Says = "SetAside took away what could not be read"
		lesson.Did = "locks.json was a link to a folder, so that nothing could be read"
		lesson.Means = "nobody knows what is there; it may be good, and the cause is hidden"
		lesson.Expected, lesson.Found = "locks.json, store", strings.Join(names(t, folder), ", ")
		lab.Require(t, lesson.Expected == lesson.Found, lesson)
		lesson.Expected, lesson.Found = "", ""
		lab.RequireError(t, err, lesson)
	})

	for _, c := range []struct{ name, content, did string }{
		{"but not a good document", locks, "the file held a good document: somebody had mended it in the meantime"},
		{"but not a newer one", `{"version":2}`, "the file held a document of version 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", c.content)
			_, err := jsonfiles.SetAside(path)
			lesson := lesson
			lesson.Says = "SetAside took away a file that is not damaged"
			lesson.Did = c.did
			lesson.Means = "the next program finds no file and begins with no locks: Bob gets the bracket that Alice is working on"
			requireUntouched(t, path, c.content, lesson)
			lesson.Says = "SetAside did not say that it left the file where it was"
			lesson.Means = "the caller goes on as if the path were free"
			lab.RequireError(t, err, lesson)
		})
	}
}
