// Package status tells how a running layout is: a Snapshot of its parts, taken by a Collector from the
// supervision, the process table and each instance's /metrics, and shown as a table.
package status

import (
	"time"

	"balanceo/topology/fleet"
	"balanceo/topology/layout"
	"balanceo/topology/supervise"
)

// Snapshot is a running layout at one moment.
type Snapshot struct {
	Layout    string    `json:"layout"`
	HTTPPort  int       `json:"http_port"`
	Dir       string    `json:"dir"`
	PID       int       `json:"pid"` // of topology
	Started   time.Time `json:"started"`
	At        time.Time `json:"at"`
	NginxConf string    `json:"nginx_conf"`
	MongoURL  string    `json:"mongo_url"`
	Watch     string    `json:"watch,omitempty"` // what --watch did last
	Disk      string    `json:"disk,omitempty"`  // what is wrong with it
	Parts     []Part    `json:"parts"`

	Events []fleet.Event `json:"events"` // the latest, oldest first
}

// Part is one process or group of processes of the layout. Numbers that are not known are null.
type Part struct {
	Name     string          `json:"name"`
	Kind     fleet.Kind      `json:"kind"`
	Port     int             `json:"port"`
	Mode     layout.Mode     `json:"mode,omitempty"`
	State    supervise.State `json:"state"`
	Reason   string          `json:"reason,omitempty"` // why the last process ended, or a reload did not succeed
	PID      int             `json:"pid"`              // of the master, or of the only process; 0: none runs
	Workers  []int           `json:"workers"`          // pids
	Wanted   int             `json:"wanted_workers,omitempty"`
	Restarts int             `json:"restarts"`      // of the master or only process
	Ended    *int            `json:"workers_ended"` // in mode CLUSTER, since the start: died, reloaded or scaled away
	Uptime   float64         `json:"uptime_s"`
	Delay    float64         `json:"delay_s,omitempty"`   // of its answers, on purpose
	Held     time.Time       `json:"held_until,omitzero"` // down or frozen until then, on purpose

	CPU         *float64 `json:"cpu"`              // cores in use lately
	RSS         *int64   `json:"rss_bytes"`        // resident memory, shared pages counted in each process
	Connections *int     `json:"open_connections"` // from clients
	Requests    *float64 `json:"requests"`         // answered since the layout started, without /healthz and /metrics
	Rate        *float64 `json:"requests_per_s"`   // lately

	// Answered are the requests that each living process has answered, by pid, /healthz and /metrics included.
	Answered map[int]float64 `json:"answered,omitempty"`

	Group    string   `json:"group,omitempty"` // the upstream group of nginx.conf that it serves in
	Share    *float64 `json:"share"`           // of its group's requests since the start, 0..1; null below ten of these
	Expected *float64 `json:"expected_share"`  // by nginx.conf, 0..1
}
