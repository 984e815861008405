package jsonfiles_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func decoder(text string) *json.Decoder { return json.NewDecoder(strings.NewReader(text)) }

func TestNothingAndHalf(t *testing.T) {
	t.Parallel()

	// os.Open, fs.ErrNotExist; os.ReadFile.
	t.Run("a missing file is an error of its own", func(t *testing.T) {
		t.Parallel()
		_, err := os.ReadFile(lab.Path(t, "locks.json"))
		require.ErrorIs(t, err, fs.ErrNotExist)
	})

	t.Run("an empty file is read without an error", func(t *testing.T) {
		t.Parallel()
		data, err := os.ReadFile(lab.WriteFile(t, "locks.json", ""))
		require.NoError(t, err)
		require.Empty(t, data)
	})

	// json.Unmarshal: "If the JSON-encoded data contain a syntax error, Unmarshal returns a SyntaxError."
	t.Run("Unmarshal has one text for nothing and for half a document", func(t *testing.T) {
		t.Parallel()
		var doc document
		nothing := json.Unmarshal(nil, &doc)
		half := json.Unmarshal([]byte(ofAlice[:40]), &doc)
		require.EqualError(t, half, nothing.Error())
		first, isSyntax := errors.AsType[*json.SyntaxError](nothing)
		require.True(t, isSyntax)
		second, isSyntax := errors.AsType[*json.SyntaxError](half)
		require.True(t, isSyntax)
		require.EqualValues(t, 0, first.Offset)
		require.EqualValues(t, 40, second.Offset)
	})

	// json.Decoder.Decode reads the next value of a stream; at its end, io.EOF.
	t.Run("Decode reports io.EOF for nothing and io.ErrUnexpectedEOF for half a document", func(t *testing.T) {
		t.Parallel()
		var doc document
		require.ErrorIs(t, decoder("").Decode(&doc), io.EOF)
		require.ErrorIs(t, decoder(ofAlice[:40]).Decode(&doc), io.ErrUnexpectedEOF)
	})

	t.Run("no beginning of an object is a document", func(t *testing.T) {
		t.Parallel()
		for n := range len(ofAlice) {
			require.False(t, json.Valid([]byte(ofAlice[:n])), "the first %d bytes", n)
		}
	})

	t.Run("after a syntax error the struct is what it was", func(t *testing.T) {
		t.Parallel()
		doc := document{Generation: 5}
		require.Error(t, json.Unmarshal([]byte(ofAlice[:40]), &doc))
		require.Equal(t, document{Generation: 5}, doc, "a program that ignores the error goes on with no checkouts")
	})

	// json.Unmarshal: "If a JSON value is not appropriate for a given target type … Unmarshal skips that field and completes
	// the unmarshaling as best it can."
	t.Run("after a value of another type the rest is decoded nevertheless", func(t *testing.T) {
		t.Parallel()
		var doc document
		err := json.Unmarshal([]byte(`{"version":"one","generation":7,"checkouts":{"bracket.step":{"person":"alice"}}}`), &doc)
		require.Error(t, err)
		require.EqualValues(t, 7, doc.Generation)
		require.Equal(t, "alice", doc.Checkouts["bracket.step"].Person)
	})
}

