//go:build !unix && !windows

package guide

import "os"

func endings() []os.Signal { return []os.Signal{os.Interrupt} }

func interrupt(process *os.Process) error { return process.Kill() }

func noSpace(error) bool { return false }
