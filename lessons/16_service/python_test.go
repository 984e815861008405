package service_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

func TestPython(t *testing.T) {
	t.Parallel()
	python := func(t *testing.T, program string) string {
		t.Helper()
		output, _ := exec.Command(lab.Python(t), "-c", program).Output() // one of the programs kills itself
		return strings.TrimSpace(string(output))
	}
	// https://docs.python.org/3/library/sqlite3.html, "How to use the connection context manager"
	t.Run("with sqlite3, two changes in one `with connection` are one step", func(t *testing.T) {
		t.Parallel()
		if python(t, "import sqlite3; print('there')") != "there" {
			t.Skip("this Python has no sqlite3")
		}
		require.Equal(t, "[('alice',)] []", python(t, `
import sqlite3
c = sqlite3.connect(":memory:")
c.execute("create table checkouts (owner)"); c.execute("create table versions (owner)")
c.execute("insert into checkouts values ('alice')"); c.commit()
try:
    with c:
        c.execute("delete from checkouts")
        raise RuntimeError("killed, as it were")
        c.execute("insert into versions values ('alice')")
except RuntimeError:
    pass
print(c.execute("select * from checkouts").fetchall(), c.execute("select * from versions").fetchall())`))
	})
	t.Run("a finally does not run when the process is killed", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "at work", python(t, `
import os, sys
try:
    print("at work", flush=True)
    os.kill(os.getpid(), 9)
finally:
    print("undone", flush=True)`))
	})
}
