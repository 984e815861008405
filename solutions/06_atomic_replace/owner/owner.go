// Package owner gives a new file the owner and the group of the file that it is about to replace.
package owner
