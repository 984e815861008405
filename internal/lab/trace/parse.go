package trace

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var (
	// callStart is `12 renameat(…` or, where one thread is traced, `renameat(…`.
	callStart = regexp.MustCompile(`^(?:(\d+) +)?(\w+)\((.*)$`)
	// resumedCall is the rest of a call that other threads' lines have cut in two.
	resumedCall = regexp.MustCompile(`^(?:(\d+) +)?<\.\.\. \w+ resumed>(.*)$`)
	// callEnd is what follows the arguments: `) = -1 EIO (Input/output error) (INJECTED)`.
	callEnd = regexp.MustCompile(`^(.*)\) += (\?|-?\w+)(?:<.*>)?(?: (E[A-Z0-9]+))?(.*)$`)
	// argument is a descriptor with its path, or a string.
	argument         = regexp.MustCompile(`(?:AT_FDCWD|\d+)<([^>]*)>|"((?:[^"\\]|\\.)*)"`)
	workingDirectory = regexp.MustCompile(`AT_FDCWD(<[^>]*>)?, `)
)

const unfinished = " <unfinished ...>"

// Parse reads a log that strace has written with -y. Lines that are no system calls (signals, exits) are left out, and so is half a
// line at the end.
func Parse(log string) []Call {
	var p parser
	for line := range strings.Lines(log) {
		if strings.HasSuffix(line, "\n") {
			p.line(strings.TrimSuffix(line, "\n"))
		}
	}
	return p.done()
}

// A parser puts calls together from lines. A call stands where its first line stood.
type parser struct {
	calls []Call
	open  map[int]int // by thread: the index of its call that is not finished
}

func (p *parser) line(line string) {
	if match := resumedCall.FindStringSubmatch(line); match != nil {
		thread, _ := strconv.Atoi(match[1])
		if i, known := p.open[thread]; known {
			delete(p.open, thread)
			p.calls[i].finish(p.calls[i].Args + match[2])
		}
		return
	}
	match := callStart.FindStringSubmatch(line)
	if match == nil {
		return
	}
	thread, _ := strconv.Atoi(match[1])
	call := Call{Thread: thread, Name: match[2], Result: "?"}
	if head, cut := strings.CutSuffix(match[3], unfinished); cut {
		call.Args = head
		if p.open == nil {
			p.open = map[int]int{}
		}
		p.open[thread] = len(p.calls)
	} else {
		call.finish(match[3])
	}
	p.calls = append(p.calls, call)
}

// done returns the calls. One that never returned, because the process died in it, has its arguments too.
func (p *parser) done() []Call {
	for _, i := range p.open {
		p.calls[i].Paths = pathsOf(p.calls[i].Name, p.calls[i].Args)
	}
	return p.calls
}

// finish fills in what the text after the opening parenthesis says.
func (c *Call) finish(text string) {
	if end := callEnd.FindStringSubmatch(text); end != nil {
		c.Args, c.Result, c.Errno = end[1], end[2], end[3]
		c.Injected = strings.HasSuffix(end[4], "(INJECTED)")
	} else {
		c.Args = text
	}
	c.Paths = pathsOf(c.Name, c.Args)
}

// pathsOf picks the paths out of a call's arguments. A string after a descriptor is relative to it in the calls of the "at" family and
// data in others.
func pathsOf(name, args string) (paths []string) {
	below, relative := "", takesDirectory(name)
	strings := 0
	for _, part := range argument.FindAllStringSubmatch(args, -1) {
		descriptor := part[0][0] != '"'
		switch {
		case descriptor && relative:
			if below != "" {
				paths = append(paths, below)
			}
			below = unescape(part[1])
		case descriptor:
			paths = append(paths, unescape(part[1]))
		default:
			if strings++; isPath(name, strings) {
				paths = append(paths, absolute(below, unescape(part[2])))
			}
			below = ""
		}
	}
	if below != "" {
		paths = append(paths, below)
	}
	return paths
}

func takesDirectory(name string) bool {
	return strings.HasSuffix(name, "at") && name != "stat" && name != "lstat" && name != "fstat" ||
		strings.HasSuffix(name, "at2") || name == "statx"
}

// isPath says whether string number n of a call is a path of this process, and not data, an answer, or the text of a symbolic link.
func isPath(name string, n int) bool {
	switch {
	case strings.HasPrefix(name, "symlink"):
		return n == 2
	case strings.HasPrefix(name, "rename"), strings.HasPrefix(name, "link"):
		return n <= 2
	case strings.Contains(name, "write"), strings.HasPrefix(name, "read") && !strings.HasPrefix(name, "readlink"),
		strings.HasPrefix(name, "pread"):
		return false
	}
	return n == 1
}

func absolute(below, path string) string {
	switch {
	case path == "":
		return below // an empty path means the descriptor itself (AT_EMPTY_PATH)
	case below == "" || filepath.IsAbs(path):
		return filepath.Clean(path)
	}
	return filepath.Join(below, path)
}

// unescape undoes strace's escapes, which are those of C: \n, \", and octal numbers of one to three digits.
func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		digits := i + 1
		for digits < len(text) && digits < i+4 && text[digits] >= '0' && text[digits] <= '7' {
			digits++
		}
		if value, err := strconv.ParseUint(text[i+1:digits], 8, 8); err == nil {
			b.WriteByte(byte(value))
			i = digits - 1
			continue
		}
		i++
		if at := strings.IndexByte("tnvfr", text[i]); at >= 0 {
			b.WriteByte("\t\n\v\f\r"[at])
		} else {
			b.WriteByte(text[i])
		}
	}
	return b.String()
}
