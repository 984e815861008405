//go:build !linux

package process

// kernelTells is set where waitsForLock has an exact answer.
const kernelTells = false

func waitsForLock(int) (bool, error) { return false, nil }
