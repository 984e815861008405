package flock

import (
	"errors"

	"example/turnstile/exercises/08_flock/bins"
)

// View has a lock from RLock(path+".lock") while it calls bins.Read(path), and then use with the stock. It waits for nothing else. However
// the read or use ends, the lock is given back; a panic goes on to the caller. While use runs, no Update writes.
//
// Every error, of use, of the lock and of package bins, is joined to the one that View returns. Without the lock it touches nothing.
//
// use may call View for the same path, but not Update, which would wait for this View. The program must not change its working directory
// while View works with a relative path.
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
// The read, the call of change and the write are all under one exclusive lock on path+".lock". Before that, Update may call change once
// with a stock that it reads under a shared lock. If that returns true and no error, Update begins again with a new read under the
// exclusive lock. Otherwise it ends. The stock is asked for by bins.Read and bins.Write alone.
//
// change must not call Update or View for the same path. Waiting, errors, panics and relative paths are as for View.
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
