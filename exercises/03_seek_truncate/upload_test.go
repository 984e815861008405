package seektruncate_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
)

const header, rest = "ISO-10303-21 v1;", "the rest of the part"

// headerOf is a call of ReadHeader that must return.
func headerOf(t *testing.T, part io.Reader, lesson lab.Lesson) (got []byte, err error) {
	t.Helper()
	lab.Finishes(t, func() { got, err = seektruncate.ReadHeader(part) }, lesson)
	return got, err
}

// hesitant returns nothing, and no error, a thousand times before each byte. io.Reader discourages that and allows it.
type hesitant struct {
	io.Reader
	reads int
}

func (h *hesitant) Read(b []byte) (int, error) {
	if h.reads++; h.reads%1000 != 0 || len(b) == 0 {
		return 0, nil
	}
	return h.Reader.Read(b[:1])
}

func TestReadHeaderReturnsTheWholeHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, did string
		slow      func(io.Reader) io.Reader
	}{
		{"from a reader that gives a byte at a time", "the part came a byte at a time", iotest.OneByteReader},
		{"from a reader that gives half of what it is asked for", "each Read gave half of what it was asked for", iotest.HalfReader},
		{"from a reader that gives all at once", "the whole part came in one piece", func(r io.Reader) io.Reader { return r }},
		{"from a reader that hesitates", "1,000 Reads returned 0 bytes and no error before each byte came", func(r io.Reader) io.Reader {
			return &hesitant{Reader: r}
		}},
		{
			"from two readers after each other", "the part came from two readers, the first of which ended inside the header",
			func(r io.Reader) io.Reader { return io.MultiReader(io.LimitReader(r, 7), r) },
		},
		{"from the middle of a file", "the part was in an open file, of which the program had read 5 bytes before", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson := lab.Lesson{
				Says:  "ReadHeader did not wait for the whole header",
				Did:   c.did,
				Means: "a part that comes over a slow connection is mistaken for one of another format",
				Read:  `lessons/03_seek_truncate, "A read may return less"`,
			}
			var part io.Reader
			if c.slow == nil {
				file := open(t, lab.WriteFile(t, "upload.bin", "12345"+header+rest))
				_, err := io.ReadFull(file, make([]byte, 5))
				prepared(t, err)
				part = file
			} else {
				part = c.slow(strings.NewReader(header + rest))
			}
			got, err := headerOf(t, part, lesson)
			lab.RequireNoError(t, err, lesson)
			lab.RequireEqual(t, header, string(got), lesson)

			lesson.Says = "ReadHeader took more than the header"
			lesson.Means = "the first bytes after the header are gone: the part cannot be read"
			left, err := io.ReadAll(part)
			lab.RequireNoError(t, err, lesson)
			lab.RequireEqual(t, rest, string(left), lesson)
		})
	}
}

func TestReadHeaderReturnsTheBytesAsTheyAre(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:  "ReadHeader did not return the header byte by byte",
		Means: "the part cannot be recognized, or is mistaken for another one",
		Read:  `lessons/03_seek_truncate, "A read may return less"`,
	}
	want := []string{" \r\n\x00\xff part one \x00", "\x00\n\t\xfe part two \n "}
	buffer, buffered := &bytes.Buffer{}, bufio.NewReaderSize(nil, seektruncate.HeaderSize)
	for _, c := range []struct {
		name string
		with func(part string) io.Reader
	}{
		{"from two strings.Readers", func(part string) io.Reader { return strings.NewReader(part) }},
		{"from one bytes.Buffer", func(part string) io.Reader { buffer.Reset(); buffer.WriteString(part); return buffer }},
		{"from one bufio.Reader", func(part string) io.Reader { buffered.Reset(strings.NewReader(part)); return buffered }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson := lesson
			lesson.Did = "ReadHeader of one part, then of another, " + c.name + "; the caller overwrote each result, up to its capacity"
			var got [][]byte
			for _, part := range want {
				one, err := headerOf(t, c.with(part+rest), lesson)
				lab.RequireNoError(t, err, lesson)
				got = append(got, one)
			}
			for i := range want {
				lab.RequireEqual(t, want[i], string(got[i]), lesson)
				overwrite(got[i])
			}
		})
	}
}

// A bubble's clock runs as fast as its goroutines wait: the days cost nothing.
func TestReadHeaderWaitsForALateSender(t *testing.T) {
	t.Parallel()
	t.Run("for days", func(t *testing.T) { synctest.Test(t, waitsForDays) })
	t.Run("and leaves a deadline as it is", func(t *testing.T) { synctest.Test(t, leavesADeadline) })
}

