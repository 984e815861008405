// Package inplace replaces what a file holds without replacing the file, as lesson 03 does.
package inplace

import (
	"errors"
	"fmt"
	"os"
)

// Rewrite makes the file, which holds old, hold content instead. The caller keeps others from reading and writing it meanwhile.
//
// What makes the file longer is written first: if the kernel refuses that, the old bytes are still in place. Whatever fails, Rewrite
// tries to bring the old content back, and returns the error; the file may be damaged if that fails too. A process crash in the middle
// leaves bytes of both contents: lesson 06 replaces a document in one step.
func Rewrite(file *os.File, old, content []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("rewrite: %w", errors.Join(err, restore(file, old)))
		}
	}()
	if len(content) > len(old) {
		if _, err := file.WriteAt(content[len(old):], int64(len(old))); err != nil {
			return err
		}
	}
	if _, err := file.WriteAt(content[:min(len(old), len(content))], 0); err != nil {
		return err
	}
	return file.Truncate(int64(len(content)))
}

func restore(file *os.File, old []byte) error {
	if _, err := file.WriteAt(old, 0); err != nil {
		return fmt.Errorf("bring the old content back: %w; the file may be damaged: restore it from a copy", err)
	}
	if err := file.Truncate(int64(len(old))); err != nil {
		return fmt.Errorf("bring the old content back: %w; cut the file after %d bytes", err, len(old))
	}
	return nil
}
