package api_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/17_api/wire"
)

// A command is the reference's serve, built.
type command string

func build(t testing.TB) command {
	t.Helper()
	program := filepath.Join(t.TempDir(), "serve.exe")
	text, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./serve").CombinedOutput()
	require.NoError(t, err, string(text))
	return command(program)
}

// A running is a server in a process of its own.
type running struct {
	url     string
	process *exec.Cmd
	client  *http.Client
}

// kill ends the server as kill -9 does, and returns how much of a processor it has used. A second kill changes nothing.
func (r running) kill() (used time.Duration) {
	_ = r.process.Process.Kill()
	_ = r.process.Wait() // it was killed: that is no news
	r.client.CloseIdleConnections()
	return r.process.ProcessState.UserTime() + r.process.ProcessState.SystemTime()
}

// serve starts the server, for alice and bob, who have the password secret.
func (c command) serve(t testing.TB, dir string) running {
	t.Helper()
	p := exec.CommandContext(context.WithoutCancel(t.Context()), string(c),
		"-addr", "127.0.0.1:0", "-dir", dir, "-user", "alice:secret", "-user", "bob:secret")
	output, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	r := running{process: p, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}}
	t.Cleanup(func() { r.kill() })
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	require.True(t, ok, line)
	r.url = url
	return r
}

// ask sends a request of alice, and returns status and body.
func (r running) ask(method, target string, body []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(context.Background(), method, r.url+target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.SetBasicAuth("alice", "secret")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", wire.MediaType)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, text, errors.Join(err, response.Body.Close())
}

// lock locks a part, and returns its ID. It is an error if the answer is not 201.
func (r running) lock(path string) (id string, err error) {
	status, text, err := r.ask(http.MethodPost, "/locks", fmt.Appendf(nil, `{"path":%q}`, path))
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("%d: %s", status, text)
	}
	if err != nil {
		return "", err
	}
	var made wire.Locked
	err = json.Unmarshal(text, &made)
	return made.Lock.ID, err
}

func (r running) unlock(id string) error {
	status, text, err := r.ask(http.MethodPost, "/locks/"+id+"/unlock", []byte("{}"))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d: %s", status, text)
	}
	return err
}

// all returns the IDs of all locks.
func (r running) all(t testing.TB) map[string]bool {
	t.Helper()
	found, cursor := map[string]bool{}, ""
	for {
		target := "/locks?limit=1000"
		if cursor != "" {
			target += "&cursor=" + cursor
		}
		status, text, err := r.ask(http.MethodGet, target, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, string(text))
		var list wire.LockList
		require.NoError(t, json.Unmarshal(text, &list))
		for _, lock := range list.Locks {
			found[lock.ID] = true
		}
		if cursor = list.NextCursor; cursor == "" {
			return found
		}
	}
}

// A ledger has what one client was told, by the last answer about each.
type ledger struct {
	held, gone []string // IDs of locks
	objects    []string // oids
}

// work locks, unlocks and uploads until the server is gone.
func (l *ledger) work(r running, client int) {
	for n := 0; ; n++ {
		id, err := r.lock(fmt.Sprintf("part-%d-%d-%d", client, n, rand.Uint64()))
		if err != nil {
			return
		}
		if n%4 == 0 {
			l.held = append(l.held, id)
			content := fmt.Appendf(nil, "%d %d %d", client, n, rand.Uint64())
			oid := fmt.Sprintf("%x", sha256.Sum256(content))
			if status, _, err := r.ask(http.MethodPut, "/objects/content/"+oid, content); err != nil || status != http.StatusOK {
				return
			}
			l.objects = append(l.objects, oid)
			continue
		}
		if err := r.unlock(id); err != nil {
			return // it may be gone, or not
		}
		l.gone = append(l.gone, id)
	}
}

// Whatever was answered is there after a kill -9. TURNSTILE_KILLS says how often; the default is for every day.
func TestNothingThatWasAnsweredIsLostByAKill(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts the server again and again: left out with -short")
	}
	kills := 5
	if text := os.Getenv("TURNSTILE_KILLS"); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	serve, dir := build(t), t.TempDir()
	var before ledger // of all rounds
	for range kills {
		r := serve.serve(t, dir)
		clients := make([]ledger, 8)
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() { clients[i].work(r, i) })
		}
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) // any moment will do: nothing is decided by it
		r.kill()
		all.Wait()
		for _, c := range clients {
			before.held = append(before.held, c.held...)
			before.gone = append(before.gone, c.gone...)
			before.objects = append(before.objects, c.objects...)
		}
		r = serve.serve(t, dir)
		found := r.all(t)
		for _, id := range before.held {
			require.True(t, found[id], "a lock that was answered with 201 is lost")
		}
		for _, id := range before.gone {
			require.False(t, found[id], "a lock that was given back is there again")
		}
		for _, oid := range before.objects {
			status, content, err := r.ask(http.MethodGet, "/objects/content/"+oid, nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, oid, fmt.Sprintf("%x", sha256.Sum256(content)), "an object that was answered with 200 is damaged")
		}
		for id := range found { // the document stays small, and so does the work of the next round
			require.NoError(t, r.unlock(id))
		}
		before = ledger{gone: before.gone[max(0, len(before.gone)-1000):], objects: before.objects[max(0, len(before.objects)-100):]}
		r.kill()
	}
}

// Pairs of lock and unlock in a second, over HTTP, beside what the disk can do: one fsync after the other. TMPDIR chooses the disk. The
// clients take processor time of the same machine, so what the server takes is shown apart.
//
//	TMPDIR=/on/a/disk go test ./solutions/17_api -run XXX -bench . -benchtime 2s
func BenchmarkPairs(b *testing.B) {
	b.Run("fsync", func(b *testing.B) {
		file, err := os.Create(filepath.Join(b.TempDir(), "file"))
		require.NoError(b, err)
		for b.Loop() {
			_, err := file.WriteAt(make([]byte, 4096), 0)
			require.NoError(b, errors.Join(err, file.Sync()))
		}
		require.NoError(b, file.Close())
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "fsyncs/s")
	})
	serve := build(b)
	for _, held := range []int{0, 1000} {
		for _, clients := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("held=%d/clients=%d", held, clients), func(b *testing.B) {
				dir := b.TempDir()
				before := serve.serve(b, dir)
				parallel(b, 16, held, func(i int) error { _, err := before.lock(fmt.Sprintf("held/%d", i)); return err })
				before.kill()
				r := serve.serve(b, dir)
				b.ResetTimer()
				parallel(b, clients, b.N, func(i int) error {
					id, err := r.lock(fmt.Sprintf("part-%d", i))
					if err != nil {
						return err
					}
					return r.unlock(id)
				})
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
				b.ReportMetric(float64(r.kill().Microseconds())/float64(b.N), "server-cpu-µs/pair")
			})
		}
	}
}

// parallel calls do for each number below n, from so many goroutines.
func parallel(b *testing.B, goroutines, n int, do func(i int) error) {
	b.Helper()
	numbers := make(chan int)
	failed := make(chan error, n+1)
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for i := range numbers {
				if err := do(i); err != nil {
					failed <- err
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	all.Wait()
	failed <- nil
	require.NoError(b, <-failed)
}
