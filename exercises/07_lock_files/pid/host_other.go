//go:build !linux && !windows

package pid

import "os"

// Host names the set of processes in which a number means one process: here, the machine, by its name. It
// sees neither containers nor boots, and nothing makes a name unique: machines of one name that share a folder take each
// other's processes for their own.
func Host() (string, error) { return os.Hostname() }
