//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package flock

import "errors"

const supported = false

func flock(int, mode, bool) error { return errors.ErrUnsupported }
