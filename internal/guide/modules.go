package guide

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"example/turnstile/internal/gotest"
)

// fetch makes sure that all modules of the workbook are in the module cache, so that everything works without a network from then
// on. Go itself fetches only what a command needs, and the tests of a later lesson may need more. If fetching fails, the
// tests decide: this exercise may need none of them.
func (s *session) fetch(ctx context.Context) error {
	if s.fetched {
		return nil
	}
	s.fetched = true
	missing := s.missingModules(ctx)
	if len(missing) == 0 {
		return nil
	}
	s.remark("Fetching what the workbook needs (%s). This happens once; after it no network is needed.", strings.Join(missing, ", "))
	command := exec.CommandContext(ctx, "go", "mod", "download")
	command.Dir, command.Env = s.book.Root, gotest.Environment(s.book.Root)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	err := gotest.RunTree(command)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		s.remark("It could not be fetched: %s.", lastOf(visible(said.String())))
	}
	return nil
}

func lastOf(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSuffix(lines[len(lines)-1], ".")
}

var requirement = regexp.MustCompile(`(?m)^(?:require )?\s*([a-z0-9.-]+\.[a-z]+/\S+) (v\S+)`)

// missingModules returns the modules that go.mod names and the module cache does not hold. Where that is not known, none is
// missing, and go decides.
func (s *session) missingModules(ctx context.Context) []string {
	if isFile(filepath.Join(s.book.Root, "vendor", "modules.txt")) {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(s.book.Root, "go.mod"))
	if err != nil {
		return nil
	}
	wanted := requirement.FindAllStringSubmatch(string(text), -1)
	if len(wanted) == 0 {
		return nil
	}
	if len(notIn(likelyCache(), wanted)) == 0 {
		return nil
	}
	cache := moduleCache(ctx, s.book.Root)
	if cache == "" {
		return nil
	}
	return notIn(cache, wanted)
}

// notIn returns the paths of the wanted modules that are not in the module cache.
func notIn(cache string, wanted [][]string) []string {
	var missing []string
	for _, m := range wanted {
		if info, err := os.Stat(filepath.Join(cache, escaped(m[1])+"@"+escaped(m[2]))); err != nil || !info.IsDir() {
			missing = append(missing, m[1])
		}
	}
	return missing
}

// likelyCache returns where the module cache usually is. A call of go takes longer.
func likelyCache() string {
	if cache := os.Getenv("GOMODCACHE"); cache != "" {
		return cache
	}
	path, _, _ := strings.Cut(os.Getenv("GOPATH"), string(filepath.ListSeparator))
	if path == "" {
		home, _ := os.UserHomeDir() // "": nothing is found there, and go decides
		path = filepath.Join(home, "go")
	}
	return filepath.Join(path, "pkg", "mod")
}

// moduleCache returns the directory of the module cache, "" if it cannot be found.
func moduleCache(ctx context.Context, root string) string {
	command := exec.CommandContext(ctx, "go", "env", "GOMODCACHE")
	command.Dir, command.Env = root, gotest.Environment(root)
	said, err := command.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(said))
}

// escaped writes a module's path or version as the module cache does: a capital letter as an exclamation mark and the small one
// (https://go.dev/ref/mod#module-cache).
func escaped(path string) string {
	var b strings.Builder
	for _, r := range path {
		if unicode.IsUpper(r) {
			fmt.Fprintf(&b, "!%c", unicode.ToLower(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
