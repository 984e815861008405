package guide

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"
)

// TestMain lets the test binary be a second guide: one that counts hints, or one like any other.
func TestMain(m *testing.M) {
	if root := os.Getenv("GUIDE_TEST_COUNT_IN"); root != "" {
		countHints(root, os.Getenv("GUIDE_TEST_TIMES"))
		return
	}
	if line := os.Getenv("GUIDE_TEST_MAIN"); line != "" {
		os.Args = append(os.Args[:1], strings.Fields(line)...)
		os.Exit(Main())
	}
	os.Exit(m.Run())
}

// countHints adds hints to the notebook, one update each.
func countHints(root, times string) {
	n := openNotebook(root)
	count, _ := strconv.Atoi(times)
	for range count {
		if _, err := n.update(context.Background(), addOne); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func addOne(hints map[string]int) { hints["03_seek_truncate"]++ }

// secondGuide is a process that runs countHints.
func secondGuide(t *testing.T, root string, times int) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), "GUIDE_TEST_COUNT_IN="+root, "GUIDE_TEST_TIMES="+strconv.Itoa(times))
	return command
}

func requireHints(t *testing.T, n *notebook, want int) {
	t.Helper()
	hints, err := n.hints()
	require.NoError(t, err)
	require.Equal(t, want, hints["03_seek_truncate"])
}

func TestGuidesAtTheSameTimeLoseNoHint(t *testing.T) {
	t.Parallel()
	const processes, times = 4, 25
	root := t.TempDir()
	var all sync.WaitGroup
	for range processes {
		command := secondGuide(t, root, times)
		all.Go(func() {
			output, err := command.CombinedOutput()
			if err != nil {
				t.Errorf("a guide failed: %v\n%s", err, output)
			}
		})
	}
	all.Wait()
	requireHints(t, openNotebook(root), processes*times)
}

func TestADamagedNotebookIsSetAsideAndNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, content string }{
		{"empty", ""},
		{"torn", `{"version": 1, "hints": {"03_seek`},
		{"a tail", `{"version": 1, "hints": {}}}`},
		{"another document", `{"locks": []}`},
		{"no object", `[]`},
		{"a negative count", `{"version": 1, "hints": {"03_seek_truncate": -1}}`},
		{"zero bytes", "\x00\x00\x00\x00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := openNotebook(t.TempDir())
			require.NoError(t, os.MkdirAll(n.folder, 0o755))
			var asides []string
			for range 2 { // twice within a second: neither may take the other's name
				require.NoError(t, os.WriteFile(n.file(), []byte(c.content), 0o644))
				aside, err := n.update(t.Context(), addOne)
				require.NoError(t, err)
				asides = append(asides, aside)
				requireHints(t, n, 1)
			}
			require.NotEqual(t, asides[0], asides[1])
			for _, aside := range asides {
				kept, err := os.ReadFile(aside)
				require.NoError(t, err)
				require.Equal(t, c.content, string(kept))
			}
		})
	}
}

func TestANotebookOfANewerGuideIsLeftAlone(t *testing.T) {
	t.Parallel()
	n := openNotebook(t.TempDir())
	require.NoError(t, os.MkdirAll(n.folder, 0o755))
	const newer = `{"version": 2, "pages": []}`
	require.NoError(t, os.WriteFile(n.file(), []byte(newer), 0o644))

	aside, err := n.update(t.Context(), addOne)
	require.ErrorIs(t, err, errNewerGuide)
	require.Empty(t, aside)
	content, err := os.ReadFile(n.file())
	require.NoError(t, err)
	require.Equal(t, newer, string(content))
}

func TestUpdateWaitsForAnotherGuideOnlyForAWhile(t *testing.T) {
	t.Parallel()
	n := openNotebook(t.TempDir())
	require.NoError(t, os.MkdirAll(n.folder, 0o755))
	other := flock.New(filepath.Join(n.folder, "notebook.lock"))
	require.NoError(t, other.Lock())
	t.Cleanup(func() { _ = other.Close() })

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := n.update(ctx, addOne)
	require.ErrorIs(t, err, context.Canceled, "an interrupted guide does not wait on")

	n.patience = 1 // nanosecond
	_, err = n.update(t.Context(), addOne)
	require.ErrorContains(t, err, "another guide has held "+other.Path())
	requireHints(t, n, 0)
}

func TestTheNotebookIsADocumentWithAVersion(t *testing.T) {
	t.Parallel()
	n := openNotebook(t.TempDir())
	_, err := n.update(t.Context(), addOne)
	require.NoError(t, err)
	content, err := os.ReadFile(n.file())
	require.NoError(t, err)
	var document map[string]any
	require.NoError(t, json.Unmarshal(content, &document))
	require.Equal(t, map[string]any{"version": 1.0, "hints": map[string]any{"03_seek_truncate": 1.0}}, document)
}
