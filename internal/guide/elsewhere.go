package guide

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// otherSystems compiles the learner's code for the systems for which it has files that are left out here, and returns what is wrong
// there, a paragraph for each. Most exercises have no such file: they cost nothing. A file that is as it was shipped is good.
func (s *session) otherSystems(ctx context.Context, e *curriculum.Exercise) ([]string, error) {
	var paragraphs []string
	for _, system := range []string{"windows", "darwin", "linux"} {
		if !s.hasOwnFilesFor(e, system) {
			continue
		}
		w := s.working("compiling the files of %s that are for %s", title(e), systemName(system))
		lines, err := gotest.Build(ctx, e, system, offline)
		w.end()
		if err != nil {
			return nil, err
		}
		if len(lines) > 0 {
			lines = lines[:min(len(lines), mostCompilerLines)]
			paragraphs = append(paragraphs, fmt.Sprintf("It does not compile for %s:\n  %s", systemName(system),
				visible(strings.Join(lines, "\n  "))))
		}
	}
	return paragraphs, nil
}

// hasOwnFilesFor reports whether the learner has changed a file that go builds on that system and not here.
func (s *session) hasOwnFilesFor(e *curriculum.Exercise, system string) bool {
	f := s.files(e)
	for name, text := range f.learner {
		if !isFor(name, text, runtime.GOOS) && isFor(name, text, system) && string(f.shipped[name]) != string(text) {
			return true
		}
	}
	return false
}

func systemName(system string) string {
	if name := map[string]string{"windows": "Windows", "darwin": "macOS", "linux": "Linux"}[system]; name != "" {
		return name
	}
	return system
}

// exists reports whether an exercise has the file or directory that a row is about to name.
func exists(e *curriculum.Exercise, name string) bool {
	_, err := os.Stat(e.Folder() + string(os.PathSeparator) + name)
	return err == nil
}
