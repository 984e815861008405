package lockfiles_test

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"
)

func init() { workers["robust"] = holdRobust }

// A robustPage is shared memory with one robust mutex in it, as get_robust_list(2) and the kernel's robust-futex-ABI describe it.
type robustPage struct {
	entry uintptr // the list's only element points back to its head
	word  uint32  // the owner's thread id, and what the kernel adds to it
	_     uint32
	head  struct {
		first   uintptr
		offset  int64 // from an element to its word
		pending uintptr
	}
}

// ownerDied is FUTEX_OWNER_DIED (linux/futex.h).
const ownerDied = 0x40000000

func mapRobust(path string) (*robustPage, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	memory, err := unix.Mmap(int(f.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*robustPage)(unsafe.Pointer(&memory[0])), nil
}

// holdRobust takes the robust mutex in the file PATH, and holds it.
func holdRobust(w *lab.Worker) error {
	runtime.LockOSThread()
	page, err := mapRobust(w.Arg(0))
	if err != nil {
		return err
	}
	head := &page.head
	head.first, head.offset = uintptr(unsafe.Pointer(page)), int64(unsafe.Offsetof(page.word))
	page.entry = uintptr(unsafe.Pointer(head))
	if _, _, errno := unix.Syscall(unix.SYS_SET_ROBUST_LIST, uintptr(unsafe.Pointer(head)), unsafe.Sizeof(*head), 0); errno != 0 {
		return errno
	}
	atomic.StoreUint32(&page.word, uint32(unix.Gettid()))
	w.Reached("holding")
	return nil
}

// pthread_mutexattr_setrobust(3): if the owner dies, "any future attempts to call pthread_mutex_lock(3) on this mutex will succeed and
// return EOWNERDEAD". The kernel sets a bit in the mutex for that (get_robust_list(2)).
func TestARobustMutex(t *testing.T) {
	t.Parallel()
	t.Run("the kernel marks a robust mutex whose owner was killed", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "mutex", string(make([]byte, os.Getpagesize())))
		page, err := mapRobust(path)
		require.NoError(t, err)
		owner := lab.Start(t, "robust", path)
		owner.Reached("holding")
		require.NotZero(t, atomic.LoadUint32(&page.word))
		require.Zero(t, atomic.LoadUint32(&page.word)&ownerDied)
		owner.Kill()
		require.NotZero(t, atomic.LoadUint32(&page.word)&ownerDied)
	})
}
