package repository_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

const bracket, hinge = "solid bracket", "solid hinge"

func nameOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// An upload is a naive one, as the official test server of Git LFS has it: one temporary name for each object, and a clean-up that takes
// everything away.
type upload struct {
	path string
	file *os.File
}

func begin(dir, name string) (*upload, error) {
	u := &upload{path: filepath.Join(dir, name)}
	file, err := os.OpenFile(u.path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, errors.Join(err, u.cleanUp())
	}
	u.file = file
	return u, nil
}

func (u *upload) end(content string) error {
	_, err := u.file.WriteString(content)
	if err := errors.Join(err, u.file.Close()); err != nil {
		return err
	}
	if err := os.Rename(u.path+".tmp", u.path); err != nil {
		return errors.Join(err, u.cleanUp())
	}
	return nil
}

func (u *upload) cleanUp() error { return errors.Join(os.Remove(u.path+".tmp"), os.Remove(u.path)) }

func TestUploads(t *testing.T) {
	t.Parallel()

	// open(2), O_EXCL. What the clean-up does to the first one is the upload's own affair.
	t.Run(
		"a second upload of the same object finds the temporary name taken, and its clean-up removes the first one's file",
		func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" {
				t.Skip("Windows removes no file that os.OpenFile has open")
			}
			dir := t.TempDir()
			first, err := begin(dir, nameOf(bracket))
			require.NoError(t, err)
			_, err = begin(dir, nameOf(bracket))
			require.ErrorIs(t, err, fs.ErrExist)
			require.ErrorIs(t, first.end(bracket), fs.ErrNotExist)
		},
	)
	t.Run("an upload that fails removes the object that another one has stored", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows removes no file that os.OpenFile has open")
		}
		dir, name := t.TempDir(), nameOf(bracket)
		first, err := begin(dir, name)
		require.NoError(t, err)
		_, err = begin(dir, name) // takes the first one's temporary file away, so that there is room for a third
		require.Error(t, err)
		third, err := begin(dir, name)
		require.NoError(t, err)
		require.NoError(t, third.end(bracket))
		require.FileExists(t, filepath.Join(dir, name))
		require.Error(t, first.end(bracket))
		require.NoFileExists(t, filepath.Join(dir, name))
	})

	// package hash: "Write adds more data to the running hash. It never returns an error."
	t.Run("a hash that gets its bytes in pieces is that of the whole", func(t *testing.T) {
		t.Parallel()
		hash := sha256.New()
		for piece := range strings.SplitSeq(bracket, " ") {
			hash.Write([]byte(piece + " "))
		}
		require.Equal(t, nameOf(bracket+" "), hex.EncodeToString(hash.Sum(nil)))
	})

	// io.Copy: "a Copy uses a buffer", of 32 KiB (src/io/io.go).
	t.Run("io.Copy reads no more than 32 KiB at once, io.ReadAll holds all that it has read", func(t *testing.T) {
		t.Parallel()
		const size = 1 << 20
		source := &sized{left: size}
		_, err := io.Copy(io.MultiWriter(io.Discard, sha256.New()), source)
		require.NoError(t, err)
		require.Equal(t, 32<<10, source.most)
		all, err := io.ReadAll(&sized{left: size})
		require.NoError(t, err)
		require.Len(t, all, size)
	})

	// io.LimitReader: "stops with EOF after n bytes".
	t.Run("a LimitReader ends like a content that is over, so one byte more must be allowed to tell them apart", func(t *testing.T) {
		t.Parallel()
		cut, err := io.ReadAll(io.LimitReader(strings.NewReader(bracket), 5))
		require.NoError(t, err)
		require.Equal(t, "solid", string(cut))
		more, err := io.ReadAll(io.LimitReader(strings.NewReader(bracket), 5+1))
		require.NoError(t, err)
		require.Len(t, more, 6)
	})

	// link(2), EEXIST: "newpath already exists." It is not asked what it holds.
	t.Run("a name that is given only once keeps whatever it was given to", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		damaged, good := filepath.Join(dir, nameOf(bracket)), filepath.Join(dir, "good")
		require.NoError(t, os.WriteFile(damaged, []byte("solid br"), 0o600))
		require.NoError(t, os.WriteFile(good, []byte(bracket), 0o600))
		require.ErrorIs(t, os.Link(good, damaged), fs.ErrExist)
		content, err := os.ReadFile(damaged)
		require.NoError(t, err)
		require.Equal(t, "solid br", string(content))
	})

	// write(2), ENOSPC: "The device containing the file referred to by fd has no room for the data."
	t.Run("a copy to a full disk fails and leaves a part of the file", func(t *testing.T) {
		t.Parallel()
		dir, _ := lab.SmallDisk(t, 64<<10)
		file, err := os.Create(filepath.Join(dir, "object"))
		require.NoError(t, err)
		_, err = io.Copy(file, &sized{left: 1 << 20})
		require.Error(t, err)
		require.NoError(t, file.Close())
		info, err := os.Stat(filepath.Join(dir, "object"))
		require.NoError(t, err)
		require.Positive(t, info.Size())
		require.Less(t, info.Size(), int64(1<<20))
	})
}

