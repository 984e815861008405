//go:build !linux

package pid

import (
	"fmt"
	"os"
	"strings"
)

// Here returns the Host of this process. On this system that is the machine, by its name. It distinguishes neither containers nor
// boots, and nothing makes a name unique: machines of one name that share a directory mistake each other's processes for their own.
func Here() (Host, error) {
	name, err := os.Hostname()
	if err != nil {
		return Host{}, fmt.Errorf("ask for the name of this machine: %w", err)
	}
	return Host{Name: strings.ToValidUTF8(name, "?")}, nil
}
