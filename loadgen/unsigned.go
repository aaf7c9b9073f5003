package main

import (
	"fmt"
	"strings"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/tally"
	"balanceo/results/units"
	"balanceo/topology/balancer/known"
)

// unsigned says what is to be done where answers don't tell who gave them. Name is the balancer's; empty: not known.
func unsigned(u tally.Unsigned, by attack.By, name string) []string {
	switch {
	case u.Total == 0:
		return nil
	case by.String() != "":
		return []string{fmt.Sprintf("%s without %s: who gave them is not known.", units.Count(u.Total, "answer"), by)}
	case u.NoGroup == u.Total:
		return []string{fmt.Sprintf("%s without the header X-Upstream-Group, so they are counted in no group.%s", units.Count(u.Total, "answer"), paste(name))}
	case u.Errors == u.Total && u.Signed > 0:
		return []string{fmt.Sprintf("%s with a status of 400 and above without X-Upstream: the balancer gave them itself, or adds the header to successes only (nginx: add_header … always).",
			units.Count(u.Total, "answer"))}
	}
	return []string{fmt.Sprintf("%s without the header X-Upstream: who gave them is not known.%s -by header:NAME takes another.", units.Count(u.Total, "answer"), paste(name))}
}

// paste are the lines that a balancer needs, those of all where it is not known which it is.
func paste(name string) string {
	text := " To paste:"
	for _, s := range known.Signatures() {
		if name == "" || name == s.Balancer {
			text += " for " + s.Balancer + ", " + s.Lines
			if !strings.HasSuffix(text, ";") {
				text += "."
			}
		}
	}
	return text
}
