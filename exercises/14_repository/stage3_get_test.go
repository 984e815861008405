package repository_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	repository "example/turnstile/exercises/14_repository"
	"example/turnstile/exercises/14_repository/objects"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

func noCollection() { debug.SetGCPercent(-1) }

// impatient returns a reader that fails when Read returns nothing again and again, and would never come to an end.
func impatient(r io.Reader) io.Reader {
	empty := 0
	return readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		if empty++; n > 0 {
			empty = 0
		}
		if empty > 10_000 && err == nil {
			err = io.ErrNoProgress
		}
		return n, err
	})
}

// ways are how a caller may read: each returns what it was handed out, and the error that ended that, if it was not io.EOF.
var ways = []struct {
	name string
	read func(r io.Reader, size int) ([]byte, error)
}{
	{"to the end", func(r io.Reader, _ int) ([]byte, error) { return io.ReadAll(impatient(r)) }},
	{"exactly as many bytes as the object has", func(r io.Reader, size int) ([]byte, error) {
		b := make([]byte, size)
		n, err := io.ReadFull(impatient(r), b)
		return b[:n], err
	}},
	{"in small pieces, with Reads of 0 bytes in between", func(r io.Reader, _ int) ([]byte, error) {
		return io.ReadAll(impatient(readerFunc(func(p []byte) (int, error) {
			if _, err := r.Read(nil); err != nil {
				return 0, err
			}
			return r.Read(p[:min(len(p), 199)])
		})))
	}},
	{"with io.Copy, which calls no Read if there is a WriteTo", func(r io.Reader, _ int) ([]byte, error) {
		var b strings.Builder
		_, err := io.Copy(&b, r)
		return []byte(b.String()), err
	}},
}

func TestGetHandsOutTheObject(t *testing.T) {
	t.Parallel()
	for _, size := range []int{13, 0, 1, 32 << 10, 100_000} {
		r, dir := create(t, repository.Options{})
		content := long(size)
		plant(t, dir, content, content)
		for _, way := range ways {
			l := lab.Lesson{
				Says: "Get failed although nothing stood in its way", Did: fmt.Sprintf("Get of an object of %d bytes, read %s", size, way.name),
				Means: "a good object cannot be read", Read: verify,
			}
			ctx, cancel := context.WithCancel(t.Context())
			reader, err := r.Get(ctx, objectOf(content).ID)
			cancel() // it was Get's
			lab.RequireNoError(t, err, l)
			lab.RequireNotNil(t, reader, "Get", l)
			lab.RequireEqual(t, int64(size), reader.Size(), l.Say("Size is not that of the object"))
			var got []byte
			lab.Finishes(t, func() { got, err = way.read(reader, size) }, l.Say("Read does not come to an end"))
			lab.RequireNoError(t, err, l.Say("Read failed although the object is good"))
			lab.RequireEqual(t, content, string(got), l.Say("Read returned other bytes than the object's"))
			_, err = reader.Read(make([]byte, 10))
			lab.RequireErrorIs(t, err, io.EOF, l.Say("Read does not return io.EOF after the last byte"))
			lab.RequireNoError(t, reader.Close(), l.Say("Close failed although nothing stood in its way"))
			l.Means = "a mistake of the program stays unseen: by now the handle may be another file's"
			_, err = reader.Read(make([]byte, 10))
			lab.RequireErrorIs(t, err, fs.ErrClosed, l.Say("Read goes on after Close"))
			lab.RequireErrorIs(t, reader.Close(), fs.ErrClosed, l.Say("Close does not report that the Reader was closed before"))
			l.Means = "a program that counts the bytes changes its mind in the middle"
			lab.RequireEqual(t, int64(size), reader.Size(), l.Say("Size changes when the Reader is closed"))
		}
	}
}

