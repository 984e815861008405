package seektruncate_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
)

// record returns record n of the tests' table: its number, then dots up to the record's size.
func record(n int) string {
	number := fmt.Sprintf("record %d ", n)
	return number + strings.Repeat(".", seektruncate.RecordSize-len(number))
}

func table(records int) string {
	var b strings.Builder
	for n := range records {
		b.WriteString(record(n))
	}
	return b.String()
}

// overwrite does what the owner of bytes may do, append included.
func overwrite(bytes []byte) {
	for i := range bytes[:cap(bytes)] {
		bytes[:cap(bytes)][i] = '!'
	}
}

// recordOf is a call of ReadRecord that must return.
func recordOf(t *testing.T, file *os.File, n int, lesson lab.Lesson) (record []byte, err error) {
	t.Helper()
	lab.Finishes(t, func() { record, err = seektruncate.ReadRecord(file, n) }, lesson)
	return record, err
}

func TestReadRecordReturnsThatRecord(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:  "ReadRecord did not return the record that it was asked for",
		Means: "Alice is sent to the shelf of another part",
		Read:  `lessons/03_seek_truncate, "The fix"`,
	}
	t.Run("in any order", func(t *testing.T) {
		t.Parallel()
		file := open(t, lab.WriteFile(t, "shelf.tab", table(4)))
		for _, n := range []int{2, 0, 3, 3, 1} {
			lesson := lesson
			lesson.Did = fmt.Sprintf("ReadRecord(file, %d) on a table of 4 records", n)
			got, err := recordOf(t, file, n, lesson)
			lab.RequireNoError(t, err, lesson)
			lab.RequireEqual(t, record(n), string(got), lesson)
		}
	})
	t.Run("in bytes of its own", func(t *testing.T) {
		t.Parallel()
		file := open(t, lab.WriteFile(t, "shelf.tab", table(4)))
		lesson := lesson
		lesson.Did = "ReadRecord(file, n) for n = 1, 2, 1; then the caller overwrote each result, up to its capacity, and looked at the next"
		lesson.Says = "ReadRecord returned bytes that belong to another record as well"
		var got [][]byte
		wanted := []int{1, 2, 1}
		for _, n := range wanted {
			one, err := recordOf(t, file, n, lesson)
			lab.RequireNoError(t, err, lesson)
			got = append(got, one)
		}
		for i, n := range wanted {
			lab.RequireEqual(t, record(n), string(got[i]), lesson)
			overwrite(got[i])
		}
	})
	t.Run("as it is now", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "shelf.tab", table(4))
		file := open(t, path)
		lesson := lesson
		lesson.Did = "ReadRecord(file, 1), then another program changed record 1 and kept the file's length and time, then ReadRecord(file, 1)"
		lesson.Says = "ReadRecord did not return the record as it is now, byte by byte"
		for _, fill := range []string{"!", " ", "\x00", "\n"} {
			_, err := recordOf(t, file, 1, lesson)
			lab.RequireNoError(t, err, lesson)
			changed := strings.Repeat(fill, seektruncate.RecordSize)
			before, err := os.Stat(path)
			prepared(t, err)
			prepared(t, os.WriteFile(path, []byte(record(0)+changed+table(4)[2*seektruncate.RecordSize:]), 0o600))
			prepared(t, os.Chtimes(path, before.ModTime(), before.ModTime())) // as rsync --inplace --times does
			got, err := recordOf(t, file, 1, lesson)
			lab.RequireNoError(t, err, lesson)
			lab.RequireEqual(t, changed, string(got), lesson)
		}
	})
	t.Run("as soon as it exists", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "shelf.tab", table(4))
		file := open(t, path)
		lesson := lesson
		lesson.Did = "ReadRecord(file, 4) on a table of 4 records, then another program added record 4, then ReadRecord(file, 4)"
		_, err := recordOf(t, file, 4, lesson)
		lab.RequireErrorIs(t, err, io.EOF, lesson)
		prepared(t, os.WriteFile(path, []byte(table(5)), 0o600))
		got, err := recordOf(t, file, 4, lesson)
		lab.RequireNoError(t, err, lesson)
		lab.RequireEqual(t, record(4), string(got), lesson)
	})
	t.Run("of the open file, whatever its name", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t, "Windows does not rename a file that Go has opened")
		path := lab.WriteFile(t, "shelf.tab", table(4))
		file := open(t, path)
		prepared(t, os.Rename(path, path+".old"))
		prepared(t, os.WriteFile(path, []byte(strings.Repeat("another table   ", 8)), 0o600))
		lesson := lesson
		lesson.Did = "the open table was renamed and another one put at its path; ReadRecord(file, 2)"
		got, err := recordOf(t, file, 2, lesson)
		lab.RequireNoError(t, err, lesson)
		lab.RequireEqual(t, record(2), string(got), lesson)
	})
}

