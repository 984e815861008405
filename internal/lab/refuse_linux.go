//go:build amd64 || arm64

package lab

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab/process"
)

// A refusal is a system call, or one with any of the bits set in an argument's lower half, or with none of them.
type refusal struct {
	number   uint32
	argument int
	bits     uint32
	none     bool
}

// refusals are the sets of calls that Refuse knows. An exclusive creation is one with O_EXCL, or of a file without a name.
var refusals = map[string][]refusal{
	"create exclusively": {{number: unix.SYS_OPENAT, argument: 2, bits: unix.O_EXCL | unix.O_TMPFILE&^unix.O_DIRECTORY}},
	"open for reading":   {{number: unix.SYS_OPENAT, argument: 2, bits: unix.O_WRONLY | unix.O_RDWR, none: true}},
	"open for writing":   {{number: unix.SYS_OPENAT, argument: 2, bits: unix.O_WRONLY | unix.O_RDWR}},
	"chmod":              {{number: unix.SYS_FCHMOD}, {number: unix.SYS_FCHMODAT}},
	"chown":              {{number: unix.SYS_FCHOWN}, {number: unix.SYS_FCHOWNAT}},
	"write": {
		{number: unix.SYS_WRITE}, {number: unix.SYS_PWRITE64}, {number: unix.SYS_WRITEV}, {number: unix.SYS_COPY_FILE_RANGE},
	},
	"truncate":       {{number: unix.SYS_FTRUNCATE}, {number: unix.SYS_TRUNCATE}},
	"seek":           {{number: unix.SYS_LSEEK}},
	"sync":           {{number: unix.SYS_FSYNC}, {number: unix.SYS_FDATASYNC}, {number: unix.SYS_SYNCFS}},
	"close":          {{number: unix.SYS_CLOSE}},
	"rename":         {{number: unix.SYS_RENAMEAT}, {number: unix.SYS_RENAMEAT2}},
	"rename or link": {{number: unix.SYS_RENAMEAT}, {number: unix.SYS_RENAMEAT2}, {number: unix.SYS_LINKAT}},
	"remove":         {{number: unix.SYS_UNLINKAT}},
	"stat":           {{number: unix.SYS_STATX}, {number: sysFstatat}},
	"list":           {{number: unix.SYS_GETDENTS64}},
	"flock":          {{number: unix.SYS_FLOCK, argument: 1, bits: unix.LOCK_SH | unix.LOCK_EX}}, // and not LOCK_UN
	"unlock":         {{number: unix.SYS_FLOCK, argument: 1, bits: unix.LOCK_UN}},
	// F_OFD_GETLK, F_OFD_SETLK and F_OFD_SETLKW are 36 to 38, and no other command has that bit.
	"open file description lock": {{number: unix.SYS_FCNTL, argument: 1, bits: 32}},
}

// refuse makes the kernel refuse the calls of this thread, or of all threads, with errno, for good (seccomp(2)).
func refuse(what string, errno error, all bool) error {
	number, ok := errors.AsType[syscall.Errno](errno)
	if !ok || refusals[what] == nil {
		return fmt.Errorf("refuse %q with %v: %w", what, errno, errors.ErrUnsupported)
	}
	spared, err := sparedDescriptors()
	if err != nil {
		return err
	}
	flags := uintptr(0)
	if all {
		flags = unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	}
	_, err = filter(refusals[what], spared, unix.SECCOMP_RET_ERRNO|uint32(number), flags)
	return err
}

// sparedDescriptors returns the descriptors to which others than the code under test write in its thread. Go's runtime writes to an
// eventfd when a timer is set, and ends the process, without a word, if such a write fails; the eventfd exists once a pipe has been opened
// (runtime/netpoll_epoll.go). Package testing notes each file that is opened, for go's test cache, and fails the whole test if it cannot
// write its notes down.
func sparedDescriptors() ([]uint32, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = errors.Join(r.Close(), w.Close()) }() // nothing was written
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, fmt.Errorf("find the runtime's own descriptors: %w (%w)", errors.ErrUnsupported, err)
	}
	var testLog fs.FileInfo
	if f := flag.Lookup("test.testlogfile"); f != nil && f.Value.String() != "" {
		testLog, _ = os.Stat(f.Value.String()) // without it there is nothing to spare
	}
	var found []uint32
	for _, entry := range entries {
		n, err := strconv.ParseUint(entry.Name(), 10, 32)
		if err != nil {
			continue
		}
		target, _ := os.Readlink("/proc/self/fd/" + entry.Name()) // one that has been closed meanwhile is neither
		info, _ := os.Stat("/proc/self/fd/" + entry.Name())
		if target == "anon_inode:[eventfd]" || testLog != nil && info != nil && os.SameFile(testLog, info) {
			found = append(found, uint32(n))
		}
	}
	return found, nil
}

