// Command race kills a program that checks a part in, at four moments, and looks at what its owner has then.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/13_document/format"
	repository "example/turnstile/exercises/14_repository"
	"example/turnstile/exercises/15_lock_manager/ledger"
	service "example/turnstile/exercises/16_service"
	"example/turnstile/exercises/16_service/books"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

const (
	part    = "bracket.step"
	drawing = "alice's work of a week"
)

func main() {
	race.Main(race.Demo{
		Workers: process.Workers{"check in": checkIn, "hold": hold},
		Run: func(ctx context.Context, r *race.Report) error {
			r.Title("alice checks %s in; her program is killed; the service recovers; she checks it in again", part)
			var rows [][]any
			lost, twice, wrong := 0, 0, 0
			for number, m := range moments {
				e, err := m.run(ctx, r, filepath.Join(r.Dir(), fmt.Sprint(number)))
				if err != nil {
					return err
				}
				rows = append(rows, []any{m.when, e.part, e.again, e.versions, e.garbage})
				switch {
				case e.versions == 0:
					lost++
				case e.versions > 1:
					twice++
				case !e.right():
					wrong++
				}
			}
			r.Table([]string{"killed when", "then the part is", "her second call", "versions", "objects without one"}, rows)
			switch {
			case lost+twice > 0:
				r.Race("of %d kills, %d lost her work, and %d published it twice", len(moments), lost, twice)
			case wrong > 0:
				r.Race("%d of %d kills left what should not be", wrong, len(moments))
			default:
				r.Clean("after %d kills there is one version each, and the part is free", len(moments))
			}
			return nil
		},
	})
}

// A moment is when the program is killed.
type moment struct {
	when string
	hold string // the document that another program reads then, so that no one can change it
	step string // where the program is then; empty if it waits for the document
}

var moments = []moment{
	{"half of the upload has come", "", "uploading"},
	{"versions.json cannot be changed", "versions.json", ""},
	{"locks.json cannot be changed", "locks.json", ""},
	{"all is done but the answer", "", "done"},
}

// An end is what there is after the kill, the recovery and the second call.
type end struct {
	part     string // whose the part is after the recovery
	again    string // what the second call returned
	versions int    // of the part, in the end
	garbage  int    // objects that no version has, in the end
	free     bool   // whether the part is, in the end
}

func (e end) right() bool {
	return e.versions == 1 && e.garbage == 0 && e.free && e.again == "a version"
}

func (m moment) run(ctx context.Context, r *race.Report, dir string) (e end, err error) {
	if err := found(dir); err != nil {
		return e, err
	}
	s, err := service.Open(dir, service.Options{})
	if err != nil {
		return e, err
	}
	defer s.Close()
	checkout, content, err := s.CheckOut(ctx, "alice", part)
	if err != nil {
		return e, fmt.Errorf("check out: %w; are lessons 13 to 15 repaired?", err)
	}
	content.Close()
	if err := m.kill(ctx, r, dir, checkout.ID); err != nil {
		return e, err
	}
	if _, err := s.Recover(ctx); err != nil {
		return e, fmt.Errorf("recover: %w", err)
	}
	if e.part, err = owner(ctx, s); err != nil {
		return e, err
	}
	e.again = "a version"
	if _, err := s.CheckIn(ctx, "alice", checkout.ID, strings.NewReader(drawing)); err != nil {
		e.again = "refused"
	}
	if _, err := s.Recover(ctx); err != nil {
		return e, fmt.Errorf("recover: %w", err)
	}
	return e, e.look(ctx, s, dir)
}

// found makes a service without a part.
func found(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for name, content := range map[string]any{"locks.json": &ledger.Ledger{Checkouts: []ledger.Checkout{}}, "versions.json": books.New()} {
		first, _, err := format.Encode(filepath.Join(dir, name), 1, &content, nil)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), first, 0o600)
		}
		if err != nil {
			return fmt.Errorf("begin a document: %w", err)
		}
	}
	objects, err := repository.Create(dir, repository.Options{})
	if err != nil {
		return err
	}
	return objects.Close()
}

// kill has a program check the part in, and kills it at the moment.
func (m moment) kill(ctx context.Context, r *race.Report, dir, id string) (err error) {
	if m.hold != "" {
		holder, err := r.Start(ctx, process.Options{}, "hold", filepath.Join(dir, m.hold))
		if err == nil {
			err = holder.Reached(ctx, "inside")
		}
		if err != nil {
			return err
		}
		defer holder.Kill()
	}
	p, err := r.Start(ctx, process.Options{}, "check in", dir, id, m.step)
	if err != nil {
		return err
	}
	if m.step != "" {
		err = p.Reached(ctx, m.step)
	} else {
		_, err = p.Settle(ctx)
	}
	p.Kill()
	return err
}

// checkIn is alice's program.
func checkIn(w *process.Worker) error {
	s, err := service.Open(w.Arg(0), service.Options{})
	if err != nil {
		return err
	}
	content := io.Reader(strings.NewReader(drawing))
	if w.Arg(2) == "uploading" {
		content = io.MultiReader(io.LimitReader(content, 5), &pause{worker: w}, content)
	}
	if _, err := s.CheckIn(context.Background(), "alice", w.Arg(1), content); err != nil {
		return err
	}
	w.Reached("done")
	return nil
}

// A pause is a reader of nothing, which takes its time.
type pause struct{ worker *process.Worker }

func (p *pause) Read([]byte) (int, error) {
	p.worker.Reached("uploading")
	return 0, io.EOF
}

// hold reads the document at PATH, and goes on reading.
func hold(w *process.Worker) error {
	return document.New(w.Arg(0), document.Options[any]{}).View(context.Background(), func(*any) error {
		w.Reached("inside")
		return nil
	})
}

// owner returns whose the part is.
func owner(ctx context.Context, s *service.Service) (string, error) {
	all, err := s.Checkouts(ctx)
	if len(all) == 0 {
		return "free", err
	}
	return all[0].Owner + "'s", err
}

// look fills in what there is in the end.
func (e *end) look(ctx context.Context, s *service.Service, dir string) error {
	now, err := owner(ctx, s)
	if err != nil {
		return err
	}
	e.free = now == "free"
	history, err := s.History(ctx, part)
	if err != nil {
		return err
	}
	e.versions = len(history)
	home := map[repository.ID]bool{}
	for _, v := range history {
		home[v.Object] = true
	}
	objects, err := repository.Open(dir, repository.Options{})
	if err != nil {
		return err
	}
	for object, failed := range objects.List(ctx) {
		err = errors.Join(err, failed)
		if failed == nil && !home[object.ID] {
			e.garbage++
		}
	}
	return errors.Join(err, objects.Close())
}
