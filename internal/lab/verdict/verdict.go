// Package verdict holds the failure message that every test of the workbook speaks: what was done, what was expected,
// what was found, what it means for a user's data, and where to read on.
//
// It stands apart from package lab so that programs which only show messages (the guide, the driver of the solutions)
// need not link a test framework.
package verdict

import (
	"encoding/json"
	"fmt"
	"strings"
)

// AttributeKey is the key under which a test publishes its Failure as JSON through testing.TB.Attr, so that the guide
// and graders read fields and never parse prose.
const AttributeKey = "turnstile.failure"

// A Failure is one message to a learner. Every field is a single line or a few; none is Go syntax unless bytes or calls
// are what the learner must see.
type Failure struct {
	// Says is the headline: what the learner's code did wrong, readable at a glance ("Update lost another process's change").
	Says string `json:"says"`
	// Did is what the test did.
	Did string `json:"did"`
	// Expected and Found are what should have been there and what was.
	Expected string `json:"expected"`
	Found    string `json:"found"`
	// Means says what follows for a user's data.
	Means string `json:"means"`
	// Read names the section of the lesson that explains it, as `lessons/05_lost_update, "Why it happens"`.
	Read string `json:"read"`
}

// Say returns the message with another headline, formatted like fmt.Sprintf: one story of a test can go wrong in several ways.
func (f Failure) Say(format string, args ...any) Failure {
	f.Says = fmt.Sprintf(format, args...)
	return f
}

// String lays the message out in at most six rows, each with its label. Rows with nothing to say are left out.
func (f Failure) String() string {
	var b strings.Builder
	b.WriteString(f.Says)
	for _, row := range []struct{ label, text string }{
		{"did", f.Did},
		{"expected", f.Expected},
		{"found", f.Found},
		{"means", f.Means},
		{"read", f.Read},
	} {
		if row.text == "" {
			continue
		}
		b.WriteString("\n  ")
		b.WriteString(row.label)
		b.WriteString(strings.Repeat(" ", len("expected")-len(row.label)+2))
		b.WriteString(strings.ReplaceAll(strings.TrimRight(row.text, "\n"), "\n", "\n            "))
	}
	return b.String()
}

// Encode returns the message as one line of JSON, the value to publish under AttributeKey.
func (f Failure) Encode() string {
	line, err := json.Marshal(f)
	if err != nil { // strings always marshal: invalid UTF-8 becomes U+FFFD
		return "{}"
	}
	return string(line)
}

// Decode is the inverse of Encode.
func Decode(line string) (Failure, error) {
	var f Failure
	err := json.Unmarshal([]byte(line), &f)
	return f, err
}
