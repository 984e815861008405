package guide

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/atomicfile"
	"example/turnstile/internal/curriculum"
)

// A copyError says that no copy of the learner's code could be made, so that the code has not been touched.
type copyError struct {
	exercise *curriculum.Exercise
	cause    error
}

func (e *copyError) Error() string {
	return fmt.Sprintf("your code of %s is unchanged, since no copy of it could be made: %v", title(e.exercise), e.cause)
}
func (e *copyError) Unwrap() error { return e.cause }

// keep copies the learner's answer files, and the module files that do not belong there, byte for byte, to a new dated directory and
// returns its path. When it returns without error, the copy has been flushed to disk; nothing is ever overwritten. Its error is a
// *copyError.
func (s *session) keep(e *curriculum.Exercise, code answer.Answer) (string, error) {
	folder, err := s.newCopyFolder(e)
	if err == nil {
		err = copyFiles(e.Folder(), folder, append(code.Names(), strayModuleFiles(e)...))
	}
	if err != nil {
		if folder != "" {
			_ = os.RemoveAll(folder) // half a copy would be taken for one
		}
		return "", &copyError{e, err}
	}
	return folder, nil
}

func (s *session) copiesFolder() string { return filepath.Join(s.book.Root, stateFolder, "copies") }

func (s *session) newCopyFolder(e *curriculum.Exercise) (string, error) {
	copies := s.copiesFolder()
	if err := os.MkdirAll(copies, 0o755); err != nil {
		return "", err
	}
	stamp := s.now().Format("2006-01-02-150405")
	for i := 1; ; i++ {
		folder := filepath.Join(copies, stamp+"_"+e.ID+numbered(i))
		err := os.Mkdir(folder, 0o755) // fails if it exists: another run made it, and keeps it
		if err == nil {
			return folder, atomicfile.SyncDir(copies)
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
}

// copyFiles copies the named files and flushes them and the directory that holds them.
func copyFiles(from, to string, names []string) error {
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := atomicfile.Create(filepath.Join(to, name), content); err != nil {
			return err
		}
	}
	return atomicfile.SyncDir(to)
}
