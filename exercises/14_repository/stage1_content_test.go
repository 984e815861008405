package repository_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	repository "example/turnstile/exercises/14_repository"
	"example/turnstile/internal/lab"
)

// readers are ways in which a content can come.
var readers = []struct {
	name string
	of   func(t *testing.T, content string) io.Reader
}{
	{"as it is", func(_ *testing.T, content string) io.Reader { return strings.NewReader(content) }},
	{"in halves", func(_ *testing.T, content string) io.Reader {
		return growing(iotest.HalfReader(strings.NewReader(content)))
	}},
	{"with its last bytes and io.EOF at once", func(_ *testing.T, content string) io.Reader {
		return growing(iotest.DataErrReader(strings.NewReader(content)))
	}},
	{"from a file of which a head was read before", func(t *testing.T, content string) io.Reader {
		file, err := os.Open(lab.WriteFile(t, "upload", "a head"+content))
		lab.RequireSetUp(t, err)
		t.Cleanup(func() { _ = file.Close() })
		_, err = file.Seek(6, io.SeekStart)
		lab.RequireSetUp(t, err)
		return file
	}},
	{"with many Reads that return nothing yet", func(_ *testing.T, content string) io.Reader { return hesitant(content) }},
	{"from a type with more methods than Read", func(_ *testing.T, content string) io.Reader {
		return &versatile{Reader: strings.NewReader(content)}
	}},
}

// growing returns a content that has more bytes after its io.EOF, as a file to which another program appends.
func growing(r io.Reader) io.Reader {
	reads := []io.Reader{r, strings.NewReader("more")}
	return readerFunc(func(p []byte) (int, error) {
		if len(reads) == 0 {
			return 0, io.EOF
		}
		n, err := reads[0].Read(p)
		if err == io.EOF {
			reads = reads[1:]
		}
		return n, err
	})
}

// hesitant returns a content that comes in 7 pieces and more, to a byte each. Before each of them, and before io.EOF, a thousand Reads
// return 0 and nil.
func hesitant(content string) io.Reader {
	r, nothing := strings.NewReader(content), 0
	return readerFunc(func(p []byte) (int, error) {
		if nothing = (nothing + 1) % 1001; nothing > 0 {
			return 0, nil
		}
		return r.Read(p[:min(len(p), max(1, len(content)/7))])
	})
}

// A versatile is a content with methods by which code may take it for more than a Reader. It notes which was called.
type versatile struct {
	io.Reader
	called string
}

func (v *versatile) Seek(int64, int) (int64, error)    { v.called = "Seek"; return 0, nil }
func (v *versatile) ReadAt([]byte, int64) (int, error) { v.called = "ReadAt"; return 0, io.EOF }

func (v *versatile) WriteTo(w io.Writer) (int64, error) {
	v.called = "WriteTo"
	return io.Copy(w, v.Reader)
}

func (v *versatile) Stat() (fs.FileInfo, error) { v.called = "Stat"; return nil, fs.ErrInvalid }
func (v *versatile) Len() int                   { v.called = "Len"; return 0 }
func (v *versatile) Size() int64                { v.called = "Size"; return 0 }
func (v *versatile) Close() error               { v.called = "Close"; return nil }

func (v *versatile) SetReadDeadline(time.Time) error { v.called = "SetReadDeadline"; return nil }

// requireOnlyRead demands that no other method of the content was called, and that a file is still open.
func requireOnlyRead(t *testing.T, content io.Reader, call string, l lab.Lesson) {
	t.Helper()
	switch content := content.(type) {
	case *versatile:
		l.Says = call + " calls a method of its content that is not Read"
		l.Means = "what it learns so need not be true of the bytes that it reads, and the content is still the caller's"
		l.Expected, l.Found = "calls of Read only", content.called
		lab.Require(t, content.called == "", l)
	case *os.File:
		_, err := content.Stat()
		l.Means = "the file is the caller's, who may go on with it"
		lab.RequireNoError(t, err, l.Say("%s closes its content", call))
	}
}

