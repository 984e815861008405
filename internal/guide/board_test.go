package guide

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

// ofClass is a report as a learner sends it: exercise 1 passes, 2 fails in the case of a test, 3 is not begun.
func ofClass(test string) reportFile {
	return reportFile{
		Schema: "turnstile.report", Version: reportVersion, System: "linux/amd64", Answer: "learner",
		Unknown: []string{"whether the code is the learner's own work"},
		Exercises: []exerciseReport{
			{Name: "01_double", Number: 1, Status: "passed", Changed: true, Tests: []testReport{{Name: "TestFive", Status: "passed"}}},
			{
				Name: "02_quadruple", Number: 2, Status: "failed", Changed: true, Message: "Do(5) is wrong",
				Tests: []testReport{
					{Name: "TestZero", Status: "passed"},
					{Name: test, Status: "failed"},
					{Name: test + "/five", Status: "failed", Message: "Do(5) is wrong\n  found     6\n  read      lessons/02_quadruple, \"The bug\""},
				},
			},
			{Name: "03_triple", Number: 3, Status: "failed", Tests: []testReport{{Name: "TestFive", Status: "failed", Message: "wrong"}}},
		},
	}
}

func (b *fakeBook) writeReport(t *testing.T, path string, report reportFile) {
	t.Helper()
	text, err := json.Marshal(report)
	require.NoError(t, err)
	b.write(t, path, string(text))
}

func TestTheBoardShowsWhoStandsWhere(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	b.writeReport(t, "class/alice.json", ofClass("TestFive"))
	b.writeReport(t, "class/bob.json", ofClass("TestFive"))
	b.writeReport(t, "class/carol.json", ofClass("TestSeven"))
	require.Equal(t, exitDone, b.guide(t, "board class"))
	page := b.out.String()
	require.Empty(t, b.err.String())
	require.Contains(t, page, "3 people, 3 exercises: 3 of 9 done")
	require.Regexp(t, `<bdi>alice</bdi></th><td><b>02</b></td><td class="done" title="done">.*<td class="failed" title="1 of 2 tests pass: `+
		`Do\(5\) is wrong">.*<small aria-hidden="true">1/2</small>.*<td class="unbegun" title="not begun">`, page)
	require.Regexp(t, `(?s)2 of 3</td><td>02 The quadruple<br><bdi>TestFive</bdi></td><td><bdi>Do\(5\) is wrong</bdi><br><span class="quiet">`+
		`read <bdi>lessons/02_quadruple, &#34;The bug&#34;</bdi></span></td><td><bdi>alice</bdi>, <bdi>bob</bdi></td>.*1 of 3</td><td>02`, page)
	require.Contains(t, page, "whether the code is the learner&#39;s own work")
	require.NotContains(t, page, "Not used, or not all of it")

	require.Equal(t, exitDone, b.guide(t, "board 2 class -o class.html"))
	require.Equal(t, "Written to class.html.\n", b.err.String())
	require.Contains(t, b.read(t, "class.html"), "3 people, 1 exercise: 0 of 3 done")
}

func TestTheBoardTestsDirectories(t *testing.T) {
	t.Parallel()
	needsGo(t)
	b := newBook(t)
	b.write(t, "class/alice/exercises/01_double/double.go", "package double\n\nfunc Do(n int) int { return n + n }\n")
	b.write(t, "class/bob/turnstile/01_double/double.go", b.read(t, "exercises/01_double/double.go"))
	b.write(t, "class/eve/turnstile/01_double/double.go", "package double\n\nfunc Do(n int) int { return 0 }\n")
	b.write(t, "class/empty/readme.txt", "nothing here")
	require.Equal(t, exitDone, b.guide(t, "board class class/bob/turnstile class/eve/turnstile 1"))
	page := b.out.String()
	require.Regexp(t, `<bdi>alice</bdi></th><td><b>all done</b></td><td class="done"`, page)
	require.Regexp(t, `<bdi>bob/turnstile</bdi></th><td><b>01</b></td><td class="unbegun"`, page, "two of one name get more of their paths")
	require.Regexp(t, `<bdi>eve/turnstile</bdi></th><td><b>01</b></td><td class="failed"`, page)
	require.Regexp(t, `<li><b><bdi>empty</bdi></b>: <bdi>.* holds no directory of an exercise`, page)
	require.Contains(t, page, "whether the code deceives the tests")
}

