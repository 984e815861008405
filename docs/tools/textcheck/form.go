package textcheck

// A form is what the lesson pages of one edition are held to.
//
// Two editions exist side by side until every page is converted: a page with a heading `## The way out` is held to the first
// edition, every other one to the second. When no page has that heading any more, delete firstEdition and Page.firstEdition;
// the compiler then names each place that checks it.
type form struct {
	headings, required             []string
	fewestQuestions, mostQuestions int
}

var secondEdition = form{
	headings: []string{
		"The bug", "Why it happens", "Predict", "The fix", "Your turn", "Takeaways", "In depth", "Gotchas", "On each system",
		"Coming from Python", "Going deeper",
	},
	required:        []string{"The bug", "Why it happens", "Predict", "The fix", "Your turn", "Takeaways"},
	fewestQuestions: 2, mostQuestions: 2,
}

var firstEdition = form{
	headings: []string{
		"The bug", "Why it happens", "Predict", "The way out", "Gotchas", "On each system", "Coming from Python",
		"Your turn", "Takeaways", "Going deeper",
	},
	required:        []string{"The bug", "Why it happens", "The way out", "Your turn", "Takeaways"},
	fewestQuestions: 2, mostQuestions: 4,
}

func (p *Page) firstEdition() bool {
	old := false
	for _, heading := range p.Headings {
		if heading.Level == 2 && heading.Text == "The fix" {
			return false
		}
		old = old || heading.Level == 2 && heading.Text == "The way out"
	}
	return old
}

func (p *Page) form() form {
	if p.firstEdition() {
		return firstEdition
	}
	return secondEdition
}
