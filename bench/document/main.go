// Document measures what Update costs beside the loop that a programmer would write by hand, and what group commit brings.
//
//	Update, 10 and 1,000 records   one goroutine, against a loop without any check: lock, read, json.Unmarshal, json.Marshal, temporary
//	                               file, fsync, rename, fsync of the directory. At most 1.1 times
//	Update, 64 goroutines          durable Updates per second, against one goroutine: at least 10 times
//
// The contestants take turns, so that a machine that is busy for a while slows all. Compared are the medians of the ratios of neighbours.
//
//	go -C bench run ./document           60 rounds in the temp directory
//	go -C bench run ./document -n 10 DIR 10 rounds in DIR; let it be on a disk, and not in memory
//
// The exit status is 1 if a goal is missed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"example/turnstile/bench/rounds"
	"example/turnstile/exercises/11_locked_file/filelock"
	document "example/turnstile/solutions/13_document"
)

type record struct {
	ID, Path, Owner string
	LockedAt        time.Time
}

type content struct {
	Count   int
	Records []record
}

func main() { rounds.Main("document", 60, measure) }

func measure(dir string, n int) (missed bool, err error) {
	for _, records := range []int{10, 1000} {
		d, err := prepare(filepath.Join(dir, fmt.Sprintf("%d.json", records)), records)
		if err != nil {
			return false, err
		}
		hand := filepath.Join(dir, fmt.Sprintf("%d-by-hand.json", records))
		if err := copyTo(hand, filepath.Join(dir, fmt.Sprintf("%d.json", records))); err != nil {
			return false, err
		}
		var byHand, one, many []float64
		for range n {
			h, u, err := inTurn(16, func() error { return loop(hand) }, d)
			if err != nil {
				return false, err
			}
			g, err := timed(512, 64, d)
			if err != nil {
				return false, err
			}
			byHand, one, many = append(byHand, h), append(one, u), append(many, g)
		}
		cost, gain := rounds.Ratio(one, byHand), rounds.Ratio(one, many)
		fmt.Printf("%d records, medians of %d batches\n", records, n)
		row("by hand", byHand, "")
		row("Update", one, fmt.Sprintf("%.2f times by hand (at most 1.10)", cost))
		row("Update, 64 at a time", many, fmt.Sprintf("%.1f times one (at least 10)", gain))
		fmt.Println()
		missed = missed || cost > 1.1 || gain < 10
	}
	return missed, nil
}

// row prints how long a call takes, in microseconds, and how many there are in a second.
func row(name string, times []float64, verdict string) {
	middle := rounds.Median(times)
	fmt.Println(strings.TrimRight(fmt.Sprintf("  %-21s %8.0f µs    %7.0f a second    %s", name, middle, 1e6/middle, verdict), " "))
}

// prepare returns an Update of a document with that many records.
func prepare(path string, records int) (update func() error, err error) {
	first := content{}
	for i := range records {
		path := fmt.Sprintf("assets/parts/bracket-%d.step", i)
		first.Records = append(first.Records, record{fmt.Sprintf("%032x", i), path, "alice", time.Now()})
	}
	d := document.New(path, document.Options[content]{})
	if err := d.Create(context.Background(), &first); err != nil {
		return nil, err
	}
	return func() error {
		return d.Update(context.Background(), func(c *content) error { c.Count++; return nil })
	}, nil
}

func copyTo(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// inTurn returns how many microseconds two calls take, which are made n times in turn, and which of them comes first in turn as well.
func inTurn(n int, one, two func() error) (first, second float64, err error) {
	for i := range n {
		for j := range 2 {
			call, sum := one, &first
			if (i+j)%2 == 1 {
				call, sum = two, &second
			}
			took, err := timed(1, 1, call)
			if err != nil {
				return 0, 0, err
			}
			*sum += took / float64(n)
		}
	}
	return first, second, nil
}

// timed returns how many microseconds a call takes, if goroutines make n of them.
func timed(n, goroutines int, call func() error) (microseconds float64, err error) {
	began := time.Now()
	var all sync.WaitGroup
	var mutex sync.Mutex
	for range goroutines {
		all.Go(func() {
			for range n / goroutines {
				if failed := call(); failed != nil {
					mutex.Lock()
					err = failed
					mutex.Unlock()
				}
			}
		})
	}
	all.Wait()
	return float64(time.Since(began).Nanoseconds()) / 1e3 / float64(n), err
}

// loop is what a program does that keeps a document and trusts it.
func loop(path string) error {
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() //nolint:errcheck // nothing was written
	handle, err := filelock.New(lock)
	if err != nil {
		return err
	}
	if err := handle.Lock(context.Background(), filelock.Exclusive); err != nil {
		return err
	}
	defer handle.Unlock() //nolint:errcheck // Close does it as well
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var doc struct {
		Version    int     `json:"version"`
		Generation int64   `json:"generation"`
		Content    content `json:"content"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	doc.Generation++
	doc.Content.Count++
	if data, err = json.Marshal(doc); err != nil {
		return err
	}
	return replace(path, data)
}

func replace(path string, data []byte) error {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, ".by-hand-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}
