// Package busy tells whether a rename was refused because a program has one of the two files open.
package busy
