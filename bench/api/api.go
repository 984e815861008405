// Package api measures a lock server over HTTP: lesson 17's, as a process of its own, beside what the disk allows.
package api

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"example/turnstile/bench/primitives"
	"example/turnstile/bench/results"
	"example/turnstile/bench/rounds"
)

// Server is the name of the reference's row.
const Server = "serve (17)"

// Goals are what lesson 17 promises: 64 clients share the commits of their locks, and so are no slower than a disk that syncs for one at a
// time.
var Goals = []results.Goal{
	{Part: "api", Series: "held=0", X: 64, Row: Server, Beside: "raw fsync", Unit: "pairs/s", AtLeast: 1},
	{Part: "api", Series: "held=1000", X: 64, Row: Server, Beside: "raw fsync", Unit: "pairs/s", AtLeast: 1},
}

// Steps measures the server of the workbook at root, in a directory at the place.
func Steps(s rounds.Settings, place, dir, root string) []rounds.Step {
	var program string
	built := false
	prepare := func(ctx context.Context) (_ string, err error) {
		if !built {
			program, err = build(ctx, root, dir)
			built = err == nil
		}
		return program, err
	}
	helds, clients := []int{0, 1000}, []int{1, 8, 64}
	if s.Quick {
		helds, clients = helds[:1], clients[:2]
	}
	var steps []rounds.Step
	for _, held := range helds {
		for _, n := range clients {
			c := results.Comparison{
				Part: "api", Series: fmt.Sprintf("held=%d", held), Place: place, By: "clients", X: float64(n), Unit: "pairs/s",
				Title: fmt.Sprintf("Lock and unlock over HTTP, %d other locks held", held), Base: "raw fsync", Ours: Server,
			}
			steps = append(steps, step(s, c, dir, prepare, held, func(server *server) *crowd { return apart(server, n) }))
		}
	}
	c := results.Comparison{
		Part: "api", Series: "contested", Place: place, Unit: "pairs/s", Base: "raw fsync", Ours: Server,
		Title: "Lock and unlock over HTTP, 16 clients want the same 4 paths and keep them for 2ms",
	}
	return append(steps, step(s, c, dir, prepare, 0, func(server *server) *crowd { return contested(server, 16, 4) }))
}

func step(
	s rounds.Settings, c results.Comparison, dir string, prepare func(context.Context) (program string, err error), held int,
	clients func(*server) *crowd,
) rounds.Step {
	return rounds.Step{Name: c.Name(), Run: func(ctx context.Context) (done []results.Comparison, err error) {
		program, err := prepare(ctx)
		if err != nil {
			return nil, err
		}
		dir, err := os.MkdirTemp(dir, "api-")
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		server, err := start(ctx, program, dir)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, server.stop()) }()
		if err := hold(ctx, server, held); err != nil {
			return nil, fmt.Errorf("%s: hold %d locks: %w", c.Name(), held, err)
		}
		return rounds.Compare(ctx, c, s.Rounds, s.Length, []rounds.Contestant{
			{
				Name: Server, How: "a process of its own, HTTP/1.1 with connections kept open, Basic login, one user", Guarantee: results.Durable,
				Round: clients(server).round,
			},
			primitives.Fsyncs(dir, c.Unit),
		})
	}}
}

// hold takes locks that stay, 16 at a time.
func hold(ctx context.Context, s *server, n int) error {
	var all sync.WaitGroup
	var next atomic.Int64
	failed := make([]error, 16)
	for i := range failed {
		all.Go(func() {
			for at := next.Add(1); at <= int64(n) && failed[i] == nil; at = next.Add(1) {
				_, granted, err := s.lock(ctx, fmt.Sprintf("held/%d", at))
				if err == nil && !granted {
					err = errors.New("a path that no one has was refused")
				}
				failed[i] = err
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// A crowd is clients that lock and unlock. It checks every answer.
type crowd struct {
	server  *server
	clients int
	paths   func(client, turn int) string
	refusal bool          // may be an answer
	hold    time.Duration // how long a client keeps what it was given, which is when a second owner shows
	owners  sync.Map
	doubles atomic.Int64
}

// apart has each client lock a path of its own.
func apart(s *server, clients int) *crowd {
	return &crowd{server: s, clients: clients, paths: func(client, turn int) string {
		return fmt.Sprintf("parts/%d-%d.step", client, turn%100)
	}}
}

// contested has the clients want the same few paths.
func contested(s *server, clients, paths int) *crowd {
	return &crowd{
		server: s, clients: clients, refusal: true, hold: 2 * time.Millisecond,
		paths: func(client, turn int) string { return fmt.Sprintf("parts/%d.step", (client+turn)%paths) },
	}
}

func (c *crowd) round(ctx context.Context, length time.Duration) (rounds.Samples, error) {
	var all sync.WaitGroup
	pairs, failed, waits := make([]int, c.clients), make([]error, c.clients), make([]*hdrhistogram.Histogram, c.clients)
	began := time.Now()
	for i := range c.clients {
		waits[i] = hdrhistogram.New(1, int64(10*time.Minute), 3)
		all.Go(func() { pairs[i], failed[i] = c.client(ctx, i, began.Add(length), waits[i]) })
	}
	all.Wait()
	elapsed, total := time.Since(began), 0
	for i, n := range pairs {
		total += n
		if i > 0 {
			waits[0].Merge(waits[i])
		}
	}
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	if doubles := c.doubles.Load(); doubles > 0 {
		return nil, fmt.Errorf("%d times two clients were given one path at the same time", doubles)
	}
	return rounds.Samples{
		"pairs/s": float64(total) / elapsed.Seconds(), "p50-ns": float64(waits[0].ValueAtQuantile(50)),
		"p99-ns": float64(waits[0].ValueAtQuantile(99)), "worst-ns": float64(waits[0].Max()),
	}, nil
}

// granted notes that a client was given a path, which is its alone until it asks to give it back.
func (c *crowd) granted(path string, client int) {
	if _, taken := c.owners.LoadOrStore(path, client); taken {
		c.doubles.Add(1)
	}
}

func (c *crowd) givenBack(path string) { c.owners.Delete(path) }

// client locks and unlocks until the time has come, and returns how often it had a lock.
func (c *crowd) client(ctx context.Context, number int, end time.Time, waits *hdrhistogram.Histogram) (pairs int, err error) {
	for turn := 0; turn == 0 || time.Now().Before(end); turn++ {
		path, began := c.paths(number, turn), time.Now()
		id, granted, err := c.server.lock(ctx, path)
		if err != nil {
			return pairs, err
		}
		if !granted {
			if !c.refusal {
				return pairs, fmt.Errorf("%s was refused, and no one else wants it", path)
			}
			continue
		}
		c.granted(path, number)
		time.Sleep(c.hold)
		c.givenBack(path)
		if err := c.server.unlock(ctx, path, id); err != nil {
			return pairs, err
		}
		if err := waits.RecordValue(int64(time.Since(began))); err != nil {
			return pairs, err
		}
		pairs++
	}
	return pairs, nil
}
