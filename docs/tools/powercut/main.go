// Command powercut shows what a power cut leaves of a file that was just saved, on real file systems.
//
//	sudo go -C docs/tools run ./powercut                  every file system whose mkfs is installed
//	sudo go -C docs/tools run ./powercut -systems xfs     only these (ext4, ext4-noauto, xfs, btrfs)
//
// It makes a small disk in a file for each way to save and each file system, mounts it, saves a document there, and copies the
// disk while it is mounted: at once, and some seconds later. The copies hold what had reached the disk at those moments. Then
// it mounts the copies, as a machine does after the power is back, and looks at the document.
//
// Each way is tried several times (-times), since what has reached the disk at a moment is a matter of luck for the careless ways.
//
// What it leaves out: a disk that accepts a write and loses it from its own cache, or reorders writes. A real power
// cut can be worse than this table, not better.
//
// Last it saves to a disk that becomes full without the file system's knowledge, and shows what fsync returns the first time, the
// second and the third, and what the file holds once the kernel has dropped the pages and has to read the disk.
//
// It needs Linux, root, and loop devices. The mounts live in a mount namespace of their own, and a loop device goes with its
// mount: nothing is left in the system, even if the program is killed. Its files are in a temporary directory (-dir).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	systems := flag.String("systems", "ext4,ext4-noauto,xfs,btrfs", "file systems to try, comma-separated")
	dir := flag.String("dir", "", "directory for the disks, about 150 MB in all (the system's directory for temporary files)")
	times := flag.Int("times", 3, "how often to try each way; a cell of the table shows all that came out")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, *systems, *dir, max(*times, 1)); err != nil {
		fmt.Fprintln(os.Stderr, "powercut:", err)
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) {
			os.Exit(3)
		}
		os.Exit(1)
	}
}
