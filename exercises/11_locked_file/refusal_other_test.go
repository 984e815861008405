//go:build !unix

package lockedfile_test

import "errors"

var refusedWith = []error{errors.ErrUnsupported}

var tooBig = errors.ErrUnsupported
