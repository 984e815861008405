package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A system is a file system with its mount options, and when the disk is copied.
type system struct {
	name    string
	mkfs    []string
	options string // of the mount
	again   string // further options for mounting the copy
	delays  []time.Duration
}

var systems = []system{
	{name: "ext4", mkfs: []string{"mkfs.ext4", "-q", "-F"}, options: "commit=1", delays: []time.Duration{0, 2 * time.Second}},
	{
		name: "ext4-noauto", mkfs: []string{"mkfs.ext4", "-q", "-F"}, options: "commit=1,noauto_da_alloc",
		delays: []time.Duration{0, 2 * time.Second},
	},
	{
		name: "xfs", mkfs: []string{"mkfs.xfs", "-q", "-f"}, options: "defaults", again: ",nouuid",
		delays: []time.Duration{0, 3 * time.Second, 33 * time.Second},
	},
	{name: "btrfs", mkfs: []string{"mkfs.btrfs", "-q", "-f"}, options: "commit=1", delays: []time.Duration{0, 3 * time.Second}},
}

const diskSize = 320 << 20 // sparse; XFS wants 300 MB at least

// namespaced marks the copy of this program that has its own mount namespace.
const namespaced = "TURNSTILE_POWERCUT_NAMESPACE"

func run(ctx context.Context, names, dir string, times int) (err error) {
	if os.Getuid() != 0 {
		return fmt.Errorf("only root may mount: run it with sudo: %w", os.ErrPermission)
	}
	if os.Getenv(namespaced) == "" {
		return inNamespace(ctx)
	}
	if err := command(ctx, "mount", "--make-rprivate", "/"); err != nil {
		return err
	}
	chosen, err := choose(names)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(dir, "turnstile-powercut-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	for _, s := range chosen {
		if err := report(ctx, s, filepath.Join(work, s.name), times); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return refuse(ctx, filepath.Join(work, "refuse"))
}

// inNamespace runs this program again in a mount namespace that ends with it, and its mounts with the namespace.
func inNamespace(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	again := exec.CommandContext(ctx, self, os.Args[1:]...)
	again.Stdout, again.Stderr = os.Stdout, os.Stderr
	again.Env = append(os.Environ(), namespaced+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM}
	again.Cancel = func() error { return again.Process.Signal(syscall.SIGTERM) } // it removes its files
	err = again.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Exited():
		os.Exit(exit.ExitCode()) // it has said why
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("this root may not make a mount namespace (a container without CAP_SYS_ADMIN?): %w", os.ErrPermission)
	}
	return err
}

// choose returns the systems of those names whose tools are installed, and prints which are not.
func choose(names string) ([]system, error) {
	var chosen []system
	for name := range strings.SplitSeq(names, ",") {
		at := slices.IndexFunc(systems, func(s system) bool { return s.name == name })
		if at < 0 {
			return nil, fmt.Errorf("there is no file system %q here: ext4, ext4-noauto, xfs, btrfs", name)
		}
		if _, err := exec.LookPath(systems[at].mkfs[0]); err != nil {
			fmt.Printf("%s is left out: %s is not installed (Debian: apt-get install e2fsprogs xfsprogs btrfs-progs)\n\n", name, systems[at].mkfs[0])
			continue
		}
		chosen = append(chosen, systems[at])
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no file system to try: %w", errors.ErrUnsupported)
	}
	return chosen, nil
}

// report tries every way to save on one file system, all at the same time, and prints a table.
func report(ctx context.Context, s system, dir string, times int) error {
	found, failed := make([][]string, len(saves)*times), make([]error, len(saves)*times)
	var disks sync.WaitGroup
	for i := range found {
		disks.Go(func() { found[i], failed[i] = try(ctx, s, saves[i%len(saves)].do, fmt.Sprintf("%s-%d", dir, i)) })
	}
	disks.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	fmt.Printf("%s, mounted with %s\n  %-47s", s.name, s.options, "power cut after the save returned, by")
	for _, delay := range s.delays {
		fmt.Printf("  %-10v", delay)
	}
	fmt.Println()
	for i, save := range saves {
		fmt.Printf("  %-47s", save.name)
		for at := range s.delays {
			fmt.Printf("  %-10s", together(found, i, at))
		}
		fmt.Println()
	}
	fmt.Println()
	return nil
}

