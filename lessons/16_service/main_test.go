package service_test

import (
	"testing"

	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{
		"deliver": deliver, "tear up first": tearUpFirst, "rename both": renameBoth, "recover": recoverEntries,
		"deferred": deferred, "inside": inside,
	})
}
