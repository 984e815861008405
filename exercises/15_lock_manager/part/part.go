// Package part decides which names of parts there are, and when two names are the same part.
//
// A part is a file that people have copies of, on Linux, on macOS and on Windows. A record that protects it must have one name for it, or
// one file is taken twice under two names. So there is one decision, for all systems, wherever the program runs:
//
//   - a name has one spelling: slashes, no `.` or `..`, nothing that a system reads as another name (Check)
//   - names that differ only in the letters' case are one part (Same), because macOS and Windows have one file for both
//
// A disk that has two files `A.step` and `a.step` pays for it: who takes one has both. Composed and decomposed letters (é in one code
// point or in two) are different names: macOS has one file for both, and Git for macOS sends the composed form (core.precomposeUnicode).
package part

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxLength is how many bytes a name may have.
const MaxLength = 4096

// ErrName is matched by the error of Check.
var ErrName = errors.New("not a part's name; give it relative to the top, with slashes, as in parts/bracket.step")

// Check returns an error that matches ErrName unless name is a clean path: relative, with slashes between its elements, and nothing in it
// that some system would read as another spelling of another name: no empty element, `.` or `..`, no backslash or colon, no control
// character, no element that ends in a dot or a blank (Windows drops them), valid UTF-8, and 1 to MaxLength bytes.
func Check(name string) error {
	if len(name) > MaxLength {
		return fmt.Errorf("the name of %d bytes is longer than %d: %w", len(name), MaxLength, ErrName)
	}
	// One pass over the bytes is enough for most names. It matters: all names of a ledger are checked at each change.
	reason, ascii, last := "", true, byte('/')
	for i := range len(name) {
		b := name[i]
		switch {
		case b > '/' && b < ':' || b > ':' && b < '\\' || b > '\\' && b < 0x7f: // a letter, most often
		case b == '/':
			reason = cmp.Or(reason, end(last))
		case b == '\\' || b == ':':
			reason = "it has a backslash or a colon"
		case b < ' ' || b == 0x7f:
			reason = "it has a control character"
		case b >= utf8.RuneSelf:
			ascii = false
		}
		last = b
	}
	reason = cmp.Or(reason, end(last))
	switch {
	case name == "":
		reason = "it is empty"
	case !ascii && !utf8.ValidString(name):
		reason = "it is not UTF-8"
	case !ascii && strings.ContainsFunc(name, unicode.IsControl):
		reason = "it has a control character"
	}
	if reason != "" {
		return fmt.Errorf("%q: %s: %w", name, reason, ErrName)
	}
	return nil
}

// end returns what is wrong with an element that ends with this byte, or that is empty if it is a slash.
func end(last byte) string {
	switch last {
	case '/':
		return "it has an empty element"
	case '.', ' ':
		return "an element ends in a dot or a blank"
	}
	return ""
}

// Same reports whether two names are one part: they are equal but for the case of letters.
func Same(one, other string) bool { return strings.EqualFold(one, other) }

// Key returns a text that two names have in common exactly if they are the same part. It is for maps; people are shown the name.
func Key(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}
