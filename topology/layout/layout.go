// Package layout says what runs where: the instances with their ports and modes, the headers by which
// their answers are told apart, and which layouts run right now.
package layout

import "time"

// Response headers by which a client tells who answered.
const (
	HeaderInstance      = "X-Instance"       // the instance's name in the layout, or its port
	HeaderWorker        = "X-Worker"         // pid of the process that answered
	HeaderUpstream      = "X-Upstream"       // nginx's $upstream_addr: every address tried, the last one answered
	HeaderUpstreamGroup = "X-Upstream-Group" // nginx's $proxy_host: the name of the upstream group
)

// Ports of the layout where nothing moves it.
const (
	HTTPPort = 80
	BasePort = 8080
)

// RunDir is the folder, relative to the project's, under which each running layout has a folder of its own.
const RunDir = "run"

// Mode is how one instance uses the cores.
type Mode string

// The modes.
const (
	Fork    Mode = "FORK"    // one process
	Cluster Mode = "CLUSTER" // a master and a worker per core
)

// Instance is one server of the layout.
type Instance struct {
	Name    string            `yaml:"name" json:"name"`
	Port    int               `yaml:"port" json:"port"`
	Mode    Mode              `yaml:"mode" json:"mode"`
	Workers int               `yaml:"workers,omitempty" json:"workers,omitempty"` // CLUSTER; 0: one per core
	Threads int               `yaml:"threads,omitempty" json:"threads,omitempty"` // GOMAXPROCS; 0: Go's default
	Env     map[string]string `yaml:"env,omitempty" json:"env,omitempty"`
	Args    []string          `yaml:"args,omitempty" json:"args,omitempty"` // further flags of server
}

// Layout is a set of instances behind one balancer.
type Layout struct {
	Name      string     `yaml:"name" json:"name"`
	Balancer  string     `yaml:"balancer,omitempty" json:"balancer,omitempty"`     // one of Balancers; empty: the first
	NginxConf string     `yaml:"nginx_conf,omitempty" json:"nginx_conf,omitempty"` // path; empty: ./nginx.conf
	HTTPPort  int        `yaml:"http_port,omitempty" json:"http_port"`
	Probe     Probe      `yaml:"probe,omitempty" json:"probe"`
	Instances []Instance `yaml:"instances" json:"instances"`
}

// Probe says how the instances are watched for signs of life while they run.
type Probe struct {
	Interval     time.Duration `yaml:"interval,omitempty" json:"interval"`           // between two questions; 0: 500 ms
	Timeout      time.Duration `yaml:"timeout,omitempty" json:"timeout"`             // of one; 0: 1 s
	Misses       int           `yaml:"misses,omitempty" json:"misses"`               // so many in a row make it unresponsive; 0: 2
	ReplaceAfter time.Duration `yaml:"replace_after,omitempty" json:"replace_after"` // of silence; 0: 10 s
}

// EmbeddedDatabase and ExternalDatabase are the values of State.Database.
const (
	EmbeddedDatabase = "embedded" // started by topology, beside the instances
	ExternalDatabase = "external" // somebody else's, at MONGO_URL
)

// State is what a running layout tells about itself, in RunDir/HTTPPORT/state.json. It is enough to find the
// layout's parts without asking its topology process.
type State struct {
	Dir       string     `json:"dir"`            // absolute; RunDir/HTTPPORT
	PID       int        `json:"pid"`            // of topology
	Layout    string     `json:"layout"`         // name
	HTTPPort  int        `json:"http_port"`      // where the balancer listens
	Control   string     `json:"control"`        // path of the control socket
	Balancer  string     `json:"balancer"`       // its name
	Shares    string     `json:"shares"`         // absolute; the file that tells what it promises, for balancer.Load
	NginxConf string     `json:"nginx_conf"`     // absolute; what the balancer really reads: with nginx, the moved copy
	NginxDir  string     `json:"nginx_dir"`      // absolute; the balancer's folder: with nginx, its prefix
	Database  string     `json:"database"`       // "embedded" or "external"
	MongoURL  string     `json:"mongo_url"`      // where it is; without user, password and options
	Page      string     `json:"page,omitempty"` // URL of the live page, with its token where it has one
	Instances []Instance `json:"instances"`
}
