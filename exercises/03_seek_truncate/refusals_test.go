package seektruncate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/internal/lab"
)

// reasons are error numbers of Linux with which some kernel, file system or security module may refuse some step: the first forty, and
// EOVERFLOW, EOPNOTSUPP, ETIMEDOUT, ESTALE and EDQUOT. Many look like one that may be passed over, or avoided by another way.
func reasons() (all []syscall.Errno) {
	for n := range 40 {
		all = append(all, syscall.Errno(n+1))
	}
	return append(all, 75, 95, 110, 116, 122)
}

// A change is a call of Rewrite or AppendLine on a file that holds old, with text, and what the file holds afterwards.
type change struct{ function, old, text, want string }

// passesNoReasonOver refuses each call of the kernel that makes a change, one after the other, for each reason, and only that one: another
// way would be open.
func passesNoReasonOver(t *testing.T, changes ...change) {
	t.Parallel()
	for _, f := range changes {
		t.Run(fmt.Sprintf("of %d bytes", len(f.text)), func(t *testing.T) {
			t.Parallel()
			read := `lessons/03_seek_truncate, "When the kernel refuses"`
			try := func(call string, last bool, reason syscall.Errno, path string, err error) {
				t.Helper()
				lesson := lab.Lesson{
					Says:  f.function + " did not return the kernel's error",
					Did:   fmt.Sprintf("%s, while the kernel refuses the call of %s: %v", f.function, call, reason),
					Means: "the caller believes that all is in the file, and nothing else will tell",
					Read:  read,
				}
				requireNoHandle(t, f.function, path, call == "close", lesson)
				switch creates := f.function == "AppendLine" && strings.HasPrefix(call, "open"); {
				case creates && (reason == syscall.ENOENT || reason == syscall.EEXIST): // an answer, to a design that asks in two steps
					return
				case strings.Contains(call, "sync"): // which no call may ask for: another test's question
					return
				}
				// What a design need not know, it need not report, nor the close of a handle that it has only read from.
				need := !strings.Contains(call, "stat") && (call != "close" || last)
				if err != nil || need {
					lab.RequireErrorIs(t, err, reason, lesson)
				} else {
					lab.RequireFile(t, path, f.want, lesson.Say("%s returned nil, and the file is not what it promised", f.function))
				}
				lesson.Says = f.function + " made another file when the kernel refused a step"
				lesson.Means = "it went on by another way, at which other names and open handles keep the old content"
				requireAlone(t, path, lesson)
				if strings.HasPrefix(call, "open") || call == "write" {
					lesson.Says = f.function + " changed the file although the kernel had refused to " + strings.TrimSuffix(call, "at") + " it"
					lesson.Means = "a way round, or a step that came too early, has spoilt the old content"
					lab.RequireFile(t, path, f.old, lesson)
				}
			}
			path := lab.Path(t, "checkouts.log")
			for _, reason := range reasons() {
				for made := 0; ; made++ {
					prepared(t, os.WriteFile(path, []byte(f.old), 0o600))
					var err error
					names, machine := lab.RefuseOne(made, reason, func() { err = callWith(f.function, path, f.text) })
					lab.RequireRefuse(t, machine)
					if len(names) <= made {
						break
					}
					if reason == syscall.EINTR && names[made] != "close" {
						continue // Go makes the call again
					}
					try(names[made], made+1 == len(names), reason, path, err)
				}
				if reason == syscall.EINTR {
					continue
				}
				prepared(t, os.WriteFile(path, []byte(f.old), 0o600))
				var err error
				lab.RequireRefuse(t, lab.Refuse("write", reason, func() { err = callWith(f.function, path, f.text) }))
				try("write", false, reason, path, err)
			}
		})
	}
}

// requireNoHandle demands that a call has left no handle to the file open, but for the one that a refused close has left. It closes that
// one by its number, which no os.File knows any more. The number of a forgotten os.File it leaves alone: the garbage collector will close
// it, and a number that is closed twice may be that of another test's pipe by then.
func requireNoHandle(t *testing.T, function, path string, closeRefused bool, lesson lab.Lesson) {
	t.Helper()
	open, err := lab.OpenDescriptors(path)
	if !errors.Is(err, fs.ErrNotExist) { // a file that has gone has none that matters
		prepared(t, err)
	}
	if closeRefused && len(open) == 1 {
		closeNumber(open[0])
		open = nil
	}
	requireClosed(t, function, done{LeftOpen: len(open) > 0}, lesson)
}
