// Package part decides which names of parts there are, and when two names are the same part.
//
// A part is a file that people have copies of, on Linux, on macOS and on Windows. A record that protects it must have one name for it, or one
// file is taken twice under two names. So there is one decision, for all systems, wherever the program runs:
//
//   - a name has one spelling: slashes, no `.` or `..`, nothing that a system reads as another name (Check)
//   - names that differ only in the letters' case are one part (Same), because macOS and Windows have one file for both
//
// A disk that has two files `A.step` and `a.step` pays for it: who takes one has both. Composed and decomposed letters (é in one code point or
// in two) are different names: macOS has one file for both, and Git for macOS sends the composed form (core.precomposeUnicode).
package part

import (
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

// Check returns an error that matches ErrName unless name is a clean path: relative, with slashes between its elements, and nothing in it that
// some system would read as another spelling of another name: no empty element, `.` or `..`, no backslash or colon, no control character, no
// element that ends in a dot or a blank (Windows drops them), valid UTF-8, and 1 to MaxLength bytes.
func Check(name string) error {
	reason := ""
	switch {
	case name == "":
		reason = "it is empty"
	case len(name) > MaxLength:
		return fmt.Errorf("the name of %d bytes is longer than %d: %w", len(name), MaxLength, ErrName)
	case !utf8.ValidString(name):
		reason = "it is not UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		reason = "it has a control character"
	case strings.ContainsAny(name, `\:`):
		reason = "it has a backslash or a colon"
	}
	for element := range strings.SplitSeq(name, "/") {
		switch {
		case reason != "":
		case element == "":
			reason = "it has an empty element"
		case strings.HasSuffix(element, ".") || strings.HasSuffix(element, " "):
			reason = "an element ends in a dot or a blank"
		}
	}
	if reason != "" {
		return fmt.Errorf("%q: %s: %w", name, reason, ErrName)
	}
	return nil
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
