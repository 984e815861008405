package lostupdate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// readDocument decodes the JSON document that file holds into v. It neither uses nor moves the offset. What is not exactly one
// document of v's fields is an error.
func readDocument(file *os.File, v any) error {
	content, err := io.ReadAll(io.NewSectionReader(file, 0, math.MaxInt64))
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return fmt.Errorf("read %s: %w; the file is damaged, bring back a copy of it", file.Name(), err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: more follows the document; the file is damaged, bring back a copy of it", file.Name())
	}
	return nil
}

// writeDocument replaces what file holds by v as JSON, in place. A crash in the middle can leave the beginning of the new
// document in front of the rest of the old one.
func writeDocument(file *os.File, v any) error {
	content, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := file.WriteAt(content, 0); err != nil {
		return fmt.Errorf("%w; compare %s with a copy before you use it: its beginning may be new", err, file.Name())
	}
	if err := file.Truncate(int64(len(content))); err != nil {
		return fmt.Errorf("%w; %s may still end in old bytes", err, file.Name())
	}
	return nil
}