// TestReadersShareNothing reads two objects by turns, after Readers were closed once and twice, at the end and in the middle.
func TestReadersShareNothing(t *testing.T) {
	t.Parallel()
	r, dir := create(t, repository.Options{})
	contents := []string{long(200_000), strings.ToUpper(long(200_000))}
	for _, content := range contents {
		plant(t, dir, content, content)
	}
	l := lab.Lesson{
		Says: "Get failed although nothing stood in its way", Did: "Readers were closed, some of them twice; Get of two objects, read by turns",
		Means: "one download gets the bytes of another one, or breaks off because of it", Read: verify,
	}
	open := func(content string) *repository.Reader {
		reader, err := r.Get(t.Context(), objectOf(content).ID)
		lab.RequireNoError(t, err, l)
		lab.RequireNotNil(t, reader, "Get", l)
		t.Cleanup(func() { _ = reader.Close() })
		return reader
	}
	for round := range 8 {
		before := open(contents[round%2])
		_, err := io.CopyN(io.Discard, impatient(before), int64(round)*20_000)
		lab.RequireNoError(t, err, l.Say("Read failed although the object is good"))
		_ = before.Close()
		if round%2 == 1 {
			_ = before.Close()
		}
		two := []*repository.Reader{open(contents[0]), open(contents[1])}
		var got [2]strings.Builder
		for range 200 {
			for i, reader := range two {
				_, err := io.CopyN(&got[i], impatient(reader), 1000)
				lab.RequireNoError(t, err, l.Say("Read fails, or returns other bytes, when another Reader is at work"))
			}
		}
		for i, content := range contents {
			lab.RequireEqual(t, content, got[i].String(), l.Say("Read fails, or returns other bytes, when another Reader is at work"))
			_ = two[i].Close()
		}
	}
}

func TestGetVerifiesWhatItHandsOut(t *testing.T) {
	t.Parallel()
	t.Run("damage after Get", func(t *testing.T) { t.Parallel(); damagedMeanwhile(t) })
	good, large := long(40_000), long(2<<20)
	flip := func(at int) string { return good[:at] + "#" + good[at+1:] }
	for _, c := range []struct{ name, content, found string }{
		{"a flipped byte in the middle", good, flip(20_000)},
		{"a flipped first byte", good, flip(0)},
		{"a flipped last byte", good, flip(len(good) - 1)},
		{"a flipped byte in the last part of 2 MiB", large, large[:len(large)-10] + "#" + large[len(large)-9:]},
		{"an object without its last byte", good, good[:len(good)-1]},
		{"a cut object", good, good[:10]},
		{"an empty file", good, ""},
		{"a byte more", good, good + "!"},
		{"zeros", good, strings.Repeat("\x00", len(good))},
		{"another object's content", bracket, hinge},
		{"a byte where the object is empty", "", "!"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, dir := create(t, repository.Options{})
			plant(t, dir, c.content, c.content)
			get(r, objectOf(c.content).ID) // while it was good
			damage(t, place(dir, c.content), c.found)
			for _, way := range ways {
				l := lab.Lesson{
					Says:  "Get and Read hand out a damaged object without an error",
					Did:   "the object was good once; then, on the disk: " + c.name + "; Get, read " + way.name,
					Means: "the reader works with damage, and no error reports it", Read: verify,
				}
				reader, err := r.Get(t.Context(), objectOf(c.content).ID)
				var got []byte
				if err == nil {
					lab.RequireNotNil(t, reader, "Get", l)
					lab.Finishes(t, func() { got, err = way.read(reader, len(c.found)) }, l.Say("Read does not come to an end"))
				}
				requireCorrupt(t, err, l)
				l.Says, l.Means = "Read handed out the last byte of a damaged object", "a caller that counts bytes, as a web server does, sees no error"
				l.Expected, l.Found = fmt.Sprintf("fewer than %d bytes", max(1, len(c.found))), fmt.Sprint(len(got), " bytes")
				lab.Require(t, len(got) < max(1, len(c.found)), l)
				if reader != nil {
					l.Expected, l.Found = "", ""
					for range 2 {
						_, err = reader.Read(make([]byte, 1000))
						lab.RequireErrorIs(t, err, repository.ErrCorrupt, l.Say("Read forgets that the object is damaged"))
					}
					lab.RequireNoError(t, reader.Close(), l.Say("Close failed although nothing stood in its way"))
					_, err = reader.Read(make([]byte, 1000))
					l.Means = "the caller looks for a mistake of its own, and the damage stays"
					lab.RequireErrorIs(t, err, repository.ErrCorrupt, l.Say("Read forgets after Close that the object is damaged"))
				}
				lab.RequireFile(t, place(dir, c.content), c.found, l.Say("Get changed the file of a damaged object"))
			}
		})
	}
}

