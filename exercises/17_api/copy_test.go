package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"example/turnstile/exercises/17_api/wire"
	"example/turnstile/internal/lab"
)

// Two servers on one directory. What one of them does, the other one must know: each request is asked of the one that has not done the
// last.
func TestEveryServerSeesEveryLock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		test func(t *testing.T, one, other office, l lab.Lesson)
	}{
		{"List", func(t *testing.T, one, other office, l lab.Lesson) {
			l = l.Say("List did not show what another server has done")
			made := one.lock("alice", "a.bin", l)
			lab.RequireEqual(t, "[alice a.bin]", names(listed(other, "GET /locks", l)), l)
			lab.RequireEqual(t, "[alice a.bin]", names(listed(other, "GET /locks?path=a.bin", l)), l)
			one.must(http.StatusOK, "alice", "POST /locks/"+made.ID+"/unlock {}", l)
			lab.RequireEqual(t, "[]", names(listed(other, "GET /locks", l)), l)
		}},
		{"Verify", func(t *testing.T, one, other office, l lab.Lesson) {
			l.Means = "the client pushes what another user has locked"
			l = l.Say("Verify did not show a lock that another server has given")
			verified := func() string {
				lists := read[wire.VerifyList](other, other.must(http.StatusOK, "bob", "POST /locks/verify {}", l), l)
				return fmt.Sprintf("ours %s, theirs %s", names(lists.Ours), names(lists.Theirs))
			}
			lab.RequireEqual(t, "ours [], theirs []", verified(), l)
			made := one.lock("alice", "a.bin", l)
			lab.RequireEqual(t, "ours [], theirs [alice a.bin]", verified(), l)
			one.must(http.StatusOK, "alice", "POST /locks/"+made.ID+"/unlock {}", l)
			lab.RequireEqual(t, "ours [], theirs []", verified(), l.Say("Verify still shows a lock that another server has removed"))
		}},
		{"Create", func(t *testing.T, one, other office, l lab.Lesson) {
			l = l.Say("Create did not answer 409 for a part that another server has locked")
			made := one.lock("alice", "a.bin", l)
			conflict := read[wire.Conflict](other, other.must(http.StatusConflict, "bob", `POST /locks {"path":"a.bin"}`, l), l)
			lab.RequireEqual(t, made, conflict.Lock, l.Say("Create did not answer 409 with the lock that is in the way"))
		}},
		{"Unlock", func(t *testing.T, one, other office, l lab.Lesson) {
			l = l.Say("Unlock did not give back a lock that another server has given")
			made := one.lock("alice", "a.bin", l)
			removed := read[wire.Locked](other, other.must(http.StatusOK, "alice", "POST /locks/"+made.ID+"/unlock {}", l), l)
			lab.RequireEqual(t, made, removed.Lock, l)
		}},
		{"Create after Unlock", func(t *testing.T, one, other office, l lab.Lesson) {
			l.Means = "a part that no one has can be locked by no one, until the server is started again"
			l = l.Say("Create refused a part that another server has unlocked")
			made := one.lock("alice", "a.bin", l)
			other.must(http.StatusOK, "alice", "POST /locks/"+made.ID+"/unlock {}", l)
			second := one.lock("bob", "a.bin", l)
			lab.Require(t, second.ID != made.ID, l.Say("Create gave a lock an ID that one before it has had"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c.test(t, open(t, dir), open(t, dir), lab.Lesson{
				Did:   "two servers on one directory; each request went to the one that had not answered the last",
				Means: "the servers do not agree on who has what", Read: why,
			})
		})
	}
}

func listed(o office, request string, l lab.Lesson) []wire.Lock {
	o.t.Helper()
	return read[wire.LockList](o, o.must(http.StatusOK, "carol", request, l), l).Locks
}
