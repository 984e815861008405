// Package keys finds what encoding/json accepts in silence: objects that name the same key twice.
package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Distinct returns an error if an object in data, at any depth, has the same key twice. It decodes nothing.
//
// Two keys are the same if they differ only in letter case, because encoding/json matches keys with a struct's fields that way
// and would put both into one field. (As file names they are one file on systems that ignore letter case.) The error names the
// key and how many bytes had been read. Data that is not JSON, half a value, or one that is nested deeper than encoding/json decodes
// is an error too. Distinct does not look at what follows the first value.
func Distinct(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := value(decoder, 1); errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	} else if err != nil {
		return err
	}
	return nil
}

// deepest is how deep encoding/json lets values be nested (maxNestingDepth of its scanner). Decoder.Token has no such limit, and value
// calls itself for each level: a file full of brackets would overflow the stack, which no program survives.
const deepest = 10_000

// value reads one value, at that depth, with everything inside it.
func value(decoder *json.Decoder, depth int) error {
	if depth > deepest {
		return fmt.Errorf("after %d bytes: more than %d values inside each other", decoder.InputOffset(), deepest)
	}
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return object(decoder, depth)
	case json.Delim('['):
		for decoder.More() {
			if err := value(decoder, depth+1); err != nil {
				return err
			}
		}
		_, err = decoder.Token() // the closing bracket
	}
	return err
}

// object reads the rest of an object, at that depth, whose opening brace was read.
func object(decoder *json.Decoder, depth int) error {
	seen := make(map[string]string)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		key, isString := token.(string)
		if !isString {
			return fmt.Errorf("after %d bytes: a key is not a string: %v", decoder.InputOffset(), token)
		}
		if first, twice := seen[Fold(key)]; twice {
			return fmt.Errorf("after %d bytes: the keys %q and %q of one object are the same", decoder.InputOffset(), first, key)
		}
		seen[Fold(key)] = key
		if err := value(decoder, depth+1); err != nil {
			return err
		}
	}
	_, err := decoder.Token() // the closing brace
	return err
}

// Fold returns the form that all spellings of a key have in common.
func Fold(key string) string {
	return strings.Map(func(letter rune) rune {
		// SimpleFold visits in turn the letters that are equal without regard to case, such as K, k and the kelvin sign.
		// The smallest one represents them all.
		smallest := letter
		for other := unicode.SimpleFold(letter); other != letter; other = unicode.SimpleFold(other) {
			smallest = min(smallest, other)
		}
		return smallest
	}, key)
}