// requireCorrupt demands ErrCorrupt. A lesson's words are for no error at all.
func requireCorrupt(t *testing.T, err error, l lab.Lesson) {
	t.Helper()
	if err != nil {
		l.Says = "Get or Read fails, and not with ErrCorrupt, for a damaged object"
		l.Means = "the caller cannot tell damage from a disk that is out of reach"
	}
	lab.RequireErrorIs(t, err, repository.ErrCorrupt, l)
}

// damage writes text into the file, which stays the same one and keeps its time of modification.
func damage(t *testing.T, path, text string) {
	t.Helper()
	info, err := os.Stat(path)
	lab.RequireSetUp(t, err)
	lab.RequireSetUp(t, os.WriteFile(path, []byte(text), 0o644))
	lab.RequireSetUp(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
}

// damagedMeanwhile damages an object after Get, or between two Reads. A Reader may have read ahead, and hand out good bytes.
func damagedMeanwhile(t *testing.T) {
	t.Helper()
	content := long(2 << 20)
	changed := content[:len(content)-1000] + "#" + content[len(content)-999:]
	for _, c := range []struct{ name, found string }{
		{"a byte near the end changed", changed},
		{"a byte near the end changed, and there were more bytes", changed + "a tail"},
		{"it was cut to its half", content[:1<<20]},
		{"it was cut to what had been read", content[:100_000]},
		{"it lost its last byte", content[:len(content)-1]},
		{"it was cut to 0 bytes", ""},
		{"there were more bytes", content + "a tail"},
	} {
		for read, moment := range map[int]string{0: "after Get", 100_000: "after the first 100,000 bytes were read"} {
			for _, way := range ways[:2] {
				requireSeen(t, content, c.found, read, way.read, lab.Lesson{
					Says:  "Read hands out a damaged object without an error",
					Did:   "Get; the object changed on the disk " + moment + ": " + c.name + "; the rest was read " + way.name,
					Means: "what was verified is not what was handed out, or a part counts as the whole", Read: verify,
				})
			}
		}
	}
}

// requireSeen reads an object, which found becomes when so many bytes were read, and demands all its bytes, or ErrCorrupt.
func requireSeen(t *testing.T, content, found string, read int, rest func(io.Reader, int) ([]byte, error), l lab.Lesson) {
	t.Helper()
	r, dir := create(t, repository.Options{})
	plant(t, dir, content, content)
	reader, err := r.Get(t.Context(), objectOf(content).ID)
	lab.RequireNoError(t, err, l.Say("Get failed although nothing stood in its way"))
	defer reader.Close()
	got := make([]byte, read)
	_, err = io.ReadFull(impatient(reader), got)
	lab.RequireNoError(t, err, l.Say("Read failed although the object is good"))
	damage(t, place(dir, content), found)
	var more []byte
	lab.Finishes(t, func() { more, err = rest(reader, len(content)-read) }, l.Say("Read does not come to an end"))
	if string(got)+string(more) != content || err != nil {
		requireCorrupt(t, err, l)
		_, err = reader.Read(make([]byte, 1000))
		lab.RequireErrorIs(t, err, repository.ErrCorrupt, l.Say("Read forgets that the object is damaged"))
	}
	lab.RequireEqual(t, int64(len(content)), reader.Size(), l.Say("Size changes with the file"))
}

func TestGetOfWhatIsNoObject(t *testing.T) {
	t.Parallel()
	t.Run("a name that is not there", func(t *testing.T) {
		t.Parallel()
		r, dir := create(t, repository.Options{})
		plant(t, dir, hinge, hinge)
		l := lab.Lesson{
			Says: "Get does not say that there is no such object", Did: "Get of an object that was never stored",
			Means: "a missing object looks like a broken disk, or like an empty one", Read: verify,
		}
		_, err := r.Get(t.Context(), objectOf(bracket).ID)
		lab.RequireErrorIs(t, err, fs.ErrNotExist, l)
		requireHolds(t, dir, []string{hinge}, l)
	})
	t.Run("a directory", func(t *testing.T) {
		t.Parallel()
		r, dir := create(t, repository.Options{})
		lab.RequireSetUp(t, os.MkdirAll(place(dir, bracket), 0o755))
		reader, err := r.Get(t.Context(), objectOf(bracket).ID)
		if reader != nil {
			_ = reader.Close()
		}
		lab.RequireError(t, err, lab.Lesson{
			Says:  "Get opens what is not a file",
			Did:   "Get where a directory has the object's name",
			Means: "the error comes later, where the caller does not expect it",
			Read:  verify,
		})
	})
	t.Run("a named pipe", func(t *testing.T) {
		t.Parallel()
		r, dir := create(t, repository.Options{})
		plantPipe(t, place(dir, bracket))
		l := lab.Lesson{
			Did: "Get where a named pipe has the object's name", Means: "the open of a pipe waits for a writer, and none comes", Read: verify,
		}
		var err error
		lab.Finishes(t, func() {
			reader, failed := r.Get(t.Context(), objectOf(bracket).ID)
			if err = failed; reader != nil {
				_ = reader.Close()
			}
		}, l.Say("Get does not return"))
		lab.RequireError(t, err, l.Say("Get opens what is not a file"))
	})
	for _, c := range []struct{ name, link string }{
		{"a link that leads out", objects.Name(objectOf(bracket).ID)},
		{"a directory that is a link which leads out", filepath.Dir(objects.Name(objectOf(bracket).ID))},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, dir := create(t, repository.Options{})
			outside, link := t.TempDir(), filepath.Join(dir, c.link)
			target := filepath.Join(outside, objectOf(bracket).ID.String())
			lab.RequireSetUp(t, os.WriteFile(target, []byte(bracket), 0o600))
			if c.link != objects.Name(objectOf(bracket).ID) {
				target = outside
			}
			lab.RequireSetUp(t, os.MkdirAll(filepath.Dir(link), 0o755))
			if err := os.Symlink(target, link); err != nil {
				t.Skip("this system or this user makes no symbolic links: ", err)
			}
			if _, err := os.Stat(link); err != nil { // Wine makes none, or one that leads nowhere, and returns nil
				t.Skip("symbolic links lead nowhere here: ", err)
			}
			reader, err := r.Get(t.Context(), objectOf(bracket).ID)
			if reader != nil {
				_ = reader.Close()
			}
			lab.RequireError(t, err, lab.Lesson{
				Says: "Get reads outside the repository", Did: c.link + " was a symbolic link to a place outside; Get", Read: inside,
				Means: "a user who may write into the repository can have the server hand out any file",
			})
		})
	}
	t.Run("with a context that has ended", func(t *testing.T) {
		t.Parallel()
		r, dir := create(t, repository.Options{})
		plant(t, dir, bracket, bracket)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		reader, err := r.Get(ctx, objectOf(bracket).ID)
		if reader != nil {
			_ = reader.Close()
		}
		lab.RequireErrorIs(t, err, context.Canceled, lab.Lesson{
			Says:  "Get does not end with its context",
			Did:   "Get with a context that has ended",
			Means: "the client is gone, and the server still works for it",
			Read:  verify,
		})
	})
}

