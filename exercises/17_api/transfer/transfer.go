// Package transfer has the handlers for objects: the batch, uploads and downloads by the basic transfer, and the check that an upload
// arrived.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"time"

	"example/turnstile/exercises/14_repository/objects"
	"example/turnstile/exercises/17_api/wire"
)

// MaxObjects is how many objects one batch may name. The client sends 100.
const MaxObjects = 1000

// A Store keeps objects. Lesson 14's Repository is one, but for the type that its Get returns.
//
// An error of PutExpected for content that was not announced so, and one for a quota, is an *wire.Error; one for an object that does not
// exist matches fs.ErrNotExist.
type Store interface {
	Stat(ctx context.Context, id objects.ID) (objects.Object, error)
	PutExpected(ctx context.Context, want objects.Object, content io.Reader) error
	Get(ctx context.Context, id objects.ID) (Content, error)
}

// Content is an object that is open for reading.
type Content interface {
	io.ReadCloser
	Size() int64
}

// Handlers answers requests about objects.
type Handlers struct {
	Store Store
	Base  string        // the URL at which clients reach the server, without a slash at its end
	Pause time.Duration // how long a client may send or take nothing during a transfer; 0 means a minute
}

// Batch answers POST /objects/batch: for each object that the request names, where to send it or where to get it.
func (h *Handlers) Batch(w http.ResponseWriter, r *http.Request) {
	var request wire.BatchRequest
	if err := wire.Decode(w, r, &request); err != nil {
		wire.Refuse(w, r, err)
		return
	}
	if err := check(&request); err != nil {
		wire.Refuse(w, r, err)
		return
	}
	batch := wire.Batch{Transfer: "basic", HashAlgorithm: "sha256", Objects: make([]wire.BatchObject, 0, len(request.Objects))}
	for _, asked := range request.Objects {
		answer, err := h.object(r, request.Operation, asked)
		if err != nil {
			wire.Refuse(w, r, err)
			return
		}
		batch.Objects = append(batch.Objects, answer)
	}
	wire.Reply(w, r, http.StatusOK, batch)
}

// check refuses what the server cannot do for the whole batch.
func check(request *wire.BatchRequest) error {
	switch {
	case request.Operation != "upload" && request.Operation != "download":
		return wire.Errorf(http.StatusUnprocessableEntity, "the operation is %.40q; send upload or download", request.Operation)
	case len(request.Transfers) > 0 && !slices.Contains(request.Transfers, "basic"):
		return wire.Errorf(http.StatusUnprocessableEntity, "the server knows the transfer basic alone; add it to transfers")
	case request.HashAlgorithm != "" && request.HashAlgorithm != "sha256":
		return wire.Errorf(http.StatusConflict, "the server names objects by sha256, not by %.40q", request.HashAlgorithm)
	case len(request.Objects) == 0:
		return wire.Errorf(http.StatusUnprocessableEntity, "the batch names no objects")
	case len(request.Objects) > MaxObjects:
		return wire.Errorf(http.StatusRequestEntityTooLarge, "the batch names %d objects; send %d at most", len(request.Objects), MaxObjects)
	}
	return nil
}

// object answers for one object of a batch. What is wrong with this object alone is in the answer; an error is the server's.
func (h *Handlers) object(r *http.Request, operation string, asked wire.Object) (wire.BatchObject, error) {
	answer := wire.BatchObject{Object: asked}
	id, err := objects.ParseID(asked.OID)
	if err == nil && asked.Size < 0 {
		err = errors.New("its size is below 0")
	}
	if err != nil {
		answer.Error = &wire.ObjectError{Code: http.StatusUnprocessableEntity, Message: err.Error()}
		return answer, nil
	}
	found, err := h.Store.Stat(r.Context(), id)
	known := err == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return answer, err
	case known && found.Size != asked.Size:
		message := fmt.Sprintf("the object has %d bytes, and not %d; the file that names it is damaged", found.Size, asked.Size)
		answer.Error = &wire.ObjectError{Code: http.StatusUnprocessableEntity, Message: message}
	case operation == "upload" && !known:
		answer.Authenticated = true
		answer.Actions = map[string]wire.Action{"upload": h.action(r, "/objects/content/"+asked.OID), "verify": h.action(r, "/objects/verify")}
	case operation == "download" && known:
		answer.Authenticated = true
		answer.Actions = map[string]wire.Action{"download": h.action(r, "/objects/content/"+asked.OID)}
	case operation == "download":
		const message = "the server does not have the object; push it from a clone that has it"
		answer.Error = &wire.ObjectError{Code: http.StatusNotFound, Message: message}
	}
	return answer, nil
}

