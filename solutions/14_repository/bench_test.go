package repository_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	repository "example/turnstile/solutions/14_repository"
)

// BenchmarkOneGiB stores an object of 1 GiB and reads it, and reports the most memory that the process has ever had (Linux).
//
//	go test ./solutions/14_repository -run '^$' -bench OneGiB -benchtime 1x
func BenchmarkOneGiB(b *testing.B) {
	r, err := repository.Create(b.TempDir(), repository.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	b.SetBytes(1 << 30)
	for b.Loop() {
		object, err := r.Put(context.Background(), io.LimitReader(zeros{}, 1<<30))
		if err != nil {
			b.Fatal(err)
		}
		reader, err := r.Get(context.Background(), object.ID)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, reader); n != 1<<30 || err != nil {
			b.Fatal(n, err)
		}
		if err := reader.Close(); err != nil {
			b.Fatal(err)
		}
	}
	status, _ := os.ReadFile("/proc/self/status")
	if _, after, ok := bytes.Cut(status, []byte("VmHWM:")); ok {
		var kib float64
		if _, err := fmt.Sscan(string(after), &kib); err == nil {
			b.ReportMetric(kib/1024, "MiB-peak")
		}
	}
}

// BenchmarkPut stores new objects of 1 KiB, each of which is on the disk when Put returns.
func BenchmarkPut(b *testing.B) {
	r, err := repository.Create(b.TempDir(), repository.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	n := 0
	for b.Loop() {
		n++
		if _, err := r.Put(context.Background(), bytes.NewReader(fmt.Appendf(nil, "%1024d", n))); err != nil {
			b.Fatal(err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
