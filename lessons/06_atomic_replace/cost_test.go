package atomicreplace_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkSave tells what each step costs on your disk: go test -bench Save ./lessons/06_atomic_replace
func BenchmarkSave(b *testing.B) {
	document := make([]byte, 4096)
	ways := []struct {
		name                string
		inPlace             bool
		file, directorySync bool
	}{
		{name: "in place", inPlace: true},
		{name: "rename"},
		{name: "fsync, rename", file: true},
		{name: "fsync, rename, fsync of the directory", file: true, directorySync: true},
	}
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "locks.json")
			for b.Loop() {
				if err := save(path, document, way.inPlace, way.file, way.directorySync); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func save(path string, document []byte, inPlace, file, directory bool) error {
	if inPlace {
		return os.WriteFile(path, document, 0o600)
	}
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(document)
	if file {
		err = errors.Join(err, f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil || !directory {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}
