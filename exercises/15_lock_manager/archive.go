package lockmanager

import (
	"context"
	"errors"
	"fmt"

	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/15_lock_manager/drawings"
	"example/turnstile/exercises/15_lock_manager/part"
)

// ErrFenced is matched by the error of a Read or a Write on behalf of a checkout that has ended.
var ErrFenced = errors.New("the checkout has ended, and the part may be another's by now; check it out and read it again")

// An Archive keeps the last drawing of each part, in a document of its own. Who has a part checked out reads its drawing and writes the next one.
//
// It is the resource that checkouts protect. A checkout can end without its owner's knowledge: it was forced, or its lease has passed while the
// program stood still. So the archive does not believe its callers: it remembers for each part the highest token that has come by, with a Read
// or a Write, and refuses those that are lower.
type Archive struct {
	document *document.Document[drawings.Drawings]
	manager  *Manager
}

// NewArchive returns the archive in the document at path, for the checkouts of a manager. It opens no file.
func NewArchive(path string, manager *Manager) *Archive {
	return &Archive{document.New(path, document.Options[drawings.Drawings]{Validate: (*drawings.Drawings).Validate}), manager}
}

// Create makes the document, without drawings. If it exists, it stays as it is, and the error matches fs.ErrExist.
func (a *Archive) Create(ctx context.Context) error {
	return a.document.Create(ctx, &drawings.Drawings{Parts: map[string]drawings.Drawing{}})
}

// Read returns the drawing of the part that is checked out; a part without one has an empty drawing. From then on no earlier checkout of the
// part can write. If the checkout has ended, the error matches ErrFenced.
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

// Write makes content the drawing of the part that is checked out, as often as its owner likes.
//
// Once a later checkout of the part has come by, with a Read or a Write, no Write of an earlier one changes the drawing, however long ago it
// began, and wherever it was stopped on its way: the error matches ErrFenced. So it does, without a later one, if the checkout is known to have
// ended when Write begins. After an error the drawing is what it was, unless it matches document.ErrNotDurable. Parts do not get in each other's
// way.
func (a *Archive) Write(ctx context.Context, c Checkout, content string) error {
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

// inForce returns ErrFenced if the manager knows the checkout no more. What it returns was true: the checkout may end at any time.
func (a *Archive) inForce(ctx context.Context, c Checkout) error {
	page, err := a.manager.List(ctx, Query{ID: c.ID})
	if err == nil && len(page.Checkouts) == 0 {
		err = ErrFenced
	}
	return err
}
