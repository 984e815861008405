package lockedfile_test

import (
	"testing"

	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m, workers) }

// workers are added by files with build tags, in their init.
var workers = lab.Workers{}
