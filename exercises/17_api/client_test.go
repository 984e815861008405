package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/17_api/wire"
	"example/turnstile/internal/lab"
)

// What git-lfs makes of an answer depends on details. Each was seen with git-lfs 3.3.0.
func TestAnswersAreWhatTheClientReads(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	l := lab.Lesson{Read: answers}
	l.Did = "alice locked a.bin and asked for it again; bob asked for A.BIN; both verified; bob unlocked it, at last with force"

	l = l.Say("List and Verify do not answer with empty lists where there is no lock")
	l.Means = "a client that expects a list finds null"
	lab.RequireEqual(t, `{"locks":[]}`, strings.TrimSpace(o.must(http.StatusOK, "alice", "GET /locks", l).text), l)
	lab.RequireEqual(t, `{"locks":[]}`, strings.TrimSpace(o.must(http.StatusOK, "alice", "GET /locks?path=a.bin", l).text), l)
	lab.RequireEqual(t, `{"ours":[],"theirs":[]}`, strings.TrimSpace(o.must(http.StatusOK, "alice", "POST /locks/verify {}", l).text), l)

	before := time.Now().Add(-time.Second)
	const request = `POST /locks {"path":"a.bin","ref":{"name":"refs/heads/main"}}`
	made := o.must(http.StatusCreated, "alice", request, l.Say("Create did not answer 201"))
	shape := regexp.MustCompile(`^\{"lock":\{"id":"[A-Za-z0-9._~-]+","path":"a\.bin","locked_at":"[^"]+","owner":\{"name":"alice"\}\}\}\s*$`)
	l.Expected, l.Found = `{"lock":{"id":…,"path":"a.bin","locked_at":…,"owner":{"name":"alice"}}} and nothing else`, made.String()
	l.Means = "the client takes a message for a failure, and panics where the owner is missing"
	lab.Require(t, shape.MatchString(made.text), l.Say("Create does not answer as the client needs it"))
	lock := read[wire.Locked](o, made, l).Lock
	l.Expected, l.Found = "now, in whole seconds", lock.LockedAt.String()
	now := lock.LockedAt.After(before) && !lock.LockedAt.After(time.Now()) && lock.LockedAt.Nanosecond() == 0
	lab.Require(t, now, l.Say("Create does not say when the lock was made"))
	l.Expected, l.Found = "", ""

	for _, c := range []struct{ user, path string }{{"bob", "A.BIN"}, {"alice", "a.bin"}} { // two names of one part
		l.Means = "the client shows its user neither who has the part nor since when"
		l = l.Say("Create did not answer 409 with the lock that is in the way to %s, who asked for %s", c.user, c.path)
		conflict := read[wire.Conflict](o, o.must(http.StatusConflict, c.user, fmt.Sprintf(`POST /locks {"path":%q}`, c.path), l), l)
		lab.RequireEqual(t, lock, conflict.Lock, l)
		lab.Require(t, conflict.Message != "", shows(l, "a message", "none"))
	}
	for _, c := range []struct{ user, want string }{{"alice", "ours [alice a.bin], theirs []"}, {"bob", "ours [], theirs [alice a.bin]"}} {
		l.Means = "the client pushes what another has locked, or refuses what it may push"
		l = l.Say("Verify did not tell %s's locks from those of others", c.user)
		lists := read[wire.VerifyList](o, o.must(http.StatusOK, c.user, "POST /locks/verify {}", l), l)
		lab.RequireEqual(t, c.want, fmt.Sprintf("ours %s, theirs %s", names(lists.Ours), names(lists.Theirs)), l)
	}

	for _, body := range []string{`{}`, `{"force":false}`} {
		a := o.try("bob", "POST /locks/"+lock.ID+"/unlock "+body, l.Say("Unlock did not answer"))
		l := l.Say("Unlock did not answer 403 to bob, who is not the owner")
		l.Means = "bob does not learn that alice has the part, and that he must ask her"
		l.Expected, l.Found = "status 403", a.String()
		if a.status == http.StatusOK {
			l.Says, l.Means = "Unlock gave bob the lock of alice", "everyone can take what another works on"
		}
		lab.Require(t, a.status == http.StatusForbidden, l)
	}
	l.Means = "the client reports an invalid answer, though the lock is gone"
	forced := o.must(http.StatusOK, "bob", "POST /locks/"+lock.ID+`/unlock {"force":true}`, l.Say("Unlock did not obey force"))
	l = l.Say("Unlock did not answer with the lock as it was")
	l.Means = "the client does not hear whose lock is gone, and since when"
	lab.RequireEqual(t, lock, read[wire.Locked](o, forced, l).Lock, l)
	o.must(http.StatusNotFound, "bob", "POST /locks/"+lock.ID+"/unlock {}", l.Say("Unlock did not answer 404 for a lock that is gone"))
}

