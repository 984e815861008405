package jsonfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// SetAside gives the damaged file at path a new name beside the old one, and returns that name: PATH.damaged-1, or
// another that begins with PATH.damaged- and is free. The bytes are kept as they are, and so is whatever has such a name already:
// a gap between the numbers, or a link that leads nowhere, changes nothing about that. Afterwards there is no file at path.
//
// Only what Load calls empty or corrupt is set aside. A document that Load accepts stays, and SetAside returns an error. A newer one, a file
// that cannot be read and a file that is not there are left alone too, with an error that matches what Load's does, such as
// fs.ErrNotExist. If SetAside fails, nothing in the folder is changed. It takes no lock: a program that writes the file at the
// same moment may find it gone.
func SetAside(path string) (string, error) {
	if _, err := Load(path); err == nil {
		return "", fmt.Errorf("set aside %s: Load accepts it, so it stays", path)
	} else if !isDamaged(err) {
		return "", fmt.Errorf("set aside: %w; only an empty or damaged file is set aside", err)
	}
	for number := 1; ; number++ {
		aside := fmt.Sprintf("%s.damaged-%d", path, number)
		// Rename replaces what has the new name. Who creates the name first owns it, and may put something in its place.
		claim, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("set aside: %w; check who may write in the folder", err)
		}
		if err = claim.Close(); err == nil {
			err = os.Rename(path, aside)
		}
		if err != nil { // what has the new name is still the empty file made above
			return "", errors.Join(fmt.Errorf("set aside: %w; the damaged file is where it was", err), os.Remove(aside))
		}
		return aside, nil
	}
}
