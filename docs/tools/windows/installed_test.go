package main

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

func TestVersionOfWine(t *testing.T) {
	for _, test := range []struct {
		output string
		major  int
	}{
		{"wine-10.0 (Debian 10.0~repack-6)\n", 10},
		{"wine-8.0 (Debian 8.0~repack-4)\n", 8},
		{"wine-9.0-rc1\n", 9},
		{"it looks like wine32 is missing\nwine-11.2\n", 11},
		{"sh: wine: not found", 0},
		{"", 0},
	} {
		if major := majorVersion(test.output); major != test.major {
			t.Errorf("majorVersion(%q) = %d, expected %d", test.output, major, test.major)
		}
	}
}

func TestScriptPassesArgumentsOn(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the script is for sh, and Windows needs none")
	}
	t.Setenv("TMPDIR", t.TempDir())
	script := filepath.Join(t.TempDir(), "it's a script")
	if err := writeScript(script, "/bin/sh", "-c", `printf '%s|' "$TMPDIR" "$@"`, "sh", "a b"); err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command(script, "c'd", "", `"e"`).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(output), `|a b|c'd||"e"|`; got != want {
		t.Errorf("the command got %s, expected %s (TMPDIR first, unset)", got, want)
	}
}
