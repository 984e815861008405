package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"example/turnstile/docs/tools/tree"
)

// vetted are the systems that the workbook is held to; every other one only has to build.
var vetted = []string{"linux/amd64", "windows/amd64", "darwin/arm64", "freebsd/amd64"}

// notBuilt are systems that are not built for, with the reason.
var notBuilt = map[string]string{
	"ios": "its programs are linked by Apple's own linker",
}

// allChecks returns the checks in the order in which they start: quick ones first.
func allChecks(ctx context.Context, root string) ([]check, error) {
	names, err := tree.Files(ctx, root)
	if err != nil {
		return nil, err
	}
	modules := modulesOf(names)
	platforms, err := platforms(ctx, root)
	if err != nil {
		return nil, err
	}
	checks := houseChecks(root, names)
	checks = append(checks, moduleChecks(root, modules)...)
	checks = append(checks, lintChecks(root, names, modules)...)
	checks = append(checks, buildChecks(root, platforms)...)
	return append(checks, testChecks(root)...), nil
}

func houseChecks(root string, names []string) []check {
	return []check{
		{
			name: "top level", do: "put it into one of the directories, or into .gitignore",
			run: func(context.Context) error { return checkTopLevel(names) },
		},
		{
			name: "machine paths", do: "write a relative path, or `…` in captured output",
			run: func(context.Context) error { return checkMachinePaths(root, names) },
		},
		{
			name: "line ends", do: "save the file with LF line ends and a last newline (.editorconfig says so)",
			run: func(context.Context) error { return checkLineEnds(root, names) },
		},
		{
			name: "line lengths", do: fmt.Sprintf("break the line: Go has at most %d characters on one, a tab being one", longest),
			run: func(context.Context) error { return checkLineLengths(root, names) },
		},
		{
			name: "requirements", do: "keep what only maintainers need in docs/tools or bench, which are modules of their own",
			run: func(ctx context.Context) error { return checkRequirements(ctx, root) },
		},
	}
}

// modulesOf returns the directories that hold a go.mod, "." being the root.
func modulesOf(names []string) []string {
	var modules []string
	for _, name := range names {
		if path.Base(name) == "go.mod" {
			modules = append(modules, path.Dir(name))
		}
	}
	slices.Sort(modules)
	return modules
}

func moduleChecks(root string, modules []string) []check {
	var checks []check
	for _, module := range modules {
		directory := filepath.Join(root, filepath.FromSlash(module))
		checks = append(checks, goCheck("tidy "+module, "run: go -C "+module+" mod tidy", directory, nil, "mod", "tidy", "-diff"))
	}
	// Only the root: `go mod verify` has no hash for a module that is replaced by a directory, as the others replace the root.
	return append(checks, goCheck("verify", "a module in the cache is not what go.sum says: go clean -modcache", root, nil, "mod", "verify"))
}

func goCheck(name, do, directory string, variables []string, arguments ...string) check {
	return check{name: name, do: do, run: func(ctx context.Context) error {
		_, err := command(ctx, directory, variables, "go", arguments...)
		return err
	}}
}

func lintChecks(root string, names, modules []string) []check {
	checks := []check{{
		name: "gofumpt", do: "run: go -C docs/tools tool gofumpt -w FILE",
		run: func(ctx context.Context) error { return checkFormat(ctx, root, names) },
	}}
	staticcheck := tool(root, "staticcheck")
	for _, module := range modules {
		systems := vetted
		if module != "." {
			systems = vetted[:3] // the maintainers' own programs
		}
		directory := filepath.Join(root, filepath.FromSlash(module))
		for _, platform := range systems {
			variables := target(platform)
			checks = append(checks, goCheck("vet "+module+" "+platform, "fix what vet names", directory, variables, "vet", "./..."))
			if strings.HasPrefix(platform, "freebsd") {
				continue
			}
			checks = append(checks, check{
				name: "staticcheck " + module + " " + platform, do: "fix it, or explain at the place why it must stay (//lint:ignore)",
				run: func(ctx context.Context) error {
					program, err := staticcheck(ctx)
					if err != nil {
						return err
					}
					_, err = command(ctx, directory, variables, program, "./...")
					return err
				},
			})
		}
	}
	return checks
}