func TestPutStoresWhatContentHolds(t *testing.T) {
	t.Parallel()
	for _, size := range []int{13, 0, 1, 32 << 10, 32<<10 + 1, 500_000} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			t.Parallel()
			r, dir := create(t, repository.Options{})
			content := long(size)
			for i, reader := range readers {
				l := lab.Lesson{
					Says: "Put did not store the content", Did: fmt.Sprintf("Put of %d bytes, %s", size, reader.name), Read: fix,
					Means: "the upload is lost, or another content has its name",
				}
				if i > 0 {
					l.Did += "; the object existed already"
				}
				from := reader.of(t, content)
				object, err := put(t, r, from, l)
				requireOnlyRead(t, from, "Put", l)
				lab.RequireNoError(t, err, l.Say("Put failed although nothing stood in its way"))
				lab.RequireEqual(t, objectOf(content), object, l.Say("Put returned another object than it was given"))
				requireHolds(t, dir, []string{content}, l)

				for _, want := range []repository.Object{object, {ID: object.ID, Size: -1}, {ID: object.ID, Size: math.MinInt64}} {
					l.Did = fmt.Sprintf("PutExpected of %d bytes, %s, with Size %d", size, reader.name, want.Size)
					l.Says = "PutExpected failed although nothing stood in its way"
					from := reader.of(t, content)
					err := putExpected(t, r, want, from, l)
					requireOnlyRead(t, from, "PutExpected", l)
					lab.RequireNoError(t, err, l)
					requireHolds(t, dir, []string{content}, l.Say("PutExpected did not store the content"))
				}
				if i%2 == 1 { // half of the time it is the first one again
					lab.RequireSetUp(t, os.Remove(place(dir, content)))
				}
			}
		})
	}
}

// counted counts what is read from it, and ends after limit bytes.
type counted struct{ read, limit int64 }

func (c *counted) Read(p []byte) (int, error) {
	n := min(int64(len(p)), c.limit-c.read)
	if n == 0 {
		return 0, io.EOF
	}
	clear(p[:n])
	c.read += n
	return int(n), nil
}

func TestPutTakesMemoryThatDoesNotDependOnTheSize(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Put", "PutExpected", "Get"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			const size = 32 << 20
			_, dir := create(t, repository.Options{})
			p := lab.Start(t, "memory", dir, call, fmt.Sprint(size))
			l := lab.Lesson{
				Says: call + " failed although nothing stood in its way", Did: fmt.Sprintf("%s of an object of %d MiB", call, size>>20),
				Means: "a few large uploads at once, and the kernel kills the server", Read: stream,
			}
			var most uint64
			p.Result(&most, l)
			lab.RequireNoError(t, p.Wait(l), l)
			l.Says = call + " keeps the content in memory"
			l.Expected, l.Found = "at most 8 MiB more than before", fmt.Sprintf("%d MiB more", most>>20)
			lab.Require(t, most <= 8<<20, l)
		})
	}
}

// memory calls CALL for an object of SIZE bytes and sends by how many bytes the live heap grew meanwhile, at most.
func memory(w *lab.Worker) error {
	r, err := repository.Open(w.Arg(0), repository.Options{})
	if err != nil {
		return err
	}
	size := int64(w.Int(2))
	m := &watched{Reader: &counted{limit: size}, progress: w.Progress}
	var object repository.Object
	switch w.Arg(1) {
	case "Put":
		m.before = live()
		_, err = r.Put(context.Background(), m)
	case "PutExpected":
		if object, err = r.Put(context.Background(), &counted{limit: size}); err == nil {
			m.before = live()
			err = r.PutExpected(context.Background(), object, m)
		}
	case "Get":
		if object, err = r.Put(context.Background(), &counted{limit: size}); err != nil {
			return err
		}
		m.before = live()
		var reader *repository.Reader
		if reader, err = r.Get(context.Background(), object.ID); err == nil {
			m.Reader = impatient(reader)
			_, err = io.Copy(io.Discard, m)
			err = errors.Join(err, reader.Close())
		}
	}
	return errors.Join(err, w.Result(m.most))
}

// watched measures the heap every 8 MiB.
type watched struct {
	io.Reader
	read         int
	before, most uint64
	progress     func()
}

func (m *watched) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if m.read/(8<<20) != (m.read+n)/(8<<20) || err != nil {
		m.progress()
		if now := live(); now > m.before {
			m.most = max(m.most, now-m.before)
		}
	}
	m.read += n
	return n, err
}