// golang/go#36225: "the Decoder.Decode API lends itself to misuse".
func TestTheTail(t *testing.T) {
	t.Parallel()
	tails := []string{"ice\"}}}", "}", "]", "\x00\x00", ofAlice, " x"}

	t.Run("a Decoder stops after the first value", func(t *testing.T) {
		t.Parallel()
		for _, tail := range tails {
			var doc document
			require.NoError(t, decoder(ofAlice+tail).Decode(&doc), "tail %q", tail)
		}
	})

	t.Run("Unmarshal refuses what follows", func(t *testing.T) {
		t.Parallel()
		for _, tail := range tails {
			var doc document
			require.Error(t, json.Unmarshal([]byte(ofAlice+tail), &doc), "tail %q", tail)
		}
		require.NoError(t, json.Unmarshal([]byte(ofAlice+" \r\n\t"), new(document)), "white space is not a tail")
	})

	t.Run("only io.EOF from the next Decode means that nothing follows", func(t *testing.T) {
		t.Parallel()
		for _, tail := range tails {
			d := decoder(ofAlice + tail)
			require.NoError(t, d.Decode(new(document)))
			require.NotErrorIs(t, d.Decode(new(document)), io.EOF, "tail %q", tail)
		}
		d := decoder(ofAlice + " \n")
		require.NoError(t, d.Decode(new(document)))
		require.ErrorIs(t, d.Decode(new(document)), io.EOF)
	})

	// json.Decoder.More: "reports whether there is another element in the current array or object being parsed."
	t.Run("More reports false before a stray closing brace", func(t *testing.T) {
		t.Parallel()
		d := decoder(ofAlice + "}")
		require.NoError(t, d.Decode(new(document)))
		require.False(t, d.More())
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()

	// encoding/json, Security Considerations: "keys are processed in the order they are observed, meaning later values will
	// replace or be merged into prior values"
	t.Run("of two equal keys the last one wins", func(t *testing.T) {
		t.Parallel()
		doc := unmarshal[document](t, `{"checkouts":{"bracket.step":{"person":"alice"},"bracket.step":{"person":"bob"}}}`)
		require.Equal(t, map[string]checkout{"bracket.step": {Person: "bob"}}, doc.Checkouts)
	})

	t.Run("two objects under one key are merged", func(t *testing.T) {
		t.Parallel()
		doc := unmarshal[document](t, `{"checkouts":{"bracket.step":{"person":"alice"}},"checkouts":{"lid.step":{"person":"bob"}}}`)
		require.Len(t, doc.Checkouts, 2, "a document that was never written")
	})

	// json.Unmarshal: "matches incoming object keys to the keys used by Marshal …, ignoring case."
	t.Run("a field takes a key in any letter case", func(t *testing.T) {
		t.Parallel()
		require.EqualValues(t, 8, unmarshal[document](t, `{"generation":7,"GENERATION":8}`).Generation)
		require.Len(t, unmarshal[document](t, `{"chec`+"\u212a"+`outs":{"lid.step":{}}}`).Checkouts, 1, "the sign for kelvin folds to k")
	})

	// json.Unmarshal: unknown keys are ignored; json.Decoder.DisallowUnknownFields.
	t.Run("an unknown field is dropped, and gone with the next save", func(t *testing.T) {
		t.Parallel()
		doc := unmarshal[document](t, `{"version":1,"generation":7,"checkouts":{},"queue":["bob"]}`)
		require.JSONEq(t, `{"version":1,"generation":7,"checkouts":{}}`, marshal(t, doc))
	})

	t.Run("DisallowUnknownFields refuses an unknown field in structs at any depth", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{`{"queue":["bob"]}`, `{"checkouts":{"lid.step":{"person":"bob","lease":"8h"}}}`} {
			d := decoder(text)
			d.DisallowUnknownFields()
			require.ErrorContains(t, d.Decode(new(document)), "unknown field")
		}
	})

	t.Run("DisallowUnknownFields does not reach into a map, an any or a type with its own UnmarshalJSON", func(t *testing.T) {
		t.Parallel()
		var shelf struct {
			Map  map[string]string
			Any  any
			Type ownReader
		}
		d := decoder(`{"map":{"queue":"bob"},"any":{"queue":"bob"},"type":{"person":"bob","queue":"bob"}}`)
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&shelf))
		require.Equal(t, "bob", shelf.Type.Person)
	})

	t.Run("DisallowUnknownFields accepts another letter case and a key twice", func(t *testing.T) {
		t.Parallel()
		d := decoder(`{"generation":7,"Generation":8}`)
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(new(document)))
	})

	// json.RawMessage: "can be used to delay JSON decoding".
	t.Run("raw fields carry what a program does not know", func(t *testing.T) {
		t.Parallel()
		const newer = `{"version":1,"generation":7,"checkouts":{},"queue":["bob"]}`
		fields := unmarshal[map[string]json.RawMessage](t, newer)
		fields["generation"] = json.RawMessage("8")
		require.JSONEq(t, strings.Replace(newer, "7", "8", 1), marshal(t, fields))
	})
}

// ownReader decodes itself.
type ownReader struct{ Person string }

func (r *ownReader) UnmarshalJSON(data []byte) error {
	type plain ownReader // without this method
	return json.Unmarshal(data, (*plain)(r))
}

// countLids refuses a file that is not one whole value, and a field that it does not know. It treats a missing field as zero.
func countLids(data []byte) (int, error) {
	var header struct{ Version int }
	if err := json.Unmarshal(data, &header); err != nil {
		return 0, err // nothing, half a value, or something after it
	}
	// Here the version can be checked, whatever the other fields are.
	var shelf struct{ Version, Lids int }
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&shelf); err != nil {
		return 0, err
	}
	return shelf.Lids, nil
}

