package gotest_test

// hangingTest starts a child of its own that listens, writes the address to the file $READY, and waits, as does the test.
const hangingTest = `package hang_test

import (
	"net"
	"os"
	"os/exec"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv("CHILD") == "" {
		os.Exit(m.Run())
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	ready := os.Getenv("READY")
	if err := os.WriteFile(ready+".new", []byte(listener.Addr().String()), 0o666); err != nil {
		panic(err)
	}
	if err := os.Rename(ready+".new", ready); err != nil {
		panic(err)
	}
	if _, err := listener.Accept(); err != nil {
		panic(err)
	}
	select {}
}

func TestHang(t *testing.T) {
	t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "CHILD=1")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
}
`
