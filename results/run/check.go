package run

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
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
		"throughput_rps": r.Throughput, "answer_time_s": r.AnswerTime, "unexplained": float64(r.Reconciliation.Unexplained),
	} {
		c.amount(name, v)
	}
	counted := *r
	counted.Reconciliation = Reconciliation{} // its differences may have either sign
	c.counts("", reflect.ValueOf(counted))
	c.require(r.Responses <= r.Requests, "%d responses to %d requests", r.Responses, r.Requests)
	c.ratio("success_ratio", r.SuccessRatio)
	c.ratio("generator.send_ratio", r.Generator.SendRatio)
	c.addUp(r)
	if p := r.Part; p != nil {
		c.require(1 <= p.Number && p.Number <= p.Of, "part %d of %d", p.Number, p.Of)
	}
	c.latency("latency_s", r.Latency)
	if s := r.Search; s != nil {
		c.amount("search.max_rate", s.MaxRate)
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
	c.require(slices.Contains([]Verdict{Pass, Fail, Info}, g.Verdict), "%s: verdict %q, want pass, fail or info", name, g.Verdict)
	for _, u := range g.Upstreams {
		at := name + ", upstream " + u.Addr
		c.ratio(at+" share", u.Share)
		c.ratio(at+" expected_share", u.ExpectedShare)
		c.ratio(at+" success_ratio", u.SuccessRatio)
		c.latency(at, u.Latency)
	}
}

// counts requires that nothing was counted to be less than nothing.
func (c *checks) counts(path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		c.require(v.Int() >= 0, "%s is %d, want a number from 0 on", strings.TrimPrefix(path, "."), v.Int())
	case reflect.Pointer:
		if !v.IsNil() {
			c.counts(path, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.counts(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			c.counts(path+"."+key.String(), v.MapIndex(key))
		}
	case reflect.Struct:
		if _, isTime := v.Interface().(time.Time); isTime {
			return
		}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			c.counts(path+"."+name, v.Field(i))
		}
	}
}

// addUp holds the counts of answers against each other.
func (c *checks) addUp(r *Record) {
	sum := int64(0)
	for _, n := range r.Status {
		sum += n
	}
	c.require(sum == r.Responses || len(r.Status) == 0, "the answers by status are %d, of %d responses", sum, r.Responses)
	succeeded := r.SuccessRatio * (float64(r.Requests) + float64(r.Unsent))
	c.require(succeeded <= float64(r.Responses)*(1+1e-9)+0.5, "success_ratio %v of %d requests are more than the %d responses",
		r.SuccessRatio, r.Requests, r.Responses)
}

func (c *checks) latency(name string, l Latency) {
	for quantile, v := range map[string]float64{
		"min": l.Min, "mean": l.Mean, "p50": l.P50, "p90": l.P90, "p95": l.P95, "p99": l.P99, "p999": l.P999, "max": l.Max,
	} {
		c.amount(name+" "+quantile, v)
	}
	last := 0.0
	for _, v := range []float64{l.Min, l.P50, l.P90, l.P95, l.P99, l.P999, l.Max} {
		if v > 0 { // else it is absent
			c.require(v >= last*(1-precision), "%s: its percentiles go down, from %v to %v", name, last, v)
			last = v
		}
	}
}

// precision of histograms, about: neighbouring percentiles may be those of one bucket.
const precision = 0.01
