package compare

import (
	"balanceo/results/run"
	"balanceo/results/units"
)

// Direction tells which way a metric is better.
type Direction int

// The directions.
const (
	Lower Direction = iota
	Higher
)

// Metric is one figure of a run.
type Metric struct {
	Key    string // stable, for JSON and file formats: "p99"
	Name   string // for people
	Unit   units.Unit
	Better Direction
	// Of returns the figure of a run. It is false where the run has none, as when it was not measured.
	Of func(*run.Record) (float64, bool)
	// Above is the part of the requests that lies above a percentile. Where more than that never got an answer, they might
	// all lie there, and the percentile is not known.
	Above float64
	// Search is true for what comes from a search for the highest rate, and not from a run at one rate.
	Search bool
	// ByDesign is true for what follows from the rate that was asked for, and is no finding where one was.
	ByDesign bool
	// Threshold is the change below which nobody cares, unless told otherwise: a part of the figure, or of a Ratio
	// so much more or less.
	Threshold float64
}

// Thresholds: what is usual for figures of load tests; a tail of the latency rests on few requests, and one failed
// request in a thousand is one too many.
const (
	usualChange = 0.05
	tailChange  = 0.20
	errorChange = 0.001
)

// unknown tells that more requests of a run have no latency than lie above the percentile.
func (m Metric) unknown(r *run.Record) bool {
	if m.Above == 0 || r.Missing == 0 {
		return false
	}
	missing := float64(r.Missing)
	return missing > m.Above*(r.SuccessRatio*float64(r.Requests+r.Unsent)+missing)
}

// relative tells whether a change is one as a part of the figure. Of figures that have a natural 0 and 1 it is not.
func (m Metric) relative() bool { return m.Unit != units.Ratio && m.Unit != units.Index }

// Primary are the keys of the metrics that are tested unless told otherwise. Throughput is one only where no rate was
// asked for.
func Primary() []string { return []string{"throughput", "p50", "p99", "errors", "cpu", "capacity"} }

// Metrics are the rows of a comparison, in their order.
func Metrics() []Metric {
	return []Metric{
		{Key: "throughput", Name: "throughput", Unit: units.PerSecond, Better: Higher, Of: throughput, ByDesign: true, Threshold: usualChange},
		{Key: "p50", Name: "latency p50", Unit: units.Seconds, Of: quantile(0.5, func(l *run.Latency) float64 { return l.P50 }), Above: 0.5, Threshold: usualChange},
		{Key: "p90", Name: "latency p90", Unit: units.Seconds, Of: quantile(0.9, func(l *run.Latency) float64 { return l.P90 }), Above: 0.1, Threshold: usualChange},
		{Key: "p99", Name: "latency p99", Unit: units.Seconds, Of: quantile(0.99, func(l *run.Latency) float64 { return l.P99 }), Above: 0.01, Threshold: tailChange},
		{Key: "p999", Name: "latency p99.9", Unit: units.Seconds, Of: quantile(0.999, func(l *run.Latency) float64 { return l.P999 }), Above: 0.001, Threshold: tailChange},
		{Key: "errors", Name: "errors", Unit: units.Ratio, Of: errorRatio, Threshold: errorChange},
		{Key: "draws", Name: "draws", Unit: units.PerSecond, Better: Higher, Of: draws, ByDesign: true, Threshold: usualChange},
		{Key: "cpu", Name: "CPU a request", Unit: units.Seconds, Of: used(func(s *run.Servers) float64 { return s.CPUPerRequest }), Threshold: usualChange},
		{Key: "memory", Name: "memory", Unit: units.Bytes, Of: used(func(s *run.Servers) float64 { return float64(s.RSS) }), Threshold: usualChange},
		{Key: "balancer_cpu", Name: "balancer's CPU", Unit: units.Seconds, Of: balancerCPU, Threshold: usualChange},
		{Key: "balancer_memory", Name: "its memory", Unit: units.Bytes, Of: used(func(s *run.Servers) float64 { return float64(s.BalancerRSS) }), Threshold: usualChange},
		{Key: "evenness", Name: "evenness", Unit: units.Index, Better: Higher, Of: Evenness, Threshold: usualChange},
		{Key: "capacity", Name: "capacity", Unit: units.PerSecond, Better: Higher, Of: capacity, Search: true, Threshold: usualChange},
	}
}

// throughput is successful answers per second of the time in which they came; of an older record, of the sending.
func throughput(r *run.Record) (float64, bool) {
	if r.AnswerTime > 0 {
		return r.Throughput, true
	}
	return r.SuccessRatio * float64(r.Requests) / r.Duration, r.Duration > 0
}

// quantile takes the q-quantile of the latency where enough requests tell it. No request takes 0 s: an older record that
// lacks the quantile has 0.
func quantile(q float64, of func(*run.Latency) float64) func(*run.Record) (float64, bool) {
	return func(r *run.Record) (float64, bool) {
		v := of(&r.Latency)
		return v, v > 0 && run.Supports(q, r.Successes())
	}
}

func errorRatio(r *run.Record) (float64, bool) {
	return max(0, 1-r.SuccessRatio), r.Requests > 0
}

func draws(r *run.Record) (float64, bool) {
	sum, drew := 0.0, false
	for _, route := range r.Routes {
		if route.Draws != nil {
			sum, drew = sum+*route.Draws, true
		}
	}
	return sum, drew
}

// used takes what the servers or the balancer have used, where that was measured.
func used(of func(*run.Servers) float64) func(*run.Record) (float64, bool) {
	return func(r *run.Record) (float64, bool) {
		if r.Servers == nil {
			return 0, false
		}
		v := of(r.Servers)
		return v, v > 0
	}
}

// balancerCPU is the balancer's processor time for each request.
func balancerCPU(r *run.Record) (float64, bool) {
	cpu, known := used(func(s *run.Servers) float64 { return s.NginxCPU })(r)
	return cpu / float64(max(r.Requests, 1)), known && r.Requests > 0
}

// Evenness is how evenly the workers behind each port share its requests: Jain's fairness index
// (Σx)² / (k Σx²) of the k workers of an upstream, averaged over the upstreams by their requests. It is 1
// where all workers, or a single one, do the same, and 1/k where one of k does everything.
// Source: Jain, Chiu, Hawe, "A quantitative measure of fairness and discrimination", DEC-TR-301, 1984.
func Evenness(r *run.Record) (float64, bool) {
	sum, weight := 0.0, 0.0
	for _, g := range r.Groups {
		for _, u := range g.Upstreams {
			if index, n := jain(u.Workers); n > 0 {
				sum += index * n
				weight += n
			}
		}
	}
	if weight == 0 {
		return 0, false
	}
	return sum / weight, true
}

// jain returns the index and the number of requests.
func jain(workers []run.Worker) (index, requests float64) {
	var sum, squares float64
	for _, w := range workers {
		x := float64(w.Requests)
		sum += x
		squares += x * x
	}
	if squares == 0 {
		return 0, 0
	}
	return sum * sum / (float64(len(workers)) * squares), sum
}

func capacity(r *run.Record) (float64, bool) {
	if r.Search == nil {
		return 0, false
	}
	return r.Search.MaxRate, true
}
