package primitives

import (
	"errors"
	"fmt"
)

// RenameIO is renameio.WriteFile, which does not exist on Windows: no rename is atomic there.
func RenameIO(string, []byte) error {
	return fmt.Errorf("renameio.WriteFile: %w", errors.ErrUnsupported)
}
