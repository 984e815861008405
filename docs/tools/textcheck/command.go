package textcheck

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// errNotAllowed is matched by the error of ParseCommand for a command outside the allow-list.
var errNotAllowed = errors.New("not a command that a page may show")

var (
	demoPackage = regexp.MustCompile(`^\./exercises/\d\d_[a-z0-9_]+/race$`)
	testPackage = regexp.MustCompile(`^\./(?:lessons|exercises|solutions)(?:/[a-z0-9_]+)*(?:/|/\.\.\.)?$`)
	testFlag    = regexp.MustCompile(`^-(?:v|race|short|count=\d+|run=\S.*|bench=\S.*|benchtime=\S+|cpu=\S+|timeout=\S+)$`)
	testValue   = []string{"-run", "-bench", "-count"} // may also be written with a blank before the value
)

// ParseCommand splits the command of a console block into words and checks it against the allow-list:
//
//	go run ./exercises/NN_name/race [arguments]
//	go run ./exercises [arguments]     but watch, which never ends
//	go test [-v -race -short -count -run -bench …] packages below lessons, exercises, solutions
//
// There is no shell: quotes group words, and that is all.
func ParseCommand(line string) ([]string, error) {
	words, err := splitWords(line)
	if err != nil {
		return nil, err
	}
	switch {
	case len(words) >= 3 && words[0] == "go" && words[1] == "run" && demoPackage.MatchString(words[2]):
		return words, nil
	case len(words) >= 3 && words[0] == "go" && words[1] == "run" && words[2] == "./exercises":
		if slices.Contains(words, "watch") {
			return nil, fmt.Errorf("%w: watch never ends", errNotAllowed)
		}
		return words, nil
	case len(words) >= 3 && words[0] == "go" && words[1] == "test":
		return words, allowedTest(words[2:])
	}
	return nil, fmt.Errorf("%w: %s", errNotAllowed, line)
}

func allowedTest(arguments []string) error {
	packages := 0
	for i := 0; i < len(arguments); i++ {
		switch argument := arguments[i]; {
		case slices.Contains(testValue, argument) && i+1 < len(arguments):
			i++
		case testFlag.MatchString(argument):
		case testPackage.MatchString(argument):
			packages++
		default:
			return fmt.Errorf("%w: go test with %s", errNotAllowed, argument)
		}
	}
	if packages == 0 {
		return fmt.Errorf("%w: go test without a package", errNotAllowed)
	}
	return nil
}

// splitWords splits at blanks; single or double quotes keep blanks.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, rune(0)
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		case strings.ContainsRune("|&;<>$`\\#*~", r):
			return nil, fmt.Errorf("%w: %q means something to a shell, and there is none", errNotAllowed, r)
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("%w: a quote is not closed", errNotAllowed)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
