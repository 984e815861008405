package lab

import "runtime"

// CollectGarbage returns when the finalizers of all that was garbage have run, and with them what closes an os.File that nothing refers to.
// Files that one finalizer lets go of are closed, too, and so are those that these let go of.
func CollectGarbage() {
	for range 3 {
		ran := make(chan struct{})
		runtime.SetFinalizer(&struct{ text string }{"garbage"}, func(any) { close(ran) })
		for waiting := true; waiting; {
			runtime.GC()
			select {
			case <-ran:
				waiting = false
			default:
				runtime.Gosched()
			}
		}
	}
}
