package lostupdate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"syscall"

	"github.com/gofrs/flock"
)

// lock waits until nobody else holds the lock of the document at path, in this process or in another, and takes it. The caller
// owes one call of unlock.
//
// The lock is on a file of its own, path with ".lock" behind it, so that the document may be read, rewritten or replaced freely.
// It is made for this user alone (mode 0600), and it stays for ever: whoever removes it takes it from under those who wait for
// it. The system ends the lock of a process that dies. Each call that waits keeps a thread of the system busy.
func lock(path string) (unlock func() error, err error) {
	// A Flock of its own for each call: goroutines that share one are all told that they have the lock.
	guard := flock.New(path + ".lock")
	for {
		err := guard.Lock()
		if err == nil {
			return guard.Unlock, nil
		}
		if !errors.Is(err, syscall.EINTR) { // some file systems let a signal end the wait
			return nil, fmt.Errorf("lock %s: %w; this user needs to create or open %s.lock", path, err, path)
		}
	}
}

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
