package jsonfiles_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func TestWhatJSONCannotHold(t *testing.T) {
	t.Parallel()

	// json.Marshal: "NaN and +/-Inf values will return an UnsupportedValueError"; channels and functions: UnsupportedTypeError.
	// time.Time.MarshalJSON: years outside [0,9999] are refused.
	t.Run("NaN, a channel and the year 10000 cannot be encoded", func(t *testing.T) {
		t.Parallel()
		for _, v := range []any{math.NaN(), math.Inf(1), make(chan int), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
			_, err := json.Marshal(v)
			require.Error(t, err, "%v", v)
		}
	})

	// os.Create: "If the file already exists, it is truncated."
	t.Run("a value that cannot be encoded leaves an empty file behind os.Create", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "scale.json", `{"kilograms":1.5}`)
		file, err := os.Create(path)
		require.NoError(t, err)
		err = json.NewEncoder(file).Encode(map[string]float64{"kilograms": math.NaN()})
		require.Error(t, errors.Join(err, file.Close()))
		require.Empty(t, read(t, path))
	})

	t.Run("encoded to memory first, the old file stays", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "scale.json", `{"kilograms":1.5}`)
		data, err := json.Marshal(map[string]float64{"kilograms": math.NaN()})
		if err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
		require.Error(t, err)
		require.Equal(t, `{"kilograms":1.5}`, read(t, path))
	})

	// The Go specification, "Representation of values": "A map or channel value is a reference to the implementation-specific data
	// structure".
	t.Run("a copy of a document shares its map", func(t *testing.T) {
		t.Parallel()
		original := document{Checkouts: map[string]checkout{}}
		next := original
		next.Checkouts["lid.step"] = checkout{}
		require.Len(t, original.Checkouts, 1)
	})
}

func TestWhatJSONChanges(t *testing.T) {
	t.Parallel()

	// json.Unmarshal into an interface: "float64, for JSON numbers". A float64 holds each integer up to 2^53.
	t.Run("an integer beyond 2^53 comes out of any as another one", func(t *testing.T) {
		t.Parallel()
		tree := unmarshal[any](t, "9007199254740993")
		require.Equal(t, "9007199254740992", marshal(t, tree))
	})

	// json.Decoder.UseNumber.
	t.Run("a typed field and UseNumber keep it", func(t *testing.T) {
		t.Parallel()
		require.EqualValues(t, 9007199254740993, unmarshal[document](t, `{"generation":9007199254740993}`).Generation)
		d := decoder("9007199254740993")
		d.UseNumber()
		var tree any
		require.NoError(t, d.Decode(&tree))
		require.Equal(t, "9007199254740993", marshal(t, tree))
	})

	// json.Marshal: "a nil slice encodes as the null JSON value"; so does a nil map.
	t.Run("a nil slice and a nil map become null", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "null", marshal(t, []string(nil)))
		require.Equal(t, "null", marshal(t, map[string]checkout(nil)))
		require.Equal(t, "[]", marshal(t, []string{}))
		require.Equal(t, "{}", marshal(t, map[string]checkout{}))
	})

	// json.Marshal: "String values encode as JSON strings coerced to valid UTF-8, replacing invalid bytes with the Unicode
	// replacement rune."
	t.Run("bytes that are not UTF-8 become U+FFFD, without an error", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "lid\uFFFD.step", unmarshal[string](t, marshal(t, "lid\xff.step")))
		require.Equal(t, "lid\uFFFD.step", unmarshal[string](t, "\"lid\xff.step\""))
	})

	t.Run("two names that are not UTF-8 become one", func(t *testing.T) {
		t.Parallel()
		checkouts := map[string]checkout{"lid\xfe.step": {Person: "alice"}, "lid\xff.step": {Person: "bob"}}
		require.Len(t, unmarshal[map[string]checkout](t, marshal(t, checkouts)), 1)
	})

	// json.Marshal: "the string is encoded using HTMLEscape"; Encoder.SetEscapeHTML.
	t.Run("less, greater and ampersand are escaped, and read back as they were", func(t *testing.T) {
		t.Parallel()
		const name = "a<b>&c"
		text := marshal(t, name)
		require.Equal(t, `"a\u003cb\u003e\u0026c"`, text)
		require.Equal(t, name, unmarshal[string](t, text))

		var plain bytes.Buffer
		encoder := json.NewEncoder(&plain)
		encoder.SetEscapeHTML(false)
		require.NoError(t, encoder.Encode(name))
		require.Equal(t, "\"a<b>&c\"\n", plain.String())
	})

	// json.Marshal: "The map keys are sorted".
	t.Run("the keys of a map are sorted, so that equal documents have equal bytes", func(t *testing.T) {
		t.Parallel()
		one := map[string]int{"lid": 1, "bracket": 2, "hinge": 3}
		require.Equal(t, `{"bracket":2,"hinge":3,"lid":1}`, marshal(t, one))
	})

	// time.Time, MarshalJSON; package time, Monotonic Clocks: use Equal.
	t.Run("a time that was saved is Equal, and not ==", func(t *testing.T) {
		t.Parallel()
		now := time.Now()
		saved := unmarshal[time.Time](t, marshal(t, now))
		require.True(t, saved.Equal(now))
		require.False(t, saved == now, "the monotonic clock reading is not saved") //nolint:staticcheck // that is the point
	})

	// time.Time.MarshalJSON: RFC 3339, whose offsets have hours and minutes only.
	t.Run("a zone loses its seconds, and the time is another one", func(t *testing.T) {
		t.Parallel()
		at := time.Date(1890, 1, 1, 12, 0, 0, 0, time.FixedZone("LMT", 53*60+28))
		saved := unmarshal[time.Time](t, marshal(t, at))
		require.Equal(t, 28*time.Second, saved.Sub(at).Abs())
		require.True(t, unmarshal[time.Time](t, marshal(t, at.UTC())).Equal(at))
	})

	// RFC 8259, section 8.1: "MUST NOT add a byte order mark"; a parser MAY ignore it. encoding/json does not.
	t.Run("a byte order mark is not white space", func(t *testing.T) {
		t.Parallel()
		require.Error(t, json.Unmarshal([]byte("\uFEFF"+ofAlice), new(document)))
	})
}