// One bad file stops no other: it is named with its reason, on the page and on standard error.
func TestTheBoardSaysWhatItCouldNotUse(t *testing.T) {
	t.Parallel()
	newer, ofReference, strange, other := ofClass("T"), ofClass("T"), ofClass("T"), ofClass("T")
	newer.Version = 2
	ofReference.Answer = "reference"
	strange.Exercises[0].Status = "excellent"
	other.Exercises[2].Name = "99_unheard_of"
	encode := func(report reportFile) string {
		text, err := json.Marshal(report)
		require.NoError(t, err)
		return string(text)
	}
	for _, c := range []struct{ name, content, says string }{
		{"torn", encode(ofClass("T"))[:100], "it is not a report: unexpected end of JSON input"},
		{"empty", "", "it is not a report: unexpected end of JSON input"},
		{"tail", encode(ofClass("T")) + "}", "it is not a report: invalid character"},
		{"list", "[]", "it is not a report"},
		{"other json", `{"name":"package"}`, "not what report --json writes"},
		{"newer", encode(newer), "a report of version 2, and this edition of the workbook reads version 1"},
		{"reference", encode(ofReference), "about the reference"},
		{"status", encode(strange), `no report says "excellent" of an exercise`},
		{"types", strings.Replace(encode(ofClass("T")), `"tests":[`, `"tests":7,"more":[`, 1), "not a report of version 1"},
		{"nothing", `{"schema":"turnstile.report","version":1,"answer":"learner"}`, "it is about no exercise"},
		{"deep", strings.Repeat("[", 100_000), "exceeded max depth"},
		{"unheard of", encode(other), "exercises that this edition of the workbook does not have: 99_unheard_of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newQuickBook(t)
			b.writeReport(t, "class/good.json", ofClass("TestFive"))
			b.write(t, "class/it.json", c.content)
			require.Equal(t, exitDone, b.guide(t, "board class/it.json class/good.json class/none.json"))
			require.Contains(t, html.UnescapeString(b.out.String()), c.says)
			require.Contains(t, strings.Join(strings.Fields(b.err.String()), " "), c.says)
			require.Contains(t, b.out.String(), "<bdi>good</bdi>")
			require.Contains(t, b.out.String(), "class/none.json was not read")
		})
	}
}

func TestTheBoardRefusesWhatMakesNoPage(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	b.writeReport(t, "a.json", ofClass("TestFive"))
	b.write(t, "bad.json", "{")
	b.write(t, "hollow/readme.txt", "")
	for _, c := range []struct {
		line   string
		status int
		says   string
	}{
		{"board", exitUsage, "board needs the learners' reports"},
		{"board 1", exitUsage, "board needs the learners' reports"},
		{"board nonsense", exitUsage, `"nonsense"`},
		{"board a.json -solution", exitUsage, "leave out -solution"},
		{"board -o a.json b.json", exitUsage, "-o a.json: the name must end in .html."},
		{"report --json -o a.html", exitUsage, "-o a.html: the name must end in .json."},
		{"list -o a.html", exitUsage, "-o FILE is for board and report"},
		{"board bad.json", exitTrouble, "no page was made"},
		{"board hollow", exitTrouble, "hollow holds neither exercises nor reports"},
		{"board a.json -o none/at/all.html", exitTrouble, "write none/at/all.html"},
	} {
		require.Equal(t, c.status, b.guide(t, c.line), "%s: %s", c.line, b.err)
		require.Contains(t, b.flat(), c.says, c.line)
		require.Empty(t, b.out.String(), c.line)
	}
	require.NotEmpty(t, b.read(t, "a.json"))
}

func TestTheBoardKeepsOneEntryForEachPerson(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	b.writeReport(t, "morning/alice.json", ofClass("TestFive"))
	b.writeReport(t, "noon/alice.json", ofClass("TestSeven"))
	graded := ofClass("TestFive")
	graded.Learners = []learnerReport{{Directory: `C:\class\bob`, Exercises: graded.Exercises}, {Directory: "class/eve", Problem: "gone"}}
	graded.Exercises = nil
	b.writeReport(t, "graded.json", graded)
	require.Equal(t, exitDone, b.guide(t, "board morning noon graded.json"))
	require.Equal(t, 1, strings.Count(b.out.String(), `<th scope="row"><bdi>alice</bdi>`))
	require.Contains(t, b.out.String(), "alice is there more than once: the page shows the one that came last.")
	require.Contains(t, b.out.String(), "<bdi>TestSeven</bdi>")
	require.Contains(t, b.out.String(), `<th scope="row"><bdi>bob</bdi>`)
	require.Contains(t, b.out.String(), `<b><bdi>eve</bdi></b>: <bdi>gone</bdi>`)
}

