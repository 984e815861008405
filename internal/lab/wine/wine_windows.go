// Package wine tells whether a Windows program runs under Wine, which does some things otherwise than Windows.
//
// It stands apart from package lab so that race demos, which link no test framework, can ask too.
package wine

import "golang.org/x/sys/windows"

// Present reports whether this is a Windows program that runs under Wine, which has ntdll export wine_get_version (Wine's own
// FAQ for developers).
func Present() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}
