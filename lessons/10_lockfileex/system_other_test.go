//go:build !windows

package lockfileex_test

const onWindows = false
