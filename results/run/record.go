// Package run is the run record: one measured run of a load test, as one JSON file.
//
// Units are fixed by the key: durations are seconds, shares and ratios lie in 0..1, sizes are bytes.
// Latency is counted from the moment a request was due by the pacer's schedule, not from when it was sent.
// Absent figures are absent keys or nulls, never zeros that mean "unknown".
package run

import (
	"slices"
	"strings"
	"time"
)

// Schema is the version that Record has in this source. A record of another one is refused.
const Schema = 1

// Record is one run. The order of fields is the order of keys in the file.
type Record struct {
	Schema        int       `json:"schema"`
	ID            string    `json:"id"`
	Started       time.Time `json:"started"`
	Layout        string    `json:"layout"`
	Label         string    `json:"label"`
	Scenario      string    `json:"scenario"`
	Target        string    `json:"target"`
	Pace          string    `json:"pace,omitempty"` // as given to -pace
	RequestedRate float64   `json:"requested_rate"` // requests per second; 0: as fast as it goes
	ActualRate    float64   `json:"actual_rate"`    // requests per second that were sent
	Duration      float64   `json:"duration_s"`     // measured part, without the warm-up
	Warmup        float64   `json:"warmup_s"`
	Partial       bool      `json:"partial,omitempty"` // ended before its time (Ctrl-C)
	Part          *Part     `json:"part,omitempty"`    // only of a run that is a part of a load from several generators
	Parts         []Part    `json:"parts,omitempty"`   // of a record that was merged from them, by number
	Side          string    `json:"side,omitempty"`    // what the campaign that its label names calls what was measured
	Round         int       `json:"round,omitempty"`   // from 1, of that campaign

	Requests     int64            `json:"requests"`
	Responses    int64            `json:"responses"`
	Unattributed int64            `json:"unattributed,omitempty"` // answers that don't say which server gave them
	Unsent       int64            `json:"unsent,omitempty"`       // due and never sent; not among the requests
	SuccessRatio float64          `json:"success_ratio"`          // answers with 2xx or 3xx, over requests and unsent
	Status       map[string]int64 `json:"status"`
	Errors       []ErrorCount     `json:"errors"`

	BytesReceived int64 `json:"bytes_received,omitempty"` // bodies of the answers
	BytesSent     int64 `json:"bytes_sent,omitempty"`     // bodies of the requests

	Throughput float64 `json:"throughput_rps"` // successful answers per second of AnswerTime
	AnswerTime float64 `json:"answer_time_s"`  // in which the answers came: longer than Duration where a backlog was left

	Latency  Latency  `json:"latency_s"`                   // of the requests that succeeded
	Failures *Latency `json:"failure_latency_s,omitempty"` // of the requests that failed
	// Missing requests have no latency and would be slower than most: those that timed out or were interrupted, and
	// the unsent. They lie above the percentiles of Latency.
	Missing     int64     `json:"latency_missing,omitempty"`
	Connect     *Latency  `json:"connect_s,omitempty"` // of new connections
	Opened      int64     `json:"connections_opened,omitempty"`
	FirstByte   *Latency  `json:"first_byte_s,omitempty"` // from sending to the first byte of the answer
	Slowest     []Outlier `json:"slowest,omitempty"`      // the slowest requests, slowest first
	ScheduleLag Lag       `json:"schedule_lag_s"`         // how late requests were sent

	Groups         []Group        `json:"groups"` // sorted by name
	Routes         []Route        `json:"routes"` // sorted by path, then method
	Reconciliation Reconciliation `json:"reconciliation"`
	Generator      Generator      `json:"generator"`
	Load           Load           `json:"load"`
	Servers        *Servers       `json:"servers,omitempty"`
	Env            Env            `json:"env"`

	Session  *Session `json:"session,omitempty"` // only in scenario session
	WS       *WS      `json:"ws,omitempty"`      // only in scenario ws
	Search   *Search  `json:"search,omitempty"`  // only with -find-max
	Series   []Point  `json:"series,omitempty"`  // one point a second
	Events   []Event  `json:"events,omitempty"`  // what happened meanwhile, in the order of time
	Asserts  []Assert `json:"asserts,omitempty"`
	Warnings []string `json:"warnings,omitempty"` // whole sentences, most important first
	Command  []string `json:"command,omitempty"`  // the arguments that repeat this run
}

// WithoutFlags are the arguments of a run's command without those flags and their values.
func WithoutFlags(args []string, names ...string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		name, _, joined := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		switch {
		case !strings.HasPrefix(args[i], "-") || !slices.Contains(names, name):
			out = append(out, args[i])
		case !joined:
			i++ // its value
		}
	}
	return out
}

// Part says which of the hits of a schedule a generator sent: every Of-th, from the Number-th on. Its record's
// requested rate is what it had to send itself, its groups have no verdict, for it saw a part of each rotation only, and
// each upstream and second keeps its histogram, so that parts can be added.
type Part struct {
	Run     string    `json:"run,omitempty"` // id of the part's record, in a merged one
	Number  int       `json:"number"`        // from 1
	Of      int       `json:"of"`
	StartAt time.Time `json:"start_at"` // when all parts were to begin
	Started time.Time `json:"started"`  // when this one did, by its own clock
	// ClockOffset is how far this generator's clock was ahead of that of where the parts met, in seconds, give or take
	// ClockBound; null where that is not known.
	ClockOffset *float64 `json:"clock_offset_s"`
	ClockBound  float64  `json:"clock_bound_s,omitempty"` // half the round trip of the question
}

// ErrorCount is a class of failure ("connect_refused", "timeout", "http_5xx", …) and how many requests ended in it.
type ErrorCount struct {
	Class string `json:"class"`
	Count int64  `json:"count"`
}

