//go:build !windows

package lab

// Wine reports whether this is a Windows program that runs under Wine.
func Wine() bool { return false }
