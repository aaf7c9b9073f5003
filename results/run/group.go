package run

// Verdict says whether a group's requests were shared as its balancer promises.
type Verdict string

// The verdicts of a group.
const (
	Pass Verdict = "pass"
	Fail Verdict = "fail"
	Info Verdict = "info" // the method makes no promise that could be checked
)

// Group is an upstream group of the balancer and what it got.
type Group struct {
	Name     string  `json:"name"`
	Method   string  `json:"method"` // round_robin, random, hash, least_conn or ip_hash
	Requests int64   `json:"requests"`
	Verdict  Verdict `json:"verdict"`
	// Bound is the largest deviation that passes and WorstDeviation the largest that was seen, both in
	// requests for round_robin. For random and hash they are the critical and the observed G statistic.
	Bound          float64    `json:"bound"`
	WorstDeviation float64    `json:"worst_deviation"`
	PValue         *float64   `json:"p_value,omitempty"` // of the G-test, for random and hash
	Reasons        []string   `json:"reasons,omitempty"` // why the verdict is not pass, as sentences
	Notes          []string   `json:"notes,omitempty"`   // what else explains the distribution
	Upstreams      []Upstream `json:"upstreams"`         // sorted by address
}

// Upstream is one server of a group.
type Upstream struct {
	Addr          string   `json:"addr"`
	Instance      string   `json:"instance"` // name in the layout or X-Instance; empty if neither is known
	Mode          string   `json:"mode"`     // FORK, CLUSTER or empty
	Weight        int      `json:"weight"`
	ExpectedShare float64  `json:"expected_share"`
	Requests      int64    `json:"requests"` // final answers by this server
	Share         float64  `json:"share"`
	RetriedAway   int64    `json:"retried_away"` // attempts that failed here and went on to another server
	SuccessRatio  float64  `json:"success_ratio"`
	Latency       Latency  `json:"latency_s"`
	Workers       []Worker `json:"workers"`          // sorted by pid; empty where no X-Worker is sent
	Series        []Second `json:"series,omitempty"` // one point a second, as of the run's series
}

// Second is what one upstream did in one second of the run, by when requests were due.
type Second struct {
	Requests int64   `json:"requests"`
	Retries  int64   `json:"retries,omitempty"` // attempts that failed here and went on to another server
	Errors   int64   `json:"errors,omitempty"`
	P50      float64 `json:"p50_s"`
	P99      float64 `json:"p99_s"`
	HDR      string  `json:"hdr,omitempty"` // the histogram, as in Latency; only in a part
}

// Worker is a process behind an upstream's port.
type Worker struct {
	PID      int   `json:"pid"`
	Requests int64 `json:"requests"`
}

// Route is one method and path of the load.
type Route struct {
	Method     string   `json:"method"`
	Path       string   `json:"path"`
	Requests   int64    `json:"requests"`
	Throughput float64  `json:"throughput_rps"`        // successful answers per second
	Draws      *float64 `json:"draws_per_s,omitempty"` // numbers drawn per second; only /api/randoms
	Latency    Latency  `json:"latency_s"`
}

// Reconciliation sets the three counts of the same requests against each other. A count is null where
// its source cannot be read. Differences are attributed by cause.
type Reconciliation struct {
	Client      int64            `json:"client"`               // answers the client saw
	Nginx       *int64           `json:"nginx"`                // lines of this run in the balancer's access log
	Balancer    *int64           `json:"balancer,omitempty"`   // what the balancer says that it gave to servers; only of one that counts
	Servers     *int64           `json:"servers"`              // requests the servers counted, dead workers included
	Whole       *int64           `json:"whole,omitempty"`      // only of a part, instead of servers, where no log tells whose requests they counted: of all parts, warm-ups included
	Attributed  map[string]int64 `json:"attributed,omitempty"` // cause (retried, refused, in_flight, foreign, warmup …) → requests
	Unexplained int64            `json:"unexplained"`          // what no cause accounts for
}
