//go:build !unix && !windows

package objects

// IsFull reports whether err says that the disk is full. On this system it cannot tell.
func IsFull(error) bool { return false }
