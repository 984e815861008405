// Command race has eight programs upload one object, the first of them slowly, and then sends and stores wrong bytes.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	repository "example/turnstile/exercises/14_repository"
	"example/turnstile/exercises/14_repository/objects"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

const programs = 8

func main() {
	race.Main(race.Demo{
		Workers:   process.Workers{"upload": upload},
		Sentinels: []error{repository.ErrMismatch, repository.ErrCorrupt},
		Run:       run,
	})
}

const drawing = "solid bracket, and many facets"

func objectOf(content string) repository.Object {
	return repository.Object{ID: sha256.Sum256([]byte(content)), Size: int64(len(content))}
}

// A slow content reaches a step after its first half.
type slow struct {
	rest    io.Reader
	halfWay func()
}

func (s *slow) Read(p []byte) (int, error) {
	n, err := s.rest.Read(p[:min(len(p), len(drawing)/2)])
	if s.halfWay != nil && n > 0 {
		s.halfWay()
		s.halfWay = nil
	}
	return n, err
}

// upload uploads the drawing to the repository in DIR, and stands still half way if it is told to be SLOW.
func upload(w *process.Worker) error {
	r, err := repository.Open(w.Arg(0), repository.Options{})
	if err != nil {
		return err
	}
	var content io.Reader = strings.NewReader(drawing)
	if w.Arg(1) == "slow" {
		content = &slow{content, func() { w.Reached("half way") }}
	}
	err = r.PutExpected(context.Background(), objectOf(drawing), content)
	return errors.Join(w.Result(process.Returned{Err: err}), r.Close())
}

func run(ctx context.Context, r *race.Report) error {
	r.Title("%d programs upload one object; the first one is slow, and the others come meanwhile", programs)
	repo, err := repository.Create(r.Dir(), repository.Options{})
	if err != nil {
		return err
	}
	defer repo.Close() //nolint:errcheck // the demo ends here
	failed, err := eight(ctx, r)
	if err != nil {
		return err
	}
	found := get(ctx, repo, drawing)
	r.Facts("uploads that returned nil", programs-failed, "the object, afterwards", found)
	wrong, err := damage(ctx, r, repo)
	if err != nil {
		return err
	}
	switch {
	case found != whole && failed < programs:
		r.Race("%d uploads returned nil, and the object is not there", programs-failed)
	case failed > 0 || found != whole:
		r.Race("%d of %d uploads of one object failed", failed, programs)
	case wrong > 0:
		r.Race("%d times wrong bytes were handed out for right ones", wrong)
	default:
		r.Clean("each upload succeeded, the object is there, and no wrong byte was handed out without an error")
	}
	return nil
}

// eight has eight programs upload the drawing, and returns how many failed.
func eight(ctx context.Context, r *race.Report) (failed int, err error) {
	first, err := r.Start(ctx, process.Options{}, "upload", r.Dir(), "slow")
	if err != nil {
		return 0, err
	}
	if err := first.Reached(ctx, "half way"); err != nil {
		return 0, err
	}
	rows := make([][]any, programs)
	ended := func(number int, p *process.Process, when string) error {
		var got process.Returned
		if err := errors.Join(p.NextResult(ctx, &got), p.Wait(ctx)); err != nil {
			return err
		}
		rows[number-1] = []any{number, when, returned(got.Err)}
		if got.Err != nil {
			failed++
		}
		return nil
	}
	for number := 2; number <= programs; number++ {
		p, err := r.Start(ctx, process.Options{}, "upload", r.Dir())
		if err != nil {
			return 0, err
		}
		if err := ended(number, p, "while 1 stood still"); err != nil {
			return 0, err
		}
	}
	if err := first.Continue(); err != nil {
		return 0, err
	}
	if err := ended(1, first, "first to begin, last to end"); err != nil {
		return 0, err
	}
	r.Table([]string{"program", "its upload", "PutExpected returned"}, rows)
	return failed, nil
}

func returned(err error) string {
	switch {
	case err == nil:
		return "nil"
	case errors.Is(err, repository.ErrMismatch):
		return "ErrMismatch"
	case errors.Is(err, fs.ErrExist):
		return "file exists"
	case errors.Is(err, fs.ErrNotExist):
		return "no such file"
	}
	return "an error"
}

const whole = "whole"

// get says what Get hands out for the object with that content.
func get(ctx context.Context, repo *repository.Repository, content string) string {
	reader, err := repo.Get(ctx, objectOf(content).ID)
	if errors.Is(err, fs.ErrNotExist) {
		return "missing"
	}
	var got []byte
	if err == nil {
		got, err = io.ReadAll(reader)
		err = errors.Join(err, reader.Close())
	}
	switch {
	case errors.Is(err, repository.ErrCorrupt):
		return "ErrCorrupt"
	case err != nil:
		return "an error"
	case string(got) == content:
		return whole
	}
	return "wrong bytes, no error"
}

// damage stores what is wrong, and returns how often it came out again without an error.
func damage(ctx context.Context, r *race.Report, repo *repository.Repository) (wrong int, err error) {
	const announced, rotten = "solid hinge", "solid bolt"
	lied := repo.PutExpected(ctx, objectOf(announced), strings.NewReader("solid HINGE"))
	if _, err := repo.Put(ctx, strings.NewReader(rotten)); err != nil {
		return 0, fmt.Errorf("put an object: %w", err)
	}
	place := filepath.Join(r.Dir(), filepath.FromSlash(objects.Name(objectOf(rotten).ID)))
	if err := os.WriteFile(place, []byte("solid bomt"), 0o600); err != nil {
		return 0, err
	}
	rows := [][]any{
		{"a client announced one content and sent another", returned(lied), get(ctx, repo, announced)},
		{"one byte of an object changed on the disk", "nil, before", get(ctx, repo, rotten)},
	}
	for _, row := range rows {
		if row[2] == "wrong bytes, no error" {
			wrong++
		}
	}
	r.Table([]string{"then", "the upload returned", "Get hands out"}, rows)
	return wrong, nil
}
