package guide

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The elements that programs which read JUnit's XML have in common. There is no standard; these are the names and attributes that
// Jenkins, GitLab and GitHub's actions all read.
type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

// A junitSuite is one exercise of one learner.
type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure"`
	Error   *junitMessage `xml:"error"`
	Skipped *junitMessage `xml:"skipped"`
}

type junitMessage struct {
	Message string `xml:"message,attr"` // the first line
	Text    string `xml:",chardata"`
}

// encodeJUnit writes the report as JUnit's XML: a suite for each exercise, a case for each test and subtest. What concerns the exercise
// as a whole, such as code that does not compile, is a case of its own. encoding/xml replaces what XML cannot hold.
func encodeJUnit(file reportFile) ([]byte, error) {
	all := junitSuites{}
	for _, e := range file.Exercises {
		all.Suites = append(all.Suites, junitSuiteOf("", e))
	}
	for _, learner := range file.Learners {
		if learner.Problem != "" {
			all.Suites = append(all.Suites, junitSuiteOf(learner.Directory+"/", exerciseReport{
				Name: "all exercises", Status: "broken", Message: learner.Problem,
			}))
		}
		for _, e := range learner.Exercises {
			all.Suites = append(all.Suites, junitSuiteOf(learner.Directory+"/", e))
		}
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write JUnit's XML: %w", err)
	}
	return append([]byte(xml.Header), append(text, '\n')...), nil
}

func junitSuiteOf(learner string, e exerciseReport) junitSuite {
	suite := junitSuite{Name: learner + e.Name, Time: junitTime(e.Seconds)}
	explained := e.Status == "passed"
	for _, test := range e.Tests {
		suite.add(test)
		explained = explained || test.Status == e.Status
	}
	if !explained {
		suite.add(testReport{Name: e.Status, Status: e.Status, Message: e.Message})
	}
	return suite
}

func (suite *junitSuite) add(test testReport) {
	first, _, _ := strings.Cut(strings.TrimSpace(test.Message), "\n")
	message := &junitMessage{first, test.Message}
	c := junitCase{Class: suite.Name, Name: test.Name, Time: junitTime(test.Seconds)}
	suite.Tests++
	switch test.Status {
	case "passed":
	case "failed":
		c.Failure = message
		suite.Failures++
	case "skipped":
		c.Skipped = message
		suite.Skipped++
	default: // a program of the learner's ended, hung, or was never built
		c.Error = message
		suite.Errors++
	}
	suite.Cases = append(suite.Cases, c)
}

func junitTime(seconds float64) string { return fmt.Sprintf("%.3f", seconds) }
