// Package slo holds what a run is held to: conditions on the figures of its record, as "p99<50ms", and the
// search for the highest rate at which they hold.
package slo

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"balanceo/results/run"
)

// SLO is a service level objective: all of its conditions must hold.
type SLO struct {
	Text       string
	Conditions []Condition
	Precision  float64 // of Search: the ratio of its ends; 0: DefaultPrecision
}

// Condition compares one figure of a run with a limit.
type Condition struct {
	Text   string // as it was given
	metric metric
	op     string
	limit  float64 // in the unit of the record: seconds, shares of 1
}

// unit is how the limit of a metric is written.
type unit int

const (
	duration unit = iota // a Go duration; in the record: seconds
	ratio                // a percentage, or a share of 1; in the record: 0..1
	points               // percentage points, with or without %; in the record: 0..1
	amount               // a plain number
)

type metric struct {
	unit  unit
	value func(*run.Record) (float64, error)
	above float64 // of a percentile: the part of the requests that lies above it
}

// latency is a figure of the latencies, of which the part above lies beyond it. Requests that never got an answer lie
// beyond all of them, so where there are more than that, the figure is not known, but it is no small one.
func latency(above float64, pick func(run.Latency) float64) metric {
	return metric{duration, func(r *run.Record) (float64, error) {
		answered := float64(r.Successes())
		switch missing := float64(r.Missing); {
		case r.Requests == 0:
			return 0, errors.New("no request was sent")
		case answered == 0:
			return 0, errors.New("no request succeeded")
		case missing > above*(answered+missing):
			return 0, fmt.Errorf("%.2g%% of the requests never got an answer, so it is not known", 100*missing/(answered+missing))
		}
		return pick(r.Latency), nil
	}, above}
}

func plain(u unit, pick func(*run.Record) float64) metric {
	return metric{unit: u, value: func(r *run.Record) (float64, error) { return pick(r), nil }}
}

// metrics are the figures that a condition can name.
func metrics() map[string]metric {
	return map[string]metric{
		"min":         latency(1, func(l run.Latency) float64 { return l.Min }),
		"mean":        latency(1, func(l run.Latency) float64 { return l.Mean }),
		"p50":         latency(0.5, func(l run.Latency) float64 { return l.P50 }),
		"p90":         latency(0.1, func(l run.Latency) float64 { return l.P90 }),
		"p95":         latency(0.05, func(l run.Latency) float64 { return l.P95 }),
		"p99":         latency(0.01, func(l run.Latency) float64 { return l.P99 }),
		"p999":        latency(0.001, func(l run.Latency) float64 { return l.P999 }),
		"max":         latency(0, func(l run.Latency) float64 { return l.Max }),
		"lag":         plain(duration, func(r *run.Record) float64 { return r.ScheduleLag.P99 }),
		"errors":      plain(ratio, ErrorRatio),
		"success":     plain(ratio, func(r *run.Record) float64 { return r.SuccessRatio }),
		"send_ratio":  plain(ratio, func(r *run.Record) float64 { return r.Generator.SendRatio }),
		"deviation":   {unit: points, value: deviation},
		"rate":        plain(amount, func(r *run.Record) float64 { return r.ActualRate }),
		"throughput":  plain(amount, func(r *run.Record) float64 { return r.Throughput }),
		"requests":    plain(amount, func(r *run.Record) float64 { return float64(r.Requests) }),
		"unexplained": {unit: amount, value: unexplained},
		"breaks": {unit: amount, value: func(r *run.Record) (float64, error) {
			if r.Session == nil {
				return 0, errors.New("only scenario session counts session breaks")
			}
			return float64(r.Session.Breaks), nil
		}},
		"lost": {unit: amount, value: func(r *run.Record) (float64, error) {
			if r.WS == nil {
				return 0, errors.New("only scenario ws counts lost deliveries")
			}
			return float64(r.WS.Lost), nil
		}},
	}
}

// Metrics are the names that a condition may begin with.
func Metrics() []string { return slices.Sorted(maps.Keys(metrics())) }

// ErrorRatio is the part of the requests that failed, were never sent, or got an answer that is a failure.
func ErrorRatio(r *run.Record) float64 {
	if r.Requests+r.Unsent == 0 {
		return 0
	}
	return 1 - r.SuccessRatio
}

// unexplained is what the counts of client, nginx and servers differ by.
func unexplained(r *run.Record) (float64, error) {
	if r.Reconciliation.Nginx == nil && r.Reconciliation.Servers == nil {
		return 0, errors.New("neither nginx nor a server could be asked what it counted")
	}
	return float64(r.Reconciliation.Unexplained), nil
}