func TestReadRecordLeavesTheOffsetAlone(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:  "ReadRecord moved the offset of the caller's file",
		Did:   "the program had read 5 bytes of the table; ReadRecord(file, 2)",
		Means: "a caller who reads on goes on somewhere else, and mistakes the middle of a record for its beginning",
		Read:  `lessons/03_seek_truncate, "One offset for many users"`,
	}
	t.Run("afterwards", func(t *testing.T) {
		t.Parallel()
		file := open(t, lab.WriteFile(t, "shelf.tab", table(4)))
		lesson := lesson
		_, err := io.ReadFull(file, make([]byte, 5))
		prepared(t, err)
		_, err = recordOf(t, file, 2, lesson)
		lab.RequireNoError(t, err, lesson)
		lesson.Expected = "the offset is 5, as before the call"
		offset, err := file.Seek(0, io.SeekCurrent)
		lab.RequireNoError(t, err, lesson)
		lesson.Found = fmt.Sprintf("the offset is %d", offset)
		lab.Require(t, offset == 5, lesson)
	})
	t.Run("and meanwhile", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "shelf.tab", table(4))
		worker := lab.Step(t, stops, filepath.Dir(path), "read record", path)
		lesson := lesson
		var opened struct{ Descriptor uintptr }
		worker.Call("open", &opened, func(lab.Stop) {})
		var got string
		worker.Call("2", &got, func(stop lab.Stop) {
			offset, err := offsetOf(worker.PID(), opened.Descriptor)
			if errors.Is(err, fs.ErrNotExist) {
				return // ReadRecord has closed the file: the result will tell
			}
			prepared(t, err)
			lesson.Expected = "the offset is 5 after each system call"
			lesson.Found = fmt.Sprintf("the offset is %d after %s", offset, stop.Call.Name)
			lesson.Means = "a goroutine that reads through the same file at this moment reads somewhere else"
			lab.Require(t, offset == 5, lesson)
		}, lesson)
		lab.RequireEqual(t, record(2), got, lesson)
	})
	t.Run("with many readers at once", func(t *testing.T) {
		t.Parallel()
		worker := lab.Start(t, "read in turns", lab.WriteFile(t, "shelf.tab", table(readers)))
		lesson := lesson
		lesson.Says = "ReadRecord returned another reader's record"
		lesson.Did = fmt.Sprintf("%d goroutines read through one open file, each its own record, again and again", readers)
		lesson.Means = "Alice is sent to the shelf of Bob's part"
		var first misread
		worker.Result(&first, lesson)
		lab.RequireNoError(t, worker.Wait(lesson), lesson)
		lesson.Expected, lesson.Found = lab.Show([]byte(first.Want)), lab.Show([]byte(first.Got))
		lab.Require(t, !first.Happened, lesson)
	})
}

// readRecord is the body of a worker that is stopped after each call of ReadRecord. The first order opens the table and reads 5 bytes of
// it; another one is the number of a record.
func readRecord(w *lab.Worker) error {
	var file *os.File
	return lab.Steps(w, func(order string) any {
		if order == "open" {
			var err error
			if file, err = os.Open(w.Arg(0)); err != nil {
				return err.Error()
			}
			if _, err := io.ReadFull(file, make([]byte, 5)); err != nil {
				return err.Error()
			}
			return map[string]uintptr{"Descriptor": file.Fd()}
		}
		n, err := strconv.Atoi(order)
		if err != nil {
			return err.Error()
		}
		got, err := seektruncate.ReadRecord(file, n)
		if err != nil {
			return err.Error()
		}
		return string(got)
	})
}

const readers = 4

// misread is a record that was returned for another.
type misread struct {
	Happened  bool
	Want, Got string
}

