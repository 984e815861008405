package lockmanager

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/15_lock_manager/drawings"
	"example/turnstile/exercises/15_lock_manager/part"
)

// ErrFenced is matched by the error of a Read or a Write on behalf of a checkout that has ended.
var ErrFenced = errors.New("the checkout has ended, and the part may be another's by now; check it out and read it again")

// ErrContent is matched by the error of a Write of what is not text: JSON would replace each byte that is not UTF-8.
var ErrContent = errors.New("a drawing is text in UTF-8; encode anything else, as in base64")

// An Archive keeps the last drawing of each part, in a document of its own. The person who has a part checked out reads its drawing and
// writes the next one.
//
// It is the resource that checkouts protect. A checkout can end without its owner's knowledge: it was forced, or its lease has passed
// while the program was stopped. So the archive does not trust its callers: it refuses a checkout whose path or token is not the recorded
// one, and it remembers for each part the highest token that has come by, with a Read or a Write, and refuses lower ones.
type Archive struct {
	document *document.Document[drawings.Drawings]
	manager  *Manager
}

// NewArchive returns the archive in the document at path, for the checkouts of a manager. It opens no file.
func NewArchive(path string, manager *Manager) *Archive {
	options := document.Options[drawings.Drawings]{Validate: (*drawings.Drawings).Validate}
	return &Archive{document.New(path, options), manager}
}

// Create makes the document, without drawings. If it exists, it stays as it is, and the error matches fs.ErrExist.
func (a *Archive) Create(ctx context.Context) error {
	return a.document.Create(ctx, &drawings.Drawings{Parts: map[string]drawings.Drawing{}})
}

// Read returns the drawing of the part that is checked out; a part without one has an empty drawing. From then on no earlier checkout of
// the part can write. If the checkout has ended, the error matches ErrFenced.
func (a *Archive) Read(ctx context.Context, c Checkout) (content string, err error) {
	if err := a.inForce(ctx, c); err != nil {
		return "", fmt.Errorf("read the drawing of %s: %w", c.Path, err)
	}
	err = a.document.Update(ctx, func(d *drawings.Drawings) error {
		drawing := d.Parts[part.Key(c.Path)]
		if c.Token < drawing.Token {
			return ErrFenced
		}
		content, drawing.Token = drawing.Content, c.Token
		d.Parts[part.Key(c.Path)] = drawing
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read the drawing of %s: %w", c.Path, err)
	}
	return content, nil
}

// Write makes content the drawing of the part that is checked out, byte for byte. If it is not valid UTF-8, the error matches ErrContent.
//
// It asks the manager first: if the checkout has ended, the error matches ErrFenced; if the manager cannot be asked, Write fails. Once a
// later checkout of the part has come by, with a Read or a Write of whatever content, no Write of an earlier one changes the drawing,
// wherever it was stopped on its way and whatever the manager has answered: the error matches ErrFenced, too.
//
// After any error but one that matches document.ErrSaved the archive is as it was, byte for byte.
func (a *Archive) Write(ctx context.Context, c Checkout, content string) error {
	if !utf8.ValidString(content) {
		return fmt.Errorf("write the drawing of %s: %w", c.Path, ErrContent)
	}
	if err := a.inForce(ctx, c); err != nil {
		return fmt.Errorf("write the drawing of %s: %w", c.Path, err)
	}
	err := a.document.Update(ctx, func(d *drawings.Drawings) error {
		// TODO: the checkout was in force when it was asked for. That may have been hours ago.
		d.Parts[part.Key(c.Path)] = drawings.Drawing{Token: c.Token, Content: content}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write the drawing of %s: %w", c.Path, err)
	}
	return nil
}

// inForce returns ErrFenced unless the manager has the checkout, with this path and this token. The answer may be out of date as soon as it
// is returned.
func (a *Archive) inForce(ctx context.Context, c Checkout) error {
	if c.ID == "" { // which means any, to List
		return ErrFenced
	}
	page, err := a.manager.List(ctx, Query{ID: c.ID})
	if err != nil {
		return err
	}
	for _, recorded := range page.Checkouts {
		if recorded.Path == c.Path && recorded.Token == c.Token {
			return nil
		}
	}
	return ErrFenced
}
