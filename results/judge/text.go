package judge

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"balanceo/results/units"
)

// describe is the verdict for people.
func (r *Result) describe(opt Options) string {
	s := r.furthest()
	got := fmt.Sprintf("%s got %s where %s is promised", s.Name, percent(s.Share), percent(s.Expected))
	precision := percent(opt.Precision)
	needed := ""
	if r.Needed > r.Total {
		needed = fmt.Sprintf(": %s tell whether the shares are within %s", r.units(r.Needed), precision)
	}
	switch {
	case opt.Method == None:
		return "Nothing is promised that counts could break. Can't tell."
	case r.Verdict == Fail && opt.Method == RoundRobin:
		return got + ": more than a cycle can be off. Not chance."
	case r.Verdict == Fail && !slices.ContainsFunc(r.Shares, ShareResult.excluded):
		return got + " and the others are off, none too far alone, but all together: " + chance(r.P) + ". Not chance."
	case r.Verdict == Fail:
		return got + ": " + chance(r.P) + ". Not chance."
	case r.Verdict == Pass && opt.Method == RoundRobin:
		return fmt.Sprintf("As promised: every count is within the bound of a cycle, and so every share within %s.", precision)
	case r.Verdict == Pass:
		return fmt.Sprintf("As promised: every share is within %s of it. %s: %s.", precision, got, chance(r.P))
	case opt.Method == RoundRobin:
		return "Every count is within the bound of a cycle. Can't tell" + needed + "."
	}
	return got + ": " + chance(r.P) + ". Can't tell" + needed + "."
}

// excluded tells that the share alone is not what is promised.
func (s ShareResult) excluded() bool { return s.Lo > s.Expected || s.Hi < s.Expected }

// furthest is the share that adds most to what is off.
func (r *Result) furthest() ShareResult {
	worst, most := r.Shares[0], -1.0
	for _, s := range r.Shares {
		off := math.Abs(s.Share-s.Expected) / math.Sqrt(s.Expected*(1-s.Expected)) // both of two are off alike
		if off > most*(1+tie) {
			worst, most = s, off
		}
	}
	return worst
}

// chance writes p so that it can be imagined.
func chance(p float64) string {
	switch {
	case p >= 0.01:
		return fmt.Sprintf("by chance in %.0f of 100 such runs", 100*p)
	case p < 1e-15:
		return "by chance less than once in 10¹⁵ such runs"
	}
	return "by chance once in " + humanize.Comma(roundTo2(1/p)) + " such runs"
}

func roundTo2(v float64) int64 {
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return int64(math.Round(v/unit) * unit)
}

func (r *Result) units(n int64) string { return units.Count(n, r.Unit) }

func percent(v float64) string { return strconv.FormatFloat(math.Round(1000*v)/10, 'f', -1, 64) + " %" }

// Details are lines for people: the shares, and what so many requests can tell.
func (r *Result) Details() []string {
	width := 0
	for _, s := range r.Shares {
		width = max(width, len([]rune(s.Name)))
	}
	var lines []string
	for _, s := range r.Shares {
		name := s.Name + strings.Repeat(" ", width-len([]rune(s.Name)))
		line := fmt.Sprintf("%s  %12s  %7s of %7s", name, humanize.Comma(s.Count), percent(s.Share), percent(s.Expected))
		if r.Needed > 0 {
			line += fmt.Sprintf("  not excluded: %s … %s", percent(s.Lo), percent(s.Hi))
		}
		lines = append(lines, line)
	}
	if r.Needed == 0 {
		return lines
	}
	decide := r.units(r.Needed) + " decide, if the shares are as promised"
	if r.Test == cycleBound {
		return append(lines, decide+" ("+r.Test+")")
	}
	s := r.furthest()
	tell := fmt.Sprintf("%s can't tell %s from any other share", r.units(r.Total), percent(s.Expected))
	var from []string
	if s.FoundBelow > 0 {
		from = append(from, percent(s.FoundBelow)+" and less")
	}
	if s.FoundAbove < 1 {
		from = append(from, percent(s.FoundAbove)+" and more")
	}
	if len(from) > 0 {
		tell = fmt.Sprintf("%s tell %s from %s", r.units(r.Total), percent(s.Expected), strings.Join(from, " and from "))
	}
	return append(lines, tell+" (nine times in ten; "+r.Test+")", decide)
}

// TAP writes the result in the Test Anything Protocol: what is undecided is skipped.
func (r *Result) TAP(w io.Writer) error {
	outcome := map[Verdict]string{Pass: "ok 1 - shares", Fail: "not ok 1 - shares", Undecided: "ok 1 - shares # SKIP undecided"}[r.Verdict]
	_, err := fmt.Fprintf(w, "TAP version 13\n1..1\n%s\n# %s\n# %s\n", outcome, r.Sentence, strings.Join(r.Details(), "\n# "))
	return err
}

// JUnit writes the result as JUnit's XML: what is undecided is skipped.
func (r *Result) JUnit(w io.Writer) error {
	type message struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	type testcase struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		Failure *message `xml:"failure"`
		Skipped *message `xml:"skipped"`
		Out     string   `xml:"system-out"`
	}
	type testsuite struct {
		XMLName  xml.Name `xml:"testsuite"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Skipped  int      `xml:"skipped,attr"`
		Case     testcase `xml:"testcase"`
	}
	details := strings.Join(r.Details(), "\n")
	suite := testsuite{Name: "shares", Tests: 1, Case: testcase{Name: "shares", Class: "judge", Out: r.Sentence + "\n" + details}}
	switch r.Verdict {
	case Fail:
		suite.Failures, suite.Case.Failure = 1, &message{r.Sentence, details}
	case Undecided:
		suite.Skipped, suite.Case.Skipped = 1, &message{Message: r.Sentence}
	}
	data, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, data)
	return err
}