func waitsForDays(t *testing.T) {
	lesson := lab.Lesson{
		Says:  "ReadHeader did not wait for a late sender",
		Did:   "over a connection without a deadline came 7 bytes of the header, a day later the others, and a day later the rest of the part",
		Means: "the caller, who chose to wait, loses a part to a limit that he does not know",
		Read:  `lessons/03_seek_truncate, "A read may return less"`,
	}
	receiver, sender := net.Pipe()
	sent := make(chan struct{})
	t.Cleanup(func() { prepared(t, receiver.Close()); <-sent })
	go func() {
		defer close(sent)
		for _, piece := range []string{header[:7], header[7:], rest} {
			time.Sleep(24 * time.Hour)
			_, _ = io.WriteString(sender, piece) // an error would show in what is received
		}
		_ = sender.Close()
	}()
	got, err := seektruncate.ReadHeader(receiver)
	lab.RequireNoError(t, err, lesson)
	lab.RequireEqual(t, header, string(got), lesson)

	lesson.Says = "ReadHeader left a deadline on the connection, or took more than the header"
	left, err := io.ReadAll(receiver)
	lab.RequireNoError(t, err, lesson)
	lab.RequireEqual(t, rest, string(left), lesson)
}

// The caller may have chosen a limit for the whole part: it still holds after the header.
func leavesADeadline(t *testing.T) {
	lesson := lab.Lesson{
		Says:  "ReadHeader changed the caller's deadline",
		Did:   "the caller gave the connection an hour; the header came after half of it, and then nothing for a day",
		Means: "a sender who stops in the middle of a part keeps a connection and a goroutine for ever",
		Read:  `lessons/03_seek_truncate, "A read may return less"`,
	}
	receiver, sender := net.Pipe()
	sent := make(chan struct{})
	t.Cleanup(func() { prepared(t, receiver.Close()); <-sent })
	start := time.Now()
	prepared(t, receiver.SetReadDeadline(start.Add(time.Hour)))
	go func() {
		defer close(sent)
		time.Sleep(30 * time.Minute)
		_, _ = io.WriteString(sender, header) // an error would show in what is received
		time.Sleep(24 * time.Hour)
		_ = sender.Close()
	}()
	got, err := seektruncate.ReadHeader(receiver)
	lab.RequireNoError(t, err, lesson)
	lab.RequireEqual(t, header, string(got), lesson)
	_, err = receiver.Read(make([]byte, 1))
	lab.RequireErrorIs(t, err, os.ErrDeadlineExceeded, lesson)
	lab.RequireEqual(t, time.Hour, time.Since(start), lesson)
}

func TestReadHeaderWaitsForNothingMore(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:  "ReadHeader did not return the header",
		Did:   "the header came through a pipe, and then nothing: the sender waits for an answer",
		Means: "sender and receiver wait for each other for ever",
		Read:  `lessons/03_seek_truncate, "A read may return less"`,
	}
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		receiver, sender := io.Pipe()
		waitsForNothingMore(t, receiver, sender, lesson)
	})
	t.Run("of the system", func(t *testing.T) {
		t.Parallel()
		receiver, sender, err := os.Pipe()
		prepared(t, err)
		waitsForNothingMore(t, receiver, sender, lesson)
	})
}

func waitsForNothingMore(t *testing.T, receiver io.ReadCloser, sender io.WriteCloser, lesson lab.Lesson) {
	t.Helper()
	t.Cleanup(func() { prepared(t, errors.Join(sender.Close(), receiver.Close())) })
	go func() { _, _ = io.WriteString(sender, header) }() // an error would show in what is received
	got, err := headerOf(t, receiver, lesson)
	lab.RequireNoError(t, err, lesson)
	lab.RequireEqual(t, header, string(got), lesson)
}

// once fails one time, perhaps together with bytes, and has ended when it is asked again.
type once struct {
	bytes string
	err   error
}

func (o *once) Read(b []byte) (int, error) {
	n, err := copy(b, o.bytes), o.err
	o.bytes, o.err = "", io.EOF
	return n, err
}

// closable can be closed, as a file or a connection can.
type closable struct {
	io.Reader
	closed bool
}

func (c *closable) Close() error { c.closed = true; return nil }

// last returns its bytes together with an error, as a reader may.
type last struct {
	bytes string
	err   error
}

