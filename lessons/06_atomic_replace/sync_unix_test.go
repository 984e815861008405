//go:build unix

package atomicreplace_test

import (
	"errors"
	"os"
)

func syncDirectory(dir string) error {
	directory, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
