package textcheck

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	extensionast "github.com/yuin/goldmark/extension/ast"
)

// Links checks that the links of a page lead somewhere: to a file or directory of the workbook, letter case included, a directory
// with a slash at its end; to a heading that exists. Addresses on the web are checked for their form only, since a check
// that needs the network fails for reasons of its own.
func Links(root string, p *Page) []Problem {
	problems := brokenSyntax(p)
	for _, link := range p.Links {
		if what, do := deadLink(root, p, link.Destination); what != "" {
			problems = append(problems, Problem{p.Path, link.Line, what, do})
		}
	}
	return problems
}

var lineFragment = regexp.MustCompile(`^L\d+`)

func deadLink(root string, p *Page, destination string) (what, do string) {
	address, err := url.Parse(destination)
	switch {
	case err != nil || destination == "":
		return fmt.Sprintf("the link %q is not an address", destination), "write a relative path or an https address"
	case address.Scheme == "mailto":
		return "", ""
	case address.Scheme != "" || address.Host != "":
		if address.Scheme != "https" && address.Scheme != "http" || address.Host == "" {
			return fmt.Sprintf("the link %q is not an address on the web", destination), "write it as https://host/path"
		}
		return "", ""
	case strings.HasPrefix(address.Path, "/"):
		return fmt.Sprintf("the link %q begins with a slash", destination),
			"write it relative to this page: code hosts and the site have different roots"
	}
	target := p.Path
	if address.Path != "" {
		target = path.Join(path.Dir(p.Path), address.Path)
		if strings.HasPrefix(target, "../") || target == ".." {
			return fmt.Sprintf("the link %q leads out of the workbook", destination), "link a file of the workbook or an https address"
		}
		if what, do = deadPath(root, target, address.Path, destination); what != "" {
			return what, do
		}
	}
	if address.Fragment == "" {
		return "", ""
	}
	return deadFragment(root, p, target, address.Fragment, destination)
}

func deadPath(root, target, written, destination string) (what, do string) {
	isDirectory, ok := lookUp(root, target)
	switch {
	case !ok:
		return fmt.Sprintf("the link %q leads nowhere", destination), fmt.Sprintf("%s does not exist, letter case included: fix the path "+
			"or leave the link out", target)
	case isDirectory && !strings.HasSuffix(written, "/"):
		return fmt.Sprintf("the link %q leads to a directory", destination), "end it in a slash"
	case !isDirectory && strings.HasSuffix(written, "/"):
		return fmt.Sprintf("the link %q leads to a file", destination), "delete the slash at its end"
	}
	return "", ""
}

func deadFragment(root string, p *Page, target, fragment, destination string) (what, do string) {
	page := p
	if target != p.Path {
		if isDirectory, _ := lookUp(root, target); isDirectory {
			target = path.Join(target, "README.md")
		}
		if path.Ext(target) != ".md" {
			if lineFragment.MatchString(fragment) {
				return fmt.Sprintf("the link %q names a line", destination), "leave the fragment out: lines move"
			}
			return fmt.Sprintf("the link %q names a place in a file that has no headings", destination), "leave the fragment out"
		}
		var err error
		if page, err = Load(root, target); err != nil {
			return fmt.Sprintf("the link %q leads to a page that cannot be read", destination), "there must be " + target
		}
	}
	if page.HasAnchor(fragment) {
		return "", ""
	}
	var anchors []string
	for _, heading := range page.Headings {
		anchors = append(anchors, "#"+heading.Anchor)
	}
	return fmt.Sprintf("the link %q leads to no heading of %s", destination, target), "its anchors are " + strings.Join(anchors, " ")
}

// lookUp finds the slash-separated name below root, letter by letter, so that a link that works on Windows or macOS by
// accident is found on them too. An empty directory is none: git does not keep it.
func lookUp(root, name string) (isDirectory, ok bool) {
	directory, isDirectory := root, true
	if name == "." {
		return true, true
	}
	for part := range strings.SplitSeq(name, "/") {
		entries, err := os.ReadDir(directory)
		if err != nil {
			return false, false
		}
		found := false
		for _, entry := range entries {
			if entry.Name() == part {
				found, isDirectory = true, entry.IsDir()
			}
		}
		if !found {
			return false, false
		}
		directory = filepath.Join(directory, part)
	}
	if entries, err := os.ReadDir(directory); isDirectory && (err != nil || len(entries) == 0) {
		return true, false
	}
	return isDirectory, true
}

// brokenSyntax finds what was meant as a link and is shown as plain text.
func brokenSyntax(p *Page) []Problem {
	var problems []Problem
	_ = ast.Walk(p.root, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch node.Kind() {
		case ast.KindParagraph, ast.KindTextBlock, ast.KindHeading, extensionast.KindTableCell:
			if text := textOutsideCode(node, p.Source); strings.Contains(text, "](") || strings.Contains(text, "] (") {
				problems = append(problems, Problem{
					p.Path, p.lineOf(node), "brackets and parentheses that are not a link",
					"write `[text](path \"title\")` without blanks between the two and none in the path",
				})
			}
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	return problems
}

func textOutsideCode(node ast.Node, source []byte) string {
	var b strings.Builder
	for child := node.FirstChild(); child != nil; child = child.NextSibling() {
		switch n := child.(type) {
		case *ast.CodeSpan, *ast.Link, *ast.Image:
			b.WriteByte('`')
		case *ast.Text:
			b.Write(n.Segment.Value(source))
		default:
			b.WriteString(textOutsideCode(child, source))
		}
	}
	return b.String()
}
