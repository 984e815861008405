package fcntl

import (
	"errors"
	"fmt"

	"example/turnstile/exercises/09_fcntl/rows"
)

// ErrTooFew is matched by the error of a Move of more parts than a row has.
var ErrTooFew = errors.New("there are not that many")

// View calls use, once, with all rows that the table at path has by then. While use runs, no Update, Move or Append of any program writes,
// and other Views may be at work. use must not call the functions below for the same table.
//
// View locks rows of the table file with RLock, and the functions below with Lock. Without the lock they read and write no row, and they
// create no table. Every error of the caller's function, of the lock and its Unlock, and of package rows is returned; if there are two,
// both. The locks are given back on every exit path, also a panic, which goes on to the caller, and a runtime.Goexit.
func View(path string, use func(all []rows.Row) error) (err error) {
	count, err := rows.Len(path)
	if err != nil {
		return err
	}
	// TODO: which rows may the table have while use runs?
	held, err := RLock(path, Rows{First: 0, Count: count})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Unlock()) }()
	all, err := rows.ReadAll(path)
	if err != nil {
		return err
	}
	return use(all)
}

// Update calls change with row n of the table at path, and writes the row that change returns. No other Update or Move of this row, in
// whatever process, writes in between. If change returns an error or does not return, nothing is written.
//
// Update waits for no other row. change may call Update for another one, but none of these functions for row n.
func Update(path string, n int64, change func(row rows.Row) (rows.Row, error)) (err error) {
	held, err := Lock(path, Rows{First: n, Count: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Unlock()) }()
	row, err := rows.Read(path, n)
	if err != nil {
		return err
	}
	row, err = change(row)
	if err != nil {
		return err
	}
	return rows.Write(path, n, row)
}

// Append adds a row after the last one of the table at path, and returns its number. Appends at the same time, in whatever process, add a
// row each, as long as it takes. Each locks its new row, and none that the table had when it was called. It waits for nothing else, and
// has no lock while it waits.
func Append(path string, row rows.Row) (n int64, err error) {
	n, err = rows.Len(path)
	if err != nil {
		return 0, err
	}
	// TODO: is n still the number of the new row when the lock is there?
	held, err := Lock(path, Rows{First: n, Count: 1})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, held.Unlock()) }()
	return n, rows.Write(path, n, row)
}

// Move takes count parts off row from and adds them to row to. No View, Update or Move sees the one without the other. Move decides by what
// the rows hold when it has locked them. It refuses a count that is below 0, or above what row from has, with an error that matches
// ErrTooFew, and a sum that does not fit into row to. Then it changes nothing, and neither does a Move from a row to itself. If the kernel
// refuses a write, one row may have been written.
//
// Move waits for no row but these two. Any number of Moves, in whatever directions, come to their end.
func Move(path string, from, to int64, count int) (err error) {
	// TODO: what becomes of two Moves in opposite directions? And of one from a row to itself?
	for _, n := range []int64{from, to} {
		held, lockErr := Lock(path, Rows{First: n, Count: 1})
		if lockErr != nil {
			return lockErr
		}
		defer func() { err = errors.Join(err, held.Unlock()) }()
	}
	source, err := rows.Read(path, from)
	if err != nil {
		return err
	}
	target, err := rows.Read(path, to)
	if err != nil {
		return err
	}
	if count < 0 || source.Number < count {
		return fmt.Errorf("move %d from row %d of %s, which has %d: %w; ask for fewer", count, from, path, source.Number, ErrTooFew)
	}
	source.Number, target.Number = source.Number-count, target.Number+count
	if err := rows.Write(path, to, target); err != nil {
		return err
	}
	return rows.Write(path, from, source)
}
