//go:build !windows

package busy

func (p place) rename(from, to string) error { return p.once(from, to) }

func refused(error) bool { return false }
