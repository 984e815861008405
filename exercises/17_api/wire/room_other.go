//go:build !unix && !windows

package wire

// NoRoom reports whether err says that the disk is full. On this system it cannot tell.
func NoRoom(error) bool { return false }
