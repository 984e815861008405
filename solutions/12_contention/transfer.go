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
// has an exclusive Lock for each of the two, on the lock files that shelf.Find names: from the reads to the writes, no other Transfer that
// finds one of these lock files, and no other owner of one, is at work on its stock. from and to mean the files that they lead to when
// Transfer is called, even if someone changes a link while it waits.
//
// Transfers of programs that see the same directories never wait for each other in a circle, however many there are, in whatever
// directions, and by whatever paths and symbolic links they know the files. If from and to are the same file, by whatever names, Transfer
// does not wait, and the error matches ErrSameShelf. Hard links are another matter: a stock with two of them has two lock files, which do
// not exclude each other, and a lock file must have one name only.
//
// ctx limits the waiting: if it ends before both locks are there, the error matches ctx.Err(), and move is not called. Once move is called,
// ctx plays no part any more. If anything fails before both stocks are written, or if move returns an error, panics or ends its goroutine,
// both files keep their bytes, as far as the system lets Transfer put them back (shelf.WriteBoth), and the error, or the panic, goes on to
// the caller. If nothing but giving back a lock fails, the stocks are written, and Transfer returns that error. In any case nothing is
// locked when it is over.
//
// move must not call Lock, RLock or Transfer: it would wait for its own locks, or for a program that waits for them.
func Transfer(ctx context.Context, from, to string, move func(from, to bins.Stock) error) (err error) {
	source, err := shelf.Find(from)
	if err != nil {
		return err
	}
	target, err := shelf.Find(to)
	if err != nil {
		return err
	}
	if source.Same(target) {
		return fmt.Errorf("transfer from %s to %s: %w; name two", from, to, ErrSameShelf)
	}
	// Every Transfer takes the locks in one order, so none holds one and waits for a lower one: there can be no circle.
	first, second := source, target
	if first.Compare(second) > 0 {
		first, second = second, first
	}
	one, err := Lock(ctx, first.Lock)
	if err != nil {
		return fmt.Errorf("transfer from %s to %s: %w", from, to, err)
	}
	defer func() { err = errors.Join(err, one.Unlock()) }()
	two, err := Lock(ctx, second.Lock)
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
