package fleet

import (
	"time"

	"balanceo/topology/layout"
	"balanceo/topology/supervise"
)

// Kind is what a part of a layout is.
type Kind string

// The kinds.
const (
	Instance Kind = "instance"
	Balancer Kind = "balancer"
	Database Kind = "database"
)

// Target is a part as the supervision knows it, before anybody looks at its processes.
type Target struct {
	Name    string
	Kind    Kind
	Port    int
	Mode    layout.Mode
	Wanted  int           // workers; 0: not CLUSTER
	Delay   time.Duration // of its answers, on purpose
	Held    time.Time     // until when it is down or frozen, on purpose; zero: it is not
	Process supervise.Status
}
