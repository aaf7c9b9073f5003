// Package fleet runs one layout: the database, the instances and the balancer, each kept by supervise, in a folder
// of its own.
//
// New prepares the folder and binds every instance's port. Start starts the database, then the instances and
// the balancer side by side, and returns once everything answers. Stop ends them the other way round. In between, Do
// carries out actions on parts, and Targets tells how they are.
package fleet

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/layout"
	"balanceo/topology/logs"
	"balanceo/topology/supervise"
)

// Config is what a Fleet is made of.
type Config struct {
	Layout    *layout.Layout // with the ports that are to be used; HTTPPort is not 0
	NginxConf string         // the configuration as it was written, with the ports of From
	From      *layout.Layout // the layout before its ports were moved
	Dir       string         // absolute; the running layout's own folder
	Server    string         // path of the server binary
	Balancer  balancer.Balancer
	Program   string        // path of the balancer's binary
	MongoURL  string        // empty: the embedded database is started
	Grace     time.Duration // between TERM and KILL (10 s)
	// Event is told what happens, in order. It must not block. Nil: nobody is.
	Event func(Event)
}

// Fleet is one layout that runs.
type Fleet struct {
	cfg      Config
	mongoURL string
	tiers    [][]*part  // in the order of starting; those of one tier start together
	front    *part      // the balancer, which is among them
	record   *logs.File // topology's own log

	// turn holds one token: what acts on parts takes turns, and nothing does once Stop has it.
	turn     chan struct{}
	stopping chan struct{}  // closed when Stop begins: actions that go on end early
	balance  chan struct{}  // holds a token when the balancer may have to leave out other instances than it does
	tasks    sync.WaitGroup // what goes on beside the actions, until stopping

	balancing sync.Mutex // held while the configuration of the balancer is written anew

	mu     sync.Mutex       // guards what follows
	site   balancer.Site    // of the balancer
	conf   *balancer.Config // what its configuration says
	server string           // path of the server binary, for the next start of an instance
}

// New prepares the folder of the layout and takes the ports of its instances. Close gives them back if Start
// is not called.
func New(ctx context.Context, cfg Config) (*Fleet, error) {
	cfg.Grace = cmp.Or(cfg.Grace, 10*time.Second)
	f := &Fleet{
		cfg: cfg, mongoURL: cfg.MongoURL, server: cfg.Server,
		balance: make(chan struct{}, 1), turn: make(chan struct{}, 1), stopping: make(chan struct{}),
	}
	if err := f.prepare(ctx); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *Fleet) prepare(ctx context.Context) (err error) {
	for _, dir := range []string{"", "logs", "scoreboard", "database"} {
		if err := os.MkdirAll(filepath.Join(f.cfg.Dir, dir), 0o700); err != nil {
			return fmt.Errorf("folder of the layout: %w", err)
		}
	}
	if f.record, err = logs.Open(f.logPath("topology")); err != nil {
		return err
	}
	if err := f.prepareBalancer(ctx); err != nil {
		return err
	}
	if f.cfg.MongoURL == "" {
		if err := f.addDatabase(); err != nil {
			return err
		}
	}
	f.tiers = append(f.tiers, nil)
	tier := &f.tiers[len(f.tiers)-1]
	for _, in := range f.cfg.Layout.Instances {
		p, err := f.newInstance(in)
		if p != nil {
			*tier = append(*tier, p)
		}
		if err != nil {
			return err
		}
	}
	if err := f.addBalancer(); err != nil {
		return err
	}
	*tier = append(*tier, f.front)
	return nil
}

func (f *Fleet) logPath(name string) string { return filepath.Join(f.cfg.Dir, "logs", name+".log") }

// Close gives back what New took, when the fleet is not to be started.
func (f *Fleet) Close() {
	for _, p := range f.parts() {
		p.socket.close()
		_ = p.log.Close()
	}
	if f.record != nil {
		_ = f.record.Close()
	}
}

// parts lists all parts: the instances in their order, the balancer, the database.
func (f *Fleet) parts() []*part {
	var out []*part
	for _, tier := range slices.Backward(f.tiers) {
		out = append(out, tier...)
	}
	return out
}

func (f *Fleet) instances() []*part {
	return slices.DeleteFunc(f.parts(), func(p *part) bool { return p.kind != Instance })
}

// State is what the folder's state file is to tell, without the control socket.
func (f *Fleet) State() layout.State {
	database := layout.ExternalDatabase
	if f.cfg.MongoURL == "" {
		database = layout.EmbeddedDatabase
	}
	return layout.State{
		Dir: f.cfg.Dir, PID: os.Getpid(), Layout: f.cfg.Layout.Name, HTTPPort: f.cfg.Layout.HTTPPort,
		Balancer: f.cfg.Balancer.Name(), Shares: filepath.Join(f.site.Dir, shares),
		NginxConf: f.conf.File, NginxDir: f.site.Dir, Database: database, MongoURL: withoutSecrets(f.mongoURL),
		Instances: f.cfg.Layout.Instances,
	}
}

// withoutSecrets is the URL of a database with its hosts alone: neither user and password, nor options, which may
// hold keys.
func withoutSecrets(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	rest, _, _ = strings.Cut(rest, "?")
	return scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
}

// Groups are the groups of the balancer, as its configuration in use says.
func (f *Fleet) Groups() []balancer.Group {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conf.Groups
}

// UseServer lets instances that start from now on run another program, and returns the path of the one before.
func (f *Fleet) UseServer(path string) (before string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, f.server = f.server, path
	return before
}

func (f *Fleet) serverPath() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.server
}

// Targets tells how the parts are, for a status.Collector.
func (f *Fleet) Targets() []Target {
	var out []Target
	for _, p := range f.parts() {
		t := Target{
			Name: p.name, Kind: p.kind, Port: p.port, Mode: p.instance.Mode, Process: p.process.Status(),
			Delay: time.Duration(p.delay.Load()), Held: p.heldUntil(),
		}
		if t.Mode == layout.Cluster {
			t.Wanted = p.wanted()
		}
		out = append(out, t)
	}
	return out
}

// changed follows the states of a part: a port on which nothing will answer soon is given up, so that the balancer
// is refused at once and asks another server.
func (f *Fleet) changed(p *part, e supervise.Event) {
	switch e.To {
	case supervise.Failed, supervise.Stopped:
		p.socket.close()
	case supervise.BackOff:
		if e.Delay > longestWait {
			p.socket.close()
		}
	default:
	}
	p.noteEvent(e)
	f.noteState(p, e)
	if p.kind == Balancer && e.To == supervise.Ready && e.From != supervise.Unresponsive { // it begins its turns anew
		if err := f.inForce(); err != nil {
			f.Note("%v", err)
		}
	}
	if e.To == supervise.Unresponsive || e.From == supervise.Unresponsive || e.To == supervise.Ready {
		f.wakeBalance()
	}
}

// longestWait is how long connections may wait at a port for the next start of its instance.
const longestWait = 500 * time.Millisecond

// find returns the part with that name or port.
func (f *Fleet) find(nameOrPort string) (*part, error) {
	in, isInstance := f.cfg.Layout.Find(nameOrPort)
	var known []string
	for _, p := range f.parts() {
		if p.name == nameOrPort || isInstance && p.name == in.Name {
			return p, nil
		}
		known = append(known, p.name)
	}
	return nil, &UnknownError{Given: nameOrPort, Known: known}
}

// UnknownError is a name that no part of the layout has.
type UnknownError struct {
	Given string
	Known []string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("%q is no part of this layout, which has %s", e.Given, strings.Join(e.Known, ", "))
}
