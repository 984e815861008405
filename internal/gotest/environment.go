package gotest

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// turning are the variables that turn a go command into another one: a learner may have set them for other work.
// GOENV is not among them: what `go env -w` has written gives way to the values that Environment sets.
var turning = []string{
	"GOFLAGS", "GOOS", "GOARCH", "GOWORK", "GO111MODULE", "GOEXPERIMENT", "GOTOOLDIR", "CGO_ENABLED", "GOCOVERDIR",
	"GO_EXTLINK_ENABLED", "PWD",
}

// Environment returns the environment for a go command that works in dir: this process's own without the variables that
// would turn the command into another one, and with fixed values for those that `go env -w` could have written. What more
// holds ("KEY=value") comes last and wins, so a caller may set each of them again.
//
// The module of dir is used as it is: no go.work above it, no change of its go.mod, its vendor directory if it has one
// (a class without a network may have run `go mod vendor`). The target is this system.
func Environment(dir string, more ...string) []string {
	own := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(turning, strings.ToUpper(name)) // Windows knows no letter case here
	})
	mod := "-mod=readonly"
	if _, err := os.Stat(filepath.Join(dir, "vendor", "modules.txt")); err == nil {
		mod = "-mod=vendor"
	}
	// -buildvcs=false: git refuses to speak about a clone that belongs to another user.
	fixed := []string{
		"GOFLAGS=" + mod + " -buildvcs=false", "GOWORK=off", "GO111MODULE=on", "GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH, "PWD=" + dir,
	}
	return slices.Concat(own, fixed, more)
}