// More locks than one answer holds, and some go while the client is reading.
func TestListsComePieceByPiece(t *testing.T) {
	t.Parallel()
	const many = 110 // more than one piece has if the client does not say how many it wants
	dir := t.TempDir()
	o := open(t, dir)
	l := lab.Lesson{
		Did:   fmt.Sprintf("%d parts were locked, by two users in turn; a client read them in pieces and went on at next_cursor", many),
		Means: "a lock that the client does not see stops no push", Read: paging,
	}
	ids := map[string]string{}
	manager := lockmanager.New(filepath.Join(dir, "locks.json"), lockmanager.Options{})
	for i := range many {
		made, err := manager.Lock(t.Context(), []string{"alice", "bob"}[i%2], fmt.Sprintf("part-%03d.bin", i))
		lab.RequireSetUp(t, err)
		ids[made.Path] = made.ID
	}
	type piece struct {
		locks []wire.Lock
		next  string
	}
	const limit = 20
	asks := map[string]func(o office, cursor string, l lab.Lesson) piece{
		"List": func(o office, cursor string, l lab.Lesson) piece {
			target := fmt.Sprintf("GET /locks?limit=%d", limit)
			if cursor != "" {
				target += "&cursor=" + cursor
			}
			list := read[wire.LockList](o, o.must(http.StatusOK, "carol", target, l), l)
			return piece{list.Locks, list.NextCursor}
		},
		"Verify": func(o office, cursor string, l lab.Lesson) piece {
			request := fmt.Sprintf(`POST /locks/verify {"cursor":%q,"limit":%d}`, cursor, limit)
			list := read[wire.VerifyList](o, o.must(http.StatusOK, "alice", request, l), l)
			return piece{append(list.Ours, list.Theirs...), list.NextCursor}
		},
	}
	for _, verb := range slices.Sorted(maps.Keys(asks)) {
		t.Run(verb, func(t *testing.T) {
			l := l.Say("%s did not return each lock once", verb)
			seen, cursor := map[string]int{}, ""
			for n := 0; n == 0 || cursor != ""; n++ {
				p := asks[verb](o.on(t), cursor, l)
				cursor = p.next
				lab.Require(t, len(p.locks) <= limit, shows(l.Say("%s did not keep to the limit", verb), "20 locks at most", len(p.locks)))
				lab.Require(t, n < many, shows(l.Say("%s returns a next_cursor for ever", verb), "an end after 6 pieces", n))
				for _, lock := range p.locks {
					seen[lock.Path]++
				}
			}
			for _, path := range slices.Sorted(maps.Keys(ids)) {
				lab.Require(t, seen[path] == 1, shows(l, path+" once", fmt.Sprintf("%d times", seen[path])))
			}
		})
	}
	if t.Failed() {
		return // what follows needs pieces
	}
	l.Did += "; three were unlocked after the first piece"
	l = l.Say("List lost a lock when others before it were unlocked")
	first := read[wire.LockList](o, o.must(http.StatusOK, "carol", "GET /locks?limit=4", l), l)
	lab.RequireEqual(t, "[alice part-000.bin, bob part-001.bin, alice part-002.bin, bob part-003.bin]", names(first.Locks), l)
	for _, lock := range first.Locks[:3] {
		o.must(http.StatusOK, "carol", "POST /locks/"+lock.ID+`/unlock {"force":true}`, l)
	}
	second := read[wire.LockList](o, o.must(http.StatusOK, "carol", "GET /locks?limit=3&cursor="+first.NextCursor, l), l)
	lab.RequireEqual(t, "[alice part-004.bin, bob part-005.bin, alice part-006.bin]", names(second.Locks), l)

	l = l.Say("List did not obey its filters")
	l.Means = "git lfs unlock takes the first lock of the answer, and removes it"
	lab.RequireEqual(t, "[bob part-009.bin]", names(listed(o, "GET /locks?path=part-009.bin", l)), l)
	lab.RequireEqual(t, "[bob part-109.bin]", names(listed(o, "GET /locks?path=part-109.bin&limit=1", l)), l)
	lab.RequireEqual(t, "[bob part-109.bin]", names(listed(o, "GET /locks?id="+ids["part-109.bin"], l)), l)
	lab.RequireEqual(t, "[]", names(listed(o, "GET /locks?path=part-009.bin&id="+ids["part-011.bin"], l)), l)
	lab.RequireEqual(t, "[]", names(listed(o, "GET /locks?path=missing.bin", l)), l)
	l = l.Say("List without a limit did not return each lock once")
	all := read[wire.LockList](o, o.must(http.StatusOK, "carol", "GET /locks", l), l)
	rest := wire.LockList{}
	if all.NextCursor != "" {
		rest = read[wire.LockList](o, o.must(http.StatusOK, "carol", "GET /locks?cursor="+all.NextCursor, l), l)
	}
	lab.RequireEqual(t, many-3, len(all.Locks)+len(rest.Locks), l)
}
