package page

import (
	"fmt"
	"slices"
	"strings"

	"example/turnstile/bench/results"
)

// equals returns the other rows that give the same guarantee as the reference: the only ones that it is judged beside.
func equals(c results.Comparison) []string {
	ours := c.Row(c.Ours)
	if ours == nil || ours.Guarantee == results.None {
		return nil
	}
	var names []string
	for _, r := range c.Rows {
		relative := strings.HasPrefix(r.Name, c.Ours[:strings.IndexAny(c.Ours+"(", "(")])
		if r.Name != c.Ours && r.Guarantee == ours.Guarantee && !relative && !floor(r.Name) {
			names = append(names, r.Name)
		}
	}
	return names
}

// floor reports whether a row is no peer but what a peer is made of, or another row of the reference.
func floor(name string) bool {
	return strings.HasSuffix(name, "(12)") || strings.HasSuffix(name, "no turnstile") || strings.HasSuffix(name, "one goroutine")
}

// A standing is how the reference did beside one peer, over a series.
type standing struct {
	peer  string
	at    map[results.Verdict][]string
	times map[results.Verdict][]float64 // how many times as fast the one that is ahead is
}

func standings(s *series) []standing {
	var all []standing
	for _, peer := range equals(s.Comparison) {
		st := standing{peer, map[results.Verdict][]string{}, map[results.Verdict][]float64{}}
		for _, c := range s.all {
			ours, theirs := c.Row(c.Ours), c.Row(peer)
			if ours == nil || theirs == nil || ours.Broken != "" || theirs.Broken != "" {
				continue
			}
			v := results.Judge(ours, theirs, c.Unit)
			times := results.Times(ours, theirs, c.Unit).Median
			if (v == results.Ahead) != results.MoreIsBetter(c.Unit) && times != 0 {
				times = 1 / times
			}
			st.at[v] = append(st.at[v], number(c.X))
			st.times[v] = append(st.times[v], times)
		}
		all = append(all, st)
	}
	return all
}

// verdicts returns one sentence for each way in which the reference did beside its equals.
func verdicts(s *series) []string {
	var sentences []string
	for _, v := range []results.Verdict{results.Ahead, results.Undecided, results.Behind} {
		var peers []string
		for _, st := range standings(s) {
			if len(st.at[v]) > 0 {
				peers = append(peers, st.phrase(s, v))
			}
		}
		if len(peers) > 0 {
			sentences = append(sentences, fmt.Sprintf("%s %s %s.", s.Ours, verb(v), strings.Join(peers, "; ")))
		}
	}
	return sentences
}

func verb(v results.Verdict) string {
	return map[results.Verdict]string{
		results.Ahead: "is ahead of", results.Behind: "is **behind**",
		results.Undecided: "shows no difference, because the spreads overlap, from",
	}[v]
}

// phrase names the peer, where, and by how much.
func (st standing) phrase(s *series, v results.Verdict) string {
	text := st.peer
	var notes []string
	if v != results.Undecided {
		low, high := ratio(results.Of([]float64{slices.Min(st.times[v])})), ratio(results.Of([]float64{slices.Max(st.times[v])}))
		if low == high {
			notes = append(notes, low)
		} else {
			notes = append(notes, low+" to "+high)
		}
	}
	if s.By != "" {
		where := "with " + strings.Join(st.at[v], ", ") + " " + s.By
		if len(st.at[v]) == 1 && st.at[v][0] == "1" {
			where = "with 1 " + plural(s.By, 1)
		}
		notes = append(notes, where)
	}
	if len(notes) > 0 {
		text += " (" + strings.Join(notes, " ") + ")"
	}
	return text
}

