// Package keys finds what encoding/json takes without a word: objects that name the same key twice.
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
// Two keys are the same if they differ in letter case only, as encoding/json sees it when it looks for a struct's field: it
// would take both for one field. (As names of files they are one file on systems that do not tell letter case apart.) The
// error names the key and how many bytes had been read. Data that is no JSON, or half of one value, is an error too, but
// whether something follows the first value is not looked at.
func Distinct(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := value(decoder); errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	} else if err != nil {
		return err
	}
	return nil
}

// value reads one value, with all that it holds.
func value(decoder *json.Decoder) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return object(decoder)
	case json.Delim('['):
		for decoder.More() {
			if err := value(decoder); err != nil {
				return err
			}
		}
		_, err = decoder.Token() // the closing bracket
	}
	return err
}

// object reads the rest of an object whose opening brace has been read.
func object(decoder *json.Decoder) error {
	seen := make(map[string]string)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		key, isString := token.(string)
		if !isString {
			return fmt.Errorf("after %d bytes: a key is no string: %v", decoder.InputOffset(), token)
		}
		if first, twice := seen[Fold(key)]; twice {
			return fmt.Errorf("after %d bytes: the keys %q and %q of one object are the same", decoder.InputOffset(), first, key)
		}
		seen[Fold(key)] = key
		if err := value(decoder); err != nil {
			return err
		}
	}
	_, err := decoder.Token() // the closing brace
	return err
}

// Fold returns the form that all spellings of a key have in common.
func Fold(key string) string {
	return strings.Map(func(letter rune) rune {
		// SimpleFold walks round the letters that are one without their case, such as K, k and the sign for kelvin. The smallest
		// stands for all.
		smallest := letter
		for other := unicode.SimpleFold(letter); other != letter; other = unicode.SimpleFold(other) {
			smallest = min(smallest, other)
		}
		return smallest
	}, key)
}
