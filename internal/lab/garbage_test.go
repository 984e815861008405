package lab_test

import (
	"runtime"
	"testing"

	"example/turnstile/internal/lab"
)

type holder struct{ held *struct{ text string } }

func TestCollectGarbage(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	func() {
		held := &struct{ text string }{"held"}
		runtime.SetFinalizer(held, func(any) { close(closed) })
		runtime.SetFinalizer(&holder{held}, func(*holder) {}) // which keeps held until it has run
	}()
	lab.CollectGarbage()
	select {
	case <-closed:
	default:
		t.Fatal("what the first finalizer let go of was not collected")
	}
}
