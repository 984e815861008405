package tools_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestReferenceErrors compares docs/reference/errors.md with what Go prints on Linux, and with the numbers of x/sys/windows.
func TestReferenceErrors(t *testing.T) {
	t.Parallel()
	known := map[string]string{
		"errors.ErrUnsupported":    errors.ErrUnsupported.Error(),
		"fs.ErrClosed":             fs.ErrClosed.Error(),
		"io.ErrUnexpectedEOF":      io.ErrUnexpectedEOF.Error(),
		"context.DeadlineExceeded": context.DeadlineExceeded.Error(),
		// x/sys knows these two numbers by another name.
		"EWOULDBLOCK": unix.EWOULDBLOCK.Error(),
		"EOPNOTSUPP":  unix.EOPNOTSUPP.Error(),
	}
	for number := syscall.Errno(1); number < 200; number++ {
		if name := unix.ErrnoName(number); name != "" {
			known[name] = number.Error()
		}
	}
	windows, err := os.ReadFile(filepath.Join(moduleDirectory(t, "golang.org/x/sys"), "windows", "zerrors_windows.go"))
	require.NoError(t, err)
	for _, found := range regexp.MustCompile(`(?m)^\s(ERROR_\w+)\s.*= (\d+)$`).FindAllStringSubmatch(string(windows), -1) {
		known[found[1]] = found[2]
	}
	rows := referenceRows(t, "errors.md", regexp.MustCompile("^\\| `([\\w.]+)` \\| (.+?) \\| .*\\[\\d\\d\\]\\((.+?)\\) \\|$"))
	require.Greater(t, len(rows), 20)
	for _, row := range rows {
		require.Equal(t, known[row[1]], row[2], row[1])
	}
}

// TestReferenceGlossary checks that each term is in bold in the lesson that its row links.
func TestReferenceGlossary(t *testing.T) {
	t.Parallel()
	root := openBook(t).Root
	last := ""
	rows := referenceRows(t, "glossary.md", regexp.MustCompile(`^\| \*\*(.+?)\*\* \| .* \| \[\d\d\]\((.+?)\) \|$`))
	require.Greater(t, len(rows), 30)
	for _, row := range rows {
		page, err := os.ReadFile(filepath.Join(root, "docs", "reference", filepath.FromSlash(path.Join(row[2], "README.md"))))
		require.NoError(t, err)
		require.Regexp(t, `(?i)\*\*[^*]*\b`+regexp.QuoteMeta(row[1])+`\b[^*]*\*\*`, string(page), row[1])
		require.Less(t, last, strings.ToLower(row[1]), "the terms are in order")
		last = strings.ToLower(row[1])
	}
}

// referenceRows returns the matches of the form in the tables of a reference page, and fails for a row that does not have it.
func referenceRows(t *testing.T, name string, form *regexp.Regexp) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(openBook(t).Root, "docs", "reference", name))
	require.NoError(t, err)
	var rows [][]string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| `") && !strings.HasPrefix(line, "| **") {
			continue // text, a table's head, the line below it
		}
		row := form.FindStringSubmatch(line)
		require.NotNil(t, row, line)
		rows = append(rows, row)
	}
	return rows
}

func moduleDirectory(t *testing.T, module string) string {
	t.Helper()
	directory, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(directory))
}
