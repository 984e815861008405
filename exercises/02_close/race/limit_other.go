//go:build !unix

package main

import "errors"

// calls is small where no limit stops a leak: on Windows the demo shows the file that cannot be deleted.
const calls = 200

// allowed says what Windows allows: there is no limit that a process could set for itself.
const allowed = "any number of"

func limitHandles(int) error { return errors.ErrUnsupported }