// Latency is a latency distribution, in seconds.
type Latency struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
	// HDR is the whole histogram in HdrHistogram's compressed base64 form (V2), of microseconds. It is
	// kept for the whole run and for each route, so that percentile curves can be drawn from the record, and in a
	// part for each upstream, too.
	HDR string `json:"hdr,omitempty"`
}

// Lag is how far behind its schedule the generator was, in seconds.
type Lag struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Outlier is one request that took long.
type Outlier struct {
	T        float64 `json:"t_s"` // when it was due, from the start of the measured part
	Latency  float64 `json:"latency_s"`
	Method   string  `json:"method"`
	Path     string  `json:"path"`
	Upstream string  `json:"upstream,omitempty"` // address
	Instance string  `json:"instance,omitempty"`
	PID      int     `json:"pid,omitempty"`
	Class    string  `json:"class,omitempty"` // of its failure; empty: it was answered
}

// Generator is the load generator's own cost and whether it kept up.
type Generator struct {
	CPU       float64 `json:"cpu_s"`
	MaxRSS    int64   `json:"max_rss_bytes"`
	SendRatio float64 `json:"send_ratio"` // sent over due; a run under ValidSendRatio is not valid
	// Lag is the part of the latencies that the generator caused: requests that were sent late while a connection was
	// idle, answers that were read late. WithoutLag is what the latencies of the run would be without it.
	Lag        Lag     `json:"lag_s"`
	WithoutLag Latency `json:"without_lag_s"`
	Grid       float64 `json:"grid_s"` // how late its timers are: requests due closer to each other may leave together
}

// Load is how the requests were sent: what makes two runs unlike beside scenario, pace and target.
type Load struct {
	Engine      string  `json:"engine"`                // fast or vegeta
	Workers     int     `json:"workers"`               // most requests under way at once
	Connections int     `json:"connections,omitempty"` // as many were opened and used in turn; 0: as few as were needed
	KeepAlive   bool    `json:"keep_alive"`
	Timeout     float64 `json:"timeout_s"`
	Cant        int     `json:"cant,omitempty"`
	Users       int     `json:"users,omitempty"`
	Clients     int     `json:"clients,omitempty"`
	Cores       int     `json:"generator_cores"`
}

// ValidSendRatio is the least Generator.SendRatio of a valid run.
const ValidSendRatio = 0.99

// Servers is what the system under test used during the measured part.
type Servers struct {
	CPU           float64 `json:"cpu_s"` // the instances, workers included; without the balancer
	CPUPerRequest float64 `json:"cpu_per_request_s"`
	NginxCPU      float64 `json:"nginx_cpu_s"`                  // of the balancer, whichever it is
	RSS           int64   `json:"rss_bytes"`                    // of the instances at the end of the run; pages that they share count for each
	BalancerRSS   int64   `json:"balancer_rss_bytes,omitempty"` // the same of the balancer's processes
}

// Env is where the run took place.
type Env struct {
	OS       string `json:"os"`
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	Go       string `json:"go"`
	Balancer string `json:"balancer,omitempty"` // what shared the load, as "haproxy 2.6.12"; empty: not known
	Nginx    string `json:"nginx"`
	Commit   string `json:"commit"`
	Database string `json:"database"`
}

// Session is the outcome of scenario session.
type Session struct {
	Users    int   `json:"users"`
	Requests int64 `json:"requests"`
	Breaks   int64 `json:"breaks"` // signed-in requests that landed on the login page
}

// WS is the outcome of scenario ws.
type WS struct {
	Clients    int          `json:"clients"`
	Sent       int64        `json:"sent"`
	Delivered  int64        `json:"delivered"`
	Lost       int64        `json:"lost"`
	Doubled    int64        `json:"doubled"`
	OutOfOrder int64        `json:"out_of_order"`
	Upstreams  []WSUpstream `json:"upstreams"`
}

// WSUpstream is the delivery latency at the clients of one upstream, from send to receipt.
type WSUpstream struct {
	Addr    string  `json:"addr"`
	Clients int     `json:"clients"`
	Latency Latency `json:"latency_s"`
}

// Search is the outcome of -find-max.
type Search struct {
	SLO       string  `json:"slo"`
	MaxRate   float64 `json:"max_rate"` // highest rate that held, requests per second; 0: none did
	Confirmed bool    `json:"confirmed"`
	// Confidence is the probability that MaxRate holds more often than not and the next rate that was tried above does
	// not, as far as their runs tell.
	Confidence float64      `json:"confidence,omitempty"`
	Steps      []SearchStep `json:"steps"` // in the order tried
}

// SearchStep is one rate that was tried.
type SearchStep struct {
	Rate       float64 `json:"rate"`
	ActualRate float64 `json:"actual_rate"`
	Requests   int64   `json:"requests,omitempty"`
	P50        float64 `json:"p50_s"`
	P99        float64 `json:"p99_s"`
	ErrorRatio float64 `json:"error_ratio"`
	Held       bool    `json:"held"`
	Reason     string  `json:"reason,omitempty"` // why it did not hold
}

// Point is one second of the run, by when requests were due.
type Point struct {
	T      float64 `json:"t_s"` // from the start of the measured part
	Sent   int64   `json:"sent"`
	Errors int64   `json:"errors"`
	P50    float64 `json:"p50_s"`
	P99    float64 `json:"p99_s"`
	HDR    string  `json:"hdr,omitempty"` // the histogram, as in Latency; only in a part
}

// Assert is one -assert and its outcome.
type Assert struct {
	Expr   string  `json:"expr"`
	Value  float64 `json:"value"`
	Passed bool    `json:"passed"`
	// Unknown: nothing was measured that tells, so it does not pass, and Value is none.
	Unknown bool `json:"unknown,omitempty"`
}
