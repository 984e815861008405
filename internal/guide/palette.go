package guide

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWidth is the widest line that the guide prints: two editors side by side, or a projector, still show it whole.
const (
	maxWidth = 100
	minWidth = 50
)

// clampWidth turns the columns of a terminal (0 if unknown) into the width to print in.
func clampWidth(columns int) int {
	if columns == 0 {
		return maxWidth
	}
	return max(minWidth, min(columns, maxWidth))
}

// A palette lays text out for one kind of output. Without colour it prints no escape code.
type palette struct {
	colour bool
	width  int
}

func (p palette) bold(text string) string  { return p.paint("1", text) }
func (p palette) dim(text string) string   { return p.paint("2", text) }
func (p palette) red(text string) string   { return p.paint("31", text) }
func (p palette) green(text string) string { return p.paint("32", text) }

func (p palette) paint(code, text string) string {
	if !p.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// wrap breaks text at spaces so that no line is longer than width where a space allows it; a command between backticks
// stays in one piece, to be copied. The lines after the first begin with indent; the first is taken to stand after
// something as long.
func wrap(text, indent string, width int) string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line, length := "", utf8.RuneCountInString(indent)
		for _, word := range pieces(paragraph) {
			n := utf8.RuneCountInString(word)
			if line != "" && length+1+n > width {
				lines = append(lines, line)
				line, length = "", utf8.RuneCountInString(indent)
			}
			if line != "" {
				line += " "
				length++
			}
			line += word
			length += n
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"+indent)
}

// pieces splits text at spaces outside of backticks.
func pieces(text string) []string {
	var pieces []string
	inCommand := false
	for word := range strings.FieldsSeq(text) {
		if inCommand {
			pieces[len(pieces)-1] += " " + word
		} else {
			pieces = append(pieces, word)
		}
		if strings.Count(word, "`")%2 == 1 {
			inCommand = !inCommand
		}
	}
	return pieces
}

// cut breaks text that shows bytes: every character stays. A line ends after its last blank or, where there is none in its
// second half, at the width.
func cut(text, indent string, width int) string {
	room := max(width-utf8.RuneCountInString(indent), 1)
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		runes := []rune(line)
		for len(runes) > room {
			end := room
			for at := room - 1; at >= room/2; at-- {
				if runes[at] == ' ' {
					end = at + 1
					break
				}
			}
			lines = append(lines, string(runes[:end]))
			runes = runes[end:]
		}
		lines = append(lines, string(runes))
	}
	return strings.Join(lines, "\n"+indent)
}

// markdown lays Markdown out as plain text in width: paragraphs and the items of lists are joined and wrapped again;
// headings, tables and code stay as they are.
func markdown(text, indent string, width int) string {
	var blocks []string
	inFence := false
	for block := range strings.SplitSeq(strings.Trim(visible(text), "\n"), "\n\n") {
		switch {
		case inFence || linesMatter.MatchString(block):
			block = strings.ReplaceAll(block, "\n", "\n"+indent)
		case listItem.MatchString(block):
			var items []string
			for _, item := range splitItems(block) {
				items = append(items, wrap(joinLines(item), indent+"  ", width))
			}
			block = strings.Join(items, "\n"+indent)
		default:
			block = wrap(joinLines(block), indent, width)
		}
		if strings.Count(block, "```")%2 == 1 {
			inFence = !inFence
		}
		blocks = append(blocks, block)
	}
	return strings.Join(blocks, "\n\n"+indent)
}

var (
	linesMatter = regexp.MustCompile("^(#|    |\t)|(?m)^([|>]|```)")
	listItem    = regexp.MustCompile(`(?m)^([-*+]|[0-9]+\.) `)
)

// splitItems splits a list before each of its items; what comes before the first is an item, too.
func splitItems(list string) []string {
	var items []string
	begin := 0
	for _, at := range listItem.FindAllStringIndex(list, -1) {
		if at[0] > begin {
			items = append(items, list[begin:at[0]])
			begin = at[0]
		}
	}
	return append(items, list[begin:])
}

func joinLines(text string) string { return strings.Join(strings.Fields(text), " ") }

// visible shows control characters instead of sending them: the text comes from the learner's files and output, and must
// neither move the cursor nor colour the screen.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ':
			return '␀' + r // the block "Control Pictures" is in ASCII order
		case r == 0x7f:
			return '␡'
		case r >= 0x80 && r < 0xa0, unicode.Is(unicode.Bidi_Control, r): // 8-bit escape codes, and what turns the order of letters round
			return utf8.RuneError
		}
		return r
	}, text)
}

// A row is one line of what to do next: a word, what to open or type, and a remark.
type row struct{ label, text, remark string }

// labelWidth is the width of the column of labels, that of the failure message.
const labelWidth = len("expected") + 2

// rows lays out what to do next, remarks in one column.
func (p palette) rows(rows []row) string {
	widest := 0
	for _, r := range rows {
		if r.remark != "" {
			widest = max(widest, utf8.RuneCountInString(r.text))
		}
	}
	indent := strings.Repeat(" ", 2+labelWidth)
	var b strings.Builder
	for _, r := range rows {
		b.WriteString("  " + p.dim(padded(r.label, labelWidth)) + r.text)
		if r.remark != "" {
			if 2+labelWidth+widest+3+utf8.RuneCountInString(r.remark) <= p.width {
				b.WriteString(strings.Repeat(" ", widest-utf8.RuneCountInString(r.text)+3) + p.dim(r.remark))
			} else {
				b.WriteString("\n" + indent + p.dim(wrap(r.remark, indent, p.width)))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// padded fills text with spaces to width characters.
func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0))
}
