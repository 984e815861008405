package busy

import (
	"errors"

	"golang.org/x/sys/windows"
)

// Refusal reports whether err, of a rename, says that a program has one of the files open: the same rename may succeed
// a moment later. Only Windows refuses a rename for that, since most programs open files without FILE_SHARE_DELETE, Go's os.Open
// among them; elsewhere the answer is always no.
//
// Windows says "access denied" of an open target, as it does of a file that this process may not touch at all. So a yes can be
// wrong: try again for a bounded time. Go's own cmd/internal/robustio does likewise.
func Refusal(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
}
