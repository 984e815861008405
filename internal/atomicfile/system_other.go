//go:build !unix && !windows

package atomicfile

func patiently(call func() error) error { return call() }

// SyncDir does nothing: these systems have no call that flushes a directory.
func SyncDir(string) error { return nil }
