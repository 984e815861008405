// Package server surrounds the handlers of a lock server with what every request needs, and runs them: request ids and a log, logins,
// bounds of time and size, and an end without cut answers. It opens no file and takes no lock.
package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"example/turnstile/exercises/17_api/wire"
)

// The bounds of a request, besides those of package wire.
const (
	MaxTarget = 16 << 10 // bytes of path and query: a path of 4096 bytes is three times as long when it is escaped
	MaxHeader = 16 << 10 // bytes of all headers (net/http adds 4096)
)

// Users checks a login. It returns an error if it cannot tell.
type Users interface {
	Check(ctx context.Context, name, password string) (bool, error)
}

// Options of Wrap.
type Options struct {
	Users Users
	Log   *slog.Logger
	Time  time.Duration // for a request to be read, answered and taken, but for transfers of objects; 0 means 30 seconds
}

// Wrap returns a handler that does for every request, in this order, what all need, and hands it to next:
//
//   - an id, in the header X-Request-Id and in the log's line, which has the user, the status and the reason of a refusal, and no password
//   - a panic is an answer 500 and a line in the log; http.ErrAbortHandler goes on to net/http
//   - a target that is too long is refused: 414
//   - without a login, or with a wrong one: 401. It asks for Basic authentication, also in LFS-Authenticate
//   - an end: the context of the request ends, and reading its body and taking the answer fail, when Options.Time has passed. So no
//     client, however slow, keeps a request alive. Requests that move content, under /objects/content/, have deadlines of their own
func Wrap(next http.Handler, o Options) http.Handler {
	if o.Time == 0 {
		o.Time = 30 * time.Second
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		record := &wire.Record{ID: newID()}
		r = r.WithContext(wire.WithRecord(r.Context(), record))
		watched := &watched{ResponseWriter: w}
		w.Header().Set("X-Request-Id", record.ID)
		defer func() {
			recovered := recover()
			if recovered != nil && recovered != http.ErrAbortHandler {
				err := fmt.Errorf("panic: %v\n%s", recovered, debug.Stack())
				if recovered = nil; watched.status == 0 {
					wire.Refuse(watched, r, err)
				} else {
					recovered = http.ErrAbortHandler // what was written by half must not look like an answer
				}
				record.Err = err
			}
			line(o.Log, r, record, watched.status, time.Since(began))
			if recovered != nil {
				panic(recovered)
			}
		}()
		serve(watched, r, next, o)
	})
}

func serve(w http.ResponseWriter, r *http.Request, next http.Handler, o Options) {
	if len(r.RequestURI) > MaxTarget {
		wire.Refuse(w, r, wire.Errorf(http.StatusRequestURITooLong, "the URL is longer than %d bytes", MaxTarget))
		return
	}
	if !movesContent(r) {
		ctx, cancel := context.WithTimeout(r.Context(), o.Time)
		defer cancel()
		r = r.WithContext(ctx)
		controller := http.NewResponseController(w)
		_ = controller.SetReadDeadline(time.Now().Add(o.Time)) // not every ResponseWriter has deadlines
		_ = controller.SetWriteDeadline(time.Now().Add(o.Time + 10*time.Second))
	}
	switch ok, err := login(r, o.Users); {
	case err != nil:
		wire.Refuse(w, r, err)
	case !ok:
		w.Header().Set("LFS-Authenticate", `Basic realm="Git LFS", charset="UTF-8"`)
		w.Header().Set("WWW-Authenticate", `Basic realm="Git LFS", charset="UTF-8"`)
		wire.Refuse(w, r, wire.Errorf(http.StatusUnauthorized, "log in with a user's name and password"))
	default:
		next.ServeHTTP(w, r)
	}
}

func movesContent(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/objects/content/") && (r.Method == http.MethodPut || r.Method == http.MethodGet)
}

// login checks the request's Basic credentials, and enters the name into the request's record.
func login(r *http.Request, users Users) (bool, error) {
	name, password, given := r.BasicAuth()
	if !given {
		return false, nil
	}
	ok, err := users.Check(r.Context(), name, password)
	if ok && err == nil {
		wire.RecordOf(r.Context()).User = name
	}
	return ok, err
}

// line logs a request. Status 0 is net/http's 200.
func line(log *slog.Logger, r *http.Request, record *wire.Record, status int, took time.Duration) {
	if status == 0 {
		status = http.StatusOK
	}
	level := slog.LevelInfo
	attributes := []slog.Attr{
		slog.String("id", record.ID), slog.String("client", r.RemoteAddr), slog.String("user", record.User),
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", status), slog.Duration("took", took),
	}
	if record.Err != nil {
		attributes = append(attributes, slog.String("reason", record.Err.Error()))
	}
	if status >= http.StatusInternalServerError && !errors.Is(record.Err, context.Canceled) {
		level = slog.LevelError
	}
	log.LogAttrs(context.WithoutCancel(r.Context()), level, "request", attributes...)
}

func newID() string {
	bits := make([]byte, 8)
	_, _ = rand.Read(bits) // it never fails: see its documentation
	return hex.EncodeToString(bits)
}

// watched remembers the status of the answer.
type watched struct {
	http.ResponseWriter
	status int
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap gives http.ResponseController its deadlines.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }
