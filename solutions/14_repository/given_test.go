package repository_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/14_repository/objects"
	repository "example/turnstile/solutions/14_repository"
)

// What the exercise gives ready-made keeps what its comments promise.

func newRepository(t *testing.T, options repository.Options) (r *repository.Repository, dir string) {
	t.Helper()
	dir = t.TempDir()
	r, err := repository.Create(dir, options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r, dir
}

func stored(t *testing.T, r *repository.Repository, content string) repository.Object {
	t.Helper()
	object, err := r.Put(t.Context(), strings.NewReader(content))
	require.NoError(t, err)
	return object
}

func listed(r *repository.Repository) (found []repository.Object, err error) {
	for object, e := range r.List(context.Background()) {
		if e == nil {
			found = append(found, object)
		}
		err = errors.Join(err, e)
	}
	return found, err
}

func TestParseIDTakesOneSpelling(t *testing.T) {
	t.Parallel()
	const good = "fc7cc5712f34edc6eaca4f553629002435bcae43928b5e155d972a62c0154293"
	id, err := repository.ParseID(good)
	require.NoError(t, err)
	require.Equal(t, good, id.String())
	text, err := json.Marshal(repository.Object{ID: id, Size: 13})
	require.NoError(t, err)
	require.Equal(t, `{"oid":"`+good+`","size":13}`, string(text))
	var object repository.Object
	require.NoError(t, json.Unmarshal(text, &object))
	require.Equal(t, id, object.ID)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"oid":"../secret"}`), &object), fs.ErrInvalid)
	for _, bad := range []string{
		"", good[:63], good + "0", strings.ToUpper(good), " " + good[1:], good[:63] + "\n", good[:63] + "g",
		"../" + good[3:], "./" + good[2:], "NUL", "COM1",
		good[:61] + "é0", strings.Repeat("/", 64), "sha256:" + good, good[:62] + "\x00\x00", strings.Repeat("9", 1<<20),
	} {
		_, err := repository.ParseID(bad)
		require.ErrorIs(t, err, fs.ErrInvalid, "%.80q", bad)
		require.Less(t, len(err.Error()), 500)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("fc7cc5712f34edc6eaca4f553629002435bcae43928b5e155d972a62c0154293")
	f.Add("../../../../etc/passwd")
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := repository.ParseID(text); err == nil && id.String() != text {
			t.Errorf("%q is a second spelling of %v", text, id)
		}
	})
}

func TestCreateAndOpenMakeNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mistyped := filepath.Join(dir, "prats")
	_, err := repository.Open(mistyped, repository.Options{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = repository.Create(mistyped, repository.Options{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoDirExists(t, mistyped)
	_, err = repository.Open(dir, repository.Options{}) // a disk that is not mounted looks like this
	require.ErrorIs(t, err, fs.ErrNotExist)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)

	require.NoError(t, os.Mkdir(filepath.Join(dir, "tmp"), 0o700)) // of a Create that was killed
	_, err = repository.Open(dir, repository.Options{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	r, err := repository.Create(dir, repository.Options{})
	require.NoError(t, err)
	object := stored(t, r, "solid bracket")
	require.NoError(t, r.Close())
	_, err = repository.Create(dir, repository.Options{})
	require.ErrorIs(t, err, fs.ErrExist)
	again, err := repository.Open(dir, repository.Options{})
	require.NoError(t, err)
	defer again.Close()
	found, err := again.Stat(t.Context(), object.ID)
	require.NoError(t, err)
	require.Equal(t, object, found)
	_, err = r.Put(t.Context(), strings.NewReader("late"))
	require.ErrorIs(t, err, fs.ErrClosed)

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = repository.Open(file, repository.Options{})
	require.Error(t, err)
}

func TestListYieldsObjectsAndNothingElse(t *testing.T) {
	t.Parallel()
	r, dir := newRepository(t, repository.Options{})
	var want []repository.Object
	for i := range 20 {
		want = append(want, stored(t, r, fmt.Sprint("solid ", i)))
	}
	one := want[0].ID
	for _, name := range []string{
		"tmp/" + one.String(), "objects/" + one.String(), objects.Name(one) + ".tmp", objects.Name(one)[:len(objects.Name(one))-1],
		"objects/ab/.DS_Store", "objects/zz/zz/" + one.String(), "objects/00/00/" + one.String(), strings.ToUpper(objects.Name(one)), "notes.txt",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if _, err := os.Lstat(path); err == nil {
			continue // another letter case of the object
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, objects.Name(objects.ID{1})), 0o700))
	found, err := listed(r)
	require.NoError(t, err)
	require.ElementsMatch(t, want, found)
	for i := range found[1:] {
		require.Less(t, found[i].ID.String(), found[i+1].ID.String())
	}

	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	for _, err := range r.List(ctx) {
		if n++; n == 3 {
			cancel()
		}
		if n > 3 && err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
	}
	cancel()
	require.Less(t, n, 20)
	for range r.List(t.Context()) {
		break // the loop may end early
	}
}

func TestRemoveAndStat(t *testing.T) {
	t.Parallel()
	r, dir := newRepository(t, repository.Options{})
	object := stored(t, r, "solid bracket")
	require.NoError(t, r.Remove(t.Context(), object.ID))
	require.ErrorIs(t, r.Remove(t.Context(), object.ID), fs.ErrNotExist)
	_, err := r.Stat(t.Context(), object.ID)
	require.ErrorIs(t, err, fs.ErrNotExist)
	stored(t, r, "solid bracket") // its directory may be there or not
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Stat(ctx, object.ID)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, r.Remove(ctx, object.ID), context.Canceled)

	directory := filepath.Join(dir, objects.Name(objects.ID{1}))
	require.NoError(t, os.MkdirAll(directory, 0o700))
	_, err = r.Stat(t.Context(), objects.ID{1})
	require.ErrorIs(t, err, fs.ErrInvalid)
	require.Error(t, r.Remove(t.Context(), objects.ID{1}))
	require.DirExists(t, directory)

	require.NoError(t, os.RemoveAll(filepath.Join(dir, "objects")), "an administrator tidies up")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "objects"), 0o700))
	stored(t, r, "solid bracket")
}

func TestSweepRemovesWhatIsOldAndOurs(t *testing.T) {
	t.Parallel()
	r, dir := newRepository(t, repository.Options{})
	object := stored(t, r, "solid bracket")
	make := func(name string, age time.Duration) string {
		path := filepath.Join(dir, "tmp", name)
		require.NoError(t, os.WriteFile(path, []byte("half"), 0o600))
		then := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(path, then, then))
		return path
	}
	name := strings.Repeat("A", 25)
	old, young, ahead := make(name+"B", 2*time.Hour), make(name+"C", 58*time.Minute), make(name+"D", -time.Hour)
	other := make("notes.txt", 2*time.Hour)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "tmp", name+"E"), 0o700))
	removed, err := r.Sweep(t.Context(), time.Hour)
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	require.NoFileExists(t, old)
	require.FileExists(t, young)
	require.FileExists(t, ahead)
	removed, err = r.Sweep(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, 2, removed)
	require.FileExists(t, other)
	require.DirExists(t, filepath.Join(dir, "tmp", name+"E"))
	_, err = r.Stat(t.Context(), object.ID)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Sweep(ctx, 0)
	require.ErrorIs(t, err, context.Canceled)
}

func TestQuotaSeesWhatOthersStore(t *testing.T) {
	t.Parallel()
	r, dir := newRepository(t, repository.Options{Quota: 100})
	other, err := repository.Open(dir, repository.Options{})
	require.NoError(t, err)
	defer other.Close()
	large := stored(t, other, strings.Repeat("x", 95))
	_, err = r.Put(t.Context(), strings.NewReader("solid bracket"))
	require.ErrorIs(t, err, repository.ErrQuota)
	require.NoError(t, other.Remove(t.Context(), large.ID))
	stored(t, r, "solid bracket")
	stored(t, r, strings.Repeat("y", 87)) // to the last byte
	_, err = r.Put(t.Context(), strings.NewReader("z"))
	require.ErrorIs(t, err, repository.ErrQuota)
	stored(t, r, "") // needs none
}