// filter makes the kernel answer these calls of this thread with result, but for writes to the descriptors that are spared. It returns a
// descriptor if flags ask for one.
func filter(calls []refusal, spared []uint32, result uint32, flags uintptr) (descriptor int, err error) {
	const (
		load, equal = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		anyBit, end = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	)
	// seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6]
	argument := func(n int) unix.SockFilter { return unix.SockFilter{Code: load, K: uint32(16 + 8*n)} }
	allow := unix.SockFilter{Code: end, K: unix.SECCOMP_RET_ALLOW}
	var program []unix.SockFilter
	for _, descriptor := range spared {
		program = append(program, unix.SockFilter{Code: load, K: 0}, unix.SockFilter{Code: equal, Jf: 3, K: unix.SYS_WRITE},
			argument(0), unix.SockFilter{Code: equal, Jf: 1, K: descriptor}, allow)
	}
	for _, r := range calls {
		if r.bits == 0 {
			program = append(program, unix.SockFilter{Code: load, K: 0}, unix.SockFilter{Code: equal, Jf: 1, K: r.number})
		} else {
			set := uint8(0) // how many steps to skip if a bit is set
			if r.none {
				set = 1
			}
			program = append(program, unix.SockFilter{Code: load, K: 0}, unix.SockFilter{Code: equal, Jf: 3, K: r.number},
				argument(r.argument), unix.SockFilter{Code: anyBit, Jt: set, Jf: 1 - set, K: r.bits})
		}
		program = append(program, unix.SockFilter{Code: end, K: result})
	}
	program = append(program, allow)
	compiled := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, fmt.Errorf("filter system calls: %w (%w)", errors.ErrUnsupported, err)
	}
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&compiled)))
	if errno != 0 {
		return -1, fmt.Errorf("filter system calls: %w (%w)", errors.ErrUnsupported, errno)
	}
	return int(fd), nil
}

// watchedCalls are calls that Go's runtime never makes by itself: it could not stop the world while the thread stands still in one. fcntl
// is not among them: the runtime makes it for os.NewFile.
var watchedCalls = map[uint32]string{
	unix.SYS_OPENAT: "openat", unix.SYS_OPENAT2: "openat2", unix.SYS_CLOSE: "close",
	unix.SYS_FSTAT: "fstat", sysFstatat: "newfstatat",
	unix.SYS_PWRITE64: "pwrite64", unix.SYS_FTRUNCATE: "ftruncate", unix.SYS_TRUNCATE: "truncate",
	unix.SYS_FSYNC: "fsync", unix.SYS_FDATASYNC: "fdatasync", unix.SYS_SYNCFS: "syncfs", unix.SYS_SYNC: "sync",
	unix.SYS_FCHMOD: "fchmod", unix.SYS_FCHMODAT: "fchmodat", unix.SYS_FCHOWN: "fchown", unix.SYS_FCHOWNAT: "fchownat",
	unix.SYS_LINKAT: "linkat", unix.SYS_SYMLINKAT: "symlinkat", unix.SYS_MKDIRAT: "mkdirat", unix.SYS_UMASK: "umask",
	unix.SYS_RENAMEAT: "renameat", unix.SYS_RENAMEAT2: "renameat2", unix.SYS_UNLINKAT: "unlinkat",
}

func watched() (listener int, err error) {
	var calls []refusal
	for number := range watchedCalls {
		calls = append(calls, refusal{number: number})
	}
	return notified(calls)
}

func watchedLocks() (listener int, err error) { return notified(refusals["flock"]) }

// notified makes this thread stop at each of the calls, until the listener answers.
func notified(calls []refusal) (listener int, err error) {
	// Without the second flag (Linux 5.19), a signal such as the runtime's own interrupts a call that at has seen, and the thread makes it
	// again: it would be counted twice, and the calls of two runs would not have the same numbers.
	listener, err = filter(calls, nil, unix.SECCOMP_RET_USER_NOTIF,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
	if errors.Is(err, unix.EINVAL) {
		return filter(calls, nil, unix.SECCOMP_RET_USER_NOTIF, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	}
	return listener, err
}

// A notification is the kernel's struct seccomp_notif, and a verdict its struct seccomp_notif_resp (seccomp_unotify(2)).
type notification struct {
	id         uint64
	pid, flags uint32
	number     uint32
	arch       uint32
	pointer    uint64
	arguments  [6]uint64
}

type verdictOnCall struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// supervise calls at for each call of the watched thread, with its name and its first argument. It lets the call be
// made, or refuses it with the error number that at returns.
func supervise(prepared <-chan int, ended <-chan error, at func(name string, descriptor int32) error) error {
	listener := <-prepared
	if listener < 0 {
		return <-ended
	}
	defer unix.Close(listener) //nolint:errcheck // nothing was written; if at fails the test, the thread's call fails with ENOSYS
	limit := process.Patience()
	for deadline := time.Now().Add(limit); ; {
		if time.Now().After(deadline) {
			process.RanOut()
			return &process.Stuck{Limit: limit}
		}
		ready := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, 5) // decides only how soon the end is seen
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for the next call: %w", err)
		}
		if n < 1 || ready[0].Revents&unix.POLLIN == 0 {
			select {
			case err := <-ended:
				return err
			default:
				continue
			}
		}
		var call notification
		if err := control(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&call)); err != nil {
			continue // a signal interrupted the call, which the thread makes again
		}
		answer := verdictOnCall{id: call.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if number, refused := errors.AsType[syscall.Errno](at(watchedCalls[call.number], int32(call.arguments[0]))); refused {
			answer = verdictOnCall{id: call.id, errno: -int32(number)}
		}
		_ = control(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer)) // likewise
		deadline = time.Now().Add(limit)
	}
}

func control(descriptor int, request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(descriptor), request, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}