func TestBothDecoders(t *testing.T) {
	t.Parallel()

	t.Run("Unmarshal and a Decoder on the same bytes find a tail and an unknown field", func(t *testing.T) {
		t.Parallel()
		lids, err := countLids([]byte(`{"version":1,"lids":2}` + "\n"))
		require.NoError(t, err)
		require.Equal(t, 2, lids)
		for _, text := range []string{`{"version":1,"lids":2}00}`, `{"version":1,"lids":2,"screws":8}`, `{"version":1,"li`, ""} {
			_, err := countLids([]byte(text))
			require.Error(t, err, text)
		}
	})

	t.Run("countLids treats null and a missing field as zero", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{`null`, `{}`, `{"version":1}`} {
			lids, err := countLids([]byte(text))
			require.NoError(t, err, text)
			require.Zero(t, lids, text)
		}
	})

	t.Run("a struct with one field takes it from an object, whatever else is in it", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{`[3]`, `{"version":"3"}`} {
			require.Error(t, json.Unmarshal([]byte(text), &struct{ Version int }{}), "a version can only be found where it was promised to be")
		}
		header := unmarshal[struct{ Version int }](t, `{"checkouts":[["bracket.step","alice"]],"queue":["bob"],"queue":["carol"],"version":3}`)
		require.Equal(t, 3, header.Version)
	})

	t.Run("neither of them finds a key twice", func(t *testing.T) {
		t.Parallel()
		lids, err := countLids([]byte(`{"version":1,"lids":2,"lids":9}`))
		require.NoError(t, err)
		require.Equal(t, 9, lids)
	})
}

func TestUsedValues(t *testing.T) {
	t.Parallel()

	// json.Unmarshal: "Unmarshal reuses the existing map, keeping existing entries."
	t.Run("a checkout that the file no longer has stays in a used map", func(t *testing.T) {
		t.Parallel()
		doc := unmarshal[document](t, ofAlice)
		require.NoError(t, json.Unmarshal([]byte(`{"version":1,"generation":8,"checkouts":{}}`), &doc))
		require.Contains(t, doc.Checkouts, "bracket.step", "given back in generation 8, and still there")
	})

	t.Run("a field that the file does not name stays in a used struct", func(t *testing.T) {
		t.Parallel()
		doc := document{Generation: 7}
		require.NoError(t, json.Unmarshal([]byte(`{"version":1}`), &doc))
		require.EqualValues(t, 7, doc.Generation)
	})

	t.Run("a missing field and a zero look the same", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, unmarshal[document](t, `{"version":1}`), unmarshal[document](t, `{"version":1,"generation":0}`))
	})

	// json.Unmarshal: "The JSON null value unmarshals into an interface, map, pointer, or slice by setting that Go value to nil";
	// "into any other Go type has no effect on the value and produces no error".
	t.Run("null is a document for every struct", func(t *testing.T) {
		t.Parallel()
		doc := document{Generation: 7}
		require.NoError(t, json.Unmarshal([]byte("null"), &doc))
		require.Equal(t, document{Generation: 7}, doc)
	})

	t.Run("a map that was null cannot take a checkout", func(t *testing.T) {
		t.Parallel()
		doc := unmarshal[document](t, `{"version":1,"checkouts":null}`)
		require.Panics(t, func() { doc.Checkouts["lid.step"] = checkout{Person: "bob"} })
	})
}

func Example_decoders() {
	type counter struct{ Lids int }
	for _, text := range []string{`{"lids":2}`, `{"lids":2}00}`, `{"lids":2,"LIDS":9}`, `{"lid":2}`, `{"lids":2`, ``} {
		var byDecoder, byUnmarshal counter
		first := json.NewDecoder(strings.NewReader(text)).Decode(&byDecoder)
		second := json.Unmarshal([]byte(text), &byUnmarshal)
		fmt.Printf("%-20s Decode %d, %-16s Unmarshal %d, %s\n", cmp.Or(text, "(empty)"),
			byDecoder.Lids, verdict(first)+".", byUnmarshal.Lids, verdict(second))
	}
	// Output:
	// {"lids":2}           Decode 2, no error.        Unmarshal 2, no error
	// {"lids":2}00}        Decode 2, no error.        Unmarshal 0, refused
	// {"lids":2,"LIDS":9}  Decode 9, no error.        Unmarshal 9, no error
	// {"lid":2}            Decode 0, no error.        Unmarshal 0, no error
	// {"lids":2            Decode 0, refused.         Unmarshal 0, refused
	// (empty)              Decode 0, refused.         Unmarshal 0, refused
}

func verdict(err error) string {
	if err != nil {
		return "refused"
	}
	return "no error"
}
