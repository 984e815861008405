package lockfiles

import (
	"errors"
	"fmt"
	"os"

	"example/turnstile/exercises/07_lock_files/pid"
)

// An Owner says who holds a lock. It is written down with the lock, before anybody can see it.
type Owner struct {
	// Host names the processes among which PID is one process (pid.Host).
	Host string `json:"host"`
	// PID is the process that acquired the lock, and Started when it began, if the system tells (pid.Started).
	PID     int    `json:"pid"`
	Started string `json:"started,omitempty"`
	// Token belongs to this one Acquire: no other lock, before or after, on this path or another, has it.
	Token string `json:"token"`
}

// self returns this process as the owner of the lock with that token.
func self(token string) (Owner, error) {
	host, err := pid.Host()
	if err != nil {
		return Owner{}, fmt.Errorf("find out which process this is: %w", err)
	}
	started, err := pid.Started(os.Getpid())
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return Owner{}, fmt.Errorf("find out which process this is: %w", err)
	}
	return Owner{Host: host, PID: os.Getpid(), Started: started, Token: token}, nil
}

// Alive reports whether the process that acquired a lock may still be at work. False is certain: that process has ended and
// will do nothing more. Whatever cannot be found out is true: a process of another user, one whose Host is another than this
// process's (pid.Host says what it tells apart on this system), an owner without a Host or a number.
//
// It looks at the process, not at the goroutine: a lock that a living process has forgotten is a living process's lock. On
// Unix a process that has ended counts as alive until its parent has waited for it.
func Alive(owner Owner) bool {
	host, err := pid.Host()
	if err != nil || owner.Host != host || owner.PID <= 0 {
		return true // that number is somebody else's here
	}
	switch err := pid.Probe(owner.PID); {
	case errors.Is(err, os.ErrProcessDone):
		return false
	case err != nil:
		return true // "you may not ask" is an answer: there is somebody
	}
	// There is a process with that number. Is it the one that took the lock, or one that has been given the number since?
	started, err := pid.Started(owner.PID)
	return err != nil || owner.Started == "" || started == owner.Started
}