// deviation is the largest difference between a share and the share that nginx.conf promises, over all
// groups whose method promises one.
func deviation(r *run.Record) (float64, error) {
	worst, found := 0.0, false
	for _, g := range r.Groups {
		for _, u := range g.Upstreams {
			if g.Verdict != run.Info && g.Requests > 0 {
				worst, found = max(worst, math.Abs(u.Share-u.ExpectedShare)), true
			}
		}
	}
	if !found {
		return 0, errors.New("no group of nginx.conf with a promised share got requests")
	}
	return worst, nil
}

// Parse reads conditions separated by commas: METRIC<LIMIT with <, <=, > or >=.
func Parse(text string) ([]Condition, error) {
	var out []Condition
	for part := range strings.SplitSeq(text, ",") {
		c, err := parseOne(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func parseOne(text string) (Condition, error) {
	at := strings.IndexAny(text, "<>")
	if at < 0 {
		return Condition{}, fmt.Errorf("want METRIC<LIMIT, for example p99<50ms; metrics are %s", strings.Join(Metrics(), ", "))
	}
	name, op, limit := strings.TrimSpace(text[:at]), text[at:at+1], strings.TrimSpace(text[at+1:])
	if rest, ok := strings.CutPrefix(limit, "="); ok {
		op, limit = op+"=", strings.TrimSpace(rest)
	}
	m, known := metrics()[strings.ReplaceAll(strings.ToLower(name), "p99.9", "p999")]
	if !known {
		return Condition{}, fmt.Errorf("%q is no metric; metrics are %s", name, strings.Join(Metrics(), ", "))
	}
	value, err := m.unit.parse(limit)
	if err != nil {
		return Condition{}, err
	}
	return Condition{Text: text, metric: m, op: op, limit: value}, nil
}

func (u unit) parse(text string) (float64, error) {
	if u == duration {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("%q is no time: want one with a unit, for example 50ms", text)
		}
		return d.Seconds(), nil
	}
	number, percent := strings.CutSuffix(text, "%")
	value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || value < 0 || math.IsInf(value, 0) || math.IsNaN(value) || (percent && u == amount) {
		return 0, fmt.Errorf("%q is no limit: want %s", text, u.accepts())
	}
	if percent || u == points {
		value /= 100
	}
	if u == ratio && value > 1 {
		return 0, fmt.Errorf("%q is more than all: want %s", text, u.accepts())
	}
	return value, nil
}

func (u unit) accepts() string {
	switch u {
	case ratio:
		return "a percentage, for example 0.1%, or a share of 1, for example 0.001"
	case points:
		return "percentage points, for example 1 or 1%"
	}
	return "a number from 0 on"
}

// Sample is how many requests it takes to tell whether all conditions hold: ten beyond each percentile, and for an
// error ratio as many as would show one error if it were at its limit (by the rule of three).
func (s SLO) Sample() float64 {
	var most float64
	for _, c := range s.Conditions {
		switch {
		case c.metric.above > 0 && c.metric.above < 1:
			most = max(most, 10/c.metric.above)
		case c.metric.unit == ratio && c.op[0] == '<' && c.limit > 0:
			most = max(most, 3/c.limit)
		}
	}
	return most
}

// clear tells whether a value is so far on its side of the limit that noise does not bring it to the other.
func (c Condition) clear(value float64, holds bool) bool {
	low, high := value, c.limit
	if (c.op[0] == '<') != holds {
		low, high = high, low
	}
	return 2*low <= high
}

// Check tells what the record says and whether the condition holds. An error means that the record says
// nothing about it; then the condition does not hold.
func (c Condition) Check(r *run.Record) (value float64, holds bool, err error) {
	value, err = c.metric.value(r)
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", c.Text, err)
	}
	switch c.op {
	case "<":
		holds = value < c.limit
	case "<=":
		holds = value <= c.limit
	case ">":
		holds = value > c.limit
	case ">=":
		holds = value >= c.limit
	}
	return value, holds, nil
}

// Show writes a value of the condition's metric for people.
func (c Condition) Show(value float64) string {
	switch c.metric.unit {
	case duration:
		return time.Duration(value * 1e9).Round(10 * time.Microsecond).String()
	case ratio, points:
		return strconv.FormatFloat(value*100, 'g', 4, 64) + "%"
	}
	return strconv.FormatFloat(value, 'g', 6, 64)
}
