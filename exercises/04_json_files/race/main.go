// Command race shows what your Load makes of a file while another program writes it in place.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"example/turnstile/exercises/04_json_files"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

const (
	saves  = 20
	pieces = 5
	parts  = 40
)

func main() {
	race.Main(race.Demo{
		Workers: process.Workers{"write": write, "load": load},
		Run:     run,
	})
}

// owner returns who has all parts in the document of a generation.
func owner(generation int64) string { return []string{"alice", "bob"}[generation%2] }

func document(generation int64) *jsonfiles.Document {
	doc := &jsonfiles.Document{Version: jsonfiles.Version, Generation: generation, Locks: map[string]jsonfiles.Lock{}}
	since := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for part := range parts {
		doc.Locks[fmt.Sprintf("part-%02d.step", part)] = jsonfiles.Lock{Owner: owner(generation), Since: since}
	}
	return doc
}

// write is a program that knows nothing of your code: it saves a document at PATH as os.Create and a loop of writes
// do it. It stands still after each step, so that the others can look.
func write(w *process.Worker) error {
	for generation := range int64(saves) {
		data, err := json.Marshal(document(generation + 1))
		if err != nil {
			return err
		}
		file, err := os.Create(w.Arg(0))
		if err != nil {
			return err
		}
		w.Reached("emptied the file")
		for piece := range pieces {
			if _, err := file.Write(data[len(data)*piece/pieces : len(data)*(piece+1)/pieces]); err != nil {
				return errors.Join(err, file.Close())
			}
			if piece < pieces-1 {
				w.Reached("wrote a piece")
			}
		}
		if err := file.Close(); err != nil {
			return err
		}
		w.Reached("wrote the whole document")
	}
	return nil
}

// A look is what one Load told.
type look struct {
	Error      string
	Generation int64
	Locks      int
	Owners     map[string]int // how many parts each has
}

// load calls Load on PATH whenever the demo asks for it.
func load(w *process.Worker) error {
	for range saves * (pieces + 1) {
		var state string
		if err := w.Receive(&state); err != nil {
			return err
		}
		seen := look{Owners: map[string]int{}}
		doc, err := jsonfiles.Load(w.Arg(0))
		switch {
		case err != nil:
			seen.Error = err.Error()
		case doc != nil:
			seen.Generation, seen.Locks = doc.Generation, len(doc.Locks)
			for _, lock := range doc.Locks {
				seen.Owners[lock.Owner]++
			}
		}
		if err := w.Result(seen); err != nil {
			return err
		}
	}
	return nil
}

// isSaved reports whether the document of this look is one that the writer has saved.
func (l look) isSaved() bool {
	return l.Generation >= 1 && l.Generation <= saves && l.Locks == parts && l.Owners[owner(l.Generation)] == parts
}

// A tally counts what Load made of one state of the file.
type tally struct{ looks, loaded, refused, invented int }

func (t *tally) count(l look) {
	t.looks++
	switch {
	case l.Error != "":
		t.refused++
	case l.isSaved():
		t.loaded++
	default:
		t.invented++
	}
}

func run(ctx context.Context, r *race.Report) error {
	r.Title("one process writes locks.json in place, %d times, in %d pieces; another calls Load after each step", saves, pieces)
	var empty, part, whole tally
	var story string
	err := watch(ctx, r, func(step string, l look) {
		state := map[string]*tally{"emptied the file": &empty, "wrote a piece": &part, "wrote the whole document": &whole}[step]
		state.count(l)
		if story == "" && state.invented > 0 {
			story = fmt.Sprintf("after the other program %s, Load returned no error, generation %d and %d locks", step, l.Generation, l.Locks)
		}
	})
	if err != nil {
		return err
	}
	r.Table([]string{"the file held", "loads", "a document that was saved", "refused", "a document that nobody saved"}, [][]any{
		{"nothing", empty.looks, empty.loaded, empty.refused, empty.invented},
		{"a part of a document", part.looks, part.loaded, part.refused, part.invented},
		{"a whole document", whole.looks, whole.loaded, whole.refused, whole.invented},
	})
	if story != "" {
		r.Story("the first that nobody saved", story)
	}
	invented := empty.invented + part.invented + whole.invented
	switch {
	case invented > 0:
		r.Race("%d times a torn file was taken for a good document", invented)
	case whole.refused > 0:
		r.Race("%d whole documents were refused, so that nothing is known about the others", whole.refused)
	default:
		r.Clean("what was torn was refused, what was whole was loaded")
	}
	return nil
}

// watch drives writer and reader step by step and shows what each Load told.
func watch(ctx context.Context, r *race.Report, show func(step string, l look)) error {
	path := filepath.Join(r.Dir(), "locks.json")
	writer, err := r.Start(ctx, process.Options{}, "write", path)
	if err != nil {
		return err
	}
	reader, err := r.Start(ctx, process.Options{}, "load", path)
	if err != nil {
		return err
	}
	for range saves {
		for step := range pieces + 1 {
			name := "wrote a piece"
			switch step {
			case 0:
				name = "emptied the file"
			case pieces:
				name = "wrote the whole document"
			}
			if err := writer.Reached(ctx, name); err != nil {
				return err
			}
			var seen look
			if err := errors.Join(reader.Send(name), reader.NextResult(ctx, &seen), writer.Continue()); err != nil {
				return err
			}
			show(name, seen)
		}
	}
	return errors.Join(writer.Wait(ctx), reader.Wait(ctx))
}
