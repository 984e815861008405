package workbook

import "errors"

var errSkeleton = errors.New("not written yet")

// ErrNoWorkbook is matched by the error of Open when no folder above holds the workbook's go.mod.
var ErrNoWorkbook = errors.New("this is not inside the workbook")

// Open finds the workbook that contains dir (it walks up to the go.mod of module example/turnstile) and reads its folders.
//
// Outside a workbook the error matches ErrNoWorkbook. What is wrong with a single lesson is no error: see Book.Problems.
func Open(dir string) (*Book, error) { return nil, errSkeleton }

// Find returns the exercise that query names: its number (3, 03), its ID (03_seek_truncate), its slug or an unambiguous
// part of it (seek), or a path to or into one of its folders (exercises/03_seek_truncate/race, absolute or relative to
// the current folder or to the root). Letter case does not matter. Otherwise the error is an *UnknownError.
func (b *Book) Find(query string) (*Exercise, error) { return nil, errSkeleton }

// An UnknownError says that a query names no exercise, or several.
type UnknownError struct {
	Query string
	// Near are the IDs that the query may have meant, the likeliest first; all IDs if none is near.
	Near []string
	// Ambiguous says that each of Near fits the query, so that it must be made longer.
	Ambiguous bool
}

func (e *UnknownError) Error() string { return "no exercise " + e.Query }
