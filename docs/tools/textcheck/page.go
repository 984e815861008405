package textcheck

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// A Page is a Markdown file with what the checks need. Lines are counted from 1.
type Page struct {
	Path     string // slash-separated, relative to the root of the workbook
	Source   []byte
	Headings []Heading
	Fences   []Fence
	Links    []Link

	root ast.Node
}

// A Heading is a `#` line. Anchor is the fragment under which a code host makes it reachable.
type Heading struct {
	Line, Level  int
	Text, Anchor string

	node ast.Node
}

// A Fence is a fenced code block. Line is the line of the opening fence, so the first line of code is Line+1.
// An indented code block is a Fence with Indented set.
type Fence struct {
	Line     int
	Kind     string // first word of the info string: go, console, output …
	Extra    string // the rest of the info string
	Code     []string
	Indented bool
}

// A Link is an inline or reference link, or an image.
type Link struct {
	Line                     int
	Destination, Title, Text string

	node ast.Node
}

// Load reads and parses the Markdown file at the slash-separated path below root.
func Load(root, name string) (*Page, error) {
	source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return nil, fmt.Errorf("read the page %s: %w", name, err)
	}
	return Parse(name, source), nil
}

// Parse parses Markdown with tables. Every text is some page: Parse has no error to return.
func Parse(name string, source []byte) *Page {
	// Not all of GFM: its task lists would read the list item `- [x](page.md)` as a ticked box.
	markdown := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough))
	p := &Page{Path: name, Source: source, root: markdown.Parser().Parse(text.NewReader(source))}
	anchors := make(map[string]int)
	_ = ast.Walk(p.root, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			p.add(node, anchors)
		}
		return ast.WalkContinue, nil // the walk's only error is the one that this function never returns
	})
	return p
}

func (p *Page) add(node ast.Node, anchors map[string]int) {
	switch n := node.(type) {
	case *ast.Heading:
		title := plainText(n, p.Source)
		p.Headings = append(p.Headings, Heading{
			Line: p.lineOf(n), Level: n.Level, Text: title, Anchor: anchor(title, anchors), node: n,
		})
	case *ast.FencedCodeBlock:
		info := ""
		if n.Info != nil {
			info = string(n.Info.Segment.Value(p.Source))
		}
		kind, extra, _ := strings.Cut(strings.TrimSpace(info), " ")
		p.Fences = append(p.Fences, Fence{Line: p.lineOf(n), Kind: kind, Extra: strings.TrimSpace(extra), Code: p.codeOf(n)})
	case *ast.CodeBlock:
		p.Fences = append(p.Fences, Fence{Line: p.lineOf(n), Code: p.codeOf(n), Indented: true})
	case *ast.Link:
		p.Links = append(p.Links, Link{
			Line: p.lineOf(n), Destination: string(n.Destination), Title: string(n.Title), Text: plainText(n, p.Source), node: n,
		})
	case *ast.Image:
		p.Links = append(p.Links, Link{
			Line: p.lineOf(n), Destination: string(n.Destination), Title: string(n.Title), Text: plainText(n, p.Source), node: n,
		})
	case *ast.RawHTML:
		p.addHTML(n, n.Segments)
	case *ast.HTMLBlock:
		p.addHTML(n, n.Lines())
	}
}

var linkInHTML = regexp.MustCompile(`\b(?:href|src)="([^"]*)"`)

func (p *Page) addHTML(node ast.Node, lines *text.Segments) {
	for i := range lines.Len() {
		segment := lines.At(i)
		for _, match := range linkInHTML.FindAllSubmatch(segment.Value(p.Source), -1) {
			p.Links = append(p.Links, Link{Line: p.lineAt(segment.Start), Destination: string(match[1]), node: node})
		}
	}
}

// Sections returns the parts of the page below its second-level headings, in the page's order.
func (p *Page) Sections() []Section {
	var sections []Section
	for node := p.root.FirstChild(); node != nil; node = node.NextSibling() {
		if heading, ok := node.(*ast.Heading); ok && heading.Level == 2 {
			sections = append(sections, Section{Heading: plainText(heading, p.Source), Line: p.lineOf(heading)})
			continue
		}
		if len(sections) > 0 {
			last := &sections[len(sections)-1]
			last.nodes = append(last.nodes, node)
		}
	}
	return sections
}

// A Section is a second-level heading and all that is below it up to the next one.
type Section struct {
	Heading string
	Line    int

	nodes []ast.Node
}

// linksBelow returns the page's links inside node.
func (p *Page) linksBelow(node ast.Node) []Link {
	var links []Link
	for _, link := range p.Links {
		for n := link.node; n != nil; n = n.Parent() {
			if n == node {
				links = append(links, link)
				break
			}
		}
	}
	return links
}

func (p *Page) codeOf(node ast.Node) []string {
	var code []string
	for i := range node.Lines().Len() {
		segment := node.Lines().At(i)
		code = append(code, strings.TrimSuffix(string(segment.Value(p.Source)), "\n"))
	}
	return code
}

// lineOf is the line where node begins. A node that the parser gives no position begins where its first child does.
func (p *Page) lineOf(node ast.Node) int {
	for n := node; n != nil; n = n.FirstChild() {
		if offset := n.Pos(); offset >= 0 {
			return p.lineAt(offset)
		}
	}
	if node.Parent() != nil {
		return p.lineOf(node.Parent())
	}
	return 1
}

func (p *Page) lineAt(offset int) int {
	return 1 + bytes.Count(p.Source[:min(offset, len(p.Source))], []byte("\n"))
}

// plainText is what a reader sees of node: no markup.
func plainText(node ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(node, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(n.Segment.Value(source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(n.Value)
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{M}\p{N}\p{Pc}\- ]`)

// anchor makes the fragment of a heading as GitHub and Gitea do: lower case, punctuation dropped, blanks to hyphens, and a
// counter on the second heading of the same name.
func anchor(heading string, seen map[string]int) string {
	name := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
	name = strings.ReplaceAll(name, " ", "-")
	unique := name
	for count := seen[name]; seen[unique] > 0; {
		unique = fmt.Sprintf("%s-%d", name, count)
		count++
	}
	seen[name]++
	if unique != name {
		seen[unique]++
	}
	return unique
}

var explicitAnchor = regexp.MustCompile(`<a\s+(?:id|name)="([^"]+)"`)

// HasAnchor reports whether `#fragment` leads somewhere on the page.
func (p *Page) HasAnchor(fragment string) bool {
	for _, heading := range p.Headings {
		if heading.Anchor == fragment {
			return true
		}
	}
	for _, match := range explicitAnchor.FindAllSubmatch(p.Source, -1) {
		if string(match[1]) == fragment {
			return true
		}
	}
	return false
}

// PagePath is the path of a lesson's text, relative to the root.
func PagePath(lesson string) string { return path.Join("lessons", lesson, "README.md") }
