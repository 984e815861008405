//go:build !unix

package seektruncate_test

import "testing"

func besideASlowFile(t *testing.T) { t.Skip("this system has no named pipe among its files") }