func live() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestPutExpectedRefusesWhatWasNotAnnounced(t *testing.T) {
	t.Parallel()
	other, sameSize := objectOf(hinge), objectOf(strings.ToUpper(bracket))
	for _, c := range []struct {
		name string
		want repository.Object
	}{
		{"other bytes of the same size", sameSize},
		{"other bytes, and no size", repository.Object{ID: other.ID, Size: -1}},
		{"other bytes, and an ID of zeros", repository.Object{Size: -1}},
		{"too few bytes", repository.Object{ID: objectOf(bracket + "!").ID, Size: 14}},
		{"too many bytes", repository.Object{ID: objectOf(bracket[:12]).ID, Size: 12}},
		{"the right bytes, and too large a size", repository.Object{ID: objectOf(bracket).ID, Size: 14}},
		{"the right bytes, and too small a size", repository.Object{ID: objectOf(bracket).ID, Size: 12}},
		{"the right bytes, and a size of 0", repository.Object{ID: objectOf(bracket).ID, Size: 0}},
		{"the right bytes, and the largest size", repository.Object{ID: objectOf(bracket).ID, Size: math.MaxInt64}},
	} {
		for _, stored := range [][]string{nil, {bracket, hinge}} {
			t.Run(fmt.Sprintf("%s, %d objects", c.name, len(stored)), func(t *testing.T) {
				t.Parallel()
				r, dir := create(t, repository.Options{})
				for _, content := range stored {
					plant(t, dir, content, content)
				}
				l := lab.Lesson{
					Says: "PutExpected stores what was not announced", Read: announced,
					Means: "the name of the object promises a content that it does not have, and each reader gets the wrong one",
				}
				for _, reader := range readers {
					l.Did = fmt.Sprintf("PutExpected; what came: %s, %s", c.name, reader.name)
					from := reader.of(t, bracket)
					err := putExpected(t, r, c.want, from, l)
					requireOnlyRead(t, from, "PutExpected", l)
					lab.RequireErrorIs(t, err, repository.ErrMismatch, l)
					requireHolds(t, dir, stored, l.Say("PutExpected has refused an upload, and the repository is not as it was"))
				}
			})
		}
	}
	t.Run("a content without an end", func(t *testing.T) {
		t.Parallel()
		r, dir := create(t, repository.Options{})
		content := &counted{limit: 16 << 20}
		l := lab.Lesson{
			Says: "PutExpected reads on after it has more than was announced", Did: "PutExpected; 13 bytes were announced, and 16 MiB came",
			Means: "one client that lies fills the disk", Read: announced,
		}
		lab.RequireErrorIs(t, putExpected(t, r, objectOf(bracket), content, l), repository.ErrMismatch, l)
		l.Expected, l.Found = "at most 1 MiB more is read", fmt.Sprintf("%d bytes were", content.read)
		lab.Require(t, content.read <= 1<<20+13, l)
		requireHolds(t, dir, nil, l)
	})
}

// failing is a content that ends in another way than with io.EOF. As an io.Reader may, it says so once: a caller that reads on gets io.EOF.
type failing struct {
	io.Reader
	at   func() error // called when the content is at its end
	said bool
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF && !f.said {
		f.said = true
		err = f.at()
	}
	return n, err
}

// failingAt returns a content that fails so at its end.
func failingAt(content string, at func() error) *failing {
	return &failing{Reader: strings.NewReader(content), at: at}
}

