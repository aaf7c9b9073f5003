// Package tally counts what the attack saw: per group, upstream, worker, route and second, with an HDR
// histogram for each. A Tally belongs to one goroutine; tallies are merged when the attack is over.
package tally

import "time"

// Hit is one finished request as the client saw it.
type Hit struct {
	Route   int           // index into the scenario's routes
	Due     time.Duration // when the pacer wanted it sent, from the start of the attack
	Sent    time.Duration // when it was sent; Sent - Due is the schedule lag
	Done    time.Duration // when the answer was complete; Done - Due is the latency
	Status  int           // 0: no answer
	Err     string        // class of the failure, empty: none
	Group   string        // X-Upstream-Group
	Tried   string        // X-Upstream: the addresses tried, the last one answered
	Worker  string        // X-Worker
	Name    string        // X-Instance
	Draws   int64         // numbers drawn for it, 0 for all routes but /api/randoms
	BytesIn int64
}
