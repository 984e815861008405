package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"example/turnstile/exercises/04_json_files"
	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/exercises/06_atomic_replace/busy"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

// saves is how often each Save saves.
const saves = 600

// savers are two Saves: lesson 04's, as exercises/04_json_files has it, or the same with WriteFile as its last call.
var savers = map[string]func(path string, doc *jsonfiles.Document) error{
	"lesson 04's Save":                 jsonfiles.Save,
	"with your WriteFile as last call": saveThroughWriteFile,
}

// saveThroughWriteFile is lesson 04's Save, except for its last call: there it creates the first file, or rewrites the old one in place.
func saveThroughWriteFile(path string, doc *jsonfiles.Document) error {
	next := *doc
	next.Generation++
	if err := next.Validate(); err != nil {
		return err
	}
	data, err := json.MarshalIndent(&next, "", "  ")
	if err != nil {
		return err
	}
	current, err := jsonfiles.Load(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && doc.Generation == 0: // the first
	case err != nil:
		return err
	case current.Generation != doc.Generation:
		return jsonfiles.ErrChanged
	}
	if err := atomicreplace.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	*doc = next
	return nil
}

// checkouts returns how many a document of that generation has: now many, now few, so that the file grows and shrinks.
func checkouts(generation int64) int { return []int{40, 3}[generation%2] }

// save saves documents at PATH with the Save called HOW; it stops after the first, and creates the file DONE when it has finished.
func save(w *process.Worker) error {
	doc := jsonfiles.New()
	for n := range saves {
		doc.Checkouts = map[string]jsonfiles.Checkout{}
		for part := range checkouts(doc.Generation + 1) {
			doc.Checkouts[fmt.Sprintf("part-%02d.step", part)] = jsonfiles.Checkout{
				Person: "alice", Since: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
			}
		}
		if err := savers[w.Arg(1)](w.Arg(0), doc); err != nil {
			return fmt.Errorf("save %d: %w", n+1, err)
		}
		if n == 0 {
			w.Reached("saving")
		}
		w.Progress()
	}
	return os.WriteFile(w.Arg(2), nil, 0o600)
}

// loads counts what Load returned. Busy are those that Windows refused while the file was being replaced.
type loads struct{ Saved, Refused, Invented, Busy int }

// load calls lesson 04's Load on PATH until the file DONE exists.
func load(w *process.Worker) error {
	var l loads
	for {
		began := time.Now()
		doc, err := jsonfiles.Load(w.Arg(0))
		switch {
		case busy.Refused(err):
			l.Busy++
		case err != nil || doc == nil:
			l.Refused++
		case doc.Generation >= 1 && doc.Generation <= saves && len(doc.Checkouts) == checkouts(doc.Generation):
			l.Saved++
		default:
			l.Invented++
		}
		if _, err := os.Stat(w.Arg(1)); err == nil {
			return w.Result(l)
		}
		if runtime.GOOS == "windows" { // an open reader keeps the writer out there, so readers are to be away most of the time
			time.Sleep(time.Millisecond + 5*time.Since(began))
		}
	}
}

// lessonFour runs lesson 04's scene with each Save, and returns what Load returned beside the one that ends in WriteFile.
func lessonFour(ctx context.Context, r *race.Report) (through loads, err error) {
	var rows [][]any
	for i, how := range []string{"lesson 04's Save", "with your WriteFile as last call"} {
		path, done := files(r, fmt.Sprint("save-", i))
		writer, err := r.Start(ctx, process.Options{}, "save", path, how, done)
		if err != nil {
			return through, err
		}
		if err := writer.Reached(ctx, "saving"); err != nil {
			return through, err
		}
		reader, err := r.Start(ctx, process.Options{}, "load", path, done)
		if err != nil {
			return through, err
		}
		if err := errors.Join(writer.Continue(), writer.Wait(ctx)); err != nil {
			return through, fmt.Errorf("%s failed: %w", how, err)
		}
		if err := errors.Join(reader.NextResult(ctx, &through), reader.Wait(ctx)); err != nil {
			return through, err
		}
		rows = append(rows, []any{how, through.Saved, through.Refused, through.Invented})
	}
	r.Table([]string{"Load beside", "a saved document", "refused", "another document"}, rows)
	return through, nil
}
