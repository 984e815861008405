package document_test

import (
	"context"
	"os"
	"testing"
	"time"

	"example/turnstile/internal/lab"
)

// What a callback does to its content afterwards, or before it fails, must not reach anyone else. Whether a Document keeps a copy in memory
// or not, it shows what the file holds.
func TestCallbacksCannotSpoilTheDocument(t *testing.T) {
	t.Parallel()
	shows := func(t *testing.T, d interface {
		View(ctx context.Context, use func(*shop) error) error
	}, l lab.Lesson, want string,
	) {
		t.Helper()
		found := ""
		succeed(t, l.Say("View failed"), func() error {
			return d.View(t.Context(), func(content *shop) error { found = list(content); return nil })
		})
		lab.RequireEqual(t, want, found, l)
	}
	t.Run("with what View has shown", func(t *testing.T) {
		t.Parallel()
		path := shelf(t)
		d := open(path)
		var kept *shop
		l := lab.Lesson{
			Did:   "View; use changed the content and kept it; then View and Update of the same Document",
			Means: "people decide by what was never saved, and the next Update saves it", Read: copies,
		}
		succeed(t, l.Say("View failed"), func() error {
			return d.View(t.Context(), func(content *shop) error { kept = content; kept.Checkouts["bracket.step"] = "eve"; return nil })
		})
		shows(t, d, l.Say("View showed what another View had changed"), "bracket.step=alice")
		succeed(t, l.Say("Update failed"), func() error { return d.Update(t.Context(), checkOut("hinge.step", "bob")) })
		kept.Checkouts["hinge.step"] = "eve"
		requireCheckouts(t, path, l.Say("Update wrote what a View had changed"), "bracket.step=alice hinge.step=bob")
		shows(t, d, l.Say("View showed what another View had changed"), "bracket.step=alice hinge.step=bob")
	})
	t.Run("with what Update has saved", func(t *testing.T) {
		t.Parallel()
		path := shelf(t)
		d := open(path)
		var kept *shop
		l := lab.Lesson{
			Did:   "Update; change kept the content, which was changed after Update had returned; then View and Update",
			Means: "people decide by what was never saved, and the next Update saves it", Read: copies,
		}
		succeed(t, l.Say("Update failed"), func() error {
			return d.Update(t.Context(), func(content *shop) error { kept = content; return checkOut("hinge.step", "bob")(content) })
		})
		kept.Checkouts["hinge.step"] = "eve"
		shows(t, d, l.Say("View showed what was changed after an Update"), "bracket.step=alice hinge.step=bob")
		succeed(t, l.Say("Update failed"), func() error { return d.Update(t.Context(), checkOut("plate.step", "carol")) })
		requireCheckouts(t, path, l.Say("Update wrote what was changed after another Update"),
			"bracket.step=alice hinge.step=bob plate.step=carol")
	})
	t.Run("with what Create was given", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		d := open(path)
		first := &shop{Checkouts: map[string]string{"bracket.step": "alice"}}
		l := lab.Lesson{
			Did:   "Create; its caller changed afterwards what it had given; then View and Update of the same Document",
			Means: "people decide by what was never saved, and the next Update saves it", Read: copies,
		}
		succeed(t, l.Say("Create failed"), func() error { return d.Create(t.Context(), first) })
		first.Checkouts["bracket.step"] = "eve"
		shows(t, d, l.Say("View showed what was changed after Create"), "bracket.step=alice")
		succeed(t, l.Say("Update failed"), func() error { return d.Update(t.Context(), checkOut("hinge.step", "bob")) })
		requireCheckouts(t, path, l.Say("Update wrote what was changed after Create"), "bracket.step=alice hinge.step=bob")
	})
	t.Run("with a change that fails", func(t *testing.T) {
		t.Parallel()
		for name, change := range failures {
			path := shelf(t)
			d := open(path)
			l := lab.Lesson{
				Did: "Update; " + name + "; then View of the same Document", Means: "people decide by a change that was refused", Read: copies,
			}
			shows(t, d, l, "bracket.step=alice")
			_ = end(t, l.Say("Update does not come to its end"), func() error { return d.Update(t.Context(), change) })
			shows(t, d, l.Say("View showed a change that had failed"), "bracket.step=alice")
		}
	})
}

