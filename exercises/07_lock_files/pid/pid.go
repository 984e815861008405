// Package pid asks the system about processes by their number. It is given: what its answers mean for a lock is for you to
// decide.
//
// A process id is a number that the system lends to a process. Others may have had it before, and others will have it later;
// in another container, or on another machine, it means another process.
package pid