func TestPutLeavesNothingOfACutUpload(t *testing.T) {
	t.Parallel()
	big := long(300_000)
	for _, c := range []struct {
		name string
		came string
		want repository.Object
		err  error
	}{
		{"before the first byte", "", objectOf(bracket), errCut},
		{"after 5 bytes", bracket[:5], objectOf(bracket), errCut},
		{"after all bytes", bracket, objectOf(bracket), errCut},
		{"after all bytes, by an error that wraps io.EOF", bracket, objectOf(bracket), fmt.Errorf("read tcp: %w", io.EOF)},
		{"after 5 bytes, with the largest size", bracket[:5], repository.Object{ID: objectOf(bracket).ID, Size: math.MaxInt64}, errCut},
		{"after 200,000 bytes", big[:200_000], objectOf(big), io.ErrUnexpectedEOF},
		{"after all bytes, by another error", big, objectOf(big), io.ErrUnexpectedEOF},
	} {
		for _, call := range []string{"Put", "PutExpected"} {
			for _, stored := range [][]string{nil, {bracket, big}} {
				t.Run(fmt.Sprintf("%s, %s, %d objects", call, c.name, len(stored)), func(t *testing.T) {
					t.Parallel()
					r, dir := create(t, repository.Options{})
					for _, content := range stored {
						plant(t, dir, content, content)
					}
					l := lab.Lesson{
						Says: call + " returned no error, or another one, for an upload that was cut", Did: call + "; the content failed " + c.name,
						Means: "half an upload counts as stored, or the server cannot say what went wrong", Read: refusal,
					}
					for _, content := range []*failing{
						failingAt(c.came, func() error { return c.err }),
						{Reader: iotest.DataErrReader(strings.NewReader(c.came)), at: func() error { return c.err }},
					} {
						var err error
						if call == "Put" {
							_, err = put(t, r, content, l)
						} else {
							err = putExpected(t, r, c.want, content, l)
						}
						lab.RequireErrorIs(t, err, c.err, l)
						requireHolds(t, dir, stored, l.Say("%s has failed, and the repository is not as it was", call))
						l.Did += "; again, and its error came with its last bytes"
					}
				})
			}
		}
	}
	t.Run("by a context", func(t *testing.T) { t.Parallel(); cutByContext(t) })
	t.Run("by a context while a Read blocks", cutWhileReading)
	t.Run("by a panic", func(t *testing.T) { t.Parallel(); cutByEscape(t, "panics") })
	t.Run("by the end of its goroutine", func(t *testing.T) { t.Parallel(); cutByEscape(t, "ends its goroutine (runtime.Goexit)") })
	t.Run("by a process crash", func(t *testing.T) { t.Parallel(); cutByCrash(t) })
}

