// Package trace runs worker processes under strace(1): it reads which system calls a process made and on which files, makes a chosen
// call fail, kills the process at a chosen call, or stops it after each of its calls so that others can act in between.
//
// It looks at a process from outside and names no step of the code under test: whatever calls the code makes, they are seen. The tests
// use it through package lab. strace is a Linux tool; elsewhere the errors match errors.ErrUnsupported.
package trace

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Sets of calls, as Rule.Calls takes them. strace passes over a name with a "?" that this processor's system does not have.
const (
	// Files are the calls that take a path, and those that read a directory or lock a file.
	Files = "%file,flock,getdents64"
	// Writes put bytes into a file.
	Writes = "write,pwrite64,writev,pwritev,pwritev2,copy_file_range,sendfile"
	// Syncs wait until something has reached the disk.
	Syncs = "fsync,fdatasync,syncfs,sync"
	// Renames give a file another name; Removes take a name away.
	Renames = "?rename,?renameat,renameat2"
	Removes = "?unlink,unlinkat,?rmdir"
	// Stats read what a directory knows about a name.
	Stats = "newfstatat,?lstat,?stat,statx"
)

// Filtered returns arguments of strace -f with the one that lets a process stop at the calls that strace is asked about only, not at every
// call, which costs four times the processor time. Where the kernel has no such filter, strace does without. Under the filter strace 6.1
// injects no signals, so arguments that ask for one are returned as they are.
func Filtered(arguments []string) []string {
	if slices.ContainsFunc(arguments, func(argument string) bool { return strings.Contains(argument, ":signal=") }) {
		return arguments
	}
	return append([]string{"--seccomp-bpf"}, arguments...)
}

// A Rule says which system calls strace shows, and what it does to them.
type Rule struct {
	// Calls are names or classes of calls, separated by commas.
	Calls string
	// Paths, if any, restrict the rule to calls on exactly these paths, by name or by descriptor.
	Paths []string
	// Fail, a syscall.Errno, is what the calls fail with. They do not happen.
	Fail error
	// Kill ends the process as it is about to make the call, which does not happen.
	Kill bool
	// When is which of the calls Fail or Kill hits, counted from 1 in each thread; 0 means every one.
	When int
}

// Arguments returns strace's arguments for the rule. They end where the traced command begins.
func (r Rule) Arguments(log string) ([]string, error) {
	var what []string
	for _, path := range r.Paths {
		what = append(what, "-P", path)
	}
	effect := ""
	switch {
	case r.Fail != nil:
		name, err := errnoName(r.Fail)
		if err != nil {
			return nil, err
		}
		effect = ":error=" + name
	case r.Kill:
		effect = ":signal=SIGKILL"
	}
	if effect != "" {
		if r.When > 0 {
			effect += ":when=" + strconv.Itoa(r.When)
		}
		what = append(what, "-e", "inject="+r.Calls+effect)
	}
	return append([]string{"-f", "-qq", "-y", "-o", log, "-e", "trace=" + r.Calls}, Filtered(what)...), nil
}

// ErrnoName returns the name of a syscall.Errno, such as "ENOSPC", or the error's text.
func ErrnoName(err error) string {
	name, failed := errnoName(err)
	if failed != nil {
		return err.Error()
	}
	return name
}

// A Call is one system call of a traced process.
type Call struct {
	Thread int    // 0 if only one was traced
	Name   string // of the call: "renameat"
	Args   string // as strace shows them, with the path of each descriptor: `3</tmp/x>, "mine", 4`
	// Paths are the file behind each descriptor and each path argument, in order. A path is as the process wrote it or, if it is
	// relative, below the directory that it is relative to.
	Paths    []string
	Result   string // "3", "-1"; "?" if the call did not return, because the process was killed or a signal interrupted it
	Errno    string // "ENOENT", or ""
	Injected bool   // a Rule made it fail
}

// Interrupted reports whether a signal ended the call before it was done, so that the kernel makes it again: the call waits for
// something, such as a lock.
func (c Call) Interrupted() bool { return strings.HasPrefix(c.Errno, "ERESTART") }

// On reports whether the call names the file at path, by name or by descriptor.
func (c Call) On(path string) bool {
	for _, p := range c.Paths {
		if p == path {
			return true
		}
	}
	return false
}

// Within reports whether the call names dir or something below it.
func (c Call) Within(dir string) bool {
	for _, p := range c.Paths {
		if p == dir || strings.HasPrefix(p, dir+string(filepath.Separator)) {
			return true
		}
	}
	return false
}

// String shows the call for a message: `renameat("a", "b")`. Paths are as long as the process wrote them.
func (c Call) String() string {
	return fmt.Sprintf("%s(%s)", c.Name, workingDirectory.ReplaceAllString(c.Args, ""))
}

// Short is String with paths below dir shown relative to dir.
func (c Call) Short(dir string) string {
	return strings.ReplaceAll(c.String(), dir+string(filepath.Separator), "")
}
