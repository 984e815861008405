package gotest_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/gotest"
)

func TestEnvironment(t *testing.T) {
	for _, variable := range []string{
		"GOFLAGS=-json", "GOOS=plan9", "GOARCH=wasm", "GOWORK=/none", "GO111MODULE=off", "CGO_ENABLED=1",
		"PWD=/elsewhere", "KEPT=yes",
	} {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	got := gotest.Environment(dir, "KEPT=no", "GOPROXY=off")
	for _, want := range []string{
		"GOFLAGS=-mod=readonly -buildvcs=false", "GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH, "GOWORK=off", "GO111MODULE=on", "PWD=" + dir,
	} {
		name, _, _ := strings.Cut(want, "=")
		assert.Equal(t, []string{want}, named(got, name))
	}
	assert.Empty(t, named(got, "CGO_ENABLED"), "left to go")
	assert.Equal(t, []string{"KEPT=yes", "KEPT=no"}, named(got, "KEPT"), "the last one counts")
	assert.Equal(t, "GOPROXY=off", got[len(got)-1])

	require.NoError(t, os.Mkdir(filepath.Join(dir, "vendor"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vendor", "modules.txt"), nil, 0o666))
	assert.Equal(t, []string{"GOFLAGS=-mod=vendor -buildvcs=false"}, named(gotest.Environment(dir), "GOFLAGS"))
}

func named(environment []string, name string) []string {
	var found []string
	for _, variable := range environment {
		if strings.HasPrefix(variable, name+"=") {
			found = append(found, variable)
		}
	}
	return found
}
