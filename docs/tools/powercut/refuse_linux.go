package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// refuse saves 16 MB to an ext4 disk that reports 64 MB and is kept in 12 MB of memory, and calls fsync three times.
func refuse(ctx context.Context, memory string) (err error) {
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		return nil // choose has said so
	}
	if err := os.Mkdir(memory, 0o700); err != nil {
		return err
	}
	if err := command(ctx, "mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", memory); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unmount(memory)) }()
	disk, at := filepath.Join(memory, "disk"), filepath.Join(memory, "mounted")
	if err := errors.Join(os.Mkdir(at, 0o700), os.WriteFile(disk, nil, 0o600), os.Truncate(disk, 64<<20)); err != nil {
		return err
	}
	if err := command(ctx, "mkfs.ext4", "-q", "-F", "-E", "nodiscard", disk); err != nil {
		return err
	}
	if err := command(ctx, "mount", "-o", "loop,errors=continue", disk, at); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unmount(at)) }()
	return askThreeTimes(filepath.Join(at, "locks.json"))
}

func askThreeTimes(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	document := bytes.Repeat([]byte("x"), 16<<20)
	n, err := f.Write(document)
	fmt.Printf("ext4, on a disk that runs full behind its back\n  Write  %d bytes, %v\n", n, err)
	for range 3 {
		fmt.Printf("  fsync  %v\n", withoutPath(f.Sync()))
	}
	kept, err := count(f)
	if err != nil {
		return err
	}
	fmt.Printf("  read   %d of the bytes\n", kept)
	// DONTNEED drops clean pages: the next read has to go to the disk.
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return err
	}
	kept, err = count(f)
	if err != nil {
		return err
	}
	fmt.Printf("  read   %d of the bytes, once the system has forgotten its copy\n", kept)
	return nil
}

// count returns how many bytes of the document the file holds.
func count(f *os.File) (int, error) {
	content, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
	return bytes.Count(content, []byte("x")), err
}

func withoutPath(err error) error {
	var inner *os.PathError
	if errors.As(err, &inner) {
		return inner.Err
	}
	return err
}
