package api_test

import (
	"testing"

	"example/turnstile/internal/answers"
)

func TestAnswers(t *testing.T) { answers.Judge(t) }
