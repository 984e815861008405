package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/perf/benchunit"

	"example/turnstile/bench/results"
)

// A series is the comparisons of one table and one plot.
type series struct {
	results.Comparison // the first one
	all                []results.Comparison
}

// seriesOf returns the series of a part, in the order in which they were measured.
func seriesOf(f *results.File, part string) []*series {
	var found []*series
	for _, c := range f.Comparisons {
		if c.Part != part {
			continue
		}
		at := slices.IndexFunc(found, func(s *series) bool { return s.Series == c.Series && s.Place == c.Place })
		if at < 0 {
			found = append(found, &series{Comparison: c})
			at = len(found) - 1
		}
		found[at].all = append(found[at].all, c)
	}
	for _, s := range found {
		slices.SortStableFunc(s.all, func(a, b results.Comparison) int { return int(a.X - b.X) })
	}
	return found
}

func (s *series) heading(f *results.File) string {
	title := s.Title
	for _, p := range f.Machine.Places {
		if p.Name == s.Place {
			title += fmt.Sprintf(", %s (%s)", p.Name, p.FileSystem)
		}
	}
	return title
}

// part returns the tables and plots of one part.
func part(f *results.File, name string) string {
	all := seriesOf(f, name)
	if len(all) == 0 {
		return notMeasured
	}
	var text strings.Builder
	for _, s := range all {
		fmt.Fprintf(&text, "### %s\n\n", s.heading(f))
		fmt.Fprintf(&text, "![%s: the same figures as in the table](bench/%s)\n\n", s.heading(f), s.file())
		if s.By == "" {
			text.WriteString(single(s.Comparison))
		} else {
			text.WriteString(columns(s))
			text.WriteString(waits(s))
		}
		for _, sentence := range verdicts(s) {
			fmt.Fprintf(&text, "%s\n\n", sentence)
		}
	}
	return text.String()
}

// single returns a row for each contestant.
func single(c results.Comparison) string {
	headers := []string{"", measure(c.Unit), "least to greatest", "times " + c.Base}
	ours := c.Row(c.Ours)
	if ours != nil {
		headers = append(headers, "times "+c.Ours)
	}
	kinds := slices.ContainsFunc(c.Rows, func(r results.Row) bool { return r.Guarantee != results.None })
	if kinds {
		headers = append(headers, "guarantee")
	}
	var rows [][]string
	for i := range c.Rows {
		r := &c.Rows[i]
		row := []string{mark(c, r.Name)}
		if r.Broken != "" {
			row = append(row, "**broken**", cut(r.Broken))
			rows = append(rows, append(row, make([]string, len(headers)-len(row))...))
			continue
		}
		s := r.Of(c.Unit)
		row = append(row, value(s.Median, c.Unit), between(s, c.Unit), ratio(results.Times(r, c.Row(c.Base), c.Unit)))
		if ours != nil {
			row = append(row, ratio(results.Times(r, ours, c.Unit)))
		}
		if kinds {
			row = append(row, string(r.Guarantee))
		}
		rows = append(rows, row)
	}
	return table(headers, rows)
}

// columns returns a row for each contestant, and a column for each X.
func columns(s *series) string {
	headers := []string{measure(s.Unit) + ", and times " + s.Base}
	for _, c := range s.all {
		headers = append(headers, fmt.Sprintf("%s %s", number(c.X), plural(c.By, c.X)))
	}
	kinds := slices.ContainsFunc(s.Rows, func(r results.Row) bool { return r.Guarantee != s.Rows[0].Guarantee })
	if kinds {
		headers = append(headers, "guarantee")
	}
	var rows [][]string
	for _, r := range s.Rows {
		row := []string{mark(s.Comparison, r.Name)}
		for _, c := range s.all {
			row = append(row, cell(c, r.Name))
		}
		if kinds {
			row = append(row, string(r.Guarantee))
		}
		rows = append(rows, row)
	}
	return table(headers, rows)
}

