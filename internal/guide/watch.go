package guide

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// pollEvery is how often watch looks at the files. It polls, since notifications do not cross into WSL, containers and
// network file systems.
const pollEvery = 300 * time.Millisecond

// watch checks an exercise again each time one of its files is saved, until Ctrl-C. It stays with that exercise: a success
// remains on the screen.
func (s *session) watch(ctx context.Context, st *standing) error {
	w := &watcher{session: s, exercise: st.exercise, eye: newEye(append(s.foundations(st.exercise), st.exercise))}
	if s.options.reference {
		w.eye.folders = append(w.eye.folders, st.exercise.SolutionFolder())
	}
	if s.inTerminal {
		w.typed = s.readLines(ctx)
	}
	if err := s.fetch(ctx); err != nil {
		return err
	}
	err := w.run(ctx)
	if ctx.Err() != nil {
		return s.print("\n") // Ctrl-C is how watch ends
	}
	return err
}

// A watcher is one run of watch.
type watcher struct {
	*session
	exercise *curriculum.Exercise
	eye      *eye
	typed    <-chan string  // lines from the terminal; nil where there is none
	last     *gotest.Result // what the tests said last
	shown    bool           // something is on the screen
}

// run checks, waits for a change, and begins again, until its context ends or the learner leaves.
func (w *watcher) run(ctx context.Context) error {
	w.eye.changed() // the files as they are now have been seen
	for {
		again, err := w.round(ctx)
		if !again || err != nil {
			return err
		}
	}
}

// An outcome is what a check in the background came to.
type outcome struct {
	screen screen
	err    error
}

// round checks once, shows what came of it, and returns when a file has changed. While the tests run a change calls them
// off: what they would say is about old code.
func (w *watcher) round(ctx context.Context) (again bool, err error) {
	checking, cancel := context.WithCancel(ctx)
	defer cancel()
	checked := w.checkInBackground(checking)
	defer func() {
		cancel()
		if checked != nil {
			<-checked // nothing is left running, nothing else writes to the terminal
		}
	}()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case o := <-checked:
			checked = nil
			if err := w.show(o); err != nil {
				return false, err
			}
		case line, open := <-w.typed:
			if !open {
				w.typed = nil // the terminal is gone; the files are still watched
			} else if leave, err := w.obey(ctx, line, checked != nil); leave || err != nil {
				return false, err
			}
		case <-ticker.C:
			if w.eye.changed() {
				return true, nil
			}
		}
	}
}

func (w *watcher) checkInBackground(ctx context.Context) chan outcome {
	s := w.anew()
	checked := make(chan outcome, 1)
	go func() {
		scr, err := s.examine(ctx, &standing{exercise: w.exercise, untouched: s.isUntouched(w.exercise)})
		checked <- outcome{scr, err}
	}()
	return checked
}

// show puts what a check came to on an empty screen or, where the output is no terminal, below a line.
func (w *watcher) show(o outcome) error {
	text := ""
	if w.paint.colour {
		text = "\x1b[2J\x1b[H"
	} else if w.shown {
		text = "\n" + strings.Repeat("-", labelWidth) + "\n\n"
	}
	w.shown = true
	if o.err != nil {
		// A file may be missing just while an editor replaces it. Whatever it is, the learner can fix it and save.
		explained, _ := w.explain(o.err)
		text += wrap(explained, "", w.paint.width) + "\n"
	} else {
		text += w.paint.screen(o.screen)
		w.last = o.screen.result
	}
	return w.print(text + "\n" + w.paint.dim(w.footer()) + "\n")
}

func (w *watcher) footer() string {
	text := fmt.Sprintf("Watching %s: save a file to check again; Ctrl-C ends.", w.path(w.exercise.Folder()))
	if w.typed != nil {
		text += "\nWith Enter: h hint, r race, q quit."
	}
	return wrap(text, "", w.paint.width)
}

// anew returns the session with nothing read yet: files change while it watches.
func (w *watcher) anew() *session {
	s := *w.session
	s.seen = map[*curriculum.Exercise]*files{}
	return &s
}

// obey does what a typed line says. Nothing but q is taken while the tests run: their result is to be shown whole.
func (w *watcher) obey(ctx context.Context, line string, busy bool) (leave bool, err error) {
	s := w.anew()
	s.inTerminal = false // the terminal's input stays with watch
	s.options.operands = []string{number(w.exercise)}
	var verb func(*session, context.Context, *standing) error
	switch word := strings.ToLower(strings.TrimSpace(line)); word {
	case "q", "quit", "exit":
		return true, nil
	case "h", "hint":
		verb = (*session).hint
	case "r", "race":
		verb = (*session).race
	}
	if verb == nil || busy {
		return false, nil
	}
	err = verb(s, ctx, &standing{exercise: w.exercise, untouched: s.isUntouched(w.exercise), result: w.last})
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if _, said := err.(exitStatus); err != nil && !said {
		explained, _ := w.explain(err)
		w.remark("%s", explained)
	}
	return false, w.print("\n" + w.paint.dim(w.footer()) + "\n")
}

// readLines returns the lines typed at the terminal. The channel is closed at its end.
func (s *session) readLines(ctx context.Context) <-chan string {
	lines := make(chan string)
	go func() { // a read of a terminal cannot be cancelled: it ends with the process
		defer close(lines)
		for {
			line, err := s.lines.ReadString('\n')
			if err != nil {
				return
			}
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// An eye sees whether Go files in some directories have been saved.
type eye struct {
	folders []string
	known   [sha256.Size]byte // what was seen when changed last said yes
	last    [sha256.Size]byte // what the look before saw
}

func newEye(exercises []*curriculum.Exercise) *eye {
	e := &eye{}
	for _, exercise := range exercises {
		e.folders = append(e.folders, exercise.Folder())
	}
	return e
}

// changed looks at the files and reports whether one was saved since it last said so. It says so when two looks in a row
// agree: an editor may be in the middle of writing. The first call says yes.
func (e *eye) changed() bool {
	now := e.look()
	settled := now == e.last || e.known == [sha256.Size]byte{}
	e.last = now
	if !settled || now == e.known {
		return false
	}
	e.known = now
	return true
}

// look sums up the names, times, sizes and contents of the files. The contents count as well, since a network file system's
// clock may be too coarse to tell two saves apart. What cannot be read counts as absent: it will differ when it is back.
func (e *eye) look() [sha256.Size]byte {
	sum := sha256.New()
	for _, folder := range e.folders {
		entries, _ := os.ReadDir(folder)
		for _, entry := range entries {
			if !strings.HasSuffix(entry.Name(), ".go") || strings.HasPrefix(entry.Name(), ".") {
				continue
			}
			path := filepath.Join(folder, entry.Name())
			content, err := os.ReadFile(path)
			info, statErr := os.Stat(path)
			if err != nil || statErr != nil {
				continue
			}
			fmt.Fprintf(sum, "%q %d %d\n", path, info.ModTime().UnixNano(), len(content))
			sum.Write(content)
		}
	}
	return [sha256.Size]byte(sum.Sum(nil))
}
