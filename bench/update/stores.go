package update

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	gofrs "github.com/gofrs/flock"
	"github.com/rogpeppe/go-internal/lockedfile"
	"go.etcd.io/bbolt"
	_ "modernc.org/sqlite" // the driver

	"example/turnstile/bench/primitives"
	"example/turnstile/bench/results"
	"example/turnstile/exercises/11_locked_file/filelock"
	ours "example/turnstile/solutions/11_locked_file"
	document "example/turnstile/solutions/13_document"
)

type record struct {
	ID, Path, Owner string
	LockedAt        time.Time
}

type content struct {
	Count   int
	Records []record
}

// change is one update, the same for every store: the count goes up, and one record gets another owner.
func (c *content) change() error {
	c.Count++
	r := &c.Records[c.Count%len(c.Records)]
	r.Owner = owner(c.Count)
	return nil
}

func owner(n int) string { return fmt.Sprintf("person-%d", n%10) }

func first(records int) *content {
	c := &content{}
	for i := range records {
		c.Records = append(c.Records, record{id(i), fmt.Sprintf("assets/parts/bracket-%d.step", i), "alice", time.Unix(1e9, 0).UTC()})
	}
	return c
}

func id(i int) string { return fmt.Sprintf("%032x", i) }

// A store is an open one.
type store interface {
	update() error
	count() (count, records int, err error)
	close() error
}

// A kind is one way to keep the records.
type kind struct {
	name, how string
	guarantee results.Guarantee
	create    func(path string, records int) error
	open      func(path string) (store, error)
}

const (
	byHand       = "by hand"
	documentName = "Document.Update (13)"
	oneAtATime   = "Document.Update, one goroutine"
	editName     = "Edit (11)"
	boltName     = "bbolt"
	sqliteName   = "SQLite"
)

// durable are the ways after which a power cut takes nothing back.
func durable(m manner) []kind {
	return []kind{
		byHandKind(results.Durable, "lock a file beside, os.ReadFile, json.Unmarshal, json.Marshal, temp, fsync, rename, fsync of the directory"),
		{
			documentName, "one Document, Options zero; strict decoding, a turnstile, a backup, group commit",
			results.Durable, createDocument, openDocument,
		},
		onJSON("renameio + gofrs/flock", "flock.New(path.lock).Lock, json, renameio.WriteFile, and the fsync of the directory that it leaves out",
			results.Durable, func(path string) error {
				return errors.Join(renameUpdate(path), primitives.SyncDirectory(path))
			}),
		boltKind(results.Durable, m),
		sqliteKind("FULL", "journal_mode(WAL), synchronous(FULL), which SQLite's documentation asks for durability", results.Durable),
	}
}

// notDurable are the ways that do not wait for the disk at each update.
func notDurable() []kind {
	return []kind{
		byHandKind(results.KillSafe, "the same without any fsync"),
		onJSON("renameio + gofrs/flock", "flock.New(path.lock).Lock, json, renameio.WriteFile as it is: an fsync of the file",
			results.Whole, renameUpdate),
		onJSON(editName, "Edit of lesson 11, json in between: in place, locked on the file itself", results.Unsafe, func(path string) error {
			return ours.Edit(context.Background(), path, changed)
		}),
		onJSON("lockedfile.Transform", "json in between: in place, under a lock on the file itself", results.Unsafe, func(path string) error {
			return lockedfile.Transform(path, changed)
		}),
		onJSON("gofrs/flock + os.WriteFile", "flock.New(path.lock).Lock, json, os.WriteFile", results.Unsafe, func(path string) error {
			return locked(path, func() error {
				data, err := readChanged(path)
				if err != nil {
					return err
				}
				return os.WriteFile(path, data, 0o600)
			})
		}),
		boltKind(results.KillSafe, alone),
		sqliteKind("NORMAL", "journal_mode(WAL), synchronous(NORMAL), which SQLite's documentation recommends for WAL", results.Whole),
	}
}

// Ways that keep JSON in a file.

// A jsonFile is one that a function updates, which opens all it needs.
type jsonFile struct {
	path string
	way  func(path string) error
}

func (f jsonFile) update() error { return f.way(f.path) }
func (f jsonFile) close() error  { return nil }

