package api_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"example/turnstile/exercises/15_lock_manager/part"
	"example/turnstile/exercises/17_api/wire"
	"example/turnstile/internal/lab"
)

// What no client sends by accident. Each request is refused with a message, never with 500, and leaves nothing behind.
func TestHostileRequestsAreRefused(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	locks := &fake{}
	unasked := with(t, locks)
	locks.set(nil)
	long := strings.Repeat("d/", part.MaxLength/2) + "a" // a byte too long
	body := map[string]int{                              // of Create
		``: 400, `{`: 400, `null`: 400, `[]`: 400, `"a.bin"`: 400, `{"path":7}`: 400, `{"path":"a.bin"} {}`: 400,
		"\xef\xbb\xbf" + `{"path":"a.bin"}`: 400,
		`{"path":"a.bin","path":"b.bin"}`:   400, `{"path":"a.bin","PATH":"b.bin"}`: 400, `{"path":"a.bin","ref":{"name":"x","name":"y"}}`: 400,
		"{\"path\":\"a\xff.bin\"}": 400, `{"path":"a\ud800.bin"}`: 400,
		`{"path":"a.bin","x":` + strings.Repeat("[", 1e5) + strings.Repeat("]", 1e5) + `}`: 400,
		`{"path":"a.bin","x":"` + strings.Repeat("x", 2<<20) + `"}`:                        413,
		`{}`: 422, `{"path":null}`: 422, `{"path":""}`: 422, `{"path":"/etc/passwd"}`: 422, `{"path":"../a.bin"}`: 422,
		`{"path":"x/../a.bin"}`: 422,
		`{"path":"./a.bin"}`:    422, `{"path":"x//a.bin"}`: 422, `{"path":"a\\b.bin"}`: 422, `{"path":"a\u0000.bin"}`: 422,
		`{"path":"` + long + `"}`: 422,
	}
	l := lab.Lesson{Read: hostile}
	refuses := func(t *testing.T, status int, verb, request string) {
		t.Helper()
		l := l.Say("%s did not refuse a hostile request as it should", verb)
		l.Did = fmt.Sprintf("%.100s", request)
		o := o.on(t)
		a := o.try("mallory", request, l)
		l.Expected, l.Found = fmt.Sprintf("status %d", status), a.String()
		switch {
		case a.status < 300:
			l.Means = "the server has done what this client did not say, or what another reader of its request reads in another way"
		case a.status >= 500:
			l.Means = "the log fills with failures of the server, which are the client's"
		default:
			l.Means = "the client does not learn what is wrong with its request"
		}
		lab.Require(t, a.status == status, l)
		l.Expected, l.Found = "a message", a.String()
		lab.Require(t, read[struct{ Message string }](o, a, l).Message != "", l)
		if status == http.StatusUnprocessableEntity || status == http.StatusNotFound {
			return // Locks has refused it
		}
		l.Means = "what is done, or waited for, is not what this client has said, and it hears that its request was refused"
		unasked.on(t).try("mallory", request, l)
		l = shows(l.Say("%s asked Locks, though it refused the request", verb), "no call of Locks", locks.called())
		lab.Require(t, locks.called() == "[]", l)
	}
	t.Run("Create", func(t *testing.T) {
		for _, text := range slices.Sorted(maps.Keys(body)) {
			refuses(t, body[text], "Create", "POST /locks "+text)
		}
	})
	t.Run("Verify", func(t *testing.T) {
		for text, status := range map[string]int{
			``: 400, `[]`: 400, `{"limit":"many"}`: 400, `{"limit":1e99}`: 400, `{"cursor":"a","cursor":"b"}`: 400, `{"cursor":"../../etc"}`: 422,
		} {
			refuses(t, status, "Verify", "POST /locks/verify "+text)
		}
	})
	t.Run("Unlock", func(t *testing.T) {
		for request, status := range map[string]int{
			`POST /locks/x/unlock {"force":true,"force":false}`: 400, `POST /locks/x/unlock {"force":"yes"}`: 400, `POST /locks/x/unlock `: 400,
			`POST /locks/..%2f..%2fetc/unlock {"force":true}`: 404, `POST /locks/` + strings.Repeat("9", 5000) + `/unlock {"force":true}`: 404,
		} {
			refuses(t, status, "Unlock", request)
		}
	})
	t.Run("List", func(t *testing.T) {
		for query, status := range map[string]int{
			"path=": 400, "path=a&path=b": 400, "path=%zz": 400, "path=%ff": 400, "limit=-1": 400, "limit=many": 400, "id=": 400,
			"path=../a": 422, "path=a%5cb": 422, "cursor=x": 422, "path=" + strings.Repeat("a", 20000): 414,
		} {
			refuses(t, status, "List", "GET /locks?"+query)
		}
	})
	for _, verb := range []string{"Create", "Verify", "Unlock"} {
		l := l.Say("%s read on in a body that is too long", verb)
		l.Did, l.Means = verb+", with a body of 1 MiB and a byte, and more after it", "whoever sends without end is read without end"
		more := &unread{}
		r := direct(handlers(t, locks), "mallory", verb, io.MultiReader(strings.NewReader(strings.Repeat("x", wire.MaxBody+1)), more))
		r.serve()
		a := reaches(t, r.done, nil, "", l)
		l = shows(l, "status 413, and not read on", fmt.Sprintf("read on: %t; %s", more.read, a))
		lab.Require(t, a.status == http.StatusRequestEntityTooLarge && !more.read, l)
	}
	l = l.Say("a hostile request left a lock behind")
	l.Did, l.Means = "all of these requests; then a list of all locks", "one file can be locked under two names"
	lab.RequireEqual(t, "[]", names(listed(o, "GET /locks", l)), l)
	for _, path := range []string{`50%d "x" é.bin`, "dir/ü ö.bin", "Dir/B.STEP", " x/é.bin"} {
		l = l.Say("Create changed a path that is a part's name")
		l.Did, l.Means = fmt.Sprintf("Create, of %q", path), "the client does not find its own lock again"
		lab.RequireEqual(t, path, o.lock("alice", path, l).Path, l)
	}
}

// An unread body says whether it was read all the same.
type unread struct{ read bool }

func (u *unread) Read([]byte) (int, error) {
	u.read = true
	return 0, io.EOF
}
