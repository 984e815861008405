package lockedfile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	lockedfile "example/turnstile/exercises/11_locked_file"
	"example/turnstile/internal/lab"
)

// count adds 1 to the counter in PATH, N times, and looks at it after each, as a reader. It may die in the middle.
func count(w *lab.Worker) error {
	last := 0
	for range w.Int(1) {
		err := lockedfile.Edit(context.Background(), w.Arg(0), func(old []byte) ([]byte, error) {
			n, err := read(old)
			time.Sleep(20 * time.Microsecond) // a person decides
			return counter(n + 1), err
		})
		if err != nil {
			return err
		}
		err = lockedfile.With(context.Background(), w.Arg(0), os.O_RDONLY, 0, func(file *lockedfile.File) error {
			text, err := io.ReadAll(file)
			if err != nil {
				return err
			}
			n, err := read(text)
			if err == nil && n <= last {
				err = fmt.Errorf("a reader saw %d after %d", n, last)
			}
			last = n
			return err
		})
		if err != nil {
			return err
		}
		w.Progress()
	}
	return nil
}

func TestThreeProcessesCountTo300(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	each := lab.Rounds(100)
	path := lab.WriteFile(t, "counter.json", `{"counter":0}`)
	l := lab.Lesson{
		Says:  "Edit lost an update in a crowd",
		Did:   fmt.Sprintf("3 processes called Edit(+1) %d times each; holders beside them were killed inside Edit", each),
		Means: "what the callers were told is not what the file says", Read: why,
	}
	var crew []*lab.Process
	for range 3 {
		crew = append(crew, lab.Launch(t, lab.Options{Hold: true, Dir: filepath.Dir(path)}, "count", "counter.json", fmt.Sprint(each)))
	}
	for _, p := range crew {
		p.Continue()
	}
	for range 3 { // each of these dies inside, with the lock, and before it has written
		p := lab.Start(t, "edit", path, "add", "1000")
		p.Reached("inside", l.Say("Edit did not get its turn"))
		p.Kill()
	}
	for _, p := range crew {
		lab.RequireNoError(t, p.Wait(l), l.Say("Edit or With failed in a crowd"))
	}
	lab.RequireFile(t, path, fmt.Sprintf(`{"counter":%d}`, 3*each), l)
}

const pythonCounts = `
import fcntl, json, sys
for i in range(int(sys.argv[2])):
    with open(sys.argv[1], "r+") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        data = json.load(f)
        data["counter"] += 1
        f.seek(0)
        f.truncate()
        f.write(json.dumps(data, separators=(",", ":")))
`

// The flock command opens the file once for the lock; the shell reads and writes it.
const shellCounts = `
i=0
while [ $i -lt "$2" ]; do
	flock "$1" sh -c 'n=$(tr -dc 0-9 < "$1"); printf "{\"counter\":%d}" $((n+1)) > "$1"' sh "$1" || exit 1
	i=$((i+1))
done
`

// pythonHolds has the lock until its input ends; pythonTries reports whether it is refused one.
const pythonHolds = `
import fcntl, sys
with open(sys.argv[1], "r+") as f:
    fcntl.flock(f, fcntl.LOCK_EX)
    print("holding", flush=True)
    sys.stdin.read()
`

const pythonTries = `
import fcntl, sys
with open(sys.argv[1], "r+") as f:
    try:
        fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(75)
`

const exitRefused = 75

func TestOtherProgramsTakeTurns(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	t.Run("Python with fcntl.flock", func(t *testing.T) {
		t.Parallel()
		python := lab.Python(t)
		if err := exec.Command(python, "-I", "-c", "import fcntl").Run(); err != nil {
			t.Skip("this Python has no fcntl: ", err)
		}
		waitForEachOther(t, "Python", []string{python, "-I", "-c", pythonHolds}, []string{python, "-I", "-c", pythonTries})
		takeTurns(t, lab.Rounds(50), python, "-I", "-c", pythonCounts)
	})
	t.Run("the flock command of util-linux", func(t *testing.T) {
		t.Parallel()
		for _, tool := range []string{"flock", "sh"} {
			if _, err := exec.LookPath(tool); err != nil {
				t.Skip("this machine has no such command: ", err)
			}
		}
		waitForEachOther(t, "the flock command", []string{"sh", "-c", `flock "$1" sh -c "echo holding; cat"`, "sh"},
			[]string{"sh", "-c", `flock -s -n -E 75 "$1" true`, "sh"})
		takeTurns(t, lab.Rounds(20), "sh", "-c", shellCounts, "sh")
	})
}

