package lockfiles

import (
	"errors"
	"fmt"
	"os"

	"example/turnstile/exercises/07_lock_files/pid"
)

// An Owner identifies the holder of a lock. It is written down with the lock, so that other processes can judge it.
type Owner struct {
	// Host is where the process has its number: pid.Here, called in that process.
	Host pid.Host `json:"host"`
	// PID is the process that acquired the lock. Started is when that process began, as pid.Started reports it, or empty where the
	// system does not tell.
	PID     int    `json:"pid"`
	Started string `json:"started,omitempty"`
	// Token belongs to one call of Acquire: no other lock, before or after, on this path or another, has the same.
	Token string `json:"token"`
}

// self returns this process as the owner of the lock with that token.
func self(token string) (Owner, error) {
	host, err := pid.Here()
	if err != nil {
		return Owner{}, fmt.Errorf("find out which process this is: %w", err)
	}
	started, err := pid.Started(os.Getpid())
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return Owner{}, fmt.Errorf("find out which process this is: %w", err)
	}
	return Owner{Host: host, PID: os.Getpid(), Started: started, Token: token}, nil
}

// Alive reports whether the process that acquired a lock may still be at work. It never guesses: false means that the process has
// certainly ended and will do nothing more.
//
// It is false if the owner's Host is an earlier boot of this one; if no process has the owner's number on this Host; or if the process
// with that number began at another time. It is true in every other case, and so whenever something cannot be found out, for whatever
// reason: a process of another user, another Host, an error of the system, an owner without a number, a start time that is unknown.
//
// Alive is about the process, not the goroutine: a lock that a living process has forgotten is a living process's lock. On Unix a
// process that has ended counts as alive until its parent has waited for it.
func Alive(owner Owner) bool {
	here, err := pid.Here()
	if err != nil {
		return true
	}
	if owner.Host.IsEarlierBootOf(here) {
		return false // the kernel that ran it is gone
	}
	if owner.Host != here || owner.PID <= 0 {
		return true // that number is another process's here
	}
	switch err := pid.Probe(owner.PID); {
	case errors.Is(err, os.ErrProcessDone):
		return false
	case err != nil:
		return true // "you may not ask" is an answer too: a process has that number
	}
	// Is it the process that took the lock, or one that was given the number later?
	started, err := pid.Started(owner.PID)
	return err != nil || owner.Started == "" || started == owner.Started
}
