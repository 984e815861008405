//go:build !unix && !windows

package guide

// columns knows of no terminal on these systems: the guide prints plain text and asks no questions.
func columns(any) (width int, terminal bool) { return 0, false }
