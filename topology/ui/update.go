package ui

import (
	"balanceo/topology/balancer"
	"balanceo/topology/fleet"
	"balanceo/topology/status"
)

// sample is one request that moves through the picture.
type sample struct {
	Ended  int64    `json:"t"` // Unix milliseconds
	Group  string   `json:"g"`
	Via    []string `json:"via"` // the servers that were tried, the last one answered
	Failed bool     `json:"failed,omitempty"`
	Took   int64    `json:"ms"`
}

// agreement sets counts against each other; the differences lie between lo and hi.
type agreement struct {
	Servers *span `json:"servers,omitempty"` // answers that servers have counted and the log has not
	Client  *span `json:"client,omitempty"`  // answers that loadgen has counted and the log has not
}

type span struct {
	Lo int64 `json:"lo"`
	Hi int64 `json:"hi"`
}

// update is what pages are told. The first one that a page gets has everything.
type update struct {
	Complete int64          `json:"complete"` // the log is known up to here, in Unix milliseconds
	Hello    *hello         `json:"hello,omitempty"`
	OneOf    float64        `json:"one_of"` // so many requests are one that moves
	Samples  []sample       `json:"samples,omitempty"`
	Live     map[string]now `json:"live"` // by server
	Rows     []row          `json:"rows,omitempty"`
	Marks    []fleet.Event  `json:"marks,omitempty"`
	Recent   *row           `json:"recent,omitempty"` // the last ten seconds
	Verdicts []verdict      `json:"verdicts,omitempty"`
	Agree    *agreement     `json:"agree,omitempty"`
	Parts    []status.Part  `json:"parts,omitempty"`
	Looked   int64          `json:"looked,omitempty"` // when parts were seen so, in Unix milliseconds
	Groups   []group        `json:"groups,omitempty"`
	Load     *LoadState     `json:"load,omitempty"`
}

// hello is what does not change.
type hello struct {
	Layout   string   `json:"layout"`
	HTTPPort int      `json:"http_port"`
	Balancer string   `json:"balancer"`
	Methods  []string `json:"methods"`
	Minutes  int      `json:"max_minutes"` // that a load may last
}

// group is a group of servers, with what is expected of each.
type group struct {
	balancer.Group
	Instances []string  `json:"instances"` // names, in the order of the servers
	Expected  []float64 `json:"expected"`
}

// methods are proposed to people, in the words of a balancer; it has the last word itself.
func methods(balancer string) []string {
	switch balancer {
	case "haproxy":
		return []string{"roundrobin", "static-rr", "leastconn", "random(1)", "random(2)", "source"}
	case "caddy":
		return []string{"round_robin", "least_conn", "random", "random_choose 2", "ip_hash"}
	case "apache":
		return []string{"byrequests", "bybusyness", "bytraffic"}
	}
	return []string{"round_robin", "least_conn", "random two", "random", "ip_hash", "hash $request_uri"}
}
