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
	// Token is random, as rand.Text returns it for each call of Acquire: no other lock ever has the same.
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

// Alive reports whether the process that acquired a lock may still be at work. It never guesses: false is certain, and whatever cannot be
// found out is true.
//
// It is false if the owner's Host is an earlier boot of this one. On this Host it is false if no process has the owner's number, or if the
// one that has it, whoever's that is, began at another time. On another Host it is true. On Unix it is also true of a process that has
// ended, until its parent has waited for it.
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
	if errors.Is(pid.Probe(owner.PID), os.ErrProcessDone) {
		return false
	}
	// Is it the process that took the lock, or one that was given the number later? "You may not ask" leaves that open, too.
	started, err := pid.Started(owner.PID)
	return err != nil || owner.Started == "" || started == owner.Started
}
