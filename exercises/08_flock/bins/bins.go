// Package bins reads and writes the file in which the workshop keeps how many of each part are in stock. It takes no lock: that is its
// callers' work.
package bins

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Stock is how many of each part are left, such as {"bracket":1,"hinge":4}.
type Stock map[string]int

// Read returns the stock in the file at path, a JSON object. It creates nothing: if there is no file, the error matches fs.ErrNotExist. A
// file that is empty, cut off or no such object is damaged, and an error.
func Read(path string) (Stock, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the stock: %w; a new stock is a file that holds {}", err)
	}
	var stock Stock
	if err := json.Unmarshal(text, &stock); err != nil || stock == nil {
		return nil, fmt.Errorf("read the stock: %s is damaged (%d bytes): %w; restore it from a copy",
			path, len(text), errors.Join(err, errDamaged))
	}
	return stock, nil
}

var errDamaged = errors.New("not an object of parts and numbers")

// Write writes the stock to the file at path, which must exist. It writes in place, so a reader without a lock may see half of it, and so
// does everyone after a process crash in the middle. Every error of the system is returned.
func Write(path string, stock Stock) (err error) {
	text, err := json.Marshal(stock)
	if err != nil {
		return fmt.Errorf("write the stock: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write the stock: %w; this user must be allowed to write it", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.WriteAt(text, 0); err != nil {
		return fmt.Errorf("write the stock: %w; make room, and look what %s holds", err, path)
	}
	if err := file.Truncate(int64(len(text))); err != nil {
		return fmt.Errorf("write the stock: %w; cut %s after %d bytes", err, path, len(text))
	}
	return nil
}