// readInTurns lets goroutines read through one open file, each its own record, until they have taken turns many times, and reports the
// first read that returned another record. They run on threads of their own, so that they meet on a machine with one core too.
func readInTurns(w *lab.Worker) error {
	runtime.GOMAXPROCS(2 * readers)
	file, err := os.Open(w.Arg(0))
	if err != nil {
		return err
	}
	enough, mostReads := int64(lab.Rounds(2000)), lab.Rounds(20_000)
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

func TestReadRecordTellsTheEndFromDamage(t *testing.T) {
	t.Parallel()
	whole := table(3)
	torn := func(bytes int) string { return whole[:2*seektruncate.RecordSize+bytes] }
	read := `lessons/03_seek_truncate, "A read may return less"`
	damage := lab.Lesson{
		Says: "ReadRecord did not report a record of which only a part exists",
		Did:  "the table ends inside record 2; ReadRecord(file, 2)", Read: read,
		Means: "half a record, filled up with zeros or cut off, is mistaken for a whole one",
	}
	end := lab.Lesson{
		Says: "ReadRecord did not report the end of the table", Read: read,
		Means: "a program that reads record after record never stops, or mistakes the end for damage",
	}
	for _, c := range []struct {
		name, content string
		n             int
		want          error
		lesson        lab.Lesson
	}{
		{"10 of 32 bytes", torn(10), 2, io.ErrUnexpectedEOF, damage},
		{"1 of 32 bytes", torn(1), 2, io.ErrUnexpectedEOF, damage},
		{"31 of 32 bytes", torn(31), 2, io.ErrUnexpectedEOF, damage},
		{"the next record after the last", whole, 3, io.EOF, end},
		{"the next record after half a record", torn(10), 3, io.EOF, end},
		{"the first record of an empty table", "", 0, io.EOF, end},
		{"a record far beyond the end", whole, 1 << 20, io.EOF, end},
		{"a record whose place has more than 32 bits", whole, 1 << 27, io.EOF, end},
		{"a record whose number has more than 32 bits", whole, huge(32), io.EOF, end},
		{"a record whose place is greater than any number", whole, huge(59), io.EOF, end},
		{"a record whose place is a negative number", whole, huge(58), io.EOF, end},
		{"the greatest number", whole, math.MaxInt, io.EOF, end},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson := c.lesson
			if lesson.Did == "" {
				lesson.Did = fmt.Sprintf("ReadRecord(file, %d) on a table of %d records", c.n, len(c.content)/seektruncate.RecordSize)
			}
			got, err := recordOf(t, open(t, lab.WriteFile(t, "shelf.tab", c.content)), c.n, lesson)
			if err == nil {
				lesson.Found = fmt.Sprintf("no error, and %d bytes: %s", len(got), lab.Show(got))
			}
			if c.want == io.ErrUnexpectedEOF && errors.Is(err, io.EOF) {
				lesson.Means = "damage is mistaken for the end of the table, and no program looks for the rest"
				lesson.Expected, lesson.Found = "an error that matches io.ErrUnexpectedEOF and does not match io.EOF", err.Error()
				lab.Fail(t, lesson)
			}
			lab.RequireErrorIs(t, err, c.want, lesson)
			requireNothing(t, "ReadRecord", got, lesson)
		})
	}
	t.Run("10 bytes cut off meanwhile", tellsDamageThatCameMeanwhile)
}

// What ReadRecord learns of the table's length before it reads may be wrong by then.
func tellsDamageThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	whole := table(2)
	path := lab.WriteFile(t, "shelf.tab", whole)
	lesson := lab.Lesson{
		Says:  "ReadRecord mistook a record of which only a part exists for something else",
		Means: "damage is mistaken for the end of the table, and no program looks for the rest",
		Read:  `lessons/03_seek_truncate, "A read may return less"`,
	}
	worker := lab.Step(t, stops, filepath.Dir(path), "step read", path)
	for moment, more := 1, true; more; moment++ {
		prepared(t, os.WriteFile(path, []byte(whole), 0o600))
		more = false
		var got reading
		worker.Call("read", &got, func(stop lab.Stop) {
			if stop.Number == moment {
				lesson.Did = "another process cut 10 bytes off the table, in record 1, after ReadRecord's call of " + stop.Call.Name
				prepared(t, os.Truncate(path, int64(len(whole)-10)))
				more = true
			}
		}, lesson)
		if got.Returned.Err == nil && got.Bytes == whole[seektruncate.RecordSize:] {
			continue // it had been read by then
		}
		lab.RequireErrorIs(t, got.Returned.Err, io.ErrUnexpectedEOF, lesson)
		if errors.Is(got.Returned.Err, io.EOF) {
			lesson.Expected, lesson.Found = "an error that does not match io.EOF", got.Returned.Err.Error()
			lab.Fail(t, lesson)
		}
	}
}

// huge is 1<<bits, or the greatest int where an int is smaller.
func huge(bits int) int {
	if strconv.IntSize <= bits {
		return math.MaxInt
	}
	return 1 << bits
}