func TestGetReportsARefusal(t *testing.T) {
	t.Parallel()
	t.Run("of the open", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			r, dir := create(t, repository.Options{})
			plant(t, dir, bracket, bracket)
			l := lab.Lesson{
				Says: "Get hides the kernel's reason", Did: "Get; the kernel refuses to open a file: " + trace.ErrnoName(errno),
				Means: "an object that exists is reported missing, and is sent again or given up", Read: verify,
			}
			var err error
			lab.RequireRefuse(t, lab.Refuse("open for reading", errno, func() { _, err = r.Get(t.Context(), objectOf(bracket).ID) }))
			lab.RequireErrorIs(t, err, errno, l)
			other := errors.Is(err, fs.ErrNotExist) || errors.Is(err, repository.ErrCorrupt)
			lab.Require(t, !other, withFound(l, "neither fs.ErrNotExist nor ErrCorrupt", err))
		}, syscall.EMFILE, syscall.EACCES, syscall.EIO)
	})
	t.Run("of a read", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			dir := created(t)
			content := long(100_000)
			plant(t, dir, content, content)
			l := lab.Lesson{
				Says:  "Read mistakes a refusal of the kernel for the end, or for damage",
				Did:   "Get; the second read(2) fails: " + trace.ErrnoName(errno) + "; the caller read on after that error",
				Means: "half an object counts as the whole, or a good object is thrown away", Read: verify,
			}
			rule := lab.Rule{Calls: "read,pread64", Paths: []string{place(dir, content)}, Fail: errno, When: 2}
			p := lab.Trace(t, rule, lab.Options{}, "get", dir)
			err := p.Wait(l)
			if len(p.Injected()) == 0 {
				t.Skip("the code under test reads in another way")
			}
			lab.RequireErrorIs(t, err, errno, l)
			lab.Require(t, !errors.Is(err, repository.ErrCorrupt), withFound(l, "no ErrCorrupt", err))
			l.Says = "Read goes on after a refused read, and bytes are missing"
			lab.Require(t, !errors.Is(err, errMissing), withFound(l, "an error, or the bytes from there on", err))
		}, syscall.EIO, syscall.ENOTCONN)
	})
}

