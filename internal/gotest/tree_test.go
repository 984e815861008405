package gotest_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/gotest"
)

// roleVariable makes this test binary a process of the tree that TestRunTreeEndsGrandchildren ends.
const roleVariable = "TURNSTILE_WORKBOOK_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "parent":
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), roleVariable+"=child")
		if err := child.Run(); err != nil {
			panic(err)
		}
	case "child":
		listenForever(os.Getenv("READY"))
	default:
		os.Exit(m.Run())
	}
}

// listenForever writes its address to the file ready, takes one connection, and keeps it until it is killed.
func listenForever(ready string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = os.WriteFile(ready+".new", []byte(listener.Addr().String()), 0o666)
	}
	if err == nil {
		err = os.Rename(ready+".new", ready)
	}
	if err == nil {
		_, err = listener.Accept()
	}
	if err != nil {
		panic(err)
	}
	select {}
}

func TestRunTreeEndsGrandchildren(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	ready := filepath.Join(t.TempDir(), "ready")
	ctx, cancel := context.WithCancel(t.Context())
	command := exec.CommandContext(ctx, self)
	command.Env = append(os.Environ(), roleVariable+"=parent", "READY="+ready)
	done := make(chan error, 1)
	go func() { done <- gotest.RunTree(command) }()
	grandchild := connect(t, ready)
	cancel()
	require.Error(t, <-done)
	requireGone(t, grandchild)
}

// connect waits for the file ready and dials the address in it.
func connect(t *testing.T, ready string) net.Conn {
	t.Helper()
	var address []byte
	require.Eventually(t, func() bool {
		var err error
		address, err = os.ReadFile(ready)
		return err == nil
	}, 2*time.Minute, 10*time.Millisecond, "the process did not start")
	connection, err := net.Dial("tcp", string(address))
	require.NoError(t, err)
	t.Cleanup(func() { connection.Close() })
	return connection
}

// requireGone waits until the process at the other end is gone: the system closes its connections.
func requireGone(t *testing.T, connection net.Conn) {
	t.Helper()
	require.NoError(t, connection.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err := connection.Read(make([]byte, 1))
	require.Error(t, err)
	require.False(t, errors.Is(err, os.ErrDeadlineExceeded), "a process outlived the run that started it")
}
