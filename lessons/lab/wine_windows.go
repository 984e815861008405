package lab

import "golang.org/x/sys/windows"

// Wine reports whether this is a Windows program that runs under Wine, which has ntdll export wine_get_version (Wine's own FAQ
// for developers). What Wine does otherwise than Windows is skipped with that reason.
func Wine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}