func init() { workers["get"] = getWorker }

// getWorker reads the object of 100,000 bytes in the repository in DIR, and reads on after an error.
func getWorker(w *lab.Worker) error {
	r, err := repository.Open(w.Arg(0), repository.Options{})
	if err != nil {
		return err
	}
	content := long(100_000)
	reader, err := r.Get(context.Background(), objectOf(content).ID)
	if err != nil {
		return err
	}
	var got strings.Builder
	_, err = io.Copy(&got, impatient(reader))
	_, again := io.Copy(&got, impatient(reader))
	if again == nil && got.String() != content {
		again = errMissing
	}
	return errors.Join(err, again, reader.Close())
}

func TestGetOutlivesRemoveAndPut(t *testing.T) {
	t.Parallel()
	r, dir := create(t, repository.Options{})
	content := long(200_000)
	plant(t, dir, content, content)
	l := lab.Lesson{
		Says:  "Get failed although nothing stood in its way",
		Did:   "Get, and a part of the object read; Remove, and a part read; a Put of the same object, and the rest read",
		Means: "a download breaks off because another client stores or removes the object", Read: verify,
	}
	reader, err := r.Get(t.Context(), objectOf(content).ID)
	lab.RequireNoError(t, err, l)
	defer reader.Close()
	part := make([]byte, 70_000)
	read := func() string {
		_, err := io.ReadFull(impatient(reader), part)
		lab.RequireNoError(t, err, l.Say("Read fails after the object was removed and stored anew"))
		return string(part)
	}
	got := read()
	lab.RequireNoError(t, r.Remove(t.Context(), objectOf(content).ID), l.Say("Get keeps Remove from its work"))
	lab.RequireNoFile(t, place(dir, content), l)
	got += read()
	requireStored(t, r, content, l)
	rest, err := io.ReadAll(impatient(reader))
	lab.RequireNoError(t, err, l.Say("Read fails after the object was removed and stored anew"))
	lab.RequireEqual(t, content, got+string(rest), l.Say("Read returned other bytes than the object's"))
}
