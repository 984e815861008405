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

// Transfer calls move with the stocks that two files hold, and writes what move made of them, if move returned no error. While it works it
// has an exclusive Lock for each of the two, on the lock files that shelf.Find names: no other Transfer and no other owner of one of
// these locks is at work on either stock from the reads to the writes.
//
// Transfers never wait for each other in a circle, however many there are, in whatever directions, and under whatever names they know the
// files. If from and to are the same file, by whatever names, Transfer does not wait, and the error matches ErrSameShelf.
//
// ctx limits the waiting: if it ends before both locks are there, the error matches ctx.Err(), and move is not called. Once move is called,
// ctx plays no part any more. If anything fails, or move returns an error or panics, both files keep their bytes, as far as the system lets
// Transfer put them back (shelf.WriteBoth), and the error, or the panic, goes on to the caller. In any case nothing is locked when it is over.
//
// move must not lock or Transfer the same files, and would wait for itself.
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
