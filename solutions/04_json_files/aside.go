package jsonfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"example/turnstile/exercises/04_json_files/newfile"
)

// SetAside gives the damaged file at path a new name, and returns it: PATH.damaged-1, or another that begins with PATH.damaged- and
// is free, where PATH is path as given. Afterwards there is no file at path. This is the exercise's second stage.
//
// The file keeps its bytes and permission bits. A symbolic link at path gets the new name itself; the file that it leads to stays where
// it is. SetAside gives the kernel no names but path and such new ones. It replaces nothing that has one, not even a link
// that leads nowhere, or a file that another program creates at the same moment.
//
// Only a file that Load calls empty or corrupt is set aside. For a good document SetAside returns an error; for all else, one that
// matches Load's. What the kernel refuses, SetAside does not try another way: the error wraps the kernel's. If SetAside fails, even
// at its last step, the name is empty and nothing in the directory has changed. Nothing stays open.
//
// SetAside takes no lock: if another program writes the file at the same moment, that program's file is taken away.
func SetAside(path string) (string, error) {
	if _, err := Load(path); err == nil {
		return "", fmt.Errorf("set aside %s: it is a good document and stays", path)
	} else if !IsDamaged(err) {
		return "", fmt.Errorf("set aside: %w; only a damaged file is set aside", err)
	}
	for number := 1; ; number++ {
		aside := fmt.Sprintf("%s.damaged-%d", path, number)
		// Rename replaces what has the new name, so the name is claimed first: this empty file is ours to replace.
		err := newfile.Create(aside, nil)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("set aside %s: %w", path, err)
		}
		if err := os.Rename(path, aside); err != nil {
			return "", fmt.Errorf("set aside: %w; the damaged file is where it was", errors.Join(err, os.Remove(aside)))
		}
		return aside, nil
	}
}
