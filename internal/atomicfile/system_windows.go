package atomicfile

import (
	"errors"
	"time"

	"golang.org/x/sys/windows"
)

// patiently repeats call for up to a second while the file is open in a way that forbids it: a virus scanner or an
// indexer that looks at a new file is gone after some milliseconds, and Windows offers nothing to wait for.
func patiently(call func() error) error {
	deadline := time.Now().Add(time.Second)
	for {
		err := call()
		busy := errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
		if !busy || time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// SyncDir does nothing: Windows has no call that flushes a directory.
func SyncDir(string) error { return nil }