func TestViewShowsWhatTheFileHoldsNow(t *testing.T) {
	t.Parallel()
	const next = `{"version":1,"generation":8,"content":{"checkouts":{"bracket.step":"carol"}}}` + "\n"
	const rival = `{"version":1,"generation":7,"content":{"checkouts":{"bracket.step":"carol"}}}` + "\n"
	for name, c := range map[string]struct {
		act  func(t *testing.T, path string) error
		want string
	}{
		"another program has updated it": {func(t *testing.T, path string) error {
			return open(path).Update(t.Context(), checkOut("bracket.step", "carol"))
		}, "bracket.step=carol"},
		"another program has replaced it": {func(t *testing.T, path string) error { return replace(t, path, next) }, "bracket.step=carol"},
		"an older copy has been counted up to the same generation, of the same size and the same time": {func(t *testing.T, path string) error {
			info, err := os.Stat(path)
			lab.RequireSetUp(t, err)
			lab.RequireSetUp(t, replace(t, path, rival))
			return os.Chtimes(path, time.Time{}, info.ModTime())
		}, "bracket.step=carol"},
		"the next generation has been written in place, of the same size and the same time": {func(t *testing.T, path string) error {
			info, err := os.Stat(path)
			lab.RequireSetUp(t, err)
			lab.RequireSetUp(t, os.WriteFile(path, []byte(next), 0o644))
			return os.Chtimes(path, time.Time{}, info.ModTime())
		}, "bracket.step=carol"},
		"a person has edited it": {func(t *testing.T, path string) error {
			lab.RequireSetUp(t, os.WriteFile(path, []byte(rival), 0o644))
			return os.Chtimes(path, time.Time{}, time.Now().Add(time.Second))
		}, "bracket.step=carol"},
		"a person has written it in another form": {func(_ *testing.T, path string) error {
			return os.WriteFile(path, []byte(`{ "generation": 7, "version": 1, "content": { "checkouts": { "bracket.step": "carol" } } }`), 0o644)
		}, "bracket.step=carol"},
		"it has been removed": {func(_ *testing.T, path string) error { return os.Remove(path) }, ""},
		"it has been damaged": {func(_ *testing.T, path string) error { return os.Truncate(path, int64(len(good)-2)) }, ""},
		"its end has been overwritten": {func(_ *testing.T, path string) error {
			file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err == nil {
				_, err = file.WriteString("}")
				_ = file.Close()
			}
			return err
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := shelf(t)
			d := open(path)
			l := lab.Lesson{
				Did:   "View; then " + name + "; then View and Update of the same Document",
				Means: "people decide by a generation that is gone, and the next Update brings it back", Read: copies,
			}
			succeed(t, l.Say("View failed"), func() error { return d.View(t.Context(), func(*shop) error { return nil }) })
			lab.RequireSetUp(t, c.act(t, path))
			seen := ""
			o := end(t, l.Say("View does not come to its end"), func() error {
				return d.View(t.Context(), func(content *shop) error { seen = list(content); return nil })
			})
			if c.want == "" {
				lab.RequireError(t, o.err, l.Say("View showed a document that is not there any more"))
				_ = fail(t, l.Say("Update went on from a document that is not there any more"), func() error {
					return d.Update(t.Context(), checkOut("hinge.step", "bob"))
				})
				return
			}
			lab.RequireNoError(t, o.err, l.Say("View failed"))
			lab.RequireEqual(t, c.want, seen, l.Say("View showed what the file does not hold any more"))
			was, _ := read(t, path, l)
			succeed(t, l.Say("Update failed"), func() error { return d.Update(t.Context(), checkOut("hinge.step", "bob")) })
			requireCheckouts(t, path, l.Say("Update brought back what the file did not hold any more"), c.want+" hinge.step=bob")
			now, _ := read(t, path, l)
			lab.RequireEqual(t, was+1, now, l.Say("Update did not count the generation that the file held"))
		})
	}
}

// replace puts another file at path, as a program does that keeps copies.
func replace(t *testing.T, path, text string) error {
	t.Helper()
	other := path + ".copy"
	lab.RequireSetUp(t, os.WriteFile(other, []byte(text), 0o644))
	return os.Rename(other, path)
}
