package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// encoding/json, func Unmarshal: what it says about keys, about invalid UTF-8, and about surrogate pairs.
func TestJSON(t *testing.T) {
	t.Parallel()
	type request struct{ Path string }
	decode := func(t *testing.T, text string) string {
		t.Helper()
		var r request
		require.NoError(t, json.Unmarshal([]byte(text), &r))
		return r.Path
	}
	t.Run("the last of two equal keys counts", func(t *testing.T) {
		require.Equal(t, "b.bin", decode(t, `{"path":"a.bin","path":"b.bin"}`))
		require.Equal(t, "b.bin", decode(t, `{"path":"a.bin","PATH":"b.bin"}`))
	})
	t.Run("two paths that are not UTF-8 become one", func(t *testing.T) {
		require.Equal(t, decode(t, "{\"path\":\"a\xfe\"}"), decode(t, "{\"path\":\"a\xff\"}"))
		require.Equal(t, decode(t, `{"path":"a\ud800"}`), decode(t, `{"path":"a\udfff"}`))
	})
	t.Run("a Decoder leaves what follows the first value", func(t *testing.T) {
		var r request
		require.NoError(t, json.NewDecoder(strings.NewReader(`{"path":"a.bin"}{"path":"b.bin"}`)).Decode(&r))
		require.Equal(t, "a.bin", r.Path)
	})
	t.Run("a nil slice is null, and an empty one is a list", func(t *testing.T) {
		text, err := json.Marshal([][]string{nil, {}})
		require.NoError(t, err)
		require.Equal(t, `[null,[]]`, string(text))
	})
}
