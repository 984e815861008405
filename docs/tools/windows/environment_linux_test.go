package main

import "testing"

func TestMirrorIsTheFirstThatHoldsReleases(t *testing.T) {
	for _, test := range []struct{ sites, mirror string }{
		{"http://security.example/debian-security\nhttp://mirror.example/debian\nhttp://other.example/debian\n", "http://mirror.example/debian"},
		{"http://security.example/debian-security\n", ""},
		{"", ""},
	} {
		if mirror := firstMirror(test.sites); mirror != test.mirror {
			t.Errorf("firstMirror(%q) = %q, expected %q", test.sites, mirror, test.mirror)
		}
	}
}
