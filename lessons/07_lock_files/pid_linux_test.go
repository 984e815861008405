package lockfiles_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inNamespace runs a shell script as the first process of a PID namespace of its own, where numbers are given from 1 on, and
// returns the lines that it prints.
func inNamespace(t *testing.T, script string) []string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making a PID namespace takes root")
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("unshare is not installed (Debian: util-linux)")
	}
	if out, err := exec.CommandContext(t.Context(), unshare, "--pid", "--fork", "--mount-proc", "true").CombinedOutput(); err != nil {
		t.Skipf("no PID namespace can be made here: %s", strings.TrimSpace(string(out)))
	}
	out, err := exec.CommandContext(t.Context(), unshare, "--pid", "--fork", "--mount-proc", "sh", "-c", script).Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}

func TestNumbersOfProcesses(t *testing.T) {
	t.Parallel()

	// pid_namespaces(7): "/proc/sys/kernel/ns_last_pid […] displays the last PID that was allocated in this PID namespace", and
	// writing to it sets the next one. Without it a machine takes as long as its numbers last (/proc/sys/kernel/pid_max).
	t.Run("a number is given to another process later, and the start times differ", func(t *testing.T) {
		t.Parallel()
		got := inNamespace(t, `
			sleep 60 & first=$!
			cut -d' ' -f22 /proc/$first/stat
			kill $first; wait $first 2>/dev/null
			sleep 0.1
			echo $((first-1)) 2>/dev/null > /proc/sys/kernel/ns_last_pid || { echo readonly; exit 0; }
			sleep 60 & second=$!
			cut -d' ' -f22 /proc/$second/stat
			kill $second
			echo $first $second`)
		if got[len(got)-1] == "readonly" {
			t.Skip("/proc/sys is read-only here, as in some containers")
		}
		require.Len(t, got, 4)
		require.Equal(t, got[2], got[3], "the same number")
		require.NotEqual(t, got[0], got[1], "not the same process")
	})

	// pid_namespaces(7): "PIDs in a new PID namespace start at 1".
	t.Run("in another PID namespace a number means another process", func(t *testing.T) {
		t.Parallel()
		got := inNamespace(t, `echo $$; readlink /proc/self/ns/pid`)
		require.Equal(t, "1", got[0], "and here process 1 is another one")
		here, err := os.Readlink("/proc/self/ns/pid")
		require.NoError(t, err)
		require.NotEqual(t, here, got[1], "the link names the namespace")
	})

	// proc_sys_kernel(5), random(4): boot_id "was generated once"; it is the kernel's, and a container has the same.
	t.Run("the id of the boot is the same in another PID namespace", func(t *testing.T) {
		t.Parallel()
		got := inNamespace(t, `cat /proc/sys/kernel/random/boot_id`)
		here, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
		require.NoError(t, err)
		require.Equal(t, strings.TrimSpace(string(here)), got[0])
	})
}
