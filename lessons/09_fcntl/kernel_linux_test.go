package fcntl_test

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab/process"
)

func init() {
	commands["ofd"], commands["ofd-wait"], commands["ask-ofd"] = unix.F_OFD_SETLK, unix.F_OFD_SETLKW, unix.F_OFD_GETLK
	others["flock"] = func(file *os.File, kind string) error {
		how := map[string]int{"shared": unix.LOCK_SH, "exclusive": unix.LOCK_EX, "none": unix.LOCK_UN}[kind]
		return unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
	}
	others["child"] = func(file *os.File, _ string) error {
		child := exec.Command("sleep", "60") // longer than the test needs
		child.ExtraFiles = []*os.File{file}
		return child.Start()
	}
}

// fcntl(2), "Open file description locks (non-POSIX)"
func TestOFD(t *testing.T) {
	t.Parallel()
	t.Run("two opens of one file are two owners, in one process too", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 1)
		p[0].must("open g", "ofd exclusive f 0 32", "ofd exclusive g 32 32")
		p[0].busy("ofd exclusive g 0 32")
		p[0].waits("thread ofd-wait exclusive g 0 32")
	})
	t.Run("locks through one handle are one owner's, whichever goroutine asks", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 1)
		p[0].must("ofd exclusive f 0 32", "thread ofd-wait exclusive f 0 32")
	})
	t.Run("opening and closing the file once more leaves the lock alone", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("ofd exclusive f 0 32", "open g")
		require.Equal(t, "exclusive 0+32 by no process", p[0].do("ask-ofd exclusive g 0 32"))
		p[0].must("close g")
		p[1].busy("ofd exclusive f 0 32")
	})
	t.Run("F_OFD_GETLK through the handle that has the lock reports nothing", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 1)
		p[0].must("ofd exclusive f 0 32")
		require.Equal(t, "free", p[0].do("ask-ofd exclusive f 0 32"))
	})
	t.Run("F_OFD_GETLK needs no handle for writing to ask about an exclusive lock", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("ofd shared f 0 32")
		p[1].must("read g")
		require.Equal(t, "shared 0+32 by no process", p[1].do("ask-ofd exclusive g 0 32"))
	})
	t.Run("the lock stays until the last duplicate is closed", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("ofd exclusive f 0 32", "duplicate f g", "close f")
		p[1].busy("ofd exclusive f 0 32")
		p[0].must("close g")
		p[1].must("ofd exclusive f 0 32")
	})
	t.Run("a child that was given the file keeps the lock, and a POSIX lock not", func(t *testing.T) {
		t.Parallel()
		for kind, kept := range map[string]bool{"ofd": true, "posix": false} {
			_, p := programs(t, 2)
			p[0].must(kind+" exclusive f 0 32", "child it f")
			p[0].Kill()
			if kept {
				p[1].busy(kind + " exclusive f 0 32")
			} else {
				p[1].must(kind + " exclusive f 0 32")
			}
		}
	})
	t.Run("an exclusive lock through a handle for reading is EBADF, for OFD locks too", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 1)
		p[0].must("read g", "ofd shared g 0 32")
		require.Equal(t, "EBADF", p[0].do("ofd exclusive g 0 32"))
	})
	t.Run("l_pid must be 0", func(t *testing.T) {
		t.Parallel()
		path, _ := programs(t, 0)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		defer file.Close()
		lock := unix.Flock_t{Type: unix.F_WRLCK, Pid: int32(os.Getpid())}
		require.ErrorIs(t, unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &lock), syscall.EINVAL)
	})

	// fcntl(2): "no deadlock detection is performed when placing open file description locks".
	t.Run("two owners that wait for each other wait for ever", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("ofd exclusive f 0 32")
		p[1].must("ofd exclusive f 32 32")
		p[0].waits("ofd-wait exclusive f 32 32")
		p[1].waits("ofd-wait exclusive f 0 32")
		require.NotEqual(t, process.AtStep, p[0].Settle())
	})
	t.Run("two readers that upgrade wait for ever", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("ofd shared f 0 32")
		p[1].must("ofd shared f 0 32")
		p[0].waits("ofd-wait exclusive f 0 32")
		p[1].waits("ofd-wait exclusive f 0 32")
		require.NotEqual(t, process.AtStep, p[0].Settle())
	})
	t.Run("a reader gets in while a writer waits", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 3)
		p[0].must("ofd shared f 0 32")
		p[1].waits("ofd-wait exclusive f 0 32")
		p[2].must("ofd shared f 0 32")
	})
}

// flock(2), NOTES, and fcntl(2): "Conflicting lock combinations (i.e., a read lock and a write lock or two write locks) where one lock is
// an open file description lock and the other is a traditional record lock conflict even when they are acquired by the same process".
func TestWhoSeesWhom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, held, asked string
		sees              bool
	}{
		{"flock and flock exclude each other", "flock", "flock", true},
		{"POSIX and POSIX exclude each other", "posix", "posix", true},
		{"OFD and OFD exclude each other", "ofd", "ofd", true},
		{"POSIX and OFD exclude each other", "posix", "ofd", true},
		{"flock and POSIX do not see each other", "flock", "posix", false},
		{"flock and OFD do not see each other", "flock", "ofd", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, kinds := range [][2]string{{c.held, c.asked}, {c.asked, c.held}} {
				_, p := programs(t, 2)
				p[0].must(fmt.Sprintf("%s exclusive f 0 0", kinds[0]))
				if order := kinds[1] + " exclusive f 0 0"; c.sees {
					p[1].busy(order)
				} else {
					p[1].must(order)
				}
			}
		})
	}
	t.Run("a POSIX lock and an OFD lock of one process exclude each other too", func(t *testing.T) {
		t.Parallel()
		for _, kinds := range [][2]string{{"posix", "ofd"}, {"ofd", "posix"}} {
			_, p := programs(t, 1)
			p[0].must(kinds[0] + " exclusive f 0 32")
			p[0].busy(kinds[1] + " exclusive f 0 32")
		}
	})
}
