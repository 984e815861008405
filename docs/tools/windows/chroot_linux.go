package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	wineProgram = "/usr/lib/wine/wine64"
	wineServer  = "/usr/lib/wine/wineserver64"

	// Inside the session's root: where the whole machine is visible, and where Wine's Z: leads. So a path on the machine is the same
	// path on Z:.
	hostMount = "/host"
	// Inside the session's root: Wine's directory, with the C: disk.
	prefixPath = "/prefix"
	// Inside the session's root: where Wine's server of user 0 listens.
	runtimePath = "/run/user/0"
)

func init() {
	steps["step:build"] = buildStep
	steps["step:session"] = sessionStep
	steps["step:program"] = programStep
}

// chrootSession runs this program's arguments with Debian's Wine in the environment, which it builds if there is none.
//
// The session has its own process, mount and memory file systems. They end with its first process, so nothing is left behind,
// however it ends.
func chrootSession(args []string) (int, error) {
	environment, err := ensureEnvironment()
	if err != nil {
		return 0, err
	}
	command, err := startAgain(append([]string{"step:session", environment}, args...)...)
	if err != nil {
		return 0, err
	}
	ownNamespaces(command)
	return finish(command, func(command *exec.Cmd) { _ = command.Process.Kill() }) // it may be gone already
}

// ownNamespaces gives the command processes and mounts of its own, and ends it with this process.
func ownNamespaces(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
}

// sessionStep is the first process of a session.
func sessionStep(args []string) int {
	environment, rest := args[0], args[1:]
	root := filepath.Join(environment, "session")
	if err := mountSession(environment, root); err != nil {
		return cannotRun(fmt.Errorf("preparing the session: %w", err))
	}
	self, err := os.Executable()
	if err != nil {
		return cannotRun(err)
	}
	script := filepath.Join(root, "exec")
	if err := writeScript(script, self, "step:program", root); err != nil {
		return cannotRun(err)
	}
	if _, err := keepWarm(os.Environ(), script); err != nil {
		return cannotRun(err)
	}
	env := append(os.Environ(),
		execVariable+"="+script,
		"TMPDIR="+filepath.Join(root, "tmp")) // builds and their leftovers end with the session
	return first(append([]string{self}, rest...), env)
}

// first runs the command to its end and meanwhile buries the orphans of the session, as the first process of a system must.
func first(command, env []string) int {
	process, err := os.StartProcess(command[0], command, &os.ProcAttr{Env: env, Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return cannotRun(err)
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return cannotRun(err)
		case pid == process.Pid && status.Exited():
			return status.ExitStatus()
		case pid == process.Pid:
			return 1
		}
	}
}

// mountSession lays out the root in which Wine runs: Debian's programs, read-only; a fresh C: disk; the machine under hostMount.
// It is all in memory or mounted, and visible to this session alone.
func mountSession(environment, root string) error {
	debian := filepath.Join(environment, "debian")
	m := new(mounter)
	m.private()
	m.mount("proc", "/proc", "proc", 0, "")
	m.mount("tmpfs", root, "tmpfs", 0, "mode=0755")
	for _, dir := range []string{"usr", "etc"} {
		m.readOnly(filepath.Join(debian, dir), filepath.Join(root, dir))
	}
	for _, dir := range []string{"bin", "lib", "lib64", "sbin"} {
		m.do("link", os.Symlink("usr/"+dir, filepath.Join(root, dir)))
	}
	m.bindAll("/dev", filepath.Join(root, "dev"))
	m.do("create", os.Mkdir(filepath.Join(root, "tmp"), 0o777))
	m.do("share", os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky))
	m.do("create", os.Mkdir(filepath.Join(root, "proc"), 0o755))
	m.mount("proc", filepath.Join(root, "proc"), "proc", 0, "")
	m.do("create", makeRuntime(root))
	m.bindAll("/", filepath.Join(root, hostMount))

	prefix := filepath.Join(root, prefixPath)
	m.do("copy", os.CopyFS(prefix, os.DirFS(filepath.Join(environment, "prefix"))))
	windows := filepath.Join(prefix, "drive_c", "windows")
	m.readOnly(filepath.Join(environment, "windows"), windows)
	m.mount("tmpfs", filepath.Join(windows, "temp"), "tmpfs", 0, "mode=0777")
	return m.err
}

// programStep becomes a Windows program: step:program ROOT program.exe arguments. The process stays the same, so a signal reaches
// the program.
func programStep(args []string) int {
	root, program, rest := args[0], args[1], args[2:]
	dir, err := os.Getwd()
	if err != nil {
		return cannotRun(err)
	}
	if strings.Contains(program, "/") { // otherwise it is one of Wine's own
		if !filepath.IsAbs(program) {
			program = filepath.Join(dir, program)
		}
		program = filepath.Join(hostMount, program)
	}
	if err := syscall.Chroot(root); err != nil {
		return cannotRun(fmt.Errorf("entering %s: %w", root, err))
	}
	if err := os.Chdir(filepath.Join(hostMount, dir)); err != nil {
		return cannotRun(err)
	}
	if err := dropOverrides(); err != nil {
		return cannotRun(err)
	}
	env := chrootEnvironment()
	env = (&exec.Cmd{Env: env}).Environ() // the last of each name: execve would pass all, and Wine take the first
	err = syscall.Exec(wineProgram, append([]string{wineProgram, program}, rest...), env)
	return cannotRun(fmt.Errorf("starting %s: %w", wineProgram, err))
}

// dropOverrides takes the right to ignore file permissions from the program that this thread becomes. Wine keeps the read-only attribute
// in the permissions, and on Windows it binds administrators too.
func dropOverrides() error {
	const capDACOverride, capDACReadSearch = 1, 2 // capabilities(7)
	for _, capability := range []uintptr{capDACOverride, capDACReadSearch} {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_CAPBSET_DROP, capability, 0); errno != 0 {
			return fmt.Errorf("dropping capability %d: %w", capability, errno)
		}
	}
	return nil
}

// chrootEnvironment is the environment for Wine in a root of its own, where the machine's directories have other names.
func chrootEnvironment() []string {
	return append(wineEnvironment(os.Environ(), prefixPath, wineServer),
		"HOME=/tmp", "XDG_RUNTIME_DIR="+runtimePath)
}

// makeRuntime creates what runtimePath names. Wine accepts it only if no other user may enter.
func makeRuntime(root string) error { return os.MkdirAll(filepath.Join(root, runtimePath), 0o700) }

// A mounter mounts one thing after the other until the first error.
type mounter struct{ err error }

func (m *mounter) do(what string, err error) {
	if m.err == nil && err != nil {
		m.err = fmt.Errorf("%s: %w", what, err)
	}
}

func (m *mounter) mount(source, target, kind string, flags uintptr, data string) {
	if m.err == nil {
		m.do("mount "+source+" on "+target, syscall.Mount(source, target, kind, flags, data))
	}
}

// private keeps what is mounted from here on out of the rest of the machine.
func (m *mounter) private() { m.mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "") }

func (m *mounter) bindAll(source, target string) {
	m.do("create", os.MkdirAll(target, 0o755))
	m.mount(source, target, "", syscall.MS_BIND|syscall.MS_REC, "")
}

func (m *mounter) readOnly(source, target string) {
	m.do("create", os.MkdirAll(target, 0o755))
	m.mount(source, target, "", syscall.MS_BIND, "")
	m.mount(source, target, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}
