package flock

import (
	"errors"

	"example/turnstile/exercises/08_flock/bins"
)

// View calls use with the stock that the file at path holds now that View has its lock. Any number of Views may be at work at the same
// time; while use runs, no Update writes. Once use has returned or panicked, or if the stock cannot be read, the lock is given back. A
// panic goes on to the caller.
//
// View and Update lock the file PATH.lock with this package, and wait for it as RLock and Lock do. PATH is the path as the caller wrote it:
// a document with two names has two locks. Without the lock they touch nothing, and return the error. Every error of use, of the lock and
// of package bins is returned; if two things fail, the error matches both. Different paths never wait for each other.
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

// Update calls change with the stock that the file at path holds, and writes what change made of it, if change returned true and no error.
//
// The write replaces the very stock that change was given: no other Update of this path, in this process or another one, comes between, and
// no View is at work. It goes into the file that is there, which keeps its mode and its other names. Update may call change more than once,
// each time with what the file holds by then and nothing else; the last call counts. If change returns false, an error, or panics, the file
// keeps its bytes, and the panic goes on to the caller.
//
// Update does not give up, however often others come first. change must not call Update or View for the same path, which could wait for
// itself. For the lock see View.
func Update(path string, change func(stock bins.Stock) (write bool, err error)) (err error) {
	// The read is part of the critical section, and the write needs the exclusive lock: so the exclusive lock comes first.
	held, err := Lock(path + ".lock")
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
	return bins.Write(path, stock)
}
