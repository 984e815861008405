//go:build unix

package seektruncate_test

import "golang.org/x/sys/unix"

func setUmask(mask int) { unix.Umask(mask) }