// behind lists all places where a peer with the same guarantee is ahead, and why, if that is known.
func behind(f *results.File) string {
	var lines []string
	for _, part := range []string{"primitives", "update", "locks", "api", "loop"} {
		for _, s := range seriesOf(f, part) {
			var reasons []string
			peers := map[string][]string{} // by reason
			for _, st := range standings(s) {
				if len(st.at[results.Behind]) == 0 {
					continue
				}
				why := reason(part, s.Ours, st.peer)
				if peers[why] == nil {
					reasons = append(reasons, why)
				}
				peers[why] = append(peers[why], st.phrase(s, results.Behind))
			}
			for _, why := range reasons {
				line := fmt.Sprintf("* %s: %s is behind %s. %s", s.heading(f), s.Ours, strings.Join(peers[why], "; "), why)
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	if len(lines) == 0 {
		return "Nowhere in this run: beside no peer with the same guarantee did every round of the reference come out worse.\n"
	}
	return strings.Join(lines, "\n") + "\n"
}

// reason says why the reference is behind, in the cases that have been looked into. It is printed only where a run shows the difference.
func reason(part, ours, peer string) string {
	switch {
	case part == "update" && (peer == "bbolt" || peer == "SQLite"):
		return "A database writes the pages that have changed, in a file that stays; a JSON file is encoded and written whole, and " +
			"a rename needs a " +
			"second fsync for the name."
	case part == "update" && strings.HasPrefix(ours, "Edit"):
		return "Edit checks more around the same writes: it puts the old content back if the kernel refuses one."
	case part == "update":
		return "What Document does beyond the loop is a turnstile, a backup, and a strict decoder that reads the new document once more " +
			"before it is written."
	case part == "locks":
		return "The turnstile is a second file to open and to lock for each turn. It buys the order; without it, whoever is luckiest " +
			"has most of the turns."
	case part == "primitives" && strings.HasPrefix(ours, "filelock"):
		return "A Handle also keeps the order of the goroutines of this process, and answers to a context."
	case part == "primitives" && strings.HasPrefix(ours, "OpenFile"):
		return "OpenFile obeys a context and keeps the order of the goroutines of this process; the peer does neither."
	case part == "primitives":
		return "WriteFile keeps mode, owner and symbolic links, and refuses what is not a regular file."
	}
	return ""
}

// crossing says from which size on a database is faster than a JSON file, where both survive a power cut.
func crossing(f *results.File) string {
	var lines []string
	disk := slices.ContainsFunc(f.Machine.Places, func(p results.Place) bool { return p.Name == "disk" })
	for _, s := range seriesOf(f, "update") {
		if disk && s.Place != "disk" { // in memory, nothing survives a power cut
			continue
		}
		if !strings.HasSuffix(s.Series, "/durable") {
			continue
		}
		for _, peer := range []string{"bbolt", "SQLite"} {
			if line := crossingOf(f, s, peer); line != "" {
				lines = append(lines, "* "+line)
			}
		}
	}
	if len(lines) == 0 {
		return notMeasured
	}
	return strings.Join(lines, "\n") + "\n"
}

func crossingOf(f *results.File, s *series, peer string) string {
	from := -1 // the first of the comparisons at the end in which the peer is ahead
	for i, c := range s.all {
		switch {
		case results.Judge(c.Row(c.Ours), c.Row(peer), s.Unit) != results.Behind:
			from = -1
		case from < 0:
			from = i
		}
	}
	what := fmt.Sprintf("%s: beside %s, ", s.heading(f), peer)
	last := s.all[len(s.all)-1]
	if last.Row(peer) == nil || last.Row(peer).Broken != "" {
		return ""
	}
	times := func(c results.Comparison) string {
		t := results.Times(c.Row(c.Ours), c.Row(peer), s.Unit).Median
		if results.MoreIsBetter(s.Unit) && t != 0 {
			t = 1 / t
		}
		return ratio(results.Of([]float64{t}))
	}
	switch {
	case from < 0:
		return what + fmt.Sprintf("%s is not proved to be slower with %s %s, the most that was measured.",
			s.Ours, number(last.X), plural(s.By, last.X))
	case from == 0 && len(s.all) > 1:
		return what + fmt.Sprintf("%s is slower at every size that was measured: %s its time with %s, %s with %s %s.", s.Ours,
			times(s.all[0]), number(s.X), times(last), number(last.X), plural(s.By, last.X))
	}
	c := s.all[from]
	return what + fmt.Sprintf("%s is slower from %s %s on: %s its time there, %s with %s.", s.Ours, number(c.X), plural(s.By, c.X),
		times(c), times(last), number(last.X))
}
