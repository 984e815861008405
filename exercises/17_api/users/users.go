// Package users knows who may use the server, and checks their passwords.
//
// Users come from the command line (Parse) and from a file (Open), which holds no password, only what crypto/pbkdf2 made of it. Whoever
// reads the file still has to try passwords one by one, at a tenth of a second each.
package users

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"example/turnstile/internal/atomicfile"
)

// MaxName is how many bytes a user's name may have.
const MaxName = 64

// CheckName returns an error unless name can be a user's: 1 to MaxName bytes of UTF-8, without colons, without blanks at the ends, all of
// it visible, and no # at the beginning, which is a comment's.
func CheckName(name string) error {
	visible := func(r rune) bool { return r == ' ' || unicode.IsGraphic(r) && !unicode.IsSpace(r) }
	switch {
	case name == "" || len(name) > MaxName || !utf8.ValidString(name):
		return fmt.Errorf("the name %.64q is empty, longer than %d bytes, or not UTF-8", name, MaxName)
	case strings.HasPrefix(name, "#") || strings.Contains(name, ":"):
		return fmt.Errorf("the name %q has a colon, or begins with #", name)
	case strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return !visible(r) }):
		return fmt.Errorf("the name %q has a blank at an end, or a letter that cannot be seen", name)
	}
	return nil
}

type digest = [sha256.Size]byte

// Users checks names and passwords. It may be used by many goroutines.
type Users struct {
	key   []byte            // of this process, so that no digest means anything elsewhere
	given map[string]digest // from the command line; of name and password
	path  string            // of the file, or empty
	slots chan struct{}     // how many derivations may run at once: each takes a core for a tenth of a second

	mutex    sync.Mutex
	info     fs.FileInfo       // of the file that entries was read from
	entries  map[string]entry  // from the file
	verified map[string]digest // of names and passwords that were right for entries; so a user pays for one derivation, not for each request
}

// Parse returns the users of a list of NAME:PASSWORD.
func Parse(list []string) (*Users, error) {
	u := &Users{key: make([]byte, sha256.Size), given: map[string]digest{}, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
	_, _ = rand.Read(u.key) // it never fails: see its documentation
	for _, item := range list {
		name, password, ok := strings.Cut(item, ":")
		if !ok || password == "" {
			return nil, fmt.Errorf("the user %q has no password; write NAME:PASSWORD", name)
		}
		if err := CheckName(name); err != nil {
			return nil, err
		}
		if _, twice := u.given[name]; twice {
			return nil, fmt.Errorf("the user %q is given twice; leave one out", name)
		}
		u.given[name] = u.digest(name, password)
	}
	return u, nil
}

// Open adds the users of the file at path, which Add has written. The file is read again when it has changed: a user who is added or
// removed there is added or removed at once. The command line's users count first.
func (u *Users) Open(path string) error {
	u.path = path
	return u.refresh()
}

// Len returns how many users there are.
func (u *Users) Len() int {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	return len(u.given) + len(u.entries)
}

// Check reports whether there is a user with this name and password. It returns an error if it cannot tell: ctx has ended before its turn
// to compute, or the file cannot be read any more. Then no one from the file gets in.
//
// Its comparisons take the same time wherever two texts differ, and a name from nowhere takes as long as a wrong password in the file.
func (u *Users) Check(ctx context.Context, name, password string) (bool, error) {
	got := u.digest(name, password)
	if want, ok := u.given[name]; ok || u.path == "" {
		return hmac.Equal(got[:], want[:]) && ok, nil
	}
	if err := u.refresh(); err != nil {
		return false, err
	}
	if _, known := u.remembered(name, got); known {
		return true, nil
	}
	select {
	case u.slots <- struct{}{}:
		defer func() { <-u.slots }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	e, known := u.remembered(name, got) // another request of the user may have been first
	if known {
		return true, nil
	}
	if !e.matches(password) {
		return false, nil
	}
	u.remember(name, e, got)
	return true, nil
}

// remembered returns the user's entry, a decoy if there is none, and whether got was right before.
func (u *Users) remembered(name string, got digest) (entry, bool) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	e, ok := u.entries[name]
	if !ok {
		return decoy, false
	}
	right, ok := u.verified[name]
	return e, ok && hmac.Equal(got[:], right[:])
}

// remember keeps what was right for e, unless the file has said something else since.
func (u *Users) remember(name string, e entry, got digest) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if u.entries[name] == e {
		u.verified[name] = got
	}
}

// refresh reads the file if it is not the one that was read last.
func (u *Users) refresh() error {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	info, err := os.Stat(u.path)
	if err != nil {
		return fmt.Errorf("read the users: %w", err)
	}
	if u.info != nil && os.SameFile(info, u.info) && info.ModTime().Equal(u.info.ModTime()) && info.Size() == u.info.Size() {
		return nil
	}
	text, err := atomicfile.Read(u.path)
	if err != nil {
		return fmt.Errorf("read the users: %w", err)
	}
	entries, err := parseFile(string(text))
	if err != nil {
		return fmt.Errorf("read the users in %s: %w; mend the line, or remove it and add the user again", u.path, err)
	}
	u.info, u.entries, u.verified = info, entries, map[string]digest{}
	return nil
}

func (u *Users) digest(name, password string) digest {
	mac := hmac.New(sha256.New, u.key)
	_, _ = fmt.Fprintf(mac, "%d:%s:%s", len(name), name, password) // a hash takes everything
	return digest(mac.Sum(nil))
}
