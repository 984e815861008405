package repository_test

import (
	"testing"

	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m, lab.Workers{}) }
