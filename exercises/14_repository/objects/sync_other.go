//go:build !windows

package objects

import "os"

func syncFile(directory *os.File) error { return directory.Sync() }
