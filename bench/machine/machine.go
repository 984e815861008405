// Package machine describes where a run takes place. It names no host, no user and no path.
package machine

import (
	"fmt"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"

	"example/turnstile/bench/results"
)

// Describe returns the machine, with the load that it has now, and the versions of all peers.
func Describe() results.Machine {
	m := results.Machine{
		System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version(), Versions: map[string]string{},
		Kernel: "unknown", Processor: "unknown",
	}
	describe(&m)
	m.Load[0] = Load()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if peer(module.Path) {
				m.Versions[module.Path] = module.Version
			}
		}
	}
	if text, err := exec.Command("flock", "--version").Output(); err == nil {
		m.Versions["flock(1)"] = strings.TrimPrefix(strings.TrimSpace(string(text)), "flock from ")
	}
	return m
}

// peer reports whether a module is one that is compared, or that counts. What these require is in go.sum.
func peer(path string) bool {
	for _, p := range []string{
		"github.com/alexflint/go-filemutex", "github.com/gofrs/flock", "github.com/google/renameio", "github.com/natefinch/atomic",
		"github.com/rogpeppe/go-internal", "go.etcd.io/bbolt", "modernc.org/sqlite", "github.com/HdrHistogram/hdrhistogram-go",
	} {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// Place returns the place of a directory: "memory" if its file system loses everything with the power, else "disk".
func Place(dir string) (results.Place, error) {
	name, volatile, err := fileSystem(dir)
	if err != nil {
		return results.Place{}, fmt.Errorf("file system of %s: %w", dir, err)
	}
	if volatile {
		return results.Place{Name: "memory", FileSystem: name}, nil
	}
	return results.Place{Name: "disk", FileSystem: name}, nil
}
