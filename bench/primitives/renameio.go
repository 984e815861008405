//go:build !windows

package primitives

import "github.com/google/renameio/v2"

// RenameIO is renameio.WriteFile.
func RenameIO(path string, data []byte) error { return renameio.WriteFile(path, data, 0o600) }
