// Package pid asks the system about processes by their number. It is given: what the answers mean for a lock is for you to decide.
//
// A process id is a number that a system lends to a process. Others may have had it before, and others will have it later; in another
// container, or on another machine, it means another process.
package pid

// A Host is where a process has its number. The same number on another Host is another process. Two Hosts may be compared with ==; the
// zero Host is no place at all.
type Host struct {
	// Name is the machine's name, for people, in UTF-8. Renaming the machine makes another Host of it.
	Name string `json:"name"`
	// Machine is the same after a restart of the machine; it is not the id itself, which should not leave the machine (machine-id(5)).
	// Boot is another one after each restart. Either is empty where the system does not tell.
	Machine string `json:"machine,omitempty"`
	Boot    string `json:"boot,omitempty"`
	// Namespace tells containers apart.
	Namespace string `json:"namespace,omitempty"`
}

// IsEarlierBootOf reports whether h is certainly the same machine as now, before a restart: all that ran there has ended. It is false
// if either of the two does not know its machine or its boot, as on every system but Linux.
//
// It trusts machine-id(5), which says that two machines never have the same id. Copies of a virtual machine can.
func (h Host) IsEarlierBootOf(now Host) bool {
	return h.Machine != "" && h.Machine == now.Machine && h.Boot != "" && now.Boot != "" && h.Boot != now.Boot
}
