package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// release is the Debian release whose Wine runs Go's programs: Debian 13 has Wine 10, Debian 12 has Wine 8, which cannot.
const release = "trixie"

// ensureEnvironment returns the directory that holds Debian with Wine, and builds it if it does not exist yet.
//
// It is built under another name and renamed when it is complete, under a lock: two runs build it once, and a run that was killed
// leaves no incomplete one.
func ensureEnvironment() (string, error) {
	dir, err := cacheDirectory()
	if err != nil {
		return "", err
	}
	if os.Geteuid() != 0 {
		return "", errors.New("only root may build and enter the environment; install Wine 9 or later, or start this as root")
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		return "", errors.New("debootstrap is not installed; install it (apt-get install debootstrap), or Wine 9 or later")
	}
	unlock, err := lockFile(dir+".lock", "another run that builds "+dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}

	started := time.Now()
	fmt.Fprintf(os.Stderr, "building %s once: Debian %s with Wine, about 2 GB, a minute or two\n", dir, release)
	building := dir + ".building"
	if err := os.RemoveAll(building); err != nil {
		return "", fmt.Errorf("removing what an earlier run left: %w", err)
	}
	if err := build(building, dir+".log"); err != nil {
		return "", err
	}
	if err := os.Rename(building, dir); err != nil {
		return "", err
	}
	fmt.Fprintf(os.Stderr, "built in %.0f s\n", time.Since(started).Seconds())
	return dir, nil
}

// build runs buildStep in namespaces of its own, since it mounts and starts servers, and shows the end of its log if it fails.
func build(dir, logPath string) error {
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer log.Close()
	command, err := startAgain("step:build", dir)
	if err != nil {
		return err
	}
	command.Stdout, command.Stderr = log, log
	ownNamespaces(command)
	status, err := finish(command, func(command *exec.Cmd) { _ = command.Process.Kill() })
	switch {
	case errors.Is(err, syscall.EPERM):
		return errors.New("this container does not allow new namespaces; start it with --privileged, or install Wine 9 or later")
	case err != nil:
		return err
	case status != 0:
		_, _ = io.Copy(os.Stderr, lastLines(logPath, 15))
		return fmt.Errorf("building the environment failed, see %s; check the network, then start again", logPath)
	}
	return nil
}

func buildStep(args []string) int {
	if err := buildEnvironment(args[0]); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func buildEnvironment(dir string) error {
	debian := filepath.Join(dir, "debian")
	m := new(mounter)
	m.private()
	m.mount("proc", "/proc", "proc", 0, "")
	m.do("create", os.MkdirAll(dir, 0o755))
	m.do("create", os.Mkdir(filepath.Join(dir, "session"), 0o755))
	if m.err != nil {
		return m.err
	}

	err := withRetries(func() error {
		if err := os.RemoveAll(debian); err != nil {
			return err
		}
		return logged("", "debootstrap", debootstrapArgs(debian)...)
	})
	if err != nil {
		return err
	}
	copyNetworkSettings(debian)
	m.mount("proc", filepath.Join(debian, "proc"), "proc", 0, "")
	m.mount("/dev", filepath.Join(debian, "dev"), "", syscall.MS_BIND|syscall.MS_REC, "")
	if m.err != nil {
		return m.err
	}
	err = withRetries(func() error {
		return logged(debian, "/usr/bin/apt-get", "install", "--yes", "--no-install-recommends", "wine64")
	})
	if err != nil {
		return err
	}
	if err := logged(debian, "/usr/bin/apt-get", "clean"); err != nil {
		return err
	}
	return makeDisk(dir, debian)
}

// makeDisk has Wine create its C: disk, and lays it out as mountSession needs it: the large part, C:\windows, on its own, to be shared.
func makeDisk(dir, debian string) error {
	if err := makeRuntime(debian); err != nil {
		return err
	}
	if err := logged(debian, wineProgram, "wineboot.exe", "--init"); err != nil {
		return err
	}
	if err := logged(debian, wineServer, "--wait"); err != nil { // it writes the registry when it ends
		return err
	}
	prefix := filepath.Join(dir, "prefix")
	drives := filepath.Join(prefix, "dosdevices")
	return errors.Join(
		os.Rename(filepath.Join(debian, prefixPath), prefix),
		os.Rename(filepath.Join(prefix, "drive_c", "windows"), filepath.Join(dir, "windows")),
		os.RemoveAll(drives),
		os.Mkdir(drives, 0o755),
		os.Symlink("../drive_c", filepath.Join(drives, "c:")),
		os.Symlink(hostMount, filepath.Join(drives, "z:")),
	)
}

func debootstrapArgs(target string) []string {
	args := []string{"--variant=minbase", "--include=ca-certificates", release, target}
	if mirror := debianMirror(); mirror != "" {
		args = append(args, mirror)
	}
	return args
}

// debianMirror is the mirror that this machine's own apt uses; empty, for debootstrap's default, where apt is not Debian's.
func debianMirror() string {
	const nothing = ""
	system, err := os.ReadFile("/etc/os-release")
	if err != nil || !bytes.Contains(system, []byte("\nID=debian\n")) {
		return nothing
	}
	sites, err := exec.Command("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages").Output()
	if err != nil {
		return nothing
	}
	return firstMirror(string(sites))
}

// firstMirror picks the first site that holds whole releases: the security updates are a site of their own.
func firstMirror(sites string) string {
	for _, site := range strings.Fields(sites) {
		if !strings.Contains(site, "security") {
			return site
		}
	}
	return ""
}

// copyNetworkSettings lets apt-get inside find the mirror as the machine does. What is missing is not needed.
func copyNetworkSettings(debian string) {
	for _, path := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		if content, err := os.ReadFile(path); err == nil {
			_ = os.WriteFile(filepath.Join(debian, path), content, 0o644) // apt-get says what it could not reach
		}
	}
}

// withRetries bridges a short failure of the network.
func withRetries(step func() error) error {
	const attempts = 3
	var err error
	for attempt := range attempts {
		if attempt > 0 {
			fmt.Println("trying again after:", err)
			time.Sleep(time.Duration(attempt) * 5 * time.Second)
		}
		if err = step(); err == nil {
			return nil
		}
	}
	return err
}

// logged runs a command, inside root unless that is empty, with its output in the log.
func logged(root, name string, args ...string) error {
	command := exec.Command(name, args...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Env = os.Environ()
	if root != "" {
		command.Dir = "/"
		command.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
		command.Env = append(chrootEnvironment(),
			"PATH=/usr/sbin:/usr/bin", "DEBIAN_FRONTEND=noninteractive")
	}
	fmt.Println("+", strings.Join(command.Args, " "))
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(command.Args, " "), err)
	}
	return nil
}

func lastLines(path string, count int) io.Reader {
	content, _ := os.ReadFile(path) // without a log there is nothing to show
	lines := bytes.SplitAfter(content, []byte("\n"))
	return bytes.NewReader(bytes.Join(lines[max(0, len(lines)-count):], nil))
}