// action is a request with the client's own credentials, so that it need not ask first and be refused.
func (h *Handlers) action(r *http.Request, path string) wire.Action {
	return wire.Action{Href: h.Base + path, Header: map[string]string{"Authorization": r.Header.Get("Authorization")}}
}

// Upload answers PUT /objects/content/{oid}. It answers 200 once the object is on the disk, and the content is what the oid says.
func (h *Handlers) Upload(w http.ResponseWriter, r *http.Request) {
	id, err := objects.ParseID(r.PathValue("oid"))
	if err != nil {
		wire.Refuse(w, r, &wire.Error{Status: http.StatusUnprocessableEntity, Message: err.Error()})
		return
	}
	body := &patient{controller: http.NewResponseController(w), pause: h.pause(), body: r.Body}
	err = h.Store.PutExpected(r.Context(), objects.Object{ID: id, Size: r.ContentLength}, body)
	if body.failed != nil { // the content could not be read: the client's fault, and no one else's
		err = &wire.Error{Status: http.StatusBadRequest, Message: "the upload ended before its time; send it again", Err: err}
	}
	if err != nil {
		wire.Refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// Download answers GET /objects/content/{oid}, with the whole object. If the object turns out to be damaged, the connection ends before the
// last byte.
func (h *Handlers) Download(w http.ResponseWriter, r *http.Request) {
	id, err := objects.ParseID(r.PathValue("oid"))
	if err != nil {
		wire.Refuse(w, r, &wire.Error{Status: http.StatusUnprocessableEntity, Message: err.Error()})
		return
	}
	content, err := h.Store.Get(r.Context(), id)
	if errors.Is(err, fs.ErrNotExist) {
		err = &wire.Error{Status: http.StatusNotFound, Message: "the server does not have the object", Err: err}
	}
	if err != nil {
		wire.Refuse(w, r, err)
		return
	}
	defer func() { _ = content.Close() }() // it was only read
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(content.Size(), 10))
	sent := &counted{controller: http.NewResponseController(w), pause: h.pause(), w: w}
	if _, err = io.CopyBuffer(sent, content, make([]byte, 64<<10)); err == nil {
		return
	}
	if sent.n == 0 {
		w.Header().Del("Content-Length")
		wire.Refuse(w, r, err)
		return
	}
	wire.RecordOf(r.Context()).Err = err // too late for an answer: net/http closes a connection on which too few bytes were sent
}

// Verify answers POST /objects/verify: whether an upload has arrived.
func (h *Handlers) Verify(w http.ResponseWriter, r *http.Request) {
	var asked wire.Object
	if err := wire.Decode(w, r, &asked); err != nil {
		wire.Refuse(w, r, err)
		return
	}
	id, err := objects.ParseID(asked.OID)
	if err != nil {
		wire.Refuse(w, r, &wire.Error{Status: http.StatusUnprocessableEntity, Message: err.Error()})
		return
	}
	switch found, err := h.Store.Stat(r.Context(), id); {
	case errors.Is(err, fs.ErrNotExist):
		wire.Refuse(w, r, &wire.Error{Status: http.StatusNotFound, Message: "the object has not arrived; push it again", Err: err})
	case err != nil:
		wire.Refuse(w, r, err)
	case found.Size != asked.Size:
		wire.Refuse(w, r, wire.Errorf(http.StatusUnprocessableEntity, "the object has %d bytes, and not %d", found.Size, asked.Size))
	default:
		wire.Reply(w, r, http.StatusOK, asked)
	}
}

func (h *Handlers) pause() time.Duration {
	if h.Pause == 0 {
		return time.Minute
	}
	return h.Pause
}

// patient is the body of an upload. A client may take as long as it likes, if it never stops for longer than the pause.
type patient struct {
	controller *http.ResponseController
	pause      time.Duration
	body       io.Reader
	failed     error
}

func (p *patient) Read(b []byte) (int, error) {
	_ = p.controller.SetReadDeadline(time.Now().Add(p.pause)) // not every ResponseWriter has deadlines
	n, err := p.body.Read(b)
	if err != nil && err != io.EOF {
		p.failed = err
	}
	return n, err
}

// counted writes a download in the same way, and counts it. It hides the ReaderFrom of its ResponseWriter, which knows no pause.
type counted struct {
	controller *http.ResponseController
	pause      time.Duration
	w          io.Writer
	n          int64
}

func (c *counted) Write(b []byte) (int, error) {
	_ = c.controller.SetWriteDeadline(time.Now().Add(c.pause)) // not every ResponseWriter has deadlines
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
