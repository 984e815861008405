package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"example/turnstile/exercises/14_repository/objects"
)

// RetryAfter is how long a client is asked to wait before it asks a busy server again.
const RetryAfter = time.Second

// An Error is a refusal. Its Message is for the client's user; Err, which may be nil, is for the server's log alone.
type Error struct {
	Status  int
	Message string
	Err     error
}

// Errorf returns an *Error.
func Errorf(status int, format string, arguments ...any) error {
	return &Error{Status: status, Message: fmt.Sprintf(format, arguments...)}
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// A Record is what the server's log says of a request. Package server puts one into the context of each.
type Record struct {
	ID   string // of the request; also in the answer's X-Request-Id
	User string // the name with which the client logged in
	Err  error  // why the request was refused
}

type recordKey struct{}

// WithRecord returns a context with the record in it.
func WithRecord(ctx context.Context, record *Record) context.Context {
	return context.WithValue(ctx, recordKey{}, record)
}

// RecordOf returns the record of the request with this context, or an empty one.
func RecordOf(ctx context.Context) *Record {
	if record, ok := ctx.Value(recordKey{}).(*Record); ok {
		return record
	}
	return &Record{}
}

// UserOf returns the name with which the client of r logged in.
func UserOf(r *http.Request) string { return RecordOf(r.Context()).User }

// Reply answers with body in JSON, which is encoded before anything is sent.
func Reply(w http.ResponseWriter, r *http.Request, status int, body any) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil { // a type that JSON cannot hold: a bug
		RecordOf(r.Context()).Err = err
		http.Error(w, `{"message":"internal error"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", MediaType)
	w.Header().Set("Content-Length", strconv.Itoa(text.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // if the client has gone there is no one to tell
}

// Refuse answers that the request failed because of err, and leaves err to the log.
//
// An *Error has its own status and message. If time was over, or the request was cancelled, before the server had the lock it needs, the
// server is busy: 503, with Retry-After. If there is no room for what has to be written, 507. Everything else is 500 with a message that
// shows nothing of the server's inside, and so are a missing document and a system without locks: 404 or 501 would tell the client that
// there is no locking here, and git-lfs would write into its configuration never to ask again.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	record := RecordOf(r.Context())
	record.Err = err
	status, message := http.StatusInternalServerError, "the server failed; its administrator finds the reason in its log, by the request's id"
	own := (*Error)(nil)
	switch {
	case errors.As(err, &own):
		status, message = own.Status, own.Message
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		status, message = http.StatusServiceUnavailable, "the server is busy; nothing was changed; try again"
	case objects.IsFull(err):
		status, message = http.StatusInsufficientStorage, "the server's disk is full; nothing was changed; its administrator has to make room"
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(int(RetryAfter/time.Second)))
	}
	Reply(w, r, status, Message{Message: message, RequestID: record.ID})
}
