package lockfiles_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"

	"example/turnstile/internal/lab"
)

func TestOnWindows(t *testing.T) {
	t.Parallel()
	const access = windows.PROCESS_QUERY_LIMITED_INFORMATION | windows.SYNCHRONIZE

	// Microsoft, CreateFile: without FILE_SHARE_DELETE no process may delete the file while the handle is open. os.Open
	// does not set it; os.Root does.
	t.Run("a lock file that another process reads cannot be removed", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json.lock", "alice")
		contender, err := os.Open(path)
		require.NoError(t, err)
		require.ErrorIs(t, os.Remove(path), windows.ERROR_SHARING_VIOLATION)
		require.NoError(t, contender.Close())
		require.NoError(t, os.Remove(path))
	})

	// Microsoft, Terminating a Process: "The process object is deleted when the last handle to the process is closed."
	t.Run("a process that has ended can be opened while another one has a handle to it, and it is signalled", func(t *testing.T) {
		t.Parallel()
		process := lab.Start(t, "stay")
		process.Reached("staying")
		handle, err := windows.OpenProcess(access, false, uint32(process.PID()))
		require.NoError(t, err)
		event, err := windows.WaitForSingleObject(handle, 0)
		require.NoError(t, err)
		require.Equal(t, uint32(windows.WAIT_TIMEOUT), event, "it runs")
		process.Kill()
		again, err := windows.OpenProcess(access, false, uint32(process.PID()))
		require.NoError(t, err)
		event, err = windows.WaitForSingleObject(again, 0)
		require.NoError(t, err)
		require.Equal(t, uint32(windows.WAIT_OBJECT_0), event, "it has ended")
		require.NoError(t, windows.CloseHandle(again))
		require.NoError(t, windows.CloseHandle(handle))
	})

	// Microsoft, OpenProcess and System Error Codes: ERROR_INVALID_PARAMETER for a number that no process has.
	t.Run("OpenProcess for a number that no process has fails with ERROR_INVALID_PARAMETER", func(t *testing.T) {
		t.Parallel()
		_, err := windows.OpenProcess(access, false, 0xFFFFFFF0)
		require.ErrorIs(t, err, windows.ERROR_INVALID_PARAMETER)
	})
}
