package atomicreplace

import (
	"fmt"
	"io/fs"
)

// WriteFile makes data the whole content of the file at path, creating it with perm (before umask) if there is none. It is Create, one
// Write and Commit, and its promises are theirs. Nothing of it needs editing.
//
// Several WriteFile calls on one path may run at once, in any number of processes: the file is always the whole content of one of them.
// That is not isolation: a program that reads, changes and writes back needs a lock around all three.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	pending, err := Create(path, perm)
	if err != nil {
		return err
	}
	defer pending.Discard() // does nothing after Commit
	if _, err := pending.Write(data); err != nil {
		return fmt.Errorf("replace %s: %w; the file is as it was", path, err)
	}
	return pending.Commit()
}
