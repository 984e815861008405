//go:build !unix && !windows

package api_test

import "errors"

var fullDisk = errors.New("no space left on device")
