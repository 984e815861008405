package contention

import (
	"context"
	"errors"
	"fmt"

	"example/turnstile/exercises/08_flock/bins"
	"example/turnstile/exercises/12_contention/shelf"
)

// ErrSameShelf is matched by the error of a Transfer from a shelf to itself.
var ErrSameShelf = errors.New("both are the same shelf")

// Transfer finds both shelves (shelf.Find), takes an exclusive Lock on the lock file of each, in the order of shelf.Compare, and keeps the
// first while it waits for the second. Then it reads both stocks, calls move with them, once, writes what move made of them
// (shelf.WriteBoth), and gives the locks back. A link that is changed while it waits changes nothing.
//
// So Transfers never wait for each other in a circle. Transfers by two hard links to a stock do not exclude each other: it has two lock
// files.
//
// If from and to are one file, by whatever names, hard links included, Transfer does not wait, and the error matches ErrSameShelf (if
// ctx has ended, that or ctx.Err()).
//
// Only ctx limits the waits: if it ends before both locks are taken, the error matches ctx.Err(), and move is not called. Once move is
// called, ctx plays no part. If a stock cannot be read, or if move returns an error, panics or ends its goroutine, neither file is written.
// The error, or the value of the panic, goes on to the caller, and so does the error of an Unlock. Nothing is locked when Transfer is over.
//
// move must not call Lock, RLock or Transfer: it would wait for its own locks, or a program that waits for them.
func Transfer(ctx context.Context, from, to string, move func(from, to bins.Stock) error) (err error) {
	source, err := shelf.Find(from)
	if err != nil {
		return err
	}
	target, err := shelf.Find(to)
	if err != nil {
		return err
	}
	// TODO: another program may carry something the other way at the same time. And who is the owner of the second lock if both are the same?
	one, err := Lock(ctx, source.Lock)
	if err != nil {
		return fmt.Errorf("transfer from %s to %s: %w", from, to, err)
	}
	defer func() { err = errors.Join(err, one.Unlock()) }()
	two, err := Lock(ctx, target.Lock)
	if err != nil {
		return fmt.Errorf("transfer from %s to %s: %w", from, to, err)
	}
	defer func() { err = errors.Join(err, two.Unlock()) }()
	stock, err := source.Read()
	if err != nil {
		return err
	}
	other, err := target.Read()
	if err != nil {
		return err
	}
	if err := move(stock, other); err != nil {
		return err
	}
	return shelf.WriteBoth(source, stock, target, other)
}