func (l *last) Read(b []byte) (int, error) {
	n := copy(b, l.bytes)
	if l.bytes = l.bytes[n:]; l.bytes == "" {
		return n, l.err
	}
	return n, nil
}

func TestReadHeaderTellsTheEndFromDamage(t *testing.T) {
	t.Parallel()
	read := `lessons/03_seek_truncate, "A read may return less"`
	reset := errors.New("connection reset by peer")

	for _, end := range []error{io.EOF, reset} {
		t.Run(fmt.Sprintf("a whole header together with %q", end), func(t *testing.T) {
			t.Parallel()
			lesson := lab.Lesson{
				Says:  "ReadHeader refused a header that was complete",
				Did:   fmt.Sprintf("the reader returned the last byte of the header together with %q", end),
				Means: "a part with nothing after its header cannot be stored",
				Read:  read,
			}
			got, err := headerOf(t, &last{header, end}, lesson)
			lab.RequireNoError(t, err, lesson)
			lab.RequireEqual(t, header, string(got), lesson)
		})
	}
	for _, c := range []struct {
		name string
		part io.Reader
		want error
	}{
		{"nothing", strings.NewReader(""), io.EOF},
		{"7 of 16 bytes", strings.NewReader(header[:7]), io.ErrUnexpectedEOF},
		{"15 of 16 bytes together with the end", &last{header[:15], io.EOF}, io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson := lab.Lesson{
				Says:  "ReadHeader did not tell an empty upload from a broken one",
				Did:   "the connection ended after " + c.name,
				Means: "a broken upload is stored as if it were the part, or an empty one is taken for damage",
				Read:  read,
			}
			got, err := headerOf(t, c.part, lesson)
			lab.RequireErrorIs(t, err, c.want, lesson)
			requireNothing(t, "ReadHeader", got, lesson)
			if c.want == io.ErrUnexpectedEOF && errors.Is(err, io.EOF) {
				lesson.Expected, lesson.Found = "an error that does not match io.EOF", err.Error()
				lab.Fail(t, lesson)
			}
		})
	}
	closed := fmt.Errorf("the tunnel is closed: %w", io.EOF)
	for _, cause := range []error{reset, syscall.EIO, fs.ErrClosed, os.ErrDeadlineExceeded, syscall.EAGAIN, syscall.EINTR, closed} {
		for _, came := range []struct{ before, with string }{{}, {before: header[:7]}, {with: header[:7]}} {
			t.Run(fmt.Sprintf("%d bytes, then %d with %q", len(came.before), len(came.with), cause), func(t *testing.T) {
				t.Parallel()
				lesson := lab.Lesson{
					Says: "ReadHeader did not return the reader's error",
					Did: fmt.Sprintf("after %d bytes one Read failed, with %d bytes beside its error, and the next would have succeeded: %v",
						len(came.before), len(came.with), cause),
					Means: "the caller cannot tell what went wrong, and sends again what will fail again",
					Read:  read,
				}
				left := header[len(came.before+came.with):]
				part := &closable{Reader: io.MultiReader(strings.NewReader(came.before), &once{came.with, cause}, strings.NewReader(left))}
				got, err := headerOf(t, part, lesson)
				lab.RequireErrorIs(t, err, cause, lesson)
				if cause != closed {
					requireNoEnd(t, "ReadHeader", err, lesson)
				}
				requireNothing(t, "ReadHeader", got, lesson)
				lesson.Means = "the caller cannot answer the sender, nor wait for what is still to come"
				lab.Require(t, !part.closed, lesson.Say("ReadHeader closed the caller's reader"))
			})
		}
	}
}

// arrived tells that it is asked for bytes, and gives none until its sender comes.
type arrived struct {
	io.Reader
	asked, sender chan struct{}
}

func (a *arrived) Read(b []byte) (int, error) {
	select {
	case <-a.asked:
	default:
		close(a.asked)
	}
	<-a.sender
	return a.Reader.Read(b)
}

// besideASlowSender calls ReadHeader for a sender who is late, and meanwhile for another one.
func besideASlowSender(w *lab.Worker) error {
	late := &arrived{strings.NewReader(header), make(chan struct{}), make(chan struct{})}
	first := make(chan error, 1)
	go func() { _, err := seektruncate.ReadHeader(late); first <- err }()
	<-late.asked
	_, second := seektruncate.ReadHeader(strings.NewReader(header))
	close(late.sender)
	return w.Result(slow{First: lab.Returned{Err: <-first}, Second: lab.Returned{Err: second}})
}
