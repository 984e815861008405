package gotest

import "fmt"

// clipLimit is how much of a text's beginning, and of its end, is kept.
const clipLimit = 256 << 10

// A clip is a text of any length of which only the beginning and the end are kept: a loop that prints must not fill the
// memory.
type clip struct {
	begin, end []byte
	dropped    int
}

func (c *clip) add(text string) {
	fits := min(clipLimit-len(c.begin), len(text))
	c.begin = append(c.begin, text[:fits]...)
	c.end = append(c.end, text[fits:]...)
	if len(c.end) > 2*clipLimit { // cut seldom, so that each byte moves about once
		over := len(c.end) - clipLimit
		c.dropped += over
		c.end = append([]byte(nil), c.end[over:]...)
	}
}

// endLine adds a newline where the text does not end in one.
func (c *clip) endLine() {
	last := c.end
	if len(last) == 0 {
		last = c.begin
	}
	if n := len(last); n > 0 && last[n-1] != '\n' {
		c.add("\n")
	}
}

func (c *clip) String() string {
	if c.dropped == 0 {
		return string(c.begin) + string(c.end)
	}
	return fmt.Sprintf("%s\n… %d bytes left out …\n%s", c.begin, c.dropped, c.end)
}

// A tail is a clip to write to.
type tail struct{ clip }

func (t *tail) Write(text []byte) (int, error) {
	t.add(string(text))
	return len(text), nil
}
