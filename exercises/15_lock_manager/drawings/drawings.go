// Package drawings is the content of archive.json: the last drawing of each part.
package drawings

import "errors"

// A Drawing is what was last checked in for a part.
type Drawing struct {
	Token   uint64 `json:"token"` // the highest that has read or written it
	Content string `json:"content"`
}

// Drawings has them by part.Key.
type Drawings struct {
	Parts map[string]Drawing `json:"parts"`
}

// Validate returns an error unless there is a place for drawings.
func (d *Drawings) Validate() error {
	if d.Parts == nil {
		return errors.New("the archive has no \"parts\"")
	}
	return nil
}
