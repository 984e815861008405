package atomicreplace

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Sweep removes what WriteFile calls that crashed have left beside path: their temporary files that nobody has written to
// for age. It returns the paths that it removed. If path is a symbolic link, it looks beside the file that the link leads to.
//
// A temporary file of locks.json is called .locks.json.RANDOM.tmp: hidden, and with a random part of one fixed form, by
// which Sweep knows it. Other files are left alone: younger ones, whose writer may be alive, the temporary files of other
// files, and whatever has no such random part. A temporary file that vanishes while Sweep works is no error.
func Sweep(path string, age time.Duration) (removed []string, err error) {
	// TODO: this pattern also fits files that no WriteFile has made, and a folder's name may hold a '['.
	leftovers, err := filepath.Glob(path + "*.tmp")
	if err != nil {
		return nil, fmt.Errorf("sweep beside %s: %w", path, err)
	}
	for _, leftover := range leftovers {
		// TODO: is its writer dead, or only slow? Nobody looks at age.
		if err := os.Remove(leftover); err != nil {
			return removed, fmt.Errorf("sweep beside %s: %w", path, err)
		}
		removed = append(removed, leftover)
	}
	return removed, nil
}
