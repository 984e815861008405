//go:build !unix && !windows

package objects

func isFull(error) bool { return false }
