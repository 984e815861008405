package pid

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Started returns when the process began, in a form that is good for nothing but a comparison: two processes that have had the same
// number differ in it. The error matches errors.ErrUnsupported where the system does not tell.
//
// On Linux that is field 22 of /proc/PID/stat, in ticks of mostly 10 ms (proc_pid_stat(5)). It does not tell of processes of other
// users that a mount of /proc hides (hidepid, proc(5)), nor of any where /proc is that of another PID namespace: there, numbers mean
// other processes.
func Started(number int) (string, error) {
	self, err := os.Readlink("/proc/self")
	if err != nil || self != strconv.Itoa(os.Getpid()) {
		return "", fmt.Errorf("ask when process %d started: %w: /proc is missing, or another PID namespace's", number, errors.ErrUnsupported)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", number))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("ask when process %d started: %w (%w)", number, errors.ErrUnsupported, err)
	}
	if err != nil {
		return "", fmt.Errorf("ask when process %d started: %w", number, err)
	}
	// "number (name) state …", and the name may hold anything, spaces and parentheses too. The state is field 3.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return "", fmt.Errorf("ask when process %d started: %w: /proc/%d/stat has no field 22", number, errors.ErrUnsupported, number)
	}
	return fields[19], nil
}

// Here returns the Host of this process. Its Namespace names the PID namespace, where numbers are given, and the time namespace,
// whose clock start times are in (pid_namespaces(7), time_namespaces(7)). Its Boot is the kernel's boot_id (proc_sys_kernel(5)).
func Here() (Host, error) {
	name, err := os.Hostname()
	if err != nil {
		return Host{}, fmt.Errorf("ask for the name of this machine: %w", err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Host{}, fmt.Errorf("ask for the present boot of this machine: %w", err)
	}
	host := Host{Name: strings.ToValidUTF8(name, "?"), Machine: machine(), Boot: strings.TrimSpace(string(boot))}
	for _, kind := range []string{"pid", "time"} {
		namespace, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without such namespaces has only one
			return Host{}, fmt.Errorf("ask for the %s namespace: %w", kind, err)
		}
		host.Namespace = strings.TrimSpace(host.Namespace + " " + namespace)
	}
	return host, nil
}

// machine returns a name that is made of the machine's id and can be traced back to it only by a program that knows the id: machine-id(5)
// asks for that. It is empty where there is no id, as in many containers.
func machine() string {
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(bytes.TrimSpace(id)) != 32 { // "uninitialized" while the machine starts for the first time
		return ""
	}
	hash := hmac.New(sha256.New, bytes.TrimSpace(id))
	hash.Write([]byte("turnstile lock file"))
	return hex.EncodeToString(hash.Sum(nil)[:16])
}
