// Command pack writes the workbook as one zip for a class without a network: the files of the last commit, the modules that it
// requires in vendor, and the site if it was built.
//
//	go -C docs/tools run ./pack [FILE]     FILE is turnstile.zip at the workbook's root by default
//
// go uses a vendor directory beside go.mod by itself, on every system and with GOPROXY=off. A module cache as a file proxy would need
// settings on each machine, and go.sum's database of checksums. Its own modules (docs/tools, bench) keep out of it: no learner needs them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"example/turnstile/internal/curriculum"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	root, err := curriculum.Root(".")
	if err != nil {
		return err
	}
	target := filepath.Join(root, "turnstile.zip")
	if len(arguments) > 0 {
		target = arguments[0]
	}
	contents, err := write(ctx, root, target)
	if err != nil {
		return fmt.Errorf("%s was not written: %w", target, err)
	}
	fmt.Println(contents)
	return nil
}
