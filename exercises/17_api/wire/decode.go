package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"example/turnstile/exercises/04_json_files/keys"
)

// The bounds of a request's JSON.
const (
	MaxBody  = 1 << 20 // bytes of a body
	MaxDepth = 16      // objects and arrays inside one another; the API needs three
)

// Decode reads the JSON body of r into request, which is a pointer to one of the package's request types.
//
// It reads the whole body first. It refuses, with an *Error that says what is wrong: another media type than JSON; a body that is longer
// than MaxBody, deeper than MaxDepth, not one JSON object, or not UTF-8 (half of a surrogate pair in an escape is not either); an object
// that has a key twice, in any letter case; a value of another type than the field's. encoding/json alone accepts a key twice and takes the
// last, and makes one letter, U+FFFD, of all that is not UTF-8: so two paths could become one. Keys that request does not have are ignored,
// since newer clients send more.
func Decode(w http.ResponseWriter, r *http.Request, request any) error {
	if err := checkMediaType(r.Header); err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return Errorf(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes", MaxBody)
	}
	if err != nil {
		return &Error{Status: http.StatusBadRequest, Message: "the body ended before its time; send it again", Err: err}
	}
	if err := unmarshal(body, request); err != nil {
		return &Error{Status: http.StatusBadRequest, Message: "the body is not what the API asks for: " + err.Error(), Err: err}
	}
	return nil
}

func checkMediaType(header http.Header) error {
	if coding := header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return Errorf(http.StatusUnsupportedMediaType, "the server reads no body that is encoded as %q; send it as it is", coding)
	}
	value := header.Get("Content-Type")
	if value == "" {
		return nil
	}
	media, parameters, err := mime.ParseMediaType(value)
	if err != nil || media != MediaType && media != "application/json" {
		return Errorf(http.StatusUnsupportedMediaType, "the body is of type %q; send %s", value, MediaType)
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return Errorf(http.StatusUnsupportedMediaType, "the body is in the character set %q; send utf-8", charset)
	}
	return nil
}

// unmarshal decodes exactly one JSON object. The cheap checks come first: what follows them recurses.
func unmarshal(body []byte, request any) error {
	if !utf8.Valid(body) {
		return errors.New("it is not UTF-8")
	}
	if err := scan(body); err != nil {
		return err
	}
	if text := strings.TrimLeft(string(body), " \t\r\n"); !strings.HasPrefix(text, "{") {
		return errors.New("it is not a JSON object")
	}
	if err := keys.Distinct(body); err != nil {
		return err
	}
	return json.Unmarshal(body, request)
}

// scan refuses what is nested too deep, and escapes that are half of a surrogate pair. It need not know whether the text is JSON.
func scan(body []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			unit, ok := escapedUnit(body[i:])
			switch {
			case !ok:
				i++ // the character after the backslash is not a quotation mark that ends the string
			case unit < 0xd800 || unit > 0xdfff:
				i += 5
			default:
				low, ok := escapedUnit(body[i+6:])
				if unit > 0xdbff || !ok || low < 0xdc00 || low > 0xdfff {
					return fmt.Errorf("after %d bytes: %s is half of a letter", i, body[i:i+6])
				}
				i += 11
			}
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return fmt.Errorf("after %d bytes: it is nested deeper than %d", i, MaxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// escapedUnit returns the number in an escape such as \u00fc at the beginning of text.
func escapedUnit(text []byte) (unit uint64, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return unit, err == nil
}

// A Query has the parameters of GET /locks. A filter that is empty was not given.
type Query struct {
	Path, ID, Cursor string
	Limit            int // 0 if it was not given
}

// DecodeQuery reads the parameters of GET /locks. It refuses, with an *Error: a query that cannot be parsed, a parameter twice, one of them
// without a value (to ignore an empty path would be to return all locks, of which the client removes the first), what is not UTF-8, and a
// limit that is not a number above 0. Other parameters are ignored.
func DecodeQuery(raw string) (q Query, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return Query{}, &Error{Status: http.StatusBadRequest, Message: "the query cannot be read: " + err.Error(), Err: err}
	}
	limit := ""
	for name, field := range map[string]*string{"path": &q.Path, "id": &q.ID, "cursor": &q.Cursor, "limit": &limit} {
		switch given, ok := values[name]; {
		case !ok:
		case len(given) > 1:
			return Query{}, Errorf(http.StatusBadRequest, "the query has %s twice", name)
		case given[0] == "":
			return Query{}, Errorf(http.StatusBadRequest, "the query has %s without a value; leave it out", name)
		case !utf8.ValidString(given[0]):
			return Query{}, Errorf(http.StatusBadRequest, "the query's %s is not UTF-8", name)
		default:
			*field = given[0]
		}
	}
	if limit == "" {
		return q, nil
	}
	if q.Limit, err = strconv.Atoi(limit); err != nil || q.Limit < 1 {
		return Query{}, Errorf(http.StatusBadRequest, "the query's limit is %q; send a number above 0", limit)
	}
	return q, nil
}
