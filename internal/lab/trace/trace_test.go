package trace

import (
	"errors"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("strace's paths are those of Unix")
	}
	for _, c := range []struct {
		name, log string
		want      []Call
	}{
		{
			"open below a directory", "12 openat(AT_FDCWD</w>, \"locks.json\", O_RDWR|O_CLOEXEC) = 3</w/locks.json>\n",
			[]Call{{
				Thread: 12, Name: "openat", Args: `AT_FDCWD</w>, "locks.json", O_RDWR|O_CLOEXEC`,
				Paths: []string{"/w/locks.json"}, Result: "3",
			}},
		},
		{
			"an injected failure", "12 fsync(3</w/a b>)                = -1 EIO (Input/output error) (INJECTED)\n",
			[]Call{{Thread: 12, Name: "fsync", Args: "3</w/a b>", Paths: []string{"/w/a b"}, Result: "-1", Errno: "EIO", Injected: true}},
		},
		{
			"an absolute path, cleaned", "openat(AT_FDCWD</w>, \"/x/../y\", O_RDONLY) = -1 ENOENT (No such file or directory)\n",
			[]Call{{Name: "openat", Args: `AT_FDCWD</w>, "/x/../y", O_RDONLY`, Paths: []string{"/y"}, Result: "-1", Errno: "ENOENT"}},
		},
		{
			"two names", "1 renameat(AT_FDCWD</w>, \"a\", 5</v>, \"b\") = 0\n1 rename(\"/a\", \"/b\") = 0\n",
			[]Call{
				{Thread: 1, Name: "renameat", Args: `AT_FDCWD</w>, "a", 5</v>, "b"`, Paths: []string{"/w/a", "/v/b"}, Result: "0"},
				{Thread: 1, Name: "rename", Args: `"/a", "/b"`, Paths: []string{"/a", "/b"}, Result: "0"},
			},
		},
		{
			"data is no path",
			"1 write(3</w/x>, \"/etc) = 0\", 9) = 9\n" +
				"1 readlinkat(AT_FDCWD</w>, \"l\", \"/target\", 128) = 7\n" +
				"1 symlinkat(\"/text\", AT_FDCWD</w>, \"l\") = 0\n",
			[]Call{
				{Thread: 1, Name: "write", Args: `3</w/x>, "/etc) = 0", 9`, Paths: []string{"/w/x"}, Result: "9"},
				{Thread: 1, Name: "readlinkat", Args: `AT_FDCWD</w>, "l", "/target", 128`, Paths: []string{"/w/l"}, Result: "7"},
				{Thread: 1, Name: "symlinkat", Args: `"/text", AT_FDCWD</w>, "l"`, Paths: []string{"/w/l"}, Result: "0"},
			},
		},
		{
			"two threads at once", "1 fsync(3</a> <unfinished ...>\n2 getpid() = 7\n1 <... fsync resumed>) = -1 EIO (Input/output error)\n",
			[]Call{
				{Thread: 1, Name: "fsync", Args: "3</a>", Paths: []string{"/a"}, Result: "-1", Errno: "EIO"},
				{Thread: 2, Name: "getpid", Result: "7"},
			},
		},
		{
			"killed in a call", "1 unlink(\"/a\" <unfinished ...>\n1 +++ killed by SIGKILL +++\n2 fsync(3</b>)  = ?\n",
			[]Call{
				{Thread: 1, Name: "unlink", Args: `"/a"`, Paths: []string{"/a"}, Result: "?"},
				{Thread: 2, Name: "fsync", Args: "3</b>", Paths: []string{"/b"}, Result: "?"},
			},
		},
		{
			"a call that waits",
			"flock(3</a>, LOCK_EX) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n" +
				"--- SIGSTOP {si_signo=SIGSTOP, si_code=SI_USER} ---\n",
			[]Call{{Name: "flock", Args: "3</a>, LOCK_EX", Paths: []string{"/a"}, Result: "?", Errno: "ERESTARTSYS"}},
		},
		{
			"escapes", `unlink("/\303\274 \"x\"\n\1") = 0` + "\n",
			[]Call{{Name: "unlink", Args: `"/\303\274 \"x\"\n\1"`, Paths: []string{"/ü \"x\"\n\x01"}, Result: "0"}},
		},
		{"half a line at the end", "fsync(3</a>) = 0\nfsync(3</", []Call{{Name: "fsync", Args: "3</a>", Paths: []string{"/a"}, Result: "0"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, Parse(c.log))
		})
	}
}

func TestACallForAMessage(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("strace's paths are those of Unix")
	}
	call := Parse("renameat(AT_FDCWD</w>, \"/tmp/x/a\", AT_FDCWD</w>, \"/tmp/x/b\") = 0\n")[0]
	require.Equal(t, `renameat("/tmp/x/a", "/tmp/x/b")`, call.String())
	require.Equal(t, `renameat("a", "b")`, call.Short("/tmp/x"))
	require.True(t, call.On("/tmp/x/a"))
	require.False(t, call.On("/tmp/x"))
	require.True(t, call.Within("/tmp/x"))
	require.False(t, call.Within("/tmp/x/a/b"))
	require.False(t, call.Within("/tm"))
	require.False(t, call.Interrupted())
	require.True(t, Call{Errno: "ERESTARTSYS"}.Interrupted())
}

func TestARuleInStracesWords(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		_, err := Rule{Calls: Syncs, Fail: syscall.EIO}.Arguments("log")
		require.ErrorIs(t, err, errors.ErrUnsupported)
		t.Skip("strace is a Linux tool")
	}
	for _, c := range []struct {
		rule Rule
		want []string
	}{
		{Rule{Calls: "fsync"}, []string{"--seccomp-bpf"}},
		{Rule{Calls: "fsync", Paths: []string{"/a", "/b"}}, []string{"--seccomp-bpf", "-P", "/a", "-P", "/b"}},
		{Rule{Calls: "fsync,write", Fail: syscall.ENOSPC}, []string{"--seccomp-bpf", "-e", "inject=fsync,write:error=ENOSPC"}},
		{Rule{Calls: "fsync", Fail: syscall.EIO, When: 2}, []string{"--seccomp-bpf", "-e", "inject=fsync:error=EIO:when=2"}},
		{Rule{Calls: "fsync", Kill: true, When: 1}, []string{"-e", "inject=fsync:signal=SIGKILL:when=1"}},
	} {
		got, err := c.rule.Arguments("log")
		require.NoError(t, err)
		want := append([]string{"-f", "-qq", "-y", "-o", "log", "-e", "trace=" + c.rule.Calls}, c.want...)
		require.Equal(t, want, got)
	}
	_, err := Rule{Calls: "fsync", Fail: errors.New("no number")}.Arguments("log")
	require.ErrorContains(t, err, "syscall.Errno")
	require.Equal(t, "EIO", ErrnoName(syscall.EIO))
	require.Equal(t, "no number", ErrnoName(errors.New("no number")))
}
