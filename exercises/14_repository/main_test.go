package repository_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	repository "example/turnstile/exercises/14_repository"
	"example/turnstile/exercises/14_repository/objects"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) {
	runtime.LockOSThread() // strace counts calls by thread: a worker's own calls are to come from one
	lab.Main(m, workers, repository.ErrMismatch, repository.ErrCorrupt, repository.ErrQuota, repository.ErrFull, repository.ErrNotDurable,
		errCut, errMissing, errUnread)
}

// workers of files with build tags are added in their init.
var workers = lab.Workers{
	"program": obey, "memory": memory, "elsewhere": elsewhere, "limited": limited, "handles": handles, "store": store,
	"escape": escape,
}

// Where the messages send the reader.
const (
	why       = `lessons/14_repository, "Why it happens"`
	fix       = `lessons/14_repository, "The fix"`
	stream    = `lessons/14_repository, "In constant memory"`
	announced = `lessons/14_repository, "A sender that lies"`
	together  = `lessons/14_repository, "Eight at once"`
	inside    = `lessons/14_repository, "A root that names cannot leave"`
	onDisk    = `lessons/14_repository, "What nil promises"`
	refusal   = `lessons/14_repository, "When a step fails"`
	room      = `lessons/14_repository, "Quota and full disk"`
	verify    = `lessons/14_repository, "Verify when you read"`
)

var (
	errCut     = errors.New("the connection was lost")
	errMissing = errors.New("Read returned io.EOF, and the bytes are not the object's")
	errUnread  = errors.New("it returned nil and has not read its content to the end")
)

// beginning is what a test says if the order "begin" fails.
const beginning = "PutExpected fails, or has not read its content to the end"

const bracket, hinge = "solid bracket", "solid hinge"

// long returns a content of that many bytes, in which no part is like another one.
func long(size int) string {
	var b strings.Builder
	for n := 0; b.Len() < size; n++ {
		b.WriteString("facet ")
		b.WriteString(strconv.Itoa(n))
		b.WriteByte('\n')
	}
	return b.String()[:size]
}

func objectOf(content string) repository.Object {
	return repository.Object{ID: sha256.Sum256([]byte(content)), Size: int64(len(content))}
}

// create returns a new repository, and its directory.
func create(t *testing.T, options repository.Options) (r *repository.Repository, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "parts")
	lab.RequireSetUp(t, os.Mkdir(dir, 0o755))
	r, err := repository.Create(dir, options)
	lab.RequireSetUp(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r, dir
}

// created returns the path of a new repository which no Repository has open. It has no symbolic link in it, as strace shows paths.
func created(t *testing.T) (dir string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	lab.RequireSetUp(t, err)
	r, err := repository.Create(dir, repository.Options{})
	lab.RequireSetUp(t, err)
	lab.RequireSetUp(t, r.Close())
	return dir
}

// place returns where the object with that content is.
func place(dir, content string) string { return filepath.Join(dir, objects.Name(objectOf(content).ID)) }

// plant puts text where the object with that content belongs.
func plant(t *testing.T, dir, content, text string) {
	t.Helper()
	lab.RequireSetUp(t, os.MkdirAll(filepath.Dir(place(dir, content)), 0o755))
	lab.RequireSetUp(t, os.WriteFile(place(dir, content), []byte(text), 0o644))
}

// files returns the names of all that is below dir and is not a directory.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	lab.RequireSetUp(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	}))
	return names
}

// requireHolds demands that the repository's directory holds the objects with these contents and nothing else.
func requireHolds(t *testing.T, dir string, contents []string, l lab.Lesson) {
	t.Helper()
	var want []string
	for _, content := range contents {
		want = append(want, objects.Name(objectOf(content).ID))
		lab.RequireFile(t, place(dir, content), content, l)
	}
	slices.Sort(want)
	l.Expected, l.Found = "in the repository: "+list(want), list(files(t, dir))
	lab.Require(t, slices.Equal(want, files(t, dir)), l)
}

func list(names []string) string {
	if len(names) == 0 {
		return "no file"
	}
	var shown []string
	for _, name := range names {
		if len(name) > 40 {
			name = name[:24] + "…" + name[max(24, len(name)-4):]
		}
		shown = append(shown, name)
	}
	return strings.Join(shown, ", ")
}

// put and putExpected call the code under test. A call that hangs or panics fails the test.
func put(t *testing.T, r *repository.Repository, content io.Reader, l lab.Lesson) (object repository.Object, err error) {
	t.Helper()
	lab.Finishes(t, func() { object, err = r.Put(t.Context(), content) }, l.Say("Put does not return"))
	return object, err
}

