//go:build !linux && !windows

package pid

import "os"

// Host names the set of processes in which a number means one process: here, the machine. It does not see containers.
func Host() (string, error) { return os.Hostname() }
