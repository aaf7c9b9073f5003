package merge

import (
	"fmt"
	"maps"

	"balanceo/results/run"
)

// Keys of run.Reconciliation.Attributed.
const (
	foreign  = "foreign"
	warmup   = "warmup"
	gone     = "gone"
	inFlight = "in_flight"
)

// reconciliation adds the parts' counts. What is foreign to a part is what the others sent, warm-ups included, and what
// came from somewhere else: as much of that as the part saw that saw the most. Why is a sentence about what only the sum
// shows not to agree.
func reconciliation(parts []*run.Record) (sum run.Reconciliation, why string) {
	sum = run.Reconciliation{Nginx: new(int64), Servers: new(int64), Attributed: map[string]int64{}}
	for _, r := range parts {
		c := &r.Reconciliation
		sum.Client += c.Client
		sum.Unexplained += c.Unexplained
		sum.Nginx, sum.Servers = plus(sum.Nginx, c.Nginx), plus(sum.Servers, c.Servers)
		addCounts(sum.Attributed, c.Attributed)
	}
	delete(sum.Attributed, foreign)
	if sum.Nginx != nil {
		for _, r := range parts {
			others := *sum.Nginx - *r.Reconciliation.Nginx + sum.Attributed[warmup] - r.Reconciliation.Attributed[warmup]
			if left := r.Reconciliation.Attributed[foreign] - others; left > sum.Attributed[foreign] {
				sum.Attributed[foreign] = left
			}
		}
	}
	once(&sum, parts, gone, 1)
	once(&sum, parts, inFlight, -1)
	if n := counted(parts); sum.Nginx == nil && sum.Servers == nil && n != nil {
		why = withoutLog(&sum, parts, *n)
	}
	maps.DeleteFunc(sum.Attributed, func(_ string, n int64) bool { return n == 0 })
	return sum, why
}

// once counts a cause once that every part finds in the counts of all: what it finds there is missing (sign 1) or too much
// (-1) among the servers' counts of each part.
func once(sum *run.Reconciliation, parts []*run.Record, cause string, sign int64) {
	most := int64(0)
	for _, r := range parts {
		most = max(most, r.Reconciliation.Attributed[cause])
	}
	if sum.Servers != nil {
		*sum.Servers += sign * (sum.Attributed[cause] - most)
	}
	sum.Attributed[cause] = most
}

// counted is what the servers counted of all parts, as all of them read it; nil: not known.
func counted(parts []*run.Record) *int64 {
	first := parts[0].Reconciliation.Whole
	for _, r := range parts {
		if n := r.Reconciliation.Whole; first == nil || n == nil || *n != *first {
			return nil
		}
	}
	return first
}

// withoutLog sets what the servers counted of all parts against what the clients saw.
func withoutLog(sum *run.Reconciliation, parts []*run.Record, all int64) (why string) {
	lost := int64(0)
	for _, r := range parts {
		lost += r.Requests - r.Responses
	}
	servers := all - sum.Attributed[warmup]
	late := min(max(servers-sum.Client, 0), lost)
	sum.Servers, sum.Attributed[inFlight] = &servers, late
	left := max(servers-late-sum.Client, sum.Client-servers+late)
	sum.Unexplained += left
	if left == 0 {
		return ""
	}
	return fmt.Sprintf("The servers counted %d requests and all generators together saw %d answers, and without a balancer's log the difference can't be attributed.",
		servers, sum.Client)
}

// plus adds counts; what is unknown makes the sum unknown.
func plus(a, b *int64) *int64 {
	if a == nil || b == nil {
		return nil
	}
	sum := *a + *b
	return &sum
}
