package guide

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"unicode/utf16"
)

// Bounds on what strangers' reports may put on a page.
const (
	mostReport = 64 << 20 // bytes of a file: a report on thirty learners has less than five million
	mostPeople = 1000
)

// readReport reads a file that report --json wrote, for a learner or for a grader, here or on another machine.
func readReport(path string) (reportFile, error) {
	text, err := readAtMost(path, mostReport)
	if err != nil {
		return reportFile{}, err
	}
	text = asUTF8(text)
	var head struct {
		Schema  string
		Version int
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return reportFile{}, fmt.Errorf("it is not a report: %w", err)
	}
	if head.Schema != "turnstile.report" {
		return reportFile{}, errors.New("it is JSON, but not what report --json writes")
	}
	if head.Version != reportVersion {
		return reportFile{}, fmt.Errorf("it is a report of version %d, and this edition of the workbook reads version %d",
			head.Version, reportVersion)
	}
	var report reportFile
	if err := json.Unmarshal(text, &report); err != nil {
		return reportFile{}, fmt.Errorf("it is not a report of version %d: %w", reportVersion, err)
	}
	return report, report.check()
}

// check refuses what no report --json has written.
func (r reportFile) check() error {
	if r.Answer != "learner" {
		return errors.New("it is about the reference, not about a learner's answers")
	}
	all := slices.Clone(r.Exercises)
	for _, l := range r.Learners {
		all = append(all, l.Exercises...)
	}
	for _, e := range all {
		if !slices.Contains([]string{"passed", "failed", "does_not_compile", "skipped", "broken"}, e.Status) {
			return fmt.Errorf("no report says %q of an exercise", e.Status)
		}
	}
	if len(all) == 0 && len(r.Learners) == 0 {
		return errors.New("it is about no exercise")
	}
	return nil
}

func readAtMost(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // nothing was written
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("it is larger than %d MB", most>>20)
	}
	return text, nil
}

// asUTF8 returns text without a byte order mark, and as UTF-8 if the mark says that it is UTF-16: Windows PowerShell's `>` writes that.
func asUTF8(text []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return bytes.TrimPrefix(text, []byte("\uFEFF"))
	}
	text = text[2:]
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = order.Uint16(text[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}
