//go:build !windows

package busy

import "os"

func rename(from, to string) error { return os.Rename(from, to) }

func refused(error) bool { return false }
