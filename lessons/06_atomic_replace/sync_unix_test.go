//go:build unix

package atomicreplace_test

import (
	"errors"
	"os"
)

func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
