package jsonfiles_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/04_json_files/keys"
	jsonfiles "example/turnstile/solutions/04_json_files"
)

// What the reference promises beyond what the exercise asks for.

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
		"twice behind an object":         {`{"a":{"b":1},"a":2}`, false},
		"in two spellings":               {`{"locks":1,"LOCKS":2}`, false},
		"with the sign for kelvin":       {"{\"locks\":1,\"loc\u212as\":2}", false},
		"once plain, once escaped":       {`{"a":1,"\u0061":2}`, false},
		"half a value":                   {`{"a":1`, false},
		"nothing":                        {``, false},
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

func TestPathsThatDifferInLetterCaseAreNotSaved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "locks.json")
	doc := jsonfiles.New()
	doc.Locks["lid.step"] = jsonfiles.Lock{Owner: "alice", Since: time.Now()}
	require.NoError(t, jsonfiles.Save(path, doc))
	doc.Locks["Lid.step"] = jsonfiles.Lock{Owner: "bob", Since: time.Now()}
	require.ErrorContains(t, jsonfiles.Save(path, doc), "letter case")
}

func TestCorruptErrorSaysWhere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "locks.json")
	for content, want := range map[string]int64{`{"version":1,]`: 14, `{"version":"one"}`: 16} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := jsonfiles.Load(path)
		corrupt, ok := errors.AsType[*jsonfiles.CorruptError](err)
		require.True(t, ok)
		offset, known := corrupt.Offset()
		require.True(t, known)
		require.InDelta(t, want, offset, 5, "%s: %v", content, err) // the value, from its first byte to the one behind it
	}
}
