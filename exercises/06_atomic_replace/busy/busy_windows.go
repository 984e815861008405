package busy

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

const (
	patience  = 2 * time.Second // since the file last changed
	longest   = 30 * time.Second
	mostPause = 64 * time.Millisecond
)

func (p place) rename(from, to string) error {
	began := time.Now()
	changed, last := began, p.seen(to)
	for pause := time.Millisecond; ; pause = min(2*pause, mostPause) {
		err := p.once(from, to)
		if err == nil || !refused(err) {
			return err
		}
		if now := p.seen(to); !same(last, now) {
			changed, last = time.Now(), now
		}
		if time.Since(changed) > patience || time.Since(began) > longest {
			return err
		}
		time.Sleep(pause/2 + rand.N(pause)) // there is nothing to wait on: Windows does not report that a handle was closed
	}
}

func refused(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
}

// seen returns what has the name, and nil where that cannot be told.
func (p place) seen(name string) fs.FileInfo {
	info, err := p.look(name)
	if err != nil {
		return nil
	}
	return info
}

func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