func TestTheBoardReadsWhatPowerShellWrites(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	text, err := encodeJSON(ofClass("TestFive"))
	require.NoError(t, err)
	wide := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(string(text))) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	b.write(t, "alice.json", string(wide))
	b.write(t, "bob.json", "\uFEFF"+strings.ReplaceAll(string(text), "\n", "\r\n"))
	require.Equal(t, exitDone, b.guide(t, "board alice.json bob.json"))
	require.Contains(t, b.out.String(), "2 people")
	require.Empty(t, b.err.String())
}

var (
	tag     = regexp.MustCompile(`<[^>]*>`)
	fineTag = regexp.MustCompile(`^</?(?:html|head|meta|title|style|body|main|h1|h2|p|span|div|table|thead|tbody|tfoot|tr|th|td|bdi|b|i|` +
		`br|ul|li|small)\b`)
	handler   = regexp.MustCompile(`(?i)\s(?:on[a-z]+|href|src|style|action|formaction|data|srcdoc)\s*=`)
	styleText = regexp.MustCompile(`(?s)<style>(.*)</style>`)
	hash      = regexp.MustCompile(`'sha256-([^']*)'`)
	inQuotes  = regexp.MustCompile(`"[^"]*"`)
)

// Names, paths, test names and messages come from learners. None of them becomes markup, moves the cursor or turns letters round.
func TestTheBoardIsSafeAgainstHostileText(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</style><script>alert(1)</script>`,
		`javascript:alert(1)`, `{{.Style}}`, `<!--`, `]]>`, "</title><svg/onload=alert(1)>", "a\x00b\x1b[31mc\u202ed\u2066", "\xff\xfe\xc0",
		strings.Repeat("W", 1<<20), strings.Repeat("<b>", 100_000), "&lt;script&gt;", "\u2028\u2029", "`${alert(1)}`",
	} {
		t.Run(fmt.Sprintf("%.20q", evil), func(t *testing.T) {
			t.Parallel()
			b := newQuickBook(t)
			report := ofClass("Test" + evil)
			for i := range report.Exercises {
				e := &report.Exercises[i]
				e.Title, e.Message = evil, evil
				for j := range e.Tests {
					e.Tests[j].Message = evil + "\n  read      lessons/" + evil
				}
			}
			report.Exercises = append(report.Exercises, exerciseReport{Name: evil, Status: "failed"})
			report.Unknown = []string{evil}
			report.System = evil
			report.Learners = []learnerReport{{Directory: "x/" + evil, Exercises: report.Exercises}, {Directory: evil + "/y", Problem: evil}}
			b.writeReport(t, "class.json", report)
			report.Learners = nil
			b.writeReport(t, "it.json", report)
			b.write(t, "bad.json", `{"schema":`+fmt.Sprintf("%q", evil)+`}`)
			require.Equal(t, exitDone, b.guide(t, "board class.json it.json bad.json"))
			requireHarmless(t, b.out.String())
		})
	}
}

func requireHarmless(t *testing.T, page string) {
	t.Helper()
	require.Less(t, len(page), 64<<10)
	for _, found := range tag.FindAllString(page[len("<!doctype html>"):], -1) {
		require.Regexp(t, fineTag, found)
		require.NotRegexp(t, handler, inQuotes.ReplaceAllString(found, `""`), found)
	}
	for _, r := range page {
		require.False(t, r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069,
			"%U is on the page", r)
	}
	require.Equal(t, 1, strings.Count(page, "<style>"))
	sum := sha256.Sum256([]byte(styleText.FindStringSubmatch(page)[1]))
	policy := hash.FindStringSubmatch(html.UnescapeString(page))
	require.Equal(t, base64.StdEncoding.EncodeToString(sum[:]), policy[1], "the policy allows this style alone")
	require.Contains(t, html.UnescapeString(page), `content="default-src 'none'; style-src 'sha256-`)
}

// A file name is a learner's text, too.
func TestTheBoardShowsHostileFileNames(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("on Windows no file has such a name")
	}
	b := newQuickBook(t)
	name := "<img src=x onerror=alert(1)>\u202e"
	text, err := encodeJSON(ofClass("TestFive"))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(b.path("class/<script>/01_double"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(b.path("class"), name+".json"), text, 0o666))
	require.Equal(t, exitDone, b.guide(t, "board class"))
	requireHarmless(t, b.out.String())
	require.Contains(t, b.out.String(), "<bdi>&lt;img src=x onerror=alert(1)&gt;\uFFFD</bdi>")
}

func TestAHugeFileIsNoReport(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "huge.json")
	file, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, file.Truncate(mostReport+1))
	require.NoError(t, file.Close())
	_, err = readReport(path)
	require.ErrorContains(t, err, "larger than 64 MB")
}

