//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package lockedfile_test

import "errors"

func duplicate(string) (int, error) { return 0, errors.ErrUnsupported }
