// Package results holds what a run of the benchmarks has measured, as it is in the results file, and judges it.
//
// A file holds every sample. Medians, ratios and verdicts are computed from them each time, so that no two places can disagree.
package results

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// Format is the version of the results file.
const Format = 1

// A File is one run.
type File struct {
	Format      int          `json:"format"`
	Began       time.Time    `json:"began"`
	Seconds     float64      `json:"seconds"`
	Quick       bool         `json:"quick"`
	Only        string       `json:"only,omitempty"` // the pattern that the run was limited to
	Machine     Machine      `json:"machine"`
	LeftOut     []string     `json:"left_out"` // what was not measured, and why
	Comparisons []Comparison `json:"comparisons"`
}

// A Machine is where a run took place, and what it ran.
type Machine struct {
	System    string            `json:"system"` // GOOS/GOARCH
	Kernel    string            `json:"kernel"`
	Processor string            `json:"processor"`
	Cores     int               `json:"cores"`
	MemoryGiB float64           `json:"memory_gib"`
	Load      [2]string         `json:"load"` // the load average when the run began, and when it ended
	Places    []Place           `json:"places"`
	Go        string            `json:"go"`
	Versions  map[string]string `json:"versions"` // of the peers
}

// A Place is a directory in which was measured. Figures of two places are never compared.
type Place struct {
	Name       string `json:"name"`        // "disk" or "memory"
	FileSystem string `json:"file_system"` // "ext4"
}

// A Guarantee says what is left of a change that has returned without an error, and of the file. Only contestants with the same
// guarantee are equals.
type Guarantee string

// The guarantees, the strongest first.
const (
	Durable          Guarantee = "durable"                           // survives a power cut
	Whole            Guarantee = "whole"                             // after a power cut, the file is whole, maybe an older one
	KillSafe         Guarantee = "process-crash-safe"                // whole after kill -9; empty or damaged after a power cut
	Unsafe           Guarantee = "not crash-safe"                    // kill -9 may leave half of a file
	Exclusion        Guarantee = "exclusion"                         // a lock that ends with its process
	BetweenProcesses Guarantee = "exclusion between processes alone" // one of the same process gets it too
	Stale            Guarantee = "stays after a crash"               // a lock that must be broken by hand after kill -9
	None             Guarantee = ""                                  // nothing to compare: a bare system call
)

// A Comparison is one workload that contestants went through in turns.
type Comparison struct {
	Part   string  `json:"part"`           // "locks"
	Series string  `json:"series"`         // what the comparisons of one table and one plot have in common: "hold=1ms/think=5ms"
	Title  string  `json:"title"`          // of the series, for people
	Place  string  `json:"place"`          // the name of the Place; empty if none matters
	By     string  `json:"by,omitempty"`   // what X counts: "processes"; empty for a series of one comparison
	X      float64 `json:"x,omitempty"`    // how many
	Unit   string  `json:"unit"`           // of the measure that decides: "ns/op" (less is better) or "…/s" (more is better)
	Base   string  `json:"baseline"`       // the row that all others are a multiple of
	Ours   string  `json:"ours,omitempty"` // the row of the course's reference
	Rows   []Row   `json:"rows"`
}

// A Row is what one contestant has shown.
type Row struct {
	Name      string               `json:"name"`
	How       string               `json:"how"` // how it was configured, and who recommends that
	Guarantee Guarantee            `json:"guarantee,omitempty"`
	Samples   map[string][]float64 `json:"samples"`          // for each unit, one for each round
	Broken    string               `json:"broken,omitempty"` // why its figures mean nothing
}

// Name returns a name in the style of Go's benchmarks, "locks/hold=1ms/think=5ms/processes=8".
func (c Comparison) Name() string {
	parts := []string{c.Part, c.Series}
	if c.Place != "" {
		parts = append(parts, "place="+c.Place)
	}
	if c.By != "" {
		parts = append(parts, fmt.Sprintf("%s=%g", c.By, c.X))
	}
	return strings.Join(parts, "/")
}

// Row returns the row of that name, or nil.
func (c Comparison) Row(name string) *Row {
	for i := range c.Rows {
		if c.Rows[i].Name == name {
			return &c.Rows[i]
		}
	}
	return nil
}

// Broken returns what makes rows of the file meaningless, one line for each.
func (f *File) Broken() []string {
	var all []string
	for _, c := range f.Comparisons {
		for _, r := range c.Rows {
			if r.Broken != "" {
				all = append(all, fmt.Sprintf("%s: %s: %s", c.Name(), r.Name, r.Broken))
			}
		}
	}
	return all
}

// OursBroken reports whether a row of the reference is broken.
func (f *File) OursBroken() bool {
	return slices.ContainsFunc(f.Comparisons, func(c Comparison) bool {
		ours := c.Row(c.Ours)
		return ours != nil && ours.Broken != ""
	})
}

// Read returns the results in the file at path.
func Read(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read results: %w; `go -C bench run . -o FILE` makes them", err)
	}
	var f File
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("read results %s: %w", path, err)
	}
	if f.Format != Format {
		return nil, fmt.Errorf("read results %s: format %d, and this program knows %d; measure again", path, f.Format, Format)
	}
	return &f, nil
}

// JSON returns the file's content.
func (f *File) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return nil, fmt.Errorf("write results: %w", err)
	}
	return append(text, '\n'), nil
}

// WriteBenchmarks writes all samples in the format of Go's benchmarks, which benchstat reads.
func (f *File) WriteBenchmarks(w io.Writer) error {
	var text strings.Builder
	system, architecture, _ := strings.Cut(f.Machine.System, "/")
	fmt.Fprintf(&text, "goos: %s\ngoarch: %s\ncpu: %s\n", system, architecture, f.Machine.Processor)
	clean := strings.NewReplacer(" ", "_", "/", "_", ",", "")
	for _, c := range f.Comparisons {
		for _, r := range c.Rows {
			if r.Broken != "" {
				continue
			}
			for i := range r.Samples[c.Unit] {
				name := c.Name() // the format wants a capital letter after Benchmark
				fmt.Fprintf(&text, "Benchmark%s/by=%s 1", strings.ToUpper(name[:1])+name[1:], clean.Replace(r.Name))
				for _, unit := range r.Units() {
					fmt.Fprintf(&text, " %g %s", r.Samples[unit][i], unit)
				}
				text.WriteByte('\n')
			}
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// Units returns the units of the row's samples, in order.
func (r Row) Units() []string {
	var units []string
	for unit := range r.Samples {
		units = append(units, unit)
	}
	slices.Sort(units)
	return units
}