func (f jsonFile) count() (count, records int, err error) {
	data, err := os.ReadFile(f.path)
	if err != nil {
		return 0, 0, err
	}
	var c content
	err = json.Unmarshal(data, &c)
	return c.Count, len(c.Records), err
}

func onJSON(name, how string, guarantee results.Guarantee, update func(path string) error) kind {
	return kind{name, how, guarantee, func(path string, records int) error {
		data, err := json.Marshal(first(records))
		if err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o600)
	}, func(path string) (store, error) { return jsonFile{path, update}, nil }}
}

func changed(old []byte) ([]byte, error) {
	var c content
	if err := json.Unmarshal(old, &c); err != nil {
		return nil, err
	}
	if err := c.change(); err != nil {
		return nil, err
	}
	return json.Marshal(c)
}

func readChanged(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return changed(data)
}

// byHandKind is what a program does that keeps a document and trusts it: the floor.
func byHandKind(guarantee results.Guarantee, how string) kind {
	return onJSON(byHand, how, guarantee, func(path string) (err error) {
		lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lock.Close()) }()
		handle, err := filelock.New(lock)
		if err != nil {
			return err
		}
		if err := handle.Lock(context.Background(), filelock.Exclusive); err != nil {
			return err
		}
		data, err := readChanged(path)
		if err == nil {
			err = primitives.Replace(path, data, guarantee)
		}
		return errors.Join(err, handle.Unlock())
	})
}

func locked(path string, work func() error) error {
	lock := gofrs.New(path + ".lock")
	if err := lock.Lock(); err != nil {
		return err
	}
	return errors.Join(work(), lock.Unlock())
}

func renameUpdate(path string) error {
	return locked(path, func() error {
		data, err := readChanged(path)
		if err != nil {
			return err
		}
		return primitives.RenameIO(path, data)
	})
}

// The reference.

type documentStore struct{ *document.Document[content] }

func createDocument(path string, records int) error {
	return document.New(path, document.Options[content]{}).Create(context.Background(), first(records))
}

func openDocument(path string) (store, error) {
	return documentStore{document.New(path, document.Options[content]{})}, nil
}

func (d documentStore) update() error { return d.Update(context.Background(), (*content).change) }
func (d documentStore) close() error  { return nil }

func (d documentStore) count() (count, records int, err error) {
	err = d.View(context.Background(), func(c *content) error {
		count, records = c.Count, len(c.Records)
		return nil
	})
	return count, records, err
}

// bbolt.

// A manner is who updates a store at the same time.
type manner int

const (
	alone     manner = iota
	together         // goroutines of one process
	processes        // several of them
)

func boltKind(guarantee results.Guarantee, m manner) kind {
	options := &bbolt.Options{Timeout: time.Minute, NoSync: guarantee != results.Durable}
	how := map[manner]string{
		alone:     "DB.Update on a DB that stays open; a key for each record",
		together:  "DB.Batch, which its documentation recommends for many goroutines, with its default delay; a key for each record",
		processes: "Open, Update, Close each time, because an open DB keeps all other processes out; Open polls every 50 ms",
	}[m]
	if options.NoSync {
		how += "; NoSync"
	}
	open := func(path string) (*bbolt.DB, error) { return bbolt.Open(path, 0o600, options) }
	return kind{boltName, how, guarantee, func(path string, records int) (err error) {
		db, err := open(path)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		return db.Update(func(tx *bbolt.Tx) error { return fillBolt(tx, records) })
	}, func(path string) (store, error) {
		if m == processes {
			return boltEach{path, open}, nil
		}
		db, err := open(path)
		if err != nil {
			return nil, err
		}
		transact := db.Update
		if m == together {
			transact = db.Batch
		}
		return boltStore{db, transact}, nil
	}}
}

func fillBolt(tx *bbolt.Tx, records int) error {
	bucket, err := tx.CreateBucket([]byte("records"))
	if err != nil {
		return err
	}
	for i, r := range first(records).Records {
		data, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if err := bucket.Put([]byte(id(i)), data); err != nil {
			return err
		}
	}
	meta, err := tx.CreateBucket([]byte("meta"))
	if err != nil {
		return err
	}
	return errors.Join(meta.Put([]byte("records"), number(records)), meta.Put([]byte("count"), number(0)))
}

