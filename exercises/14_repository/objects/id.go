package objects

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// An ID is the name of an object: the SHA-256 of its content.
type ID [sha256.Size]byte

// ParseID returns the ID that text names: exactly 64 hexadecimal digits, in lower case. Any other text is an error that matches
// fs.ErrInvalid.
//
// This is the only way from a text to an ID, and so to a path. What a client sends cannot climb out of a directory (../), name a device
// (NUL, COM1), or be a second spelling of a name (upper case, ./, a trailing dot), because none of that is an ID.
func ParseID(text string) (ID, error) {
	var id ID
	if len(text) != hex.EncodedLen(len(id)) || strings.Trim(text, "0123456789abcdef") != "" {
		return ID{}, fmt.Errorf("object %.80q: %w; an ID is 64 hexadecimal digits in lower case", text, fs.ErrInvalid)
	}
	_, err := hex.Decode(id[:], []byte(text))
	return id, err
}

// String returns the ID as ParseID takes it.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText returns the ID as ParseID takes it, for JSON and flags.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseID.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// An Object says of a content what it is called and how long it is, in bytes.
type Object struct {
	ID   ID    `json:"oid"`
	Size int64 `json:"size"`
}

// Name returns the place of an object in a store: objects/ab/cd/abcd… It is relative to the store's Root. Two levels of 256 directories
// keep each of them small.
func Name(id ID) string { return path.Join(directoryOf(id), id.String()) }

func directoryOf(id ID) string {
	text := id.String()
	return path.Join(objectsDir, text[:2], text[2:4])
}
