// The guide through the workbook: it finds your next exercise, runs its tests on your code and says what it saw.
//
//	go run ./exercises          what is next
//	go run ./exercises help     everything it can do
package main

import (
	"os"

	"example/turnstile/internal/guide"
)

func main() { os.Exit(guide.Main()) }
