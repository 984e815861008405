//go:build !unix

package seektruncate_test

func setUmask(int) {}
