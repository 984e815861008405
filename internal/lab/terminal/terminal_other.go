//go:build !unix && !windows

package terminal

import "os"

// Columns knows of no terminal on these systems: programs print plain text and ask no questions.
func Columns(*os.File) (width int, terminal bool) { return 0, false }

func understandsEscapes(*os.File) bool { return false }
