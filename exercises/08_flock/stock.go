package flock

import (
	"errors"

	"example/turnstile/exercises/08_flock/bins"
)

// View calls use with the stock in the file at path, which it reads once it has its lock. However the read or use ends, the lock is given
// back; a panic goes on to the caller. Any number of Views may be at work at the same time; while use runs, no Update writes.
//
// View and Update lock PATH.lock with this package, for the path as the caller wrote it, and wait as RLock and Lock do. Without the lock
// they touch nothing; they use the stock through package bins alone. Every error of use, of the lock and of package bins is joined to the
// one that they return. Different paths never wait for each other.
//
// use may call View for the same path, but not Update, which would wait for this View. While a View or an Update of a relative path runs,
// the program must not change its working directory.
func View(path string, use func(stock bins.Stock) error) (err error) {
	held, err := RLock(path + ".lock")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Unlock()) }()
	stock, err := bins.Read(path)
	if err != nil {
		return err
	}
	return use(stock)
}

// Update calls change with the stock in the file at path. If change returns true and no error, the file holds what change made of the
// stock; if change does not, or panics, the file keeps its bytes.
//
// The write replaces the very stock that change was given: no other Update of this path comes between, and no View is at work. It goes into
// the file that is there. Update may call change more than once, each time with a stock that it has read anew; the last call counts. It
// does not give up, however often others come first.
//
// change must not call Update or View for the same path. For the lock, errors and panics see View.
func Update(path string, change func(stock bins.Stock) (write bool, err error)) (err error) {
	held, err := RLock(path + ".lock") // shared: most changes find that nothing is left to take, and write nothing
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Unlock()) }()
	stock, err := bins.Read(path)
	if err != nil {
		return err
	}
	write, err := change(stock)
	if err != nil || !write {
		return err
	}
	// TODO: what may the file hold once this lock is exclusive?
	if err := held.Upgrade(); err != nil {
		return err
	}
	return bins.Write(path, stock)
}