func putExpected(t *testing.T, r *repository.Repository, want repository.Object, content io.Reader, l lab.Lesson) (err error) {
	t.Helper()
	lab.Finishes(t, func() { err = r.PutExpected(t.Context(), want, content) }, l.Say("PutExpected does not return"))
	return err
}

// requireStored puts a content, which must succeed.
func requireStored(t *testing.T, r *repository.Repository, content string, l lab.Lesson) {
	t.Helper()
	object, err := put(t, r, strings.NewReader(content), l)
	lab.RequireNoError(t, err, l.Say("Put failed although nothing stood in its way"))
	lab.RequireEqual(t, objectOf(content), object, l.Say("Put returned another object than it was given"))
}

// An upload is a content that stops before its second half until goOn says how it goes on: with nil, or with an error.
type upload struct {
	first, second string
	reached       chan struct{}
	goOn          chan error
	failed        error
}

func newUpload(content string) *upload {
	half := len(content) / 2
	return &upload{first: content[:half], second: content[half:], reached: make(chan struct{}), goOn: make(chan error, 1)}
}

func (u *upload) Read(p []byte) (int, error) {
	if u.failed != nil {
		return 0, u.failed
	}
	if u.first == "" && u.reached != nil {
		close(u.reached)
		u.reached = nil
		if u.failed = <-u.goOn; u.failed != nil {
			return 0, u.failed
		}
		u.first, u.second = u.second, ""
	}
	if u.first == "" {
		return 0, io.EOF
	}
	n := copy(p, u.first)
	u.first = u.first[n:]
	return n, nil
}

// begin starts a Put of that content, which is half way when begin returns. It ends when goOn is told how, or with the test. If its sender
// announces a size, it is a PutExpected.
func begin(t *testing.T, r *repository.Repository, content string, announced int64, l lab.Lesson) (slow *upload, ended chan error) {
	t.Helper()
	slow, ended = newUpload(content), make(chan error, 1)
	reached := slow.reached
	t.Cleanup(func() {
		select {
		case slow.goOn <- errCut:
		default:
		}
	})
	go func() {
		ctx := context.WithoutCancel(t.Context())
		if announced == unknown {
			_, err := r.Put(ctx, slow)
			ended <- err
			return
		}
		ended <- r.PutExpected(ctx, repository.Object{ID: objectOf(content).ID, Size: announced}, slow)
	}()
	lab.Finishes(t, func() {
		select {
		case <-reached:
		case err := <-ended:
			ended <- err
		}
	}, l.Say("Put waits for another upload, or does not read its content"))
	return slow, ended
}

const unknown = -1

// A desk is a program that has a repository open.
type desk struct {
	repository *repository.Repository
	upload     *upload
	ended      chan error
}

// obey is a program that works with the repository in DIR.
func obey(w *lab.Worker) error {
	r, err := repository.Open(w.Arg(0), repository.Options{})
	if err != nil {
		return err
	}
	return lab.Obey(w, (&desk{repository: r}).do)
}

// do obeys "put NAME" with one of contents, n times; "begin NAME" stops half way, and "end" or "cut" ends that.
func (d *desk) do(order []string) (r lab.Reply) {
	switch order[0] {
	case "put":
		for range 4 {
			_, err := d.repository.Put(context.Background(), strings.NewReader(contents()[order[1]]))
			r.Returned.Err = errors.Join(r.Returned.Err, err)
		}
	case "begin":
		d.upload, d.ended = newUpload(contents()[order[1]]), make(chan error, 1)
		reached := d.upload.reached
		go func() {
			d.ended <- d.repository.PutExpected(context.Background(), objectOf(contents()[order[1]]), d.upload)
		}()
		select {
		case <-reached:
		case err := <-d.ended:
			r.Returned.Err = cmp.Or(err, errUnread)
		}
	case "end":
		d.upload.goOn <- nil
		r.Returned.Err = <-d.ended
	case "cut":
		d.upload.goOn <- errCut
		r.Returned.Err = <-d.ended
	default:
		panic("no such order: " + strings.Join(order, " "))
	}
	return r
}

// contents is made when it is first needed: each worker process would make it otherwise.
var contents = sync.OnceValue(func() map[string]string {
	return map[string]string{"bracket": bracket, "hinge": hinge, "long": long(200_000)}
})

// stuck is what a test says if an order waits that should not.
func stuck(order string, l lab.Lesson) lab.Lesson {
	return lab.Lesson{
		Says: "Put waits for a lock, and should not", Did: l.Did, Expected: "it returns", Found: "the kernel says that it waits for a file lock",
		Means: "one slow client keeps all others out", Read: together,
	}
}

func start(t *testing.T, dir string) lab.Program {
	t.Helper()
	return lab.StartProgram(t, lab.Options{}, stuck, "program", dir)
}
