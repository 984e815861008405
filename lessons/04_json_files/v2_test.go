//go:build goexperiment.jsonv2

package jsonfiles_test

import (
	jsonv2 "encoding/json/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// encoding/json/v2: an experiment in Go 1.26, run by GOEXPERIMENT=jsonv2 go test; built in from Go 1.27 on.
func TestVersionTwo(t *testing.T) {
	t.Parallel()

	t.Run("json/v2 refuses a key twice and bytes that are not UTF-8", func(t *testing.T) {
		t.Parallel()
		require.Error(t, jsonv2.Unmarshal([]byte(`{"generation":7,"generation":8}`), new(document)))
		require.Error(t, jsonv2.Unmarshal([]byte("{\"checkouts\":{\"lid\xff.step\":{}}}"), new(document)))
	})

	t.Run("json/v2 ignores a key in another letter case unless unknown ones are rejected", func(t *testing.T) {
		t.Parallel()
		var doc document
		require.NoError(t, jsonv2.Unmarshal([]byte(`{"Generation":8}`), &doc))
		require.Zero(t, doc.Generation)
		require.Error(t, jsonv2.Unmarshal([]byte(`{"Generation":8}`), new(document), jsonv2.RejectUnknownMembers(true)))
		require.NoError(t, jsonv2.Unmarshal([]byte(ofAlice), new(document), jsonv2.RejectUnknownMembers(true)))
	})

	t.Run("json/v2 writes a nil map as an empty object", func(t *testing.T) {
		t.Parallel()
		data, err := jsonv2.Marshal(map[string]checkout(nil))
		require.NoError(t, err)
		require.Equal(t, "{}", string(data))
	})
}
