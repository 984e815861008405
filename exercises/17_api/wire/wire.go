// Package wire is the JSON of the Git LFS API: what a request may look like, and how an answer is written. It opens no file and takes no
// lock.
//
// It reads strictly and writes tolerantly. A request is read to its end before any of it is used, within bounds, so a slow client keeps no
// one waiting. An answer is encoded before its first byte is sent.
package wire

import (
	"time"
)

// MediaType is the media type of the Git LFS API. The git-lfs client refuses to read an answer of another one, but for application/json.
const MediaType = "application/vnd.git-lfs+json"

// A Lock is a checkout as the API shows it.
type Lock struct {
	ID       string    `json:"id"`
	Path     string    `json:"path"`
	LockedAt time.Time `json:"locked_at"` // RFC 3339; the API's own examples have whole seconds
	Owner    Owner     `json:"owner"`     // the API calls it optional; git-lfs 3.3.0 panics without it
}

// An Owner is who has a lock: the name with which they logged in, not the user.name of git.
type Owner struct {
	Name string `json:"name"`
}

// A Ref is the branch that the client is on. Locks hold on all branches, so a server need not look at it.
type Ref struct {
	Name string `json:"name"`
}

// A LockRequest is the body of POST /locks.
type LockRequest struct {
	Path string `json:"path"`
	Ref  *Ref   `json:"ref"`
}

// An UnlockRequest is the body of POST /locks/{id}/unlock.
type UnlockRequest struct {
	Force bool `json:"force"`
	Ref   *Ref `json:"ref"`
}

// A VerifyRequest is the body of POST /locks/verify.
type VerifyRequest struct {
	Cursor string `json:"cursor"`
	Limit  int    `json:"limit"`
	Ref    *Ref   `json:"ref"`
}

// Locked is the answer to a lock that was created or deleted. It has no message: the client takes a message for a failure, whatever the
// status.
type Locked struct {
	Lock Lock `json:"lock"`
}

// A Conflict is the answer with status 409. Lock is the one that is in the way.
type Conflict struct {
	Lock      Lock   `json:"lock"`
	Message   string `json:"message"`
	RequestID string `json:"request_id,omitempty"`
}

// A LockList is the answer to GET /locks. NextCursor is empty on the last page: the client asks again until it is.
type LockList struct {
	Locks      []Lock `json:"locks"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// A VerifyList is the answer to POST /locks/verify. Both lists are always there, even if empty.
type VerifyList struct {
	Ours       []Lock `json:"ours"`
	Theirs     []Lock `json:"theirs"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// A Message is the answer to what is refused. The client shows the message to its user.
type Message struct {
	Message   string `json:"message"`
	RequestID string `json:"request_id,omitempty"`
}

// An Object names an object: the SHA-256 of its content, and its length.
type Object struct {
	OID  string `json:"oid"`
	Size int64  `json:"size"`
}

// A BatchRequest is the body of POST /objects/batch: which objects the client wants to transfer.
type BatchRequest struct {
	Operation     string   `json:"operation"` // "upload" or "download"
	Transfers     []string `json:"transfers"` // the ways that the client knows; none means basic
	Ref           *Ref     `json:"ref"`
	Objects       []Object `json:"objects"`
	HashAlgorithm string   `json:"hash_algo"` // none means sha256
}

// A Batch is the answer to it: for each object what the client has to do.
type Batch struct {
	Transfer      string        `json:"transfer"`
	Objects       []BatchObject `json:"objects"`
	HashAlgorithm string        `json:"hash_algo"`
}

// A BatchObject has no Actions and no Error if the client asked to upload what the server has.
type BatchObject struct {
	Object
	Authenticated bool              `json:"authenticated,omitempty"`
	Actions       map[string]Action `json:"actions,omitempty"` // "upload" and "verify", or "download"
	Error         *ObjectError      `json:"error,omitempty"`
}

// An Action is a request that the client makes next.
type Action struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header,omitempty"`
}

// An ObjectError says why one object of a batch cannot be transferred.
type ObjectError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}