// together returns what the copies of one way at one moment held: "old", or "new/EMPTY" if it differed.
func together(found [][]string, way, at int) string {
	var contents []string
	for i := way; i < len(found); i += len(saves) {
		if !slices.Contains(contents, found[i][at]) {
			contents = append(contents, found[i][at])
		}
	}
	slices.Sort(contents)
	return strings.Join(contents, "/")
}

// try saves on a fresh disk and returns what each copy of it holds.
func try(ctx context.Context, s system, save func(path string) error, dir string) (found []string, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	disk, at := filepath.Join(dir, "disk"), filepath.Join(dir, "mounted")
	if err := errors.Join(os.Mkdir(at, 0o700), os.WriteFile(disk, nil, 0o600), os.Truncate(disk, diskSize)); err != nil {
		return nil, err
	}
	if err := command(ctx, append(slices.Clone(s.mkfs), disk)...); err != nil {
		return nil, err
	}
	copies, err := saveAndCopy(ctx, s, save, disk, at)
	if err != nil {
		return nil, err
	}
	// Only now: two disks with one identity are not to be mounted at the same time (Btrfs).
	for _, name := range copies {
		content, err := look(ctx, s, name, at)
		if err != nil {
			return nil, err
		}
		found = append(found, content)
	}
	return found, nil
}

// saveAndCopy lets the disk settle with the old content, saves, and copies the disk after each delay.
func saveAndCopy(ctx context.Context, s system, save func(path string) error, disk, at string) (copies []string, err error) {
	if err := command(ctx, "mount", "-o", "loop,"+s.options, disk, at); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unmount(at)) }()
	path := filepath.Join(at, "locks.json")
	if err := replaceDurably(path, []byte(oldContent)); err != nil {
		return nil, err
	}
	if err := command(ctx, "sync", "-f", at); err != nil {
		return nil, err
	}
	if err := save(path); err != nil {
		return nil, err
	}
	saved := time.Now()
	for i, delay := range s.delays {
		select {
		case <-time.After(time.Until(saved.Add(delay))):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		name := fmt.Sprintf("%s.%d", disk, i)
		// The file under the loop device holds what the file system has sent to its disk so far.
		if err := command(ctx, "cp", "--sparse=always", "--reflink=never", disk, name); err != nil {
			return nil, err
		}
		copies = append(copies, name)
	}
	return copies, nil
}

// look mounts a copy, which lets the file system repair itself from its journal, and says what the document is.
func look(ctx context.Context, s system, disk, at string) (content string, err error) {
	if err := command(ctx, "mount", "-o", "loop,"+s.options+s.again, disk, at); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, unmount(at)) }()
	text, err := os.ReadFile(filepath.Join(at, "locks.json"))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "GONE", nil
	case err != nil:
		return "", err
	case len(text) == 0:
		return "EMPTY", nil
	case strings.Trim(string(text), "\x00") == "":
		return "ZEROS", nil
	case string(text) == oldContent:
		return "old", nil
	case string(text) == newContent:
		return "new", nil
	}
	return "TORN", nil
}

// unmount works even if the context has ended. A mount can be busy for a moment because another process has just read
// the list of mounts, and the kernel does not report the end of that.
func unmount(at string) (err error) {
	for range 50 {
		if err = command(context.Background(), "umount", at); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.Join(err, command(context.Background(), "umount", "--lazy", at))
}

func command(ctx context.Context, line ...string) error {
	out, err := exec.CommandContext(ctx, line[0], line[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(line, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
