//go:build amd64 || arm64

package lab

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
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
	"chmod":              {{number: unix.SYS_FCHMOD}, {number: unix.SYS_FCHMODAT}},
	"chown":              {{number: unix.SYS_FCHOWN}, {number: unix.SYS_FCHOWNAT}},
	"write":              {{number: unix.SYS_WRITE}, {number: unix.SYS_PWRITE64}, {number: unix.SYS_WRITEV}, {number: unix.SYS_COPY_FILE_RANGE}},
	"sync":               {{number: unix.SYS_FSYNC}, {number: unix.SYS_FDATASYNC}, {number: unix.SYS_SYNCFS}},
	"close":              {{number: unix.SYS_CLOSE}},
	"rename":             {{number: unix.SYS_RENAMEAT}, {number: unix.SYS_RENAMEAT2}},
	"remove":             {{number: unix.SYS_UNLINKAT}},
	"stat":               {{number: unix.SYS_STATX}, {number: sysFstatat}},
	"list":               {{number: unix.SYS_GETDENTS64}},
}

// refuse makes the kernel refuse the calls of this thread with errno, for good (seccomp(2)).
func refuse(what string, errno error) error {
	number, ok := errors.AsType[syscall.Errno](errno)
	if !ok || refusals[what] == nil {
		return fmt.Errorf("refuse %q with %v: %w", what, errno, errors.ErrUnsupported)
	}
	const load, equal, anyBit, result = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	var program []unix.SockFilter
	for _, r := range refusals[what] {
		if r.bits == 0 {
			program = append(program, unix.SockFilter{Code: load, K: 0}, unix.SockFilter{Code: equal, Jf: 1, K: r.number})
		} else {
			set := uint8(0) // how many steps to skip if a bit is set
			if r.none {
				set = 1
			}
			// seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6]
			program = append(program, unix.SockFilter{Code: load, K: 0}, unix.SockFilter{Code: equal, Jf: 3, K: r.number},
				unix.SockFilter{Code: load, K: uint32(16 + 8*r.argument)}, unix.SockFilter{Code: anyBit, Jt: set, Jf: 1 - set, K: r.bits})
		}
		program = append(program, unix.SockFilter{Code: result, K: unix.SECCOMP_RET_ERRNO | uint32(number)})
	}
	program = append(program, unix.SockFilter{Code: result, K: unix.SECCOMP_RET_ALLOW})
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("refuse %q: %w (%w)", what, errors.ErrUnsupported, err)
	}
	if _, _, err := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&filter))); err != 0 {
		return fmt.Errorf("refuse %q: %w (%w)", what, errors.ErrUnsupported, err)
	}
	return nil
}
