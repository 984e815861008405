package textcheck

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// A Fact is a test that a page can link as the proof of a claim.
type Fact struct {
	File string // slash-separated, relative to the root
	Line int
	Name string // the top-level function, or the subtest's own name
	Path string // with the names of the tests around it: "TestHole/a hole reads as zeros"
	// Parent is the test around it, nil for a top-level one. HasFacts means that it is only a group: its subtests are the facts.
	Parent   *Fact
	HasFacts bool
	// Output is what an Example prints; IsExample distinguishes an empty output from no Example at all.
	IsExample bool
	Output    string
}

// Facts reads the tests of a lesson directory from its source, whatever system its files are for: top-level tests and fuzz
// tests, Examples with an output, and subtests whose names are written in the source, as a literal in t.Run or in a literal table that a
// loop runs over (a field, the first string of an element, a map's key).
//
// A subtest whose name is computed is a case of the test around it, not a fact of its own.
func Facts(root, lesson string) ([]*Fact, error) { return Tests(root, path.Join("lessons", lesson)) }

// Tests is Facts for any directory, slash-separated and relative to root.
func Tests(root, directory string) ([]*Fact, error) {
	names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(directory), "*_test.go"))
	if err != nil {
		return nil, fmt.Errorf("list the tests of %s: %w", directory, err)
	}
	r := factReader{files: token.NewFileSet(), functions: make(map[string]*ast.FuncDecl), variables: make(map[string]ast.Expr)}
	var parsed []*ast.File
	for _, name := range names {
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the test %s: %w", name, err)
		}
		file, err := parser.ParseFile(r.files, path.Join(directory, filepath.Base(name)), source, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("parse the test: %w", err)
		}
		parsed = append(parsed, file)
		r.declare(file)
	}
	for _, file := range parsed {
		r.examples(file)
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && isTest(function) {
				fact := r.add(function.Pos(), function.Name.Name, nil)
				r.subtests(function.Body, testParameters(function.Type, nil), fact, []*ast.FuncDecl{function})
			}
		}
	}
	return r.facts, nil
}

// factReader collects what the test files of one directory declare. A function or variable of one name in files for different
// systems is looked up as the last one read.
type factReader struct {
	files     *token.FileSet
	functions map[string]*ast.FuncDecl
	variables map[string]ast.Expr
	facts     []*Fact
}

func (r *factReader) declare(file *ast.File) {
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Body != nil {
				r.functions[d.Name.Name] = d
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if values, ok := spec.(*ast.ValueSpec); ok && len(values.Names) == len(values.Values) {
					for i, name := range values.Names {
						r.variables[name.Name] = values.Values[i]
					}
				}
			}
		}
	}
}

func (r *factReader) examples(file *ast.File) {
	for _, example := range doc.Examples(file) {
		if example.Output == "" && !example.EmptyOutput {
			continue // never run, so no proof
		}
		fact := r.add(example.Code.Pos(), "Example"+example.Name, nil)
		fact.IsExample, fact.Output = true, example.Output
	}
}

func (r *factReader) add(at token.Pos, name string, parent *Fact) *Fact {
	position := r.files.Position(at)
	fact := &Fact{File: position.Filename, Line: position.Line, Name: name, Path: name, Parent: parent}
	if parent != nil {
		fact.Path = parent.Path + "/" + name
		parent.HasFacts = true
	}
	r.facts = append(r.facts, fact)
	return fact
}

func isTest(function *ast.FuncDecl) bool {
	name := function.Name.Name
	return function.Recv == nil && function.Body != nil && name != "TestMain" &&
		(strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz")) && len(testParameters(function.Type, nil)) > 0
}

// testParameters returns the names under which a *testing.T or *testing.F is known inside the function, those of the
// functions around it included.
func testParameters(function *ast.FuncType, around map[string]bool) map[string]bool {
	known := make(map[string]bool)
	for name := range around {
		known[name] = true
	}
	for _, field := range function.Params.List {
		star, ok := field.Type.(*ast.StarExpr)
		if !ok {
			continue
		}
		if selector, ok := star.X.(*ast.SelectorExpr); ok && (selector.Sel.Name == "T" || selector.Sel.Name == "F") {
			for _, name := range field.Names {
				known[name.Name] = true
			}
		}
	}
	return known
}

// subtests adds the facts that the body runs as subtests of parent, in the body itself and in the functions of the package
// that it hands its *testing.T to. calls are the functions under way, against endless recursion.
func (r *factReader) subtests(body ast.Node, known map[string]bool, parent *Fact, calls []*ast.FuncDecl) {
	var ranges []*ast.RangeStmt
	var walk func(node ast.Node)
	walk = func(root ast.Node) {
		ast.Inspect(root, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.RangeStmt:
				walk(n.X)
				ranges = append(ranges, n)
				walk(n.Body)
				ranges = ranges[:len(ranges)-1]
				return false
			case *ast.CallExpr:
				if isRun(n, known) {
					r.run(n, known, parent, calls, ranges)
					return false
				}
				r.helper(n, known, parent, calls)
			}
			return true
		})
	}
	walk(body)
}

// isRun recognises t.Run(name, function).
func isRun(call *ast.CallExpr, known map[string]bool) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "Run" || len(call.Args) != 2 {
		return false
	}
	receiver, ok := selector.X.(*ast.Ident)
	return ok && known[receiver.Name]
}