// waitForEachOther runs two commands with a path: one that keeps the lock until its input ends, and one that only tries to get it.
func waitForEachOther(t *testing.T, name string, holds, tries []string) {
	t.Helper()
	path := lab.WriteFile(t, "counter.json", `{"counter":0}`)
	p := start(t, path)
	l := lab.Lesson{
		Says: "OpenFile did not keep " + name + " out", Did: "OpenFile (r+); then " + name + " tried to lock the file",
		Means: "the lock is of another kind: programs in other languages go in", Read: others,
	}
	p.get("OpenFile it r+")
	err := exec.CommandContext(t.Context(), tries[0], append(tries[1:], path)...).Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	l.Expected, l.Found = "the other program is refused", fmt.Sprint("its end: ", err)
	lab.Require(t, ok && exit.ExitCode() == exitRefused, l)
	p.get("Close it")
	l.Expected, l.Found = "", ""

	holder := exec.CommandContext(t.Context(), holds[0], append(holds[1:], path)...)
	input, err := holder.StdinPipe()
	lab.RequireSetUp(t, err)
	output, err := holder.StdoutPipe()
	lab.RequireSetUp(t, err)
	lab.RequireSetUp(t, holder.Start())
	_, err = output.Read(make([]byte, len("holding")))
	lab.RequireSetUp(t, err)
	l.Says, l.Did = "OpenFile did not wait for "+name, name+" had locked the file; then TryOpenFile, and OpenFile"
	p.refused("TryOpenFile it r", l.Say("TryOpenFile does not see the lock of %s", name))
	p.Send("OpenFile it r+")
	p.WaitBlocked(l)
	lab.RequireSetUp(t, input.Close())
	lab.RequireNoError(t, p.Reply(l).Returned.Err, l)
	lab.RequireSetUp(t, holder.Wait())
}

// takeTurns counts in two programs at once: command with PATH and N, and count.
func takeTurns(t *testing.T, n int, command ...string) {
	t.Helper()
	path := lab.WriteFile(t, "counter.json", `{"counter":0}`)
	l := lab.Lesson{
		Says:  "Edit and a program in another language lost each other's updates",
		Did:   fmt.Sprintf("Edit(+1) and %s (+1), %d times each, at the same time", command[0], n),
		Means: "the lock is of another kind: programs in other languages, and the flock command, go in", Read: others,
	}
	ours := lab.Launch(t, lab.Options{Hold: true}, "count", path, fmt.Sprint(n))
	theirs := exec.CommandContext(t.Context(), command[0], append(command[1:], path, fmt.Sprint(n))...)
	output := &lastBytes{}
	theirs.Stdout, theirs.Stderr = output, output
	lab.RequireSetUp(t, theirs.Start())
	ours.Continue()
	err := ours.Wait(l)
	if failed := theirs.Wait(); failed != nil {
		l.Found = fmt.Sprint(failed, ": ", output.String())
		lab.Fail(t, l.Say("Edit did not keep a program in another language out"))
	}
	lab.RequireNoError(t, err, l)
	lab.RequireFile(t, path, fmt.Sprintf(`{"counter":%d}`, 2*n), l)
}

// lastBytes keeps the end of what is written to it.
type lastBytes struct{ text []byte }

func (b *lastBytes) Write(p []byte) (int, error) {
	b.text = append(b.text, p...)
	b.text = b.text[max(0, len(b.text)-200):]
	return len(p), nil
}

func (b *lastBytes) String() string { return string(b.text) }
