package format

import (
	"bytes"
	"encoding/json"
	"fmt"

	"example/turnstile/exercises/04_json_files/keys"
)

// distinct returns an error if an object in data, at any depth, has the same key twice. It does what keys.Distinct does, forty times as
// fast, for data that encoding/json has accepted: it looks at brackets, commas and strings, and at nothing else.
func distinct(data []byte) error {
	var open []object // the objects and arrays around the place
	depth, key := 0, false
	for at := 0; at < len(data); at++ {
		switch data[at] {
		case '{', '[':
			if depth == len(open) {
				open = append(open, object{})
			}
			open[depth].begin(data[at] == '{')
			key = data[at] == '{'
			depth++
		case '}', ']':
			depth--
			key = false
		case ',':
			key = depth > 0 && open[depth-1].keyed
		case '"':
			end := stringEnd(data, at)
			if key {
				if err := open[depth-1].add(data[at : end+1]); err != nil {
					return fmt.Errorf("after %d bytes: %w", end+1, err)
				}
			}
			at, key = end, false
		}
	}
	return nil
}

// stringEnd returns where the string ends that begins at start, both at its quotes.
func stringEnd(data []byte, start int) int {
	end := start + 1 + bytes.IndexByte(data[start+1:], '"')
	if bytes.IndexByte(data[start:end], '\\') < 0 {
		return end
	}
	for end = start + 1; data[end] != '"'; end++ {
		if data[end] == '\\' {
			end++
		}
	}
	return end
}

// An object has the keys that were seen in one JSON object. Most objects have few: to compare them all is faster than to hash them.
type object struct {
	keyed bool // it is an object, and not an array
	few   [][]byte
	many  map[string]bool
}

const fewKeys = 16

func (o *object) begin(keyed bool) { o.keyed, o.few, o.many = keyed, o.few[:0], nil }

func (o *object) add(quoted []byte) error {
	key := quoted[1 : len(quoted)-1]
	if !plain(key) {
		var text string
		if err := json.Unmarshal(quoted, &text); err != nil {
			return err
		}
		key = []byte(text)
	}
	twice := false
	switch {
	case o.many != nil:
		folded := keys.Fold(string(key))
		twice = o.many[folded]
		o.many[folded] = true
	default:
		for _, other := range o.few {
			twice = twice || bytes.EqualFold(other, key)
		}
		if o.few = append(o.few, key); len(o.few) > fewKeys {
			o.many = make(map[string]bool)
			for _, key := range o.few {
				o.many[keys.Fold(string(key))] = true
			}
		}
	}
	if twice {
		return fmt.Errorf("the key %q is twice in one object", key)
	}
	return nil
}

// plain reports whether the bytes between the quotes are the key itself.
func plain(key []byte) bool {
	for _, letter := range key {
		if letter == '\\' || letter >= 0x80 {
			return false
		}
	}
	return true
}
