package main

import (
	"errors"
	"os"
	"os/exec"
)

// On Windows the tests need no session: nothing here is reached.

var endSignals = []os.Signal{os.Interrupt}

func ownGroup(*exec.Cmd) {}

func endWithParent() {}

func killGroup(*exec.Cmd) {}

func lockFile(string, string) (func(), error) {
	return nil, errors.New("no Wine on Windows: run go test")
}