// requireNothing demands that a call which returned an error returned no bytes beside it.
func requireNothing(t *testing.T, call string, got []byte, lesson lab.Lesson) {
	t.Helper()
	lesson.Says = call + " returned bytes beside its error"
	lesson.Means = "a caller who uses the bytes mistakes half of something for the whole"
	lesson.Expected, lesson.Found = "no bytes", lab.Show(got)
	lab.Require(t, len(got) == 0, lesson)
}

// requireNoEnd demands that an error is neither the end nor damage.
func requireNoEnd(t *testing.T, call string, err error, lesson lab.Lesson) {
	t.Helper()
	lesson.Says = call + " mistook an error for the end"
	lesson.Means = "a program that stops at the end takes what it has read so far for all there is"
	if err != nil {
		lesson.Expected, lesson.Found = "an error that matches neither io.EOF nor io.ErrUnexpectedEOF", err.Error()
	}
	lab.Require(t, !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF), lesson)
}

func TestReadRecordReturnsOtherErrorsAsTheyAre(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:  "ReadRecord did not return the cause of its failure",
		Means: "the caller cannot tell what went wrong",
		Read:  `lessons/03_seek_truncate, "A read may return less"`,
	}
	for _, c := range []struct {
		name, did string
		file      func(t *testing.T) *os.File
		want      error
		unix      bool
	}{
		{"a closed file", "the file was closed before ReadRecord(file, 0)", func(t *testing.T) *os.File {
			t.Helper()
			file := open(t, lab.WriteFile(t, "shelf.tab", table(2)))
			prepared(t, file.Close())
			return file
		}, fs.ErrClosed, false},
		{"a directory", "ReadRecord(file, 0) of an open directory", func(t *testing.T) *os.File {
			t.Helper()
			return open(t, t.TempDir())
		}, syscall.EISDIR, true},
		{"a file that is open for writing only", "ReadRecord(file, 0) of a file opened with os.O_WRONLY", func(t *testing.T) *os.File {
			t.Helper()
			file, err := os.OpenFile(lab.WriteFile(t, "shelf.tab", table(2)), os.O_WRONLY, 0)
			prepared(t, err)
			t.Cleanup(func() { prepared(t, file.Close()) })
			return file
		}, syscall.EBADF, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.unix {
				skipOnWindows(t, "Windows has another error for this")
			}
			lesson := lesson
			lesson.Did = c.did
			got, err := recordOf(t, c.file(t), 0, lesson)
			lab.RequireErrorIs(t, err, c.want, lesson)
			requireNoEnd(t, "ReadRecord", err, lesson)
			requireNothing(t, "ReadRecord", got, lesson)
		})
	}
	t.Run("a negative number", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Did = "ReadRecord(file, -1)"
		got, err := recordOf(t, open(t, lab.WriteFile(t, "shelf.tab", table(2))), -1, lesson)
		lab.RequireError(t, err, lesson)
		requireNoEnd(t, "ReadRecord", err, lesson)
		requireNothing(t, "ReadRecord", got, lesson)
	})
	t.Run("a disk that cannot read", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			path := lab.WriteFile(t, "shelf.tab", table(2))
			lesson := lesson
			lesson.Did = fmt.Sprintf("ReadRecord(file, 1), while the kernel refuses to read: %v", errno)
			reads := refusal{"read", "read,pread64,preadv,preadv2,readv", 0, nil}
			call, met := withRefusal(t, reads, errno, lesson, "read one", path)
			if met {
				lab.RequireErrorIs(t, call.Returned.Err, errno, lesson)
			}
			requireNoEnd(t, "ReadRecord", call.Returned.Err, lesson)
		}, syscall.EIO, syscall.ESTALE)
	})
	t.Run("a disk that cannot read the rest of a record", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "shelf.tab", table(2)[:seektruncate.RecordSize+10])
		lesson := lesson
		lesson.Did = "ReadRecord(file, 1); the kernel gives 10 bytes, and refuses the next read with EIO"
		reads := refusal{"read", "read,pread64,preadv,preadv2,readv", 2, nil}
		call, met := withRefusal(t, reads, syscall.EIO, lesson, "read one", path)
		if met {
			lab.RequireErrorIs(t, call.Returned.Err, syscall.EIO, lesson)
			requireNoEnd(t, "ReadRecord", call.Returned.Err, lesson)
		}
	})
}

// readOne reads record 1 of the table.
func readOne(w *lab.Worker) error {
	file, err := os.Open(w.Arg(0))
	if err != nil {
		return err
	}
	_, err = seektruncate.ReadRecord(file, 1)
	return errors.Join(w.Result(done{Returned: lab.Returned{Err: err}}), file.Close())
}