func cutByContext(t *testing.T) {
	t.Helper()
	r, dir := create(t, repository.Options{})
	for _, after := range []int64{0, 1, 1 << 20} {
		for _, call := range []string{"Put", "PutExpected"} {
			ctx, cancel := context.WithCancelCause(t.Context())
			content, late := &counted{limit: 16 << 20}, 0
			cancelling := readerFunc(func(p []byte) (int, error) {
				if ctx.Err() != nil {
					late++
				}
				n, err := content.Read(p[:min(len(p), 1000)]) // a slow line
				if content.read > after {
					cancel(errCut)
				}
				return n, err
			})
			if after == 0 {
				cancel(errCut)
			}
			l := lab.Lesson{
				Says: call + " does not end with its context", Did: fmt.Sprintf("%s of 16 MiB; after %d bytes, the context was cancelled", call, after),
				Means: "the client is gone, and the server still works for it", Read: stream,
			}
			var err error
			lab.Finishes(t, func() {
				if call == "Put" {
					_, err = r.Put(ctx, cancelling)
				} else {
					err = r.PutExpected(ctx, repository.Object{ID: objectOf(bracket).ID, Size: 16 << 20}, cancelling)
				}
			}, l)
			if err != nil {
				l.Says, l.Means = call+" has failed, and its error does not wrap ctx.Err()", "the server reports a failure where a client has left"
			}
			lab.RequireErrorIs(t, err, context.Canceled, l)
			l.Says = call + " does not end with its context"
			l.Expected, l.Found = "no Read of the content after that", fmt.Sprint(late, " Reads")
			lab.Require(t, late == 0, l)
			requireHolds(t, dir, nil, l.Say("%s has failed, and the repository is not as it was", call))
			cancel(nil)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	atEnd := failingAt(bracket, func() error { cancel(); return io.EOF })
	l := lab.Lesson{
		Says: "Put returned an error, and the object is there, or nil, and it is not", Did: "Put; its context ended with the content's io.EOF",
		Means: "the client sends again what is stored, or removes a copy that is the last one", Read: stream,
	}
	var stored []string
	var err error
	lab.Finishes(t, func() { _, err = r.Put(ctx, atEnd) }, l.Say("Put does not return"))
	if err == nil {
		stored = []string{bracket}
	}
	requireHolds(t, dir, stored, l)
	l = lab.Lesson{
		Says: "Put does not end with its context", Did: "Put with a context that has ended, of a strings.Reader, which has a WriteTo",
		Means: "the client is gone, and the server still works for it", Read: stream,
	}
	lab.Finishes(t, func() { _, err = r.Put(ctx, strings.NewReader(hinge)) }, l.Say("Put does not return"))
	lab.RequireErrorIs(t, err, context.Canceled, l)
	requireHolds(t, dir, stored, l.Say("Put has failed, and the repository is not as it was"))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// cutWhileReading ends the context while a Read of the content blocks. When all goroutines wait, Put must not have returned, and must have
// done nothing to its content.
func cutWhileReading(t *testing.T) {
	t.Helper()
	t.Parallel()
	r, _ := create(t, repository.Options{})
	for _, call := range []string{"Put", "PutExpected"} {
		l := lab.Lesson{
			Says: call + " has returned, and still reads its content", Did: call + "; a Read of the content blocked, and the context was cancelled",
			Expected: call + " returns after that Read", Found: call + " has returned before it",
			Means: "the caller closes or reuses what a goroutine of Put's still reads, and two read one connection", Read: stream,
		}
		early, content := false, &versatile{}
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			reading, goOn, ended := make(chan bool), make(chan bool), make(chan bool)
			content.Reader = failingAt("", func() error { close(reading); <-goOn; return io.EOF })
			go func() {
				defer close(ended)
				if call == "Put" {
					_, _ = r.Put(ctx, content)
				} else {
					_ = r.PutExpected(ctx, objectOf(""), content)
				}
			}()
			select {
			case <-reading:
			case <-ended: // for another reason, of which other tests tell
				return
			}
			cancel()
			synctest.Wait()
			select {
			case <-ended:
				early = true
			default:
			}
			close(goOn)
			<-ended
			synctest.Wait()
		})
		lab.Require(t, !early, l)
		requireOnlyRead(t, content, call, l)
	}
}

// An escaped is what a process saw of two Puts: of one whose content did not return from Read, and of the next one.
type escaped struct {
	Recovered string // what the first one's caller recovered
	Left      []string
	Next      lab.Returned
}

func cutByEscape(t *testing.T, way string) {
	t.Helper()
	for _, call := range []string{"Put", "PutExpected"} {
		_, dir := create(t, repository.Options{})
		l := lab.Lesson{
			Says: call + " ends the process", Did: call + "; after 13 bytes, a Read of the content " + way,
			Means: "one request whose content goes wrong ends all others", Read: refusal,
		}
		var e escaped
		p := lab.Start(t, "escape", dir, call, way)
		p.Result(&e, l)
		lab.RequireNoError(t, p.Wait(l), l)
		if way == "panics" {
			l.Means = "a mistake of the program looks like an upload"
			lab.RequireEqual(t, errCut.Error(), e.Recovered, l.Say("%s swallows a panic of content", call))
		}
		l.Says, l.Means = call+" leaves a file behind when content "+way, "what is left piles up, one file for each such upload"
		l.Expected, l.Found = "no file in tmp", list(e.Left)
		lab.Require(t, len(e.Left) == 0, l)
		l.Says, l.Means = call+" does not give the quota back when content "+way, "the quota is used up by what is not there"
		l.Expected, l.Found = "", ""
		lab.RequireNoError(t, e.Next.Err, l)
		requireHolds(t, dir, []string{bracket}, l.Say("Put did not store the content"))
	}
}

// escape calls CALL in the repository in DIR with a content from which there is no return, in that WAY, and then Put with a good one. The
// quota has room for one.
func escape(w *lab.Worker) error {
	r, err := repository.Open(w.Arg(0), repository.Options{Quota: int64(len(bracket)) + 1})
	if err != nil {
		return err
	}
	var e escaped
	ended := make(chan bool)
	go func() {
		defer close(ended)
		defer func() {
			if value := recover(); value != nil {
				e.Recovered = fmt.Sprint(value)
			}
		}()
		content := failingAt(bracket, func() error { return gone(w.Arg(2)) })
		if w.Arg(1) == "Put" {
			_, _ = r.Put(context.Background(), content)
		} else {
			_ = r.PutExpected(context.Background(), objectOf(bracket), content)
		}
	}()
	<-ended
	e.Left, err = filepath.Glob(filepath.Join(w.Arg(0), "tmp", "*"))
	_, e.Next.Err = r.Put(context.Background(), strings.NewReader(bracket))
	return errors.Join(err, w.Result(e))
}

// gone does not return.
func gone(way string) error {
	if way != "panics" {
		runtime.Goexit()
	}
	panic(errCut)
}

func cutByCrash(t *testing.T) {
	t.Helper()
	r, dir := create(t, repository.Options{})
	l := lab.Lesson{
		Says: "Put, in a process that was killed, leaves what counts as an object", Did: "a process was killed half way through PutExpected",
		Means: "readers find half an upload under a name that promises the whole", Read: why,
	}
	p := start(t, dir)
	p.Succeed("begin long", l.Say(beginning))
	p.Kill()
	for object, err := range r.List(t.Context()) {
		l.Expected, l.Found = "List yields nothing", fmt.Sprint(object, err)
		lab.Fail(t, l)
	}
	lab.RequireNoFile(t, place(dir, contents()["long"]), l)
	requireOnly(t, dir, func(name string) bool { return strings.HasPrefix(name, "tmp/") },
		l.Say("Put, in a process that was killed, leaves a file where Sweep does not look"))

	l.Says = "After a process crash, Put of the same object fails"
	l.Means = "what a dead process left stands in the way until a person removes it"
	requireStored(t, r, contents()["long"], l)
	_, err := r.Sweep(t.Context(), 0)
	lab.RequireSetUp(t, err)
	l.Says, l.Means = "Put leaves what Sweep does not find", "what is left piles up, one file for each process crash"
	requireHolds(t, dir, []string{contents()["long"]}, l)
}

// requireOnly demands that each file of the repository has such a name.
func requireOnly(t *testing.T, dir string, allowed func(string) bool, l lab.Lesson) {
	t.Helper()
	for _, name := range files(t, dir) {
		l.Expected, l.Found = "at most files in tmp", name
		lab.Require(t, allowed(name), l)
	}
}

func TestPutKeepsTheQuota(t *testing.T) {
	t.Parallel()
	r, dir := create(t, repository.Options{Quota: 100_000})
	small, large, other := long(40_000), long(70_000), "other"+long(50_000)
	l := lab.Lesson{Did: "the quota is 100,000 bytes; Put of 40,000", Means: "one client fills the disk for all", Read: room}
	requireStored(t, r, small, l)
	slow, ended := begin(t, r, hinge, unknown, l)
	l.Did += ", and then of 70,000"
	l.Says = "Put stores more than the quota allows"
	_, err := put(t, r, strings.NewReader(large), l)
	lab.RequireErrorIs(t, err, repository.ErrQuota, l)
	l.Says = "Put, which the quota refuses, takes away the file of another upload"
	slow.goOn <- nil
	lab.Finishes(t, func() { err = <-ended }, l)
	lab.RequireNoError(t, err, l)
	lab.RequireSetUp(t, r.Remove(t.Context(), objectOf(hinge).ID))
	requireHolds(t, dir, []string{small}, l.Say("Put has failed, and the repository is not as it was"))
	announced := l.Say("PutExpected stores more than the quota allows")
	announced.Did += "; PutExpected of the same"
	if err = putExpected(t, r, objectOf(large), strings.NewReader(large), announced); err != nil {
		announced.Says, announced.Means = "PutExpected hides that the quota has no room", "the client sends again what is never taken"
	}
	lab.RequireErrorIs(t, err, repository.ErrQuota, announced)

	l.Did += "; of more than any quota, without an end"
	l.Says = "Put stores more than the quota allows"
	content := &counted{limit: 16 << 20}
	_, err = put(t, r, content, l)
	lab.RequireErrorIs(t, err, repository.ErrQuota, l)
	l.Says = "Put reads on when the room is used up"
	l.Expected, l.Found = "it stops", fmt.Sprintf("%d bytes were read", content.read)
	lab.Require(t, content.read <= 8<<20, l)

	l.Did, l.Means = "after Puts that the quota refused, Put of 50,000 bytes more", "the quota is used up by what is not there"
	l.Expected, l.Found = "", ""
	_, err = put(t, r, io.MultiReader(strings.NewReader(other), iotest.ErrReader(errCut)), l)
	lab.RequireErrorIs(t, err, errCut, l.Say("Put hides why an upload was cut"))
	l.Did += ", after one of as many that was cut"
	requireStored(t, r, other, l)
	lab.RequireSetUp(t, r.Remove(t.Context(), objectOf(other).ID))
	requireStored(t, r, "another"+other, l)
	requireHolds(t, dir, []string{small, "another" + other}, l.Say("Put did not store the content"))

	t.Run("of one that has been announced", func(t *testing.T) {
		t.Parallel()
		r, _ := create(t, repository.Options{Quota: 100_000})
		requireNothingTaken(t, r, 90_000, "the quota is 100,000 bytes")
	})
	t.Run("of one that is about to be in place", func(t *testing.T) {
		t.Parallel()
		r, dir := create(t, repository.Options{Quota: 100_000})
		l := lab.Lesson{
			Says: "Puts at once store more than the quota allows", Read: room,
			Did:   "the quota is 100,000 bytes; Put of 70,000, stopped before its rename; Put of 50,005 bytes",
			Means: "the bytes of an upload count for nothing between its last Read and its rename",
		}
		var second sync.WaitGroup
		stopped := false
		refused := lab.Watch(func() { _, _ = r.Put(t.Context(), strings.NewReader(large)) }, func(call string) {
			if !stopped && (strings.HasPrefix(call, "rename") || call == "linkat") {
				stopped = true
				ended := make(chan bool)
				second.Go(func() { _, _ = r.Put(t.Context(), strings.NewReader(other)); close(ended) })
				select {
				case <-ended:
				case <-time.After(5 * time.Second): // it waits for the step of the first, which may be another design's
				}
			}
		})
		lab.RequireRefuse(t, refused)
		lab.Finishes(t, second.Wait, l.Say("Put does not return"))
		requireWithin(t, dir, 100_000, l)
	})
	t.Run("of all that is under way", func(t *testing.T) {
		t.Parallel()
		r, dir := create(t, repository.Options{Quota: 100_000})
		var crowd sync.WaitGroup
		for i := range 8 {
			crowd.Go(func() { _, _ = r.Put(t.Context(), strings.NewReader(fmt.Sprint(i)+large)) })
		}
		crowd.Wait()
		requireWithin(t, dir, 100_000, lab.Lesson{
			Says: "Puts at once store more than the quota allows", Did: "8 Puts of 70,000 bytes at once; the quota is 100,000",
			Means: "the disk is full although there is a quota", Read: room,
		})
	})
}

// requireNothingTaken demands that an upload whose sender has announced so many bytes, and sent none, leaves room for another of 50,000.
func requireNothingTaken(t *testing.T, r *repository.Repository, announced int64, where string) {
	t.Helper()
	l := lab.Lesson{
		Did:   fmt.Sprintf("%s; PutExpected of %d bytes had begun, and few of them had come; Put of 50,000", where, announced),
		Means: "one client that announces much and sends nothing keeps all others out", Read: room,
	}
	slow, ended := begin(t, r, hinge, announced, l)
	_, err := put(t, r, strings.NewReader(long(50_000)), l)
	lab.RequireNoError(t, err, l.Say("PutExpected takes room for bytes that have only been announced"))
	slow.goOn <- errCut
	lab.Finishes(t, func() { <-ended }, l.Say("PutExpected does not return"))
}

// requireWithin demands that all files of the repository together have at most so many bytes.
func requireWithin(t *testing.T, dir string, quota int64, l lab.Lesson) {
	t.Helper()
	var sum int64
	for _, name := range files(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		lab.RequireSetUp(t, err)
		sum += info.Size()
	}
	l.Expected, l.Found = fmt.Sprintf("at most %d bytes", quota), fmt.Sprint(sum, " bytes")
	lab.Require(t, sum <= quota, l)
}
