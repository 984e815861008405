package jsonfiles_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/04_json_files/keys"
	"example/turnstile/exercises/04_json_files/newfile"
)

// The packages that the exercise gives ready-made keep what their comments promise.

func TestDistinct(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text     string
		distinct bool
	}{
		"no object":                      {`[1, "a", null]`, true},
		"one key in two objects":         {`{"a":{"b":1},"c":{"b":1}}`, true},
		"a value that equals a key":      {`{"a":"a","b":["a","b"]}`, true},
		"twice":                          {`{"a":1,"b":2,"a":3}`, false},
		"twice in an array in an object": {`{"a":[1,{"b":1,"b":2}]}`, false},
		"twice after an object":          {`{"a":{"b":1},"a":2}`, false},
		"in two spellings":               {`{"checkouts":1,"CHECKOUTS":2}`, false},
		"with the kelvin sign":           {"{\"checkouts\":1,\"chec\u212aouts\":2}", false},
		"once plain, once escaped":       {`{"a":1,"\u0061":2}`, false},
		"half a value":                   {`{"a":1`, false},
		"nothing":                        {``, false},
		"10,000 levels":                  {strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), true},
		"16 million levels":              {strings.Repeat("[", 16<<20), false},
		"2 million levels of objects":    {strings.Repeat(`{"a":`, 2<<20), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := keys.Distinct([]byte(c.text))
			if c.distinct {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
			}
		})
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()

	t.Run("writes the data under a free name", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "locks.json")
		require.NoError(t, newfile.Create(path, []byte("{}")))
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "{}", string(content))
	})

	t.Run("changes nothing that has the name", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "locks.json")
		require.NoError(t, os.WriteFile(path, []byte("theirs"), 0o600))
		require.ErrorIs(t, newfile.Create(path, []byte("{}")), fs.ErrExist)
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "theirs", string(content))
	})

	t.Run("creates no directory", func(t *testing.T) {
		t.Parallel()
		require.ErrorIs(t, newfile.Create(filepath.Join(t.TempDir(), "store", "locks.json"), nil), fs.ErrNotExist)
	})
}