func (r *factReader) run(call *ast.CallExpr, known map[string]bool, parent *Fact, calls []*ast.FuncDecl, ranges []*ast.RangeStmt) {
	names := r.names(call.Args[0], ranges, calls[len(calls)-1])
	facts := []*Fact{parent} // of a computed name: the subtests below belong to the test around it
	if len(names) > 0 {
		facts = nil
		for _, name := range names {
			facts = append(facts, r.add(name.at, name.text, parent))
		}
	}
	for _, fact := range facts {
		switch body := call.Args[1].(type) {
		case *ast.FuncLit:
			r.subtests(body.Body, testParameters(body.Type, known), fact, calls)
		case *ast.Ident:
			r.enter(body.Name, fact, calls)
		}
	}
}

// helper follows a call of a function of the package that is handed a *testing.T.
func (r *factReader) helper(call *ast.CallExpr, known map[string]bool, parent *Fact, calls []*ast.FuncDecl) {
	function, ok := call.Fun.(*ast.Ident)
	if !ok {
		return
	}
	for _, argument := range call.Args {
		if name, ok := argument.(*ast.Ident); ok && known[name.Name] {
			r.enter(function.Name, parent, calls)
			return
		}
	}
}

func (r *factReader) enter(name string, parent *Fact, calls []*ast.FuncDecl) {
	function := r.functions[name]
	if function == nil {
		return
	}
	for _, under := range calls {
		if under == function {
			return
		}
	}
	r.subtests(function.Body, testParameters(function.Type, nil), parent, append(calls[:len(calls):len(calls)], function))
}

type factName struct {
	text string
	at   token.Pos
}

// names reads the names that the first argument of t.Run takes; none if they are computed.
func (r *factReader) names(argument ast.Expr, ranges []*ast.RangeStmt, function *ast.FuncDecl) []factName {
	switch a := argument.(type) {
	case *ast.BasicLit:
		return literal(a, a.Pos())
	case *ast.Ident: // the key of a map, or an element of a list of strings
		for i := len(ranges) - 1; i >= 0; i-- {
			table := r.table(ranges[i].X, function)
			if table != nil && isIdent(ranges[i].Key, a.Name) {
				return keyNames(table)
			}
			if table != nil && isIdent(ranges[i].Value, a.Name) {
				return elementNames(table, "")
			}
		}
	case *ast.SelectorExpr:
		for i := len(ranges) - 1; i >= 0; i-- {
			if isIdent(a.X, identName(ranges[i].Value)) {
				if table := r.table(ranges[i].X, function); table != nil {
					return elementNames(table, a.Sel.Name)
				}
			}
		}
	}
	return nil
}

func isIdent(expression ast.Expr, name string) bool {
	return name != "" && identName(expression) == name
}

func identName(expression ast.Expr) string {
	if ident, ok := expression.(*ast.Ident); ok {
		return ident.Name
	}
	return ""
}

// table finds the literal that a loop runs over: in place, in a variable of the function, or in one of the package.
func (r *factReader) table(expression ast.Expr, function *ast.FuncDecl) *ast.CompositeLit {
	switch e := expression.(type) {
	case *ast.CompositeLit:
		return e
	case *ast.Ident:
		value := r.variables[e.Name]
		ast.Inspect(function, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if isIdent(left, e.Name) && len(n.Lhs) == len(n.Rhs) {
						value = n.Rhs[i]
					}
				}
			case *ast.ValueSpec:
				for i, name := range n.Names {
					if name.Name == e.Name && i < len(n.Values) {
						value = n.Values[i]
					}
				}
			}
			return true
		})
		table, _ := value.(*ast.CompositeLit)
		return table
	}
	return nil
}

func keyNames(table *ast.CompositeLit) []factName {
	var names []factName
	for _, element := range table.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			names = append(names, literal(pair.Key, pair.Pos())...)
		}
	}
	return names
}

// elementNames reads the names of a table's elements: field, or the first string where the fields are not named; the
// element itself where it is a string.
func elementNames(table *ast.CompositeLit, field string) []factName {
	var names []factName
	for _, element := range table.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			element = pair.Value
		}
		if reference, ok := element.(*ast.UnaryExpr); ok {
			element = reference.X
		}
		row, ok := element.(*ast.CompositeLit)
		if !ok {
			names = append(names, literal(element, element.Pos())...)
			continue
		}
		names = append(names, rowName(row, field)...)
	}
	return names
}

func rowName(row *ast.CompositeLit, field string) []factName {
	for _, value := range row.Elts {
		if pair, ok := value.(*ast.KeyValueExpr); ok {
			if isIdent(pair.Key, field) {
				return literal(pair.Value, row.Pos())
			}
			continue
		}
		if name := literal(value, row.Pos()); name != nil {
			return name
		}
	}
	return nil
}

func literal(expression ast.Expr, at token.Pos) []factName {
	basic, ok := expression.(*ast.BasicLit)
	if !ok || basic.Kind != token.STRING {
		return nil
	}
	text, err := strconv.Unquote(basic.Value)
	if err != nil {
		return nil
	}
	return []factName{{text, at}}
}
