package seektruncate_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
)

const readers = 4

// misread is a record that was returned for another.
type misread struct {
	Happened  bool
	Want, Got string
}

// readRecords lets goroutines read through one open file, each its own record, until they have taken turns many times, and
// reports the first read that returned another record. They run on threads of their own, so that they meet on a machine
// with one core too.
func readRecords(w *lab.Worker) error {
	runtime.GOMAXPROCS(2 * readers)
	file, err := os.Open(w.Arg(0))
	if err != nil {
		return err
	}
	const enough, mostReads = 3000, 25_000
	var latest, turns atomic.Int64
	var group sync.WaitGroup
	var once sync.Once
	var first misread
	for n := range readers {
		group.Go(func() {
			for reads := 0; reads < mostReads && turns.Load() < enough; reads++ {
				got, err := seektruncate.ReadRecord(file, n)
				if err != nil {
					got = []byte(err.Error())
				}
				if string(got) != record(n) {
					once.Do(func() { first = misread{true, record(n), string(got)} })
					return
				}
				if latest.Swap(int64(n)) != int64(n) {
					turns.Add(1)
				}
			}
		})
	}
	group.Wait()
	return errors.Join(w.Result(first), file.Close())
}

func TestReadRecordSharesTheOpenFile(t *testing.T) {
	t.Parallel()

	t.Run("with a caller who reads on", func(t *testing.T) {
		t.Parallel()
		file := open(t, lab.WriteFile(t, "shelf.tab", table(4)))
		lesson := lab.Lesson{
			Says:  "ReadRecord did not return the record that it was asked for",
			Did:   "ReadRecord(file, 2) on a table of 4 records, after the program had read 5 bytes of it",
			Means: "Alice is told that Bob's place on the shelf is hers",
			Read:  `lessons/03_seek_truncate, "One offset for everybody"`,
		}
		if _, err := io.ReadFull(file, make([]byte, 5)); err != nil {
			t.Fatalf("the test cannot read its own file: %v", err)
		}
		got, err := seektruncate.ReadRecord(file, 2)
		lab.RequireNoError(t, err, lesson)
		lab.RequireEqual(t, record(2), string(got), lesson)

		lesson.Says = "ReadRecord moved the offset of the caller's file"
		lesson.Means = "whoever reads on through this open file goes on somewhere else, and takes the middle of a record for its beginning"
		lesson.Expected = "the offset is 5, as before the call"
		offset, err := file.Seek(0, io.SeekCurrent)
		lab.RequireNoError(t, err, lesson)
		lesson.Found = fmt.Sprintf("the offset is %d", offset)
		lab.Require(t, offset == 5, lesson)
	})

	t.Run("with many readers", func(t *testing.T) {
		t.Parallel()
		worker := lab.Start(t, "read records", lab.WriteFile(t, "shelf.tab", table(readers)))
		lesson := lab.Lesson{
			Says:  "ReadRecord returned another reader's record",
			Did:   fmt.Sprintf("%d goroutines read through one open file, each its own record, again and again", readers),
			Means: "Alice is told that Bob's place on the shelf is hers",
			Read:  `lessons/03_seek_truncate, "One offset for everybody"`,
		}
		var first misread
		worker.Result(&first, lesson)
		lab.RequireNoError(t, worker.Wait(lesson), lesson)
		lesson.Expected, lesson.Found = lab.Show([]byte(first.Want)), lab.Show([]byte(first.Got))
		lab.Require(t, !first.Happened, lesson)
	})
}

