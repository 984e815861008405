//go:build unix

package lostupdate_test

import (
	"os"
	"path/filepath"
	"testing"
)

// readOnly lets every user write the file at path, and no user but root create files beside it.
func readOnly(t *testing.T, path string) {
	t.Helper()
	dir := filepath.Dir(path)
	must(t, os.Chmod(path, 0o666))
	must(t, os.Chmod(dir, 0o555))
	t.Cleanup(func() { must(t, os.Chmod(dir, 0o700)) })
}
