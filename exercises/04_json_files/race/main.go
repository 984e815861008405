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
	yours  = 3000 // saves by the learner's Save, in the second half
)

func main() {
	race.Main(race.Demo{
		Workers: process.Workers{"write": write, "load": load, "save": save, "load all the while": loadAllTheWhile},
		Run:     run,
	})
}

// person returns who has all parts in the document of a generation.
func person(generation int64) string { return []string{"alice", "bob"}[generation%2] }

// document returns the document of a generation with so many checkouts.
func document(generation int64, parts int) *jsonfiles.Document {
	doc := &jsonfiles.Document{Version: jsonfiles.Version, Generation: generation, Checkouts: map[string]jsonfiles.Checkout{}}
	since := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for part := range parts {
		doc.Checkouts[fmt.Sprintf("part-%02d.step", part)] = jsonfiles.Checkout{Person: person(generation), Since: since}
	}
	return doc
}

// write is a program that knows nothing of your code: it saves documents at PATH with os.Create and a loop of writes. It stops
// after each step so that another process can load the file.
func write(w *process.Worker) error {
	for generation := range int64(saves) {
		data, err := json.Marshal(document(generation+1, parts))
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

// A look is what one Load returned.
type look struct {
	Error      string
	Generation int64
	Checkouts  int
	People     map[string]int // how many parts each person has
}

func lookAt(path string) look {
	seen := look{People: map[string]int{}}
	doc, err := jsonfiles.Load(path)
	switch {
	case err != nil:
		seen.Error = err.Error()
	case doc != nil:
		seen.Generation, seen.Checkouts = doc.Generation, len(doc.Checkouts)
		for _, checkout := range doc.Checkouts {
			seen.People[checkout.Person]++
		}
	}
	return seen
}

// load calls Load on PATH whenever the demo asks for it.
func load(w *process.Worker) error {
	for range saves * (pieces + 1) {
		var state string
		if err := w.Receive(&state); err != nil {
			return err
		}
		if err := w.Result(lookAt(w.Arg(0))); err != nil {
			return err
		}
	}
	return nil
}

// partsOf is how many checkouts the documents have that your Save writes: now many, now few, so that the file grows and shrinks.
func partsOf(generation int64) int { return []int{parts, 3}[generation%2] }

// save saves documents at PATH with your Save, and reports the first error.
func save(w *process.Worker) error {
	doc := jsonfiles.New()
	failure := ""
	for n := range yours {
		doc.Checkouts = document(doc.Generation+1, partsOf(doc.Generation+1)).Checkouts
		if err := jsonfiles.Save(w.Arg(0), doc); err != nil {
			failure = err.Error()
		}
		if n == 0 {
			w.Reached("saved the first")
		}
		if failure != "" {
			break
		}
		w.Progress()
	}
	return w.Result(failure)
}

// loadAllTheWhile calls Load on PATH until the file DONE exists, and reports how often each outcome came.
func loadAllTheWhile(w *process.Worker) error {
	var counted tally
	for {
		_, err := os.Lstat(w.Arg(1))
		if err == nil {
			return w.Result(counted)
		}
		seen := lookAt(w.Arg(0))
		counted.count(seen, seen.isSaved(yours, partsOf(seen.Generation)))
	}
}

// isSaved reports whether this is one of the documents of generation 1 to last, with so many checkouts.
func (l look) isSaved(last int64, parts int) bool {
	return l.Generation >= 1 && l.Generation <= last && l.Checkouts == parts && l.People[person(l.Generation)] == parts
}

// A tally counts what Load made of one state of the file.
type tally struct{ Looks, Loaded, Refused, Invented int }

func (t *tally) count(l look, isSaved bool) {
	t.Looks++
	switch {
	case l.Error != "":
		t.Refused++
	case isSaved:
		t.Loaded++
	default:
		t.Invented++
	}
}

func run(ctx context.Context, r *race.Report) error {
	r.Title("one process writes locks.json in place, %d times, in %d pieces; another calls Load after each step", saves, pieces)
	var empty, part, whole tally
	var story string
	err := watch(ctx, r, func(step string, l look) {
		state := map[string]*tally{"emptied the file": &empty, "wrote a piece": &part, "wrote the whole document": &whole}[step]
		state.count(l, l.isSaved(saves, parts))
		if story == "" && state.Invented > 0 {
			story = fmt.Sprintf("after the other program %s, Load returned no error, generation %d and %d checkouts",
				step, l.Generation, l.Checkouts)
		}
	})
	if err != nil {
		return err
	}
	r.Table([]string{"the file held", "loads", "a document that was saved", "refused", "a document that was never saved"}, [][]any{
		{"nothing", empty.Looks, empty.Loaded, empty.Refused, empty.Invented},
		{"a part of a document", part.Looks, part.Loaded, part.Refused, part.Invented},
		{"a whole document", whole.Looks, whole.Loaded, whole.Refused, whole.Invented},
	})
	if story != "" {
		r.Story("the first that was never saved", story)
	}
	saved, failure, err := meanwhile(ctx, r)
	if err != nil {
		return err
	}
	if failure != "" {
		r.Story("your Save failed meanwhile", failure)
	}
	r.Facts("saves with your Save, while another process loads", yours, "loads that returned a saved document", saved.Loaded,
		"loads that were refused", saved.Refused, "loads that returned another document", saved.Invented)
	invented := empty.Invented + part.Invented + whole.Invented
	switch {
	case invented > 0:
		r.Race("Load accepted a torn file as a good document %d times", invented)
	case whole.Refused > 0:
		r.Race("Load refused %d whole documents, so the other refusals show nothing", whole.Refused)
	default:
		r.Clean("Load refused what was torn and loaded what was whole")
	}
	return nil
}

// meanwhile runs your Save in one process and your Load in another, as fast as they can. What the reader meets does not decide the
// verdict: as long as Save writes in place, every strict Load refuses the file now and then. Lesson 06 changes that.
func meanwhile(ctx context.Context, r *race.Report) (counted tally, failure string, err error) {
	path, done := filepath.Join(r.Dir(), "yours.json"), filepath.Join(r.Dir(), "done")
	writer, err := r.Start(ctx, process.Options{}, "save", path)
	if err != nil {
		return counted, "", err
	}
	if err := writer.Reached(ctx, "saved the first"); err != nil {
		return counted, "", err
	}
	reader, err := r.Start(ctx, process.Options{}, "load all the while", path, done)
	if err != nil {
		return counted, "", err
	}
	err = errors.Join(writer.Continue(), writer.NextResult(ctx, &failure), writer.Wait(ctx), os.WriteFile(done, nil, 0o600))
	if err != nil {
		return counted, "", err
	}
	return counted, failure, errors.Join(reader.NextResult(ctx, &counted), reader.Wait(ctx))
}

// watch drives writer and reader step by step and shows what each Load returned.
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
