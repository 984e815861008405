package api_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// zeros is a content of n bytes that takes no memory.
func zeros(n int64) io.Reader { return io.LimitReader(zero{}, n) }

type zero struct{}

func (zero) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// send uploads content of alice, and returns the answer.
func (r running) send(t *testing.T, oid string, n int64) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.url+"/objects/content/"+oid, zeros(n))
	require.NoError(t, err)
	request.ContentLength = n
	request.SetBasicAuth("alice", "secret")
	response, err := r.client.Do(request)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode, string(body)
}

// oidOf returns the oid of n zeros.
func oidOf(t *testing.T, n int64) string {
	t.Helper()
	hash := sha256.New()
	_, err := io.Copy(hash, zeros(n))
	require.NoError(t, err)
	return fmt.Sprintf("%x", hash.Sum(nil))
}

// An upload passes through the server in pieces. The size is in MiB:
//
//	TURNSTILE_UPLOAD=1024 go test ./solutions/17_api -run TestAnUploadTakesLittleMemory -v
func TestAnUploadTakesLittleMemory(t *testing.T) {
	t.Parallel()
	size := int64(64)
	if text := os.Getenv("TURNSTILE_UPLOAD"); text != "" {
		var err error
		size, err = strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
	}
	r := build(t).serve(t, t.TempDir())
	status, text := r.send(t, oidOf(t, size<<20), size<<20)
	require.Equal(t, http.StatusOK, status, text)
	about, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.process.Process.Pid))
	require.NoError(t, err)
	_, peak, found := strings.Cut(string(about), "VmHWM:")
	require.True(t, found)
	kib, err := strconv.Atoi(strings.Fields(peak)[0])
	require.NoError(t, err)
	t.Logf("an upload of %d MiB; the server's memory at its peak: %.1f MiB", size, float64(kib)/1024)
	require.Less(t, kib, 32<<10)
}

// A disk that is really full: a file system of 512 KiB.
func TestAFullDiskIs507(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("mount a small file system: %v; only root may", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	r := build(t).serve(t, dir)
	kept, err := r.lock("kept.bin")
	require.NoError(t, err)

	status, text := r.send(t, oidOf(t, 1<<20), 1<<20)
	require.Equal(t, http.StatusInsufficientStorage, status, text)
	require.Contains(t, text, "disk is full")
	left, err := os.ReadDir(filepath.Join(dir, "tmp"))
	require.NoError(t, err)
	require.Empty(t, left, "the upload that did not fit has left nothing")

	ballast := filepath.Join(dir, "ballast")
	require.ErrorIs(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o600), syscall.ENOSPC)
	for name, try := range map[string]func() error{
		"lock":   func() error { _, err := r.lock("another.bin"); return err },
		"unlock": func() error { return r.unlock(kept) },
	} {
		require.ErrorContains(t, try(), "507", name)
	}
	require.Equal(t, map[string]bool{kept: true}, r.all(t), "what was held is held")

	require.NoError(t, os.Remove(ballast))
	require.NoError(t, r.unlock(kept), "there is room again")
}