func target(platform string) []string {
	system, architecture, _ := strings.Cut(platform, "/")
	return []string{"GOOS=" + system, "GOARCH=" + architecture, "CGO_ENABLED=0"}
}

// tool returns a function that builds, once, a tool that docs/tools/go.mod names, and gives the path of its program. It is built for this
// machine, whatever system the check is about.
func tool(root, name string) func(ctx context.Context) (string, error) {
	var once sync.Once
	var program string
	var err error
	return func(ctx context.Context) (string, error) {
		once.Do(func() {
			program, err = command(ctx, filepath.Join(root, "docs", "tools"), nil, "go", "tool", "-n", name)
			// go reports what it downloads before the path.
			program = strings.TrimSpace(program)
			program = program[strings.LastIndex(program, "\n")+1:]
		})
		return program, err
	}
}

func checkFormat(ctx context.Context, root string, names []string) error {
	program, err := tool(root, "gofumpt")(ctx)
	if err != nil {
		return err
	}
	arguments := []string{"-l"}
	for _, name := range names {
		if strings.HasSuffix(name, ".go") {
			arguments = append(arguments, filepath.FromSlash(name))
		}
	}
	found, err := command(ctx, root, nil, program, arguments...)
	if err == nil && found != "" {
		err = fmt.Errorf("not formatted:\n%s", strings.TrimSpace(found))
	}
	return err
}

// platforms are one GOOS/GOARCH for every system that go knows, and linux/arm64.
func platforms(ctx context.Context, root string) ([]string, error) {
	listed, err := command(ctx, root, nil, "go", "tool", "dist", "list")
	if err != nil {
		return nil, fmt.Errorf("list the systems that go knows: %w", err)
	}
	return onePerSystem(strings.Fields(listed)), nil
}

func onePerSystem(listed []string) []string {
	architectures := make(map[string][]string)
	for _, platform := range listed {
		system, architecture, _ := strings.Cut(platform, "/")
		architectures[system] = append(architectures[system], architecture)
	}
	all := []string{"linux/arm64"}
	for system, known := range architectures {
		switch {
		case notBuilt[system] != "":
		case system == "android":
			all = append(all, "android/arm64") // the one that needs no C linker
		case slices.Contains(known, "amd64"):
			all = append(all, system+"/amd64")
		default:
			all = append(all, system+"/"+known[0])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func buildChecks(root string, platforms []string) []check {
	var checks []check
	for _, platform := range platforms {
		checks = append(checks, goCheck("build "+platform, "give the system a file of its own, or return errors.ErrUnsupported there",
			root, target(platform), "build", "-o", os.DevNull, "./..."))
	}
	return checks
}

// testChecks run by themselves and last: console blocks hold race demos, which are slower while linters take the cores.
func testChecks(root string) []check {
	// What make test has judged, wrong answers and demos, is not judged again.
	strict := goCheck("answers", "an exercise is not what a new clone should have (go run ./internal/cmd/patch shipped NN writes it), "+
		"or a test does not judge as it should: each line above says what to do",
		root, nil, "test", "-count=1", "-timeout=60m", "-run=TestAnswers", "-skip=TestAnswers/(wrong|demo)", "./solutions/...",
		"-args", "-strict")
	texts := check{
		name: "text checks", do: "each line above names file, line and what to do; docs/contributing.md has the rules",
		run: func(ctx context.Context) error {
			hash, err := tree.Hash(ctx, root)
			if err != nil {
				return err
			}
			_, err = command(ctx, filepath.Join(root, "docs", "tools"), []string{tree.Variable + "=" + hash}, "go", "test", "./...")
			return err
		},
	}
	strict.alone, texts.alone = true, true
	return []check{strict, texts}
}
