package guide

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
)

// editPlace returns where to edit: the TODO in the function that the message speaks of, or in a helper that it calls, that function
// itself, or all places where the learner's code still says TODO. Where none is left, they are the files that had one as shipped.
// Files that are not for this system are named only where there is nothing else.
func (s *session) editPlace(e *curriculum.Exercise, message string) string {
	f := s.files(e)
	at := func(name string, line int) string {
		return fmt.Sprintf("%s:%d", s.path(filepath.Join(e.Folder(), name)), line)
	}
	code := answer.Answer{}
	for name, text := range f.learner {
		if isFor(name, text, runtime.GOOS) {
			code[name] = text
		}
	}
	if d := speaksOf(message, code); d != nil {
		return at(d.file, d.edit)
	}
	var places []string
	for _, name := range code.Names() {
		if line := todoLine(strings.Split(string(code[name]), "\n")); line > 0 {
			places = append(places, at(name, line))
		}
	}
	if len(places) > 0 {
		return strings.Join(places, ", ")
	}
	for _, name := range filesToEdit(f, code) {
		places = append(places, s.path(filepath.Join(e.Folder(), name)))
	}
	if len(places) == 0 {
		return s.path(e.Folder())
	}
	return strings.Join(places, ", ")
}

// filesToEdit returns the names of the answer files that hold a TODO as shipped; all, where that is not known.
func filesToEdit(f *files, code answer.Answer) []string {
	names := slices.DeleteFunc(code.Names(), func(name string) bool {
		return todoLine(strings.Split(string(f.shipped[name]), "\n")) == 0
	})
	if len(names) == 0 {
		return code.Names()
	}
	return names
}

// A declaration is what a learner's file declares under an exported name.
type declaration struct {
	name, file string // where to edit it, with the next field
	edit       int    // the line of the first TODO in it, or in a helper that it calls, or its own
	todo       bool   // there is one in it
	function   bool
}

var exportedName = regexp.MustCompile(`\b\p{Lu}[\p{L}\p{Nd}_]*`)

