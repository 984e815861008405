package guide

import (
	"fmt"
	"sync"
	"time"

	"example/turnstile/internal/gotest"
)

// A worker says what the guide is doing until there is something to show. On a terminal that is one line, which it wipes away
// again; elsewhere it is a plain line on the error stream now and then, and none if the work is soon done.
type worker struct {
	*session
	what string

	mu       sync.Mutex
	begun    time.Time
	progress gotest.Progress
	said     time.Time // when the last plain line was written
	phase    string    // of the last plain line

	quit, done chan struct{}
}

const (
	redrawEvery = 200 * time.Millisecond
	plainEvery  = 10 * time.Second
	// longTest is how long a test runs until its time is shown: most take less than a second.
	longTest = 5 * time.Second
	// longBuild is how long go builds until it is said why.
	longBuild = 2 * time.Second
)

// working begins to say what the guide is doing. The caller ends it before it prints anything.
func (s *session) working(format string, values ...any) *worker {
	w := &worker{session: s, what: fmt.Sprintf(format, values...), begun: time.Now(), quit: make(chan struct{}), done: make(chan struct{})}
	w.said = w.begun.Add(s.silence - plainEvery)
	w.say()
	go w.run()
	return w
}

func (w *worker) run() {
	defer close(w.done)
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	for {
		select {
		case <-w.quit:
			return
		case <-ticker.C:
			w.say()
		}
	}
}

// end wipes the line away.
func (w *worker) end() {
	close(w.quit)
	<-w.done
	if w.paint.colour {
		fmt.Fprint(w.Out, "\r\x1b[K")
	}
}

// saw takes a run's progress.
func (w *worker) saw(p gotest.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.progress = p
}

func (w *worker) say() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	text, phase := w.text(now)
	if w.paint.colour {
		// A line as wide as the terminal would move the cursor to the next one.
		fmt.Fprintf(w.Out, "\r%s\x1b[K", w.paint.dim(shortened(text, w.paint.width-1)))
		return
	}
	if now.Sub(w.said) >= plainEvery && (phase != w.phase || phase == "") {
		w.said, w.phase = now, phase
		fmt.Fprintln(w.Err, text)
	}
}

// text says how far the work has come. phase is what makes one plain line differ from the next.
func (w *worker) text(now time.Time) (text, phase string) {
	p := w.progress
	switch {
	case p.Exercise == nil && now.Sub(w.begun) > longBuild:
		return fmt.Sprintf("%s … go is compiling, which takes longest the first time (%d s)", w.what, int(now.Sub(w.begun).Seconds())), "build"
	case p.Exercise == nil:
		return w.what + " …", "begin"
	case p.Test != "" && now.Sub(p.Since) > longTest:
		return fmt.Sprintf("%s … %s has been running for %d s", w.what, visible(p.Test), int(now.Sub(p.Since).Seconds())), ""
	}
	ended := "1 test"
	if p.Ended != 1 {
		ended = fmt.Sprintf("%d tests", p.Ended)
	}
	return fmt.Sprintf("%s … %s of %s done", w.what, ended, title(p.Exercise)), "run"
}

// shortened cuts text to width characters.
func shortened(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return string(runes[:max(width-1, 0)]) + "…"
}
