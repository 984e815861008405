//go:build !linux

package process

import "time"

func alarm(int) time.Duration { return 0 }
