package run

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
)

// Check reports what makes r impossible as a run, all of it at once, or nil. It does not judge the run: one
// that fails every request, or that the generator could not keep up with, is a proper record.
func (r *Record) Check() error {
	var c checks
	c.require(validID(r.ID), "id %q is not made of letters, digits, dots, dashes and underscores", r.ID)
	c.require(!r.Started.IsZero(), "started is missing")
	c.require(r.Schema == Schema, "schema is %d, want %d", r.Schema, Schema)
	for name, v := range map[string]float64{
		"requested_rate": r.RequestedRate, "actual_rate": r.ActualRate, "duration_s": r.Duration, "warmup_s": r.Warmup,
		"requests": float64(r.Requests), "responses": float64(r.Responses),
		"generator.send_ratio": r.Generator.SendRatio,
	} {
		c.amount(name, v)
	}
	c.require(r.Responses <= r.Requests, "%d responses to %d requests", r.Responses, r.Requests)
	c.ratio("success_ratio", r.SuccessRatio)
	if p := r.Part; p != nil {
		c.require(1 <= p.Number && p.Number <= p.Of, "part %d of %d", p.Number, p.Of)
	}
	c.latency("latency_s", r.Latency)
	for _, e := range r.Errors {
		c.amount("errors of class "+e.Class, float64(e.Count))
	}
	for _, g := range r.Groups {
		c.group(g)
	}
	for _, t := range r.Routes {
		name := "route " + t.Method + " " + t.Path
		c.amount(name+" throughput_rps", t.Throughput)
		c.latency(name, t.Latency)
	}
	return errors.Join(c...)
}

// validID tells whether id can be a file's name and can't lead out of its folder.
func validID(id string) bool {
	return regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z._-]*$`).MatchString(id)
}

type checks []error

func (c *checks) require(ok bool, format string, args ...any) {
	if !ok {
		*c = append(*c, fmt.Errorf(format, args...))
	}
}

func (c *checks) amount(name string, v float64) {
	c.require(v >= 0 && !math.IsInf(v, 0), "%s is %v, want a number from 0 on", name, v)
}

// ratio leaves room for the rounding of sums.
func (c *checks) ratio(name string, v float64) {
	c.require(v >= 0 && v <= 1+1e-9, "%s is %v, want 0..1", name, v)
}

func (c *checks) group(g Group) {
	name := "group " + g.Name
	c.amount(name+" requests", float64(g.Requests))
	c.require(slices.Contains([]Verdict{Pass, Fail, Info}, g.Verdict), "%s: verdict %q, want pass, fail or info", name, g.Verdict)
	for _, u := range g.Upstreams {
		at := name + ", upstream " + u.Addr
		c.amount(at+" requests", float64(u.Requests))
		c.ratio(at+" share", u.Share)
		c.ratio(at+" expected_share", u.ExpectedShare)
		c.ratio(at+" success_ratio", u.SuccessRatio)
		c.latency(at, u.Latency)
	}
}

func (c *checks) latency(name string, l Latency) {
	for quantile, v := range map[string]float64{
		"min": l.Min, "mean": l.Mean, "p50": l.P50, "p90": l.P90, "p95": l.P95, "p99": l.P99, "p999": l.P999, "max": l.Max,
	} {
		c.amount(name+" "+quantile, v)
	}
}
