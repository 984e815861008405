package jsonfiles

import (
	"fmt"
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
	// TODO: is the file damaged at all? And what if a file was set aside yesterday?
	aside := path + ".damaged-1"
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("set aside: %w; the damaged file is where it was", err)
	}
	return aside, nil
}