// speaksOf returns the declaration of the first exported name in the message that the code declares, nil if it declares none. Of
// several declarations of one name, which methods may be, the first with a TODO in it is meant, and a function rather than a type.
func speaksOf(message string, code answer.Answer) *declaration {
	names := exportedName.FindAllString(message, -1)
	if len(names) == 0 {
		return nil
	}
	all := declarations(code)
	for _, name := range names {
		var best *declaration
		for i := range all {
			if d := &all[i]; d.name == name && (best == nil || rank(d) > rank(best)) {
				best = d
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

func rank(d *declaration) int {
	rank := 0
	if d.todo {
		rank++
	}
	if d.function {
		rank += 2
	}
	return rank
}

// declarations returns what the files declare under exported names. A file that cannot be parsed whole gives what could be read.
func declarations(code answer.Answer) []declaration {
	var all []declaration
	positions := token.NewFileSet()
	files, calls := map[string]*ast.File{}, helpers{positions, code, map[string]*ast.FuncDecl{}}
	for _, name := range code.Names() {
		if file, _ := parser.ParseFile(positions, name, code[name], parser.SkipObjectResolution); file != nil {
			files[name] = file
			calls.add(file)
		}
	}
	for _, name := range code.Names() {
		file := files[name]
		if file == nil {
			continue
		}
		lines := strings.Split(string(code[name]), "\n")
		add := func(id *ast.Ident, node ast.Node, function bool) {
			if !id.IsExported() {
				return
			}
			first, last := positions.Position(node.Pos()).Line, positions.Position(node.End()).Line
			d := declaration{name: id.Name, file: name, edit: positions.Position(id.Pos()).Line, function: function}
			if todo := todoLine(lines[first-1 : min(last, len(lines))]); todo > 0 {
				d.edit, d.todo = first-1+todo, true
				if elsewhere, line := sentTo(lines[d.edit-1], name, code); line > 0 {
					d.file, d.edit = elsewhere, line
				}
			} else if called, ok := node.(*ast.FuncDecl); ok {
				if found := calls.todo(called, map[*ast.FuncDecl]bool{}); found.IsValid() {
					d.file, d.edit = found.Filename, found.Line
				}
			}
			all = append(all, d)
		}
		for _, node := range file.Decls {
			addNames(node, add)
		}
	}
	return all
}

// sentTo returns the first TODO of the other file that the TODO in a line of the named file sends the learner to, and 0 if it names none.
func sentTo(todo, from string, code answer.Answer) (file string, line int) {
	for _, name := range code.Names() {
		if name != from && strings.Contains(todo, " "+name) {
			return name, todoLine(strings.Split(string(code[name]), "\n"))
		}
	}
	return "", 0
}

func addNames(node ast.Decl, add func(id *ast.Ident, node ast.Node, function bool)) {
	if function, ok := node.(*ast.FuncDecl); ok {
		add(function.Name, function, true)
		return
	}
	general, ok := node.(*ast.GenDecl)
	if !ok {
		return
	}
	for _, spec := range general.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			add(spec.Name, spec, false)
		case *ast.ValueSpec:
			for _, id := range spec.Names {
				add(id, spec, false)
			}
		}
	}
}

// helpers are the unexported functions of an answer, by name.
type helpers struct {
	positions *token.FileSet
	code      answer.Answer
	byName    map[string]*ast.FuncDecl
}

func (h helpers) add(file *ast.File) {
	for _, node := range file.Decls {
		if function, ok := node.(*ast.FuncDecl); ok && !function.Name.IsExported() {
			h.byName[function.Name.Name] = function
		}
	}
}

// todo returns the first TODO on the way through the function and the helpers that it calls.
func (h helpers) todo(function *ast.FuncDecl, seen map[*ast.FuncDecl]bool) (found token.Position) {
	seen[function] = true
	first, last := h.positions.Position(function.Pos()), h.positions.Position(function.End())
	lines := strings.Split(string(h.code[first.Filename]), "\n")
	own := first
	own.Line += todoLine(lines[first.Line-1:min(last.Line, len(lines))]) - 1
	if own.Line < first.Line {
		own = token.Position{}
	}
	ast.Inspect(function, func(node ast.Node) bool {
		if node == nil || found.IsValid() || own.IsValid() && h.positions.Position(node.Pos()).Line > own.Line {
			return false
		}
		if call, ok := node.(*ast.CallExpr); ok {
			if helper := h.byName[calledName(call)]; helper != nil && !seen[helper] {
				found = h.todo(helper, seen)
			}
		}
		return true
	})
	if !found.IsValid() {
		return own
	}
	return found
}

func calledName(call *ast.CallExpr) string {
	switch called := call.Fun.(type) {
	case *ast.Ident:
		return called.Name
	case *ast.SelectorExpr:
		return called.Sel.Name
	}
	return ""
}

// todoLine returns the number of the first line with a TODO comment, counted from 1; 0 if there is none.
func todoLine(lines []string) int {
	return 1 + slices.IndexFunc(lines, func(line string) bool {
		_, comment, found := strings.Cut(line, "//")
		return found && strings.Contains(comment, "TODO")
	})
}

var (
	knownSystems  = strings.Fields("aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows")
	unlikeUnix    = strings.Fields("js plan9 wasip1 windows")
	knownMachines = strings.Fields("386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm")
)

// isFor reports whether go builds the file on the system, by its name and its //go:build line (`go help buildconstraint`).
func isFor(name string, text []byte, system string) bool {
	words := strings.Split(strings.TrimSuffix(strings.TrimSuffix(name, ".go"), "_test"), "_")[1:]
	if n := len(words); n > 0 && slices.Contains(knownMachines, words[n-1]) {
		if words[n-1] != runtime.GOARCH {
			return false
		}
		words = words[:n-1]
	}
	if n := len(words); n > 0 && slices.Contains(knownSystems, words[n-1]) && words[n-1] != system {
		return false
	}
	head, _, _ := strings.Cut("\n"+string(text), "\npackage ")
	for line := range strings.Lines(head) {
		if line = strings.TrimSpace(line); constraint.IsGoBuild(line) {
			if expression, err := constraint.Parse(line); err == nil {
				return expression.Eval(func(tag string) bool { return holds(tag, system) })
			}
		}
	}
	return true
}

func holds(tag, system string) bool {
	return tag == system || tag == runtime.GOARCH || tag == "gc" || strings.HasPrefix(tag, "go1.") ||
		tag == "unix" && !slices.Contains(unlikeUnix, system)
}
