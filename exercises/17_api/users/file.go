package users

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/internal/atomicfile"
)

const (
	scheme     = "pbkdf2-sha256"
	iterations = 600_000 // OWASP's password storage cheat sheet, for PBKDF2 with HMAC-SHA-256
	least      = 100_000 // what a file may ask for at least and at most
	most       = 10_000_000
	saltLength = 16
)

// An entry is what the file knows of a user's password.
type entry struct {
	iterations int
	salt, key  string // bytes
}

var decoy = entry{iterations: iterations, salt: strings.Repeat("0", saltLength), key: strings.Repeat("0", sha256.Size)}

func newEntry(password string) (entry, error) {
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt) // it never fails: see its documentation
	key, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	return entry{iterations, string(salt), string(key)}, err
}

func (e entry) matches(password string) bool {
	key, err := pbkdf2.Key(sha256.New, password, []byte(e.salt), e.iterations, sha256.Size)
	return err == nil && subtle.ConstantTimeCompare(key, []byte(e.key)) == 1
}

var encoding = base64.RawStdEncoding.Strict()

// line returns the entry as a line of the file.
func (e entry) line(name string) string {
	salt, key := encoding.EncodeToString([]byte(e.salt)), encoding.EncodeToString([]byte(e.key))
	return fmt.Sprintf("%s:%s:%d:%s:%s\n", name, scheme, e.iterations, salt, key)
}

// parseLine is the inverse of line.
func parseLine(text string) (name string, e entry, err error) {
	fields := strings.Split(text, ":")
	if len(fields) != 5 || fields[1] != scheme {
		return "", entry{}, fmt.Errorf("it is not NAME:%s:ITERATIONS:SALT:KEY", scheme)
	}
	if err := CheckName(fields[0]); err != nil {
		return "", entry{}, err
	}
	n, err := strconv.Atoi(fields[2])
	if err != nil || n < least || n > most {
		return "", entry{}, fmt.Errorf("it has not %d to %d iterations", least, most)
	}
	salt, saltErr := encoding.DecodeString(fields[3])
	key, keyErr := encoding.DecodeString(fields[4])
	if saltErr != nil || keyErr != nil || len(salt) < saltLength || len(key) != sha256.Size {
		return "", entry{}, errors.New("its salt or its key is damaged")
	}
	return fields[0], entry{n, string(salt), string(key)}, nil
}

// parseFile reads all lines. Empty lines, and those that begin with #, are comments.
func parseFile(text string) (map[string]entry, error) {
	entries := map[string]entry{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, e, err := parseLine(line)
		if _, twice := entries[name]; err == nil && twice {
			err = fmt.Errorf("the user %q is there twice", name)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		entries[name] = e
	}
	return entries, nil
}

// Add adds a user to the file at path, or changes their password, and reports which. A file that does not exist is created, for its owner
// alone; its directory is not. Several programs may add users at once: they take turns with a lock on path + ".lock", which stays. The file
// is replaced in one step, so a server that reads it meets the old users or the new ones.
func Add(ctx context.Context, path, name, password string) (changed bool, err error) {
	if err := CheckName(name); err != nil {
		return false, err
	}
	if password == "" {
		return false, fmt.Errorf("the user %q needs a password", name)
	}
	added, err := newEntry(password)
	if err != nil {
		return false, fmt.Errorf("add the user %q: %w", name, err)
	}
	err = locked(ctx, path+".lock", func() error {
		old, err := readOrCreate(path)
		if err != nil {
			return err
		}
		entries, err := parseFile(old)
		if err != nil {
			return fmt.Errorf("%s: %w; mend the line or remove it", path, err)
		}
		var text strings.Builder
		for line := range strings.Lines(old) {
			if strings.HasPrefix(line, name+":") {
				continue
			}
			text.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
		text.WriteString(added.line(name))
		_, changed = entries[name]
		return atomicfile.Replace(path, []byte(text.String()))
	})
	if err != nil {
		return false, fmt.Errorf("add the user %q: %w", name, err)
	}
	return changed, nil
}

// readOrCreate returns what the file holds. Replace keeps the mode of a file that exists, so a new one is created for its owner alone
// first.
func readOrCreate(path string) (string, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return "", file.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	text, err := atomicfile.Read(path)
	return string(text), err
}

// locked calls do while it has an exclusive lock on the file at path.
func locked(ctx context.Context, path string, do func() error) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lock, err := filelock.New(file)
	if err != nil {
		return err
	}
	if err := lock.Lock(ctx, filelock.Exclusive); err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	return do()
}
