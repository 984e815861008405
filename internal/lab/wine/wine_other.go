//go:build !windows

// Package wine tells whether a Windows program runs under Wine, which does some things otherwise than Windows.
//
// It stands apart from package lab so that race demos, which link no test framework, can ask too.
package wine

// Present reports whether this is a Windows program that runs under Wine.
func Present() bool { return false }
