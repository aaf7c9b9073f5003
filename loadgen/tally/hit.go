// Package tally counts what the attack saw: per group, upstream, worker, route and second, with an HDR
// histogram for each. A Tally belongs to one goroutine; tallies are merged when the attack is over.
package tally

import "time"

// The User-Agent of a run's requests begins with Agent, before the run's id, and that of its warm-up ends with WarmupSuffix.
const (
	Agent        = "loadgen/"
	WarmupSuffix = "-warmup"
)

// Hit is one finished request as the client saw it. Times are from the start of the attack.
type Hit struct {
	Number    uint64        // of the hit in the schedule, warm-up included; the server got it in X-Request-Id
	Conn      uint64        // of the connection, unique in the attack; 0: not known, or for this request alone
	Again     bool          // sent a second time, as the connection turned out to be closed
	Route     int           // index into the scenario's requests
	Due       time.Duration // when the pacer wanted it sent
	Sent      time.Duration // when it was sent; Sent - Due is the schedule lag
	Done      time.Duration // when the answer was complete; Done - Due is the latency
	Lag       time.Duration // the part of the latency that the generator caused, not the server or the want of a connection
	Mixed     bool          // a pause of the generator before it may be in the latency in ways that Lag does not tell
	Connect   time.Duration // how long connecting took, handshake included; 0: the connection was there
	FirstByte time.Duration // from Sent to the first byte of the answer; 0: none came
	Status    int           // 0: no answer
	Err       Class
	Group     string // X-Upstream-Group
	Tried     string // X-Upstream: the addresses tried, the last one answered
	Worker    string // X-Worker
	Name      string // X-Instance
	Draws     int64  // numbers drawn for it, 0 for all routes but /api/randoms
	BytesIn   int64  // of the answer's body
	BytesOut  int64  // of the request's body
}

// OK tells whether the request was answered as it should be.
func (h *Hit) OK() bool { return h.Err == NoError && h.Status >= 100 } // 101: the answer to a websocket's request