func plural(by string, x float64) string {
	if x == 1 {
		return strings.TrimSuffix(strings.ReplaceAll(by, "processes", "process"), "s") + map[bool]string{true: "s"}[by == "processes"]
	}
	return by
}

func cell(c results.Comparison, name string) string {
	r := c.Row(name)
	switch {
	case r == nil:
		return ""
	case r.Broken != "":
		return "**broken**: " + cut(r.Broken)
	}
	s := r.Of(c.Unit)
	text := fmt.Sprintf("**%s** (%s)", value(s.Median, c.Unit), between(s, c.Unit))
	if name != c.Base {
		text += " " + ratio(results.Times(r, c.Row(c.Base), c.Unit))
	}
	return text
}

// waits returns how long one waits, and how fairly, for the comparison of the series that is in the middle; nothing where no one waits.
func waits(s *series) string {
	c := s.all[0]
	for _, other := range s.all {
		if other.X <= 8 {
			c = other
		}
	}
	if len(c.Rows) == 0 || len(c.Rows[0].Samples["p99-ns"]) == 0 {
		return ""
	}
	headers := []string{fmt.Sprintf("with %s %s", number(c.X), plural(c.By, c.X))}
	units := []string{"p50-ns", "p99-ns", "worst-ns", "share"}
	if len(c.Rows[0].Samples["share"]) == 0 {
		units = units[:3]
	}
	for _, unit := range units {
		headers = append(headers, measure(unit))
	}
	var rows [][]string
	for _, r := range c.Rows {
		if r.Broken != "" || len(r.Samples["p99-ns"]) == 0 {
			continue
		}
		row := []string{mark(c, r.Name)}
		for _, unit := range units {
			of := r.Of(unit)
			row = append(row, fmt.Sprintf("**%s** (%s)", value(of.Median, unit), between(of, unit)))
		}
		rows = append(rows, row)
	}
	return table(headers, rows)
}

// mark shows which row is the reference's.
func mark(c results.Comparison, name string) string {
	if name == c.Ours {
		return "**" + name + "**"
	}
	return name
}

func table(headers []string, rows [][]string) string {
	var text strings.Builder
	line := func(cells []string) {
		text.WriteString("|")
		for _, c := range cells {
			text.WriteString(" " + strings.ReplaceAll(c, "|", "\\|") + " |")
		}
		text.WriteByte('\n')
	}
	line(headers)
	text.WriteString("|" + strings.Repeat("---|", len(headers)) + "\n")
	for _, row := range rows {
		line(row)
	}
	return text.String() + "\n"
}

// measure names what a unit measures.
func measure(unit string) string {
	switch unit {
	case "ns/op":
		return "time"
	case "cpu-ns/op":
		return "processor time"
	case "p50-ns":
		return "half wait at most"
	case "p99-ns":
		return "99 of 100 wait at most"
	case "worst-ns":
		return "the longest wait"
	case "share":
		return "share (fewest turns / most)"
	}
	return strings.TrimSuffix(unit, "/s") + " a second"
}

// value formats a value for people, with the tools of golang.org/x/perf.
func value(v float64, unit string) string {
	switch {
	case unit == "share":
		return fmt.Sprintf("%.2f", v)
	case results.IsTime(unit):
		tidy, _ := benchunit.Tidy(v, "ns")
		return short(tidy) + "s"
	}
	return strings.TrimSpace(short(v))
}

// short has three digits, as benchunit's four promise more than one run knows.
func short(v float64) string {
	if v == 0 {
		return "0 "
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		rounded = v
	}
	text := benchunit.Scale(rounded, benchunit.Decimal)
	digits := strings.TrimRight(text, "yzafpnµmkMGTPEZY")
	prefix := text[len(digits):]
	if len(strings.ReplaceAll(digits, ".", "")) > 3 {
		digits = strings.TrimSuffix(digits[:len(digits)-1], ".")
	}
	return digits + " " + prefix
}

