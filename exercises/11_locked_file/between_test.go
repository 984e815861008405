package lockedfile_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"

	lockedfile "example/turnstile/exercises/11_locked_file"
	"example/turnstile/internal/lab"
)

// What a program has seen of a file before it has the lock may be out of date when it has it, and even when it opens the file. So the code
// under test is stopped before each of its system calls in turn, while another process does with the file what an owner does.
func TestOthersMayComeBetweenTwoSteps(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	for _, call := range []string{"TryOpenFile", "OpenFile"} {
		for _, flags := range []string{"w", "a", "x"} {
			for _, missing := range []bool{true, false} {
				for _, stays := range []bool{true, false} {
					if flags == "x" && !missing {
						continue
					}
					name := call + " " + flags + map[bool]string{true: " of a new file", false: " of an empty file"}[missing] +
						map[bool]string{true: ", and stay", false: ", and go"}[stays]
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						other := start(t, lab.Path(t, "unused.json"))
						v := visit{call, flags, missing, stays, other}
						for step := 0; v.before(t, lab.Watch, step); step++ {
						}
						v.before(t, watchLocks, 0)
					})
				}
			}
		}
	}
}

// A visit is what another process does between two steps: it opens the file, which it creates if it is missing, writes the document, and
// stays or closes the file.
type visit struct {
	call, flags    string
	missing, stays bool
	other          program
}

// watchLocks is lab.Watch for the calls of flock(2), at which Watch does not stop.
func watchLocks(call func(), at func(name string)) error {
	return lab.WatchLocks(call, func() { at("flock") })
}

// before demands what holds after a visit before that system call of the code under test. It reports whether there was such a call.
func (v visit) before(t *testing.T, watch func(call func(), at func(name string)) error, step int) (more bool) {
	t.Helper()
	path := lab.Path(t, "checkouts.json")
	what := "a file that did not exist"
	if !v.missing {
		what = "a file that was empty"
		lab.RequireSetUp(t, os.WriteFile(path, nil, 0o600))
	}
	l := lab.Lesson{Means: "the program relies on what it has seen of a file that was not its own yet", Read: order}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var file *lockedfile.File
	var err error
	stops, came, created := 0, false, false
	lab.RequireRefuse(t, watch(func() {
		if v.call == "OpenFile" {
			file, err = lockedfile.OpenFile(ctx, path, flagsOf(v.flags), 0o600)
		} else {
			file, err = lockedfile.TryOpenFile(path, flagsOf(v.flags), 0o600)
		}
	}, func(name string) {
		if stops++; stops != step+1 {
			return
		}
		l.Did = v.call + " (" + v.flags + ") of " + what + "; before its call of " + name + "(2), another process opened it with a lock"
		_, missing := os.Stat(path)
		created = missing == nil
		opened := v.other.Do("at "+path+" TryOpenFile visitor c+", l)
		if came = !errors.Is(opened, lockedfile.ErrLocked); !came {
			return // the code under test had its lock by then
		}
		lab.RequireNoError(t, opened, l.Say("TryOpenFile failed although nothing stood in its way"))
		v.other.Succeed("write visitor "+document, l.Say("TryOpenFile returned a file that cannot be written"))
		l.Did += " and wrote a document"
		if v.stays {
			cancel() // so that OpenFile does not wait for the end of the visit
		} else {
			v.other.get("Close visitor")
			l.Did += ", and closed it"
		}
	}))
	if came && !created && v.flags == "x" {
		lab.RequireErrorIs(t, err, fs.ErrExist, l.Say("%s lost O_EXCL", v.call))
		lab.RequireFile(t, path, document, l.Say("%s changed a file that another program had created", v.call))
		if v.stays {
			v.other.get("Close visitor")
		}
		return true
	}
	if came && v.stays {
		v.other.requireContent("visitor", document, l.Say("%s emptied a file that another owner had locked", v.call))
		lab.RequireFile(t, path, document, l.Say("%s removed or replaced a file that another owner had locked", v.call))
		if v.call == "OpenFile" {
			lab.RequireErrorIs(t, err, context.Canceled, l.Say("OpenFile did not wait for an owner that came while it opened the file"))
		} else {
			requireLocked(t, err, l.Say("TryOpenFile did not find an owner that came while it opened the file"))
		}
		v.other.get("Close visitor")
		return stops > step
	}
	lab.RequireNoError(t, err, l.Say("%s failed although no other owner was left", v.call))
	lab.RequireNotNil(t, file, v.call, l)
	switch {
	case v.flags == "w", v.flags == "x":
		lab.RequireFile(t, path, "", l.Say("%s did not empty the file", v.call))
	case came:
		lab.RequireFile(t, path, document, l.Say("%s lost what the owner before it had written", v.call))
	}
	lab.RequireNoError(t, file.Close(), l.Say("Close failed"))
	return stops > step
}
