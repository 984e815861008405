package jsonfiles

import (
	"fmt"
	"os"
)

// SetAside gives the damaged file at path a new name beside the old one, and returns that name: PATH.damaged-1, or the
// first number that is free. The bytes are kept as they are, and so is every file that was set aside before. Afterwards there is
// no file at path.
//
// Only what Load calls empty or corrupt is set aside. A document that Load accepts or calls newer, and a file that cannot be read,
// stay, and so does everything if SetAside fails. It takes no lock: a program that writes the file at the same
// moment may find it gone.
func SetAside(path string) (string, error) {
	// TODO: is the file damaged at all? And what if a file was set aside yesterday?
	aside := path + ".damaged-1"
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("set aside: %w; the damaged file is where it was", err)
	}
	return aside, nil
}