func TestOneReportDoesNotFillTheWall(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	report := ofClass("TestFive")
	for i := range 5000 {
		report.Learners = append(report.Learners, learnerReport{Directory: fmt.Sprintf("class/p%d", i), Exercises: report.Exercises[:1]})
	}
	b.writeReport(t, "class.json", report)
	require.Equal(t, exitDone, b.guide(t, "board class.json"))
	require.Contains(t, b.out.String(), "Of 5000 people, the page shows the first 1000.")
	require.Equal(t, mostPeople, strings.Count(b.out.String(), `<th scope="row"><bdi>`))
}

func TestShortestNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, map[string]string{
		"class/ann": "ann", "class/bob/turnstile": "bob/turnstile", "/x/eve/turnstile": "eve/turnstile", "turnstile": "turnstile", ".": ".",
	}, shortest([]string{"class/ann", "class/bob/turnstile", "/x/eve/turnstile", "turnstile", "."}))
	require.Equal(t, map[string]string{"/a": "/a", "a": "a"}, shortest([]string{"/a", "a"}), "different, whatever their endings")
}

func TestTheBoardSaysWhenItWasMade(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	b.writeReport(t, "ann.json", ofClass("TestFive"))
	out := newTranscript()
	s := newSession(Console{In: strings.NewReader(""), Out: out, Err: newTranscript(), Folder: b.root})
	s.now = func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }
	require.NoError(t, s.run(t.Context(), []string{"board", "ann.json"}))
	require.Contains(t, out.String(), "Monday 2 March 2026, 09:00")
}

// What programs that read JUnit's XML demand: the counts agree with the cases, each case has at most one result, all is valid XML.
func TestReportAsJUnit(t *testing.T) {
	t.Parallel()
	file := ofClass("TestFive")
	file.Exercises[1].Tests[2].Message = "a]]>\x00\x1b<b>&\"'\xff\nmore"
	file.Learners = []learnerReport{
		{Directory: "class/a&b", Exercises: []exerciseReport{
			{Name: "01_double", Status: "does_not_compile", Message: "double.go:4: undefined: twice"},
			{Name: "02_quadruple", Status: "broken", Message: "panic", Tests: []testReport{{Name: "TestFive", Status: "broken", Message: "panic"}}},
			{Name: "03_triple", Status: "skipped", Message: "not for this system"},
		}},
		{Directory: "eve", Problem: "no such file"},
	}
	text, err := encodeJUnit(file)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>"))
	var read junitSuites
	require.NoError(t, xml.Unmarshal(text, &read))
	var suites []string
	for _, suite := range read.Suites {
		suites = append(suites, suite.Name)
		failures, errors, skipped := 0, 0, 0
		for _, c := range suite.Cases {
			require.Equal(t, suite.Name, c.Class)
			require.NotEmpty(t, c.Name)
			require.Regexp(t, `^\d+\.\d{3}$`, c.Time)
			results := 0
			for _, r := range []struct {
				message *junitMessage
				count   *int
			}{{c.Failure, &failures}, {c.Error, &errors}, {c.Skipped, &skipped}} {
				if r.message != nil {
					results++
					*r.count++
				}
			}
			require.LessOrEqual(t, results, 1)
		}
		require.Equal(t, []int{len(suite.Cases), failures, errors, skipped}, []int{suite.Tests, suite.Failures, suite.Errors, suite.Skipped})
	}
	require.Equal(t, []string{
		"01_double", "02_quadruple", "03_triple", "class/a&b/01_double", "class/a&b/02_quadruple", "class/a&b/03_triple", "eve/all exercises",
	}, suites)
	require.Equal(t, "a]]>\uFFFD\uFFFD<b>&\"'\uFFFD", read.Suites[1].Cases[2].Failure.Message)
	require.Equal(t, "double.go:4: undefined: twice", read.Suites[3].Cases[0].Error.Text)
	require.Len(t, read.Suites[4].Cases, 1, "the test says it, and nothing says it again")
	require.Equal(t, "not for this system", read.Suites[5].Cases[0].Skipped.Message)
	require.Equal(t, "no such file", read.Suites[6].Cases[0].Error.Message)
}

func TestReportWritesJUnit(t *testing.T) {
	t.Parallel()
	b := newQuickBook(t)
	require.Equal(t, exitUsage, b.guide(t, "report --json --junit"))
	require.Equal(t, exitDone, b.guide(t, "report --junit -o report.xml"))
	var read junitSuites
	require.NoError(t, xml.Unmarshal([]byte(b.read(t, "report.xml")), &read))
	require.Len(t, read.Suites, 3)
	require.Equal(t, exitDone, b.guide(t, "report --json -o report.json"))
	require.Contains(t, b.read(t, "report.json"), `"schema": "turnstile.report"`)
}
