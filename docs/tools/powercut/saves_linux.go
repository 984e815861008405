package main

import (
	"errors"
	"os"
	"path/filepath"
)

const oldContent, newContent = `{"bracket.step":"alice"}`, `{"bracket.step":"alice","hinge.step":"bob"}`

// saves are the ways to save the new content, from careless to careful.
var saves = []struct {
	name string
	do   func(path string) error
}{
	{"write in place (os.WriteFile)", func(path string) error { return os.WriteFile(path, []byte(newContent), 0o600) }},
	{"temp file, rename", func(path string) error { return replace(path, []byte(newContent), false, false) }},
	{"temp file, rename, fsync of the directory", func(path string) error { return replace(path, []byte(newContent), false, true) }},
	{"temp file, fsync, rename", func(path string) error { return replace(path, []byte(newContent), true, false) }},
	{"temp file, fsync, rename, fsync of the directory", func(path string) error { return replaceDurably(path, []byte(newContent)) }},
}

func replaceDurably(path string, data []byte) error { return replace(path, data, true, true) }

func replace(path string, data []byte, syncFile, syncDirectory bool) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".locks-*.tmp")
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if err == nil && syncFile {
		err = temp.Sync()
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil || !syncDirectory {
		return err
	}
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
