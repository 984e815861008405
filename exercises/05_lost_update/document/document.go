// Package document reads and writes the two JSON files of this exercise: the counter of the job cards and the list of checkouts.
//
// It works in place, through a handle that the caller has open for reading and writing, and neither uses nor moves the handle's
// offset. It is strict (lesson 04) and writes before it truncates (lesson 03). It locks nothing.
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"unicode/utf8"
)

// ReadCounter returns the counter of a file that holds {"counter":41}. Anything else is damage: an empty file, another field, a key
// that occurs twice, a counter that is not an int.
func ReadCounter(file *os.File) (int, error) {
	fields, err := readObject(file)
	if err != nil {
		return 0, err
	}
	number, isNumber := fields["counter"].(json.Number)
	if !isNumber || len(fields) != 1 {
		return 0, damaged(file, errors.New("it is not one counter and nothing else"))
	}
	counter, err := strconv.Atoi(number.String())
	if err != nil {
		return 0, damaged(file, err)
	}
	return counter, nil
}

// WriteCounter replaces what the file holds by {"counter":N}.
func WriteCounter(file *os.File, counter int) error {
	return replace(file, fmt.Appendf(nil, `{"counter":%d}`, counter))
}

// ReadCheckouts returns the list of a file such as {"bracket.step":"alice"}: who has which part. A file that is not one object, or in
// which a part occurs twice or is with a person without a name, is damaged. The map is the caller's and never nil.
func ReadCheckouts(file *os.File) (map[string]string, error) {
	fields, err := readObject(file)
	if err != nil {
		return nil, err
	}
	holders := make(map[string]string, len(fields))
	for part, value := range fields {
		person, isString := value.(string)
		if !isString || person == "" {
			return nil, damaged(file, fmt.Errorf("%q is not with a person", part))
		}
		holders[part] = person
	}
	return holders, nil
}

// WriteCheckouts replaces what the file holds by the list. A list that ReadCheckouts would refuse, or in which a name is not valid
// UTF-8, is an error, and nothing is written.
func WriteCheckouts(file *os.File, holders map[string]string) error {
	list := map[string]string{} // never null
	for part, person := range holders {
		if person == "" || !utf8.ValidString(part) || !utf8.ValidString(person) {
			return fmt.Errorf("write %s: %q with %q is not a checkout; give a person and names in UTF-8", file.Name(), part, person)
		}
		list[part] = person
	}
	content, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("write %s: %w", file.Name(), err)
	}
	return replace(file, content)
}

// readObject reads exactly one JSON object without objects or arrays in it, in which every key occurs once.
func readObject(file *os.File) (map[string]json.Token, error) {
	content, err := io.ReadAll(io.NewSectionReader(file, 0, math.MaxInt64))
	if err != nil {
		return nil, err // it names the operation and the file
	}
	fields, err := parseObject(content)
	if err != nil {
		return nil, damaged(file, err)
	}
	return fields, nil
}

func parseObject(content []byte) (map[string]json.Token, error) {
	if !utf8.Valid(content) {
		return nil, errors.New("it is not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.Join(errors.New("it does not begin with an object"), err)
	}
	fields := map[string]json.Token{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		value, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string) // the decoder accepts nothing else before a colon
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("%q occurs twice", name)
		}
		if _, nested := value.(json.Delim); nested {
			return nil, fmt.Errorf("%q holds an object or an array", name)
		}
		fields[name] = value
	}
	if _, err := decoder.Token(); err != nil { // the closing brace
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more bytes come after the object")
	}
	return fields, nil
}

func damaged(file *os.File, err error) error {
	return fmt.Errorf("read %s: the file is damaged: %w; bring back a copy of it", file.Name(), err)
}

// replace writes first and truncates last: if the kernel refuses the write as a whole, the old document is still there.
func replace(file *os.File, content []byte) error {
	if _, err := file.WriteAt(content, 0); err != nil {
		return fmt.Errorf("%w; compare %s with a copy before you use it: its beginning may be new", err, file.Name())
	}
	if err := file.Truncate(int64(len(content))); err != nil {
		return fmt.Errorf("%w; %s may still end in old bytes", err, file.Name())
	}
	return nil
}