// sized has that many bytes left, and remembers how many were asked for at once.
type sized struct{ left, most int }

func (s *sized) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	s.most = max(s.most, len(p))
	n := min(len(p), s.left)
	s.left -= n
	return n, nil
}

func TestReaders(t *testing.T) {
	t.Parallel()

	// io.ReadAtLeast: "if n >= min, err = nil" (src/io/io.go).
	t.Run("io.ReadFull drops an error that comes with the last bytes", func(t *testing.T) {
		t.Parallel()
		buffer := make([]byte, len(bracket))
		n, err := io.ReadFull(lastly{strings.NewReader(bracket), errors.New("damaged")}, buffer)
		require.NoError(t, err)
		require.Equal(t, bracket, string(buffer[:n]))
	})
	t.Run("io.CopyN does not read on after its last byte", func(t *testing.T) {
		t.Parallel()
		var got bytes.Buffer
		damaged := io.MultiReader(strings.NewReader(bracket), lastly{strings.NewReader(""), errors.New("damaged")})
		_, err := io.CopyN(&got, damaged, int64(len(bracket)))
		require.NoError(t, err)
		require.Equal(t, bracket, got.String())
	})

	// unlink(2): "the file will remain in existence until the last file descriptor referring to it is closed." On Windows os.Root asks for
	// the same (FILE_DISPOSITION_POSIX_SEMANTICS).
	t.Run("a struct that embeds a file has its WriteTo, and io.Copy makes no Read", func(t *testing.T) {
		t.Parallel()
		file, err := os.Open(lab.WriteFile(t, "object", bracket))
		require.NoError(t, err)
		defer file.Close()
		embedding := &embedding{File: file}
		var got strings.Builder
		_, err = io.Copy(&got, embedding)
		require.NoError(t, err)
		require.Equal(t, bracket, got.String())
		require.Zero(t, embedding.reads)
	})
	t.Run("a deferred function that asks recover or the error does not see a Goexit", func(t *testing.T) {
		t.Parallel()
		var ran bool
		var err error
		var recovered any
		ended := make(chan bool)
		go func() {
			defer close(ended)
			defer func() { ran, recovered = true, recover() }()
			runtime.Goexit()
			err = io.EOF
		}()
		<-ended
		require.True(t, ran)
		require.NoError(t, err)
		require.Nil(t, recovered)
	})
	t.Run("who has an object open reads on after it was removed, and after another file got its name", func(t *testing.T) {
		t.Parallel()
		root, err := os.OpenRoot(t.TempDir())
		require.NoError(t, err)
		defer root.Close()
		require.NoError(t, root.WriteFile("object", []byte(bracket), 0o600))
		reader, err := root.Open("object")
		require.NoError(t, err)
		defer reader.Close()
		require.NoError(t, root.Remove("object"))
		require.NoError(t, root.WriteFile("object", []byte(hinge), 0o600))
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, bracket, string(content))
	})
}

// lastly returns its error with the last bytes.
type lastly struct {
	*strings.Reader
	err error
}

func (l lastly) Read(p []byte) (int, error) {
	n, _ := l.Reader.Read(p)
	if l.Len() == 0 {
		return n, l.err
	}
	return n, nil
}

// embedding counts its Reads.
type embedding struct {
	*os.File
	reads int
}

func (e *embedding) Read(p []byte) (int, error) {
	e.reads++
	return e.File.Read(p)
}
