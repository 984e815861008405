// Package terminal answers two questions for programs that print to a learner: how wide is this output, and may it carry
// colour?
package terminal

import "os"

// Colour reports whether escape codes may be written to f: it is a terminal that understands them, and neither NO_COLOR
// (set to anything, no-color.org) nor TERM=dumb asks for plain text.
func Colour(f *os.File) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	return understandsEscapes(f)
}