func between(s results.Spread, unit string) string {
	return strings.TrimSpace(value(s.Min, unit)) + " to " + strings.TrimSpace(value(s.Max, unit))
}

// ratio shows the median of the rounds' ratios.
func ratio(s results.Spread) string {
	switch {
	case s == results.Spread{}:
		return ""
	case math.Abs(s.Median) >= 100:
		return fmt.Sprintf("%.0f×", s.Median)
	case math.Abs(s.Median) >= 10:
		return fmt.Sprintf("%.1f×", s.Median)
	}
	return fmt.Sprintf("%.2f×", s.Median)
}

// number writes a count with commas.
func number(x float64) string {
	text := strconv.FormatFloat(x, 'f', 0, 64)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

func cut(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 160 {
		text = text[:160] + "…"
	}
	return text
}

func machine(f *results.File) string {
	m := f.Machine
	var places, versions []string
	for _, p := range m.Places {
		places = append(places, fmt.Sprintf("%s: %s", p.Name, p.FileSystem))
	}
	for name, version := range m.Versions {
		versions = append(versions, name+" "+version)
	}
	slices.Sort(versions)
	kind := "the full run"
	if f.Quick {
		kind = "a quick run, which is too short for figures to quote"
	}
	if f.Only != "" {
		kind += ", of `" + f.Only + "` alone"
	}
	least := math.MaxInt
	for _, c := range f.Comparisons {
		for _, r := range c.Rows {
			if n := len(r.Samples[c.Unit]); r.Broken == "" && n > 0 {
				least = min(least, n)
			}
		}
	}
	rows := [][]string{
		{"run", fmt.Sprintf("%s, %s, %s",
			f.Began.UTC().Format("2 January 2006, 15:04 UTC"), kind, time.Duration(f.Seconds*1e9).Round(time.Second))},
		{"machine", fmt.Sprintf("%s, %d cores, %.0f GiB, %s, %s", m.Processor, m.Cores, m.MemoryGiB, m.Kernel, m.System)},
		{"load average", m.Load[0] + " when it began, " + m.Load[1] + " when it ended"},
		{"file systems", strings.Join(places, ", ")},
		{"versions", m.Go + ", " + strings.Join(versions, ", ")},
		{"broken rows", fmt.Sprint(len(f.Broken()))},
	}
	if least != math.MaxInt {
		rows = append(rows, []string{"rounds", fmt.Sprintf("at least %d of each contestant, in turns", least)})
	}
	text := table([]string{"", ""}, rows)
	if len(f.LeftOut) > 0 {
		text += "Left out: " + strings.Join(f.LeftOut, "; ") + ".\n"
	}
	return text
}

// how returns how each contestant was configured.
func how(f *results.File) string {
	var rows [][]string
	for _, c := range f.Comparisons {
		for _, r := range c.Rows {
			row := []string{c.Part, r.Name, r.How, string(r.Guarantee)}
			if !slices.ContainsFunc(rows, func(other []string) bool { return slices.Equal(other, row) }) {
				rows = append(rows, row)
			}
		}
	}
	return table([]string{"part", "contestant", "how", "guarantee"}, rows)
}

func goalTable(f *results.File, goals []results.Goal) string {
	var rows [][]string
	for _, o := range f.Outcomes(goals) {
		show := ratio
		if o.Beside == "" {
			show = func(s results.Spread) string { return value(s.Median, o.Unit) }
		}
		s := o.Spread
		each := func(v float64) string { return show(results.Spread{Median: v, Min: v, Max: v}) }
		found := fmt.Sprintf("%s (%s to %s)", each(s.Median), each(s.Min), each(s.Max))
		rows = append(rows, []string{"`" + o.Of + "`", o.String(), found, o.Status})
	}
	if len(rows) == 0 {
		return notMeasured
	}
	return table([]string{"comparison", "goal", "found", ""}, rows)
}