func number(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func get(bucket *bbolt.Bucket, key string) int {
	data := bucket.Get([]byte(key))
	if len(data) != 8 {
		return -1
	}
	return int(binary.BigEndian.Uint64(data))
}

func changeBolt(tx *bbolt.Tx) error {
	meta, records := tx.Bucket([]byte("meta")), tx.Bucket([]byte("records"))
	count := get(meta, "count") + 1
	key := []byte(id(count % get(meta, "records")))
	var r record
	if err := json.Unmarshal(records.Get(key), &r); err != nil {
		return err
	}
	r.Owner = owner(count)
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return errors.Join(records.Put(key, data), meta.Put([]byte("count"), number(count)))
}

type boltStore struct {
	db       *bbolt.DB
	transact func(func(*bbolt.Tx) error) error
}

func (b boltStore) update() error { return b.transact(changeBolt) }
func (b boltStore) close() error  { return b.db.Close() }

func (b boltStore) count() (count, records int, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		count = get(tx.Bucket([]byte("meta")), "count")
		records = tx.Bucket([]byte("records")).Stats().KeyN
		return nil
	})
	return count, records, err
}

// A boltEach opens the database for each update.
type boltEach struct {
	path string
	open func(path string) (*bbolt.DB, error)
}

func (b boltEach) close() error { return nil }

func (b boltEach) with(use func(boltStore) error) error {
	db, err := b.open(b.path)
	if err != nil {
		return err
	}
	return errors.Join(use(boltStore{db, db.Update}), db.Close())
}

func (b boltEach) update() error { return b.with(boltStore.update) }

func (b boltEach) count() (count, records int, err error) {
	err = b.with(func(s boltStore) error {
		count, records, err = s.count()
		return err
	})
	return count, records, err
}

// SQLite.

type sqliteStore struct {
	db           *sql.DB
	next, change *sql.Stmt
	records      int
}

func openSQLite(path, synchronous string) (*sql.DB, error) {
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: url.Values{
		"_pragma": {"busy_timeout(60000)", "journal_mode(WAL)", "synchronous(" + synchronous + ")"}, "_txlock": {"immediate"},
	}.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func sqliteKind(synchronous, how string, guarantee results.Guarantee) kind {
	how += "; busy_timeout, BEGIN IMMEDIATE, one connection, prepared statements; a row for each record"
	return kind{sqliteName, how, guarantee, func(path string, records int) (err error) {
		db, err := openSQLite(path, synchronous)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		return fillSQLite(db, records)
	}, func(path string) (store, error) {
		db, err := openSQLite(path, synchronous)
		if err != nil {
			return nil, err
		}
		s := sqliteStore{db: db}
		s.next, err = db.Prepare("UPDATE meta SET count = count + 1 RETURNING count")
		if err == nil {
			s.change, err = db.Prepare("UPDATE records SET owner = ? WHERE id = ?")
		}
		if err == nil {
			_, s.records, err = s.count()
		}
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		return s, nil
	}}
}

func fillSQLite(db *sql.DB, records int) (err error) {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	for _, statement := range []string{
		"CREATE TABLE meta (count INTEGER NOT NULL)", "INSERT INTO meta VALUES (0)",
		"CREATE TABLE records (id TEXT PRIMARY KEY, path TEXT NOT NULL, owner TEXT NOT NULL, locked_at TEXT NOT NULL) WITHOUT ROWID",
	} {
		if _, err := tx.Exec(statement); err != nil {
			return err
		}
	}
	for _, r := range first(records).Records {
		if _, err := tx.Exec("INSERT INTO records VALUES (?, ?, ?, ?)", r.ID, r.Path, r.Owner, r.LockedAt.Format(time.RFC3339Nano)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (s sqliteStore) update() error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	var count int
	if err := tx.Stmt(s.next).QueryRow().Scan(&count); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if _, err := tx.Stmt(s.change).Exec(owner(count), id(count%s.records)); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (s sqliteStore) count() (count, records int, err error) {
	err = s.db.QueryRow("SELECT (SELECT count FROM meta), (SELECT count(*) FROM records)").Scan(&count, &records)
	return count, records, err
}

func (s sqliteStore) close() error {
	var err error
	for _, statement := range []*sql.Stmt{s.next, s.change} {
		if statement != nil {
			err = errors.Join(err, statement.Close())
		}
	}
	return errors.Join(err, s.db.Close())
}