func TestReadRecordRefusesAHalfRecord(t *testing.T) {
	t.Parallel()
	whole := table(3)
	for _, c := range []struct {
		name, content string
		n             int
		want          error // nil: the record is whole
		lesson        lab.Lesson
	}{
		{"the last record is whole", whole, 2, nil, lab.Lesson{
			Says:  "ReadRecord did not return the last record of the table",
			Did:   "ReadRecord(file, 2) on a table of 3 records",
			Means: "whoever stands last in the table does not exist",
		}},
		{"the last record is torn", whole[:2*seektruncate.RecordSize+10], 2, io.ErrUnexpectedEOF, lab.Lesson{
			Says:  "ReadRecord did not report a record that is only partly there",
			Did:   "the table ends with 10 of 32 bytes of record 2; ReadRecord(file, 2)",
			Means: "half a record, filled up with zeros or cut off, is taken for a whole one",
		}},
		{"the table ends before the record", whole, 3, io.EOF, lab.Lesson{
			Says:  "ReadRecord did not report the end of the table",
			Did:   "ReadRecord(file, 3) on a table of 3 records",
			Means: "a program that reads record after record never stops, or takes a clean end for damage",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.lesson.Read = `lessons/03_seek_truncate, "A read may return less"`
			got, err := seektruncate.ReadRecord(open(t, lab.WriteFile(t, "shelf.tab", c.content)), c.n)
			if c.want == nil {
				lab.RequireNoError(t, err, c.lesson)
				lab.RequireEqual(t, record(c.n), string(got), c.lesson)
				return
			}
			if err == nil {
				c.lesson.Found = fmt.Sprintf("no error, and %d bytes: %s", len(got), lab.Show(got))
			}
			if c.want == io.ErrUnexpectedEOF && errors.Is(err, io.EOF) {
				c.lesson.Means = "damage is taken for the clean end of the table, and nobody looks for the rest"
				c.lesson.Expected, c.lesson.Found = "an error that matches io.ErrUnexpectedEOF and does not match io.EOF", err.Error()
				lab.Fail(t, c.lesson)
			}
			lab.RequireErrorIs(t, err, c.want, c.lesson)
			requireNothing(t, "ReadRecord", got, c.lesson)
		})
	}
}

// requireNothing demands that a call which returned an error returned no bytes beside it.
func requireNothing(t *testing.T, call string, got []byte, lesson lab.Lesson) {
	t.Helper()
	lesson.Says = call + " returned bytes beside its error"
	lesson.Means = "whoever looks at the bytes first takes half of something for the whole"
	lesson.Expected, lesson.Found = "no bytes", lab.Show(got)
	lab.Require(t, len(got) == 0, lesson)
}

func TestReadHeaderTakesTheWholeHeader(t *testing.T) {
	t.Parallel()
	const header, rest = "ISO-10303-21 v1;", "the rest of the part"
	lesson := lab.Lesson{
		Says:  "ReadHeader did not wait for the whole header",
		Means: "a part that comes over a slow connection is taken for one of another format",
		Read:  `lessons/03_seek_truncate, "A read may return less"`,
	}
	for _, c := range []struct {
		name, did string
		slow      func(io.Reader) io.Reader
	}{
		{"from a reader that gives a byte at a time", "the part came a byte at a time", iotest.OneByteReader},
		{"from a reader that gives half of what it is asked for", "each Read gave half of what it was asked for", iotest.HalfReader},
		{"from a reader that gives all at once", "the whole part came in one piece", func(r io.Reader) io.Reader { return r }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson := lesson
			lesson.Did = c.did
			part := c.slow(strings.NewReader(header + rest))
			got, err := seektruncate.ReadHeader(part)
			lab.RequireNoError(t, err, lesson)
			lab.RequireEqual(t, header, string(got), lesson)

			lesson.Says = "ReadHeader took more than the header"
			lesson.Means = "the first bytes behind the header are gone: the part cannot be read"
			left, err := io.ReadAll(part)
			lab.RequireNoError(t, err, lesson)
			lab.RequireEqual(t, rest, string(left), lesson)
		})
	}

	t.Run("and together with the end", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Did = "the part is a header and nothing else; the reader gave its last bytes together with io.EOF"
		lesson.Means = "a part with nothing behind its header cannot be stored"
		lesson.Says = "ReadHeader refused a header that was complete"
		got, err := seektruncate.ReadHeader(iotest.DataErrReader(strings.NewReader(header)))
		lab.RequireNoError(t, err, lesson)
		lab.RequireEqual(t, header, string(got), lesson)
	})
	t.Run("or none", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Says = "ReadHeader took a part that broke off for a whole one"
		lesson.Did = "the connection ended after 7 of 16 bytes"
		lesson.Means = "a broken upload is stored as if it were the part"
		got, err := seektruncate.ReadHeader(strings.NewReader(header[:7]))
		lab.RequireErrorIs(t, err, io.ErrUnexpectedEOF, lesson)
		requireNothing(t, "ReadHeader", got, lesson)
		lesson.Says = "ReadHeader did not say that nothing came"
		lesson.Did = "the connection ended before the first byte"
		lesson.Means = "an empty upload looks like a damaged one"
		_, err = seektruncate.ReadHeader(strings.NewReader(""))
		lab.RequireErrorIs(t, err, io.EOF, lesson)
	})
}
