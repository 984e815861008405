//go:build !(unix || js || wasip1 || windows)

package shelf

import "errors"

func identify(string) (identity, error) { return identity{}, errors.ErrUnsupported }
