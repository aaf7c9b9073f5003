// Package fleet runs one layout: the database, the instances and nginx, each kept by supervise, in a folder
// of its own.
//
// New prepares the folder and binds every instance's port. Start starts the database, then the instances and
// nginx side by side, and returns once everything answers. Stop ends them the other way round. In between, Do
// carries out actions on parts, and Targets tells how they are.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/layout"
	"balanceo/topology/logs"
	"balanceo/topology/ports"
	"balanceo/topology/supervise"
)

// Config is what a Fleet is made of.
type Config struct {
	Layout    *layout.Layout // with the ports that are to be used; HTTPPort is not 0
	NginxConf string         // the configuration as it was written, with the ports of From
	From      *layout.Layout // the layout before its ports were moved
	Dir       string         // absolute; the running layout's own folder
	Server    string         // path of the server binary
	Nginx     string         // path of the nginx binary
	MongoURL  string         // empty: the embedded database is started
	Grace     time.Duration  // between TERM and KILL (10 s)
	// Event is told what happens, in order. It must not block. Nil: nobody is.
	Event func(Event)
}

// Fleet is one layout that runs.
type Fleet struct {
	cfg      Config
	mongoURL string
	tiers    [][]*part  // in the order of starting; those of one tier start together
	record   *logs.File // topology's own log

	// turn holds one token: what acts on parts takes turns, and nothing does once Stop has it.
	turn     chan struct{}
	stopping chan struct{} // closed when Stop begins: actions that go on end early

	mu     sync.Mutex       // guards what follows
	conf   *balancer.Config // as moved
	server string           // path of the server binary, for the next start of an instance
}

// New prepares the folder of the layout and takes the ports of its instances. Close gives them back if Start
// is not called.
func New(ctx context.Context, cfg Config) (*Fleet, error) {
	if cfg.Grace == 0 {
		cfg.Grace = 10 * time.Second
	}
	f := &Fleet{
		cfg: cfg, mongoURL: cfg.MongoURL, server: cfg.Server,
		turn: make(chan struct{}, 1), stopping: make(chan struct{}),
	}
	if err := f.prepare(ctx); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *Fleet) prepare(ctx context.Context) (err error) {
	for _, dir := range []string{"", "logs", "scoreboard", "nginx", "database"} {
		if err := os.MkdirAll(filepath.Join(f.cfg.Dir, dir), 0o755); err != nil {
			return fmt.Errorf("folder of the layout: %w", err)
		}
	}
	if f.record, err = logs.Open(f.logPath("topology")); err != nil {
		return err
	}
	if err := f.endLeftover(ctx); err != nil {
		return err
	}
	if f.conf, err = f.prepareNginx(ctx, f.nginxConf()); err != nil {
		return err
	}
	for _, port := range f.conf.Listen {
		if err := ports.Check("", port); err != nil {
			return fmt.Errorf("nginx: %w", err)
		}
	}
	if err := f.testNginx(ctx, f.nginxConf()); err != nil {
		return err
	}
	if f.cfg.MongoURL == "" {
		if err := f.addDatabase(); err != nil {
			return err
		}
	}
	instances := make([]*part, 0, len(f.cfg.Layout.Instances)+1)
	f.tiers = append(f.tiers, instances)
	for _, in := range f.cfg.Layout.Instances {
		p, err := f.newInstance(in)
		if p != nil {
			instances = append(instances, p)
			f.tiers[len(f.tiers)-1] = instances
		}
		if err != nil {
			return err
		}
	}
	nginx, err := f.newNginx()
	if err != nil {
		return err
	}
	f.tiers[len(f.tiers)-1] = append(instances, nginx)
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

// parts lists all parts: the instances in their order, nginx, the database.
func (f *Fleet) parts() []*part {
	var out []*part
	for i := len(f.tiers) - 1; i >= 0; i-- {
		out = append(out, f.tiers[i]...)
	}
	return out
}

func (f *Fleet) instances() []*part {
	var out []*part
	for _, p := range f.parts() {
		if p.kind == Instance {
			out = append(out, p)
		}
	}
	return out
}

// State is what the folder's state file is to tell, without the control socket.
func (f *Fleet) State() layout.State {
	database := layout.ExternalDatabase
	if f.cfg.MongoURL == "" {
		database = layout.EmbeddedDatabase
	}
	return layout.State{
		Dir: f.cfg.Dir, PID: os.Getpid(), Layout: f.cfg.Layout.Name, HTTPPort: f.cfg.Layout.HTTPPort,
		NginxConf: f.conf.File, NginxDir: f.nginxDir(), Database: database, MongoURL: f.mongoURL,
		Instances: f.cfg.Layout.Instances,
	}
}

// Groups are the upstream groups of the nginx configuration that is in use.
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
		}
		if t.Mode == layout.Cluster {
			t.Wanted = p.wanted()
		}
		out = append(out, t)
	}
	return out
}

// StartTimeout bounds Start. One start of a process has less (supervise.Spec.ReadyTimeout), but several may
// follow each other.
const StartTimeout = 20 * time.Second

// Start starts everything. It fails, with nothing left to stop but by Stop, when the database, nginx or every
// instance does not come up. An instance that does not, while others do, is reported in broken: the layout
// runs without it.
func (f *Fleet) Start(ctx context.Context) (broken []error, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, StartTimeout, fmt.Errorf("not ready within %v", StartTimeout))
	defer cancel()
	for _, parts := range f.tiers {
		for _, p := range parts {
			p.start(ctx, f.Note)
		}
		errs := f.awaitReady(ctx, parts)
		failed := 0
		for i, p := range parts {
			switch {
			case errs[i] == nil:
			case p.kind != Instance:
				return nil, errs[i]
			default:
				failed++
				broken = append(broken, errs[i])
			}
		}
		if n := len(f.cfg.Layout.Instances); failed == n && failed > 0 {
			return nil, broken[0]
		}
	}
	if len(broken) > 0 {
		return broken, nil
	}
	return nil, f.awaitAnswers(ctx)
}

// awaitReady waits for the parts, side by side, and returns the reasons of those that are not ready.
func (f *Fleet) awaitReady(ctx context.Context, parts []*part) []error {
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, p := range parts {
		wg.Go(func() {
			if err := p.awaitReady(ctx); err != nil {
				errs[i] = &PartError{Name: p.name, Log: p.logPath, Err: err}
			}
		})
	}
	wg.Wait()
	return errs
}

// PartError is a part that did not come up.
type PartError struct {
	Name string
	Log  string // path of its log
	Err  error
}

func (e *PartError) Error() string { return e.Err.Error() }
func (e *PartError) Unwrap() error { return e.Err }

// Stop ends everything, nginx and the instances first, the database last, and waits for their ends. It says
// which processes had to be killed. The fleet can't be started again.
func (f *Fleet) Stop() error {
	close(f.stopping)
	f.turn <- struct{}{} // for good
	var errs []error
	for i := len(f.tiers) - 1; i >= 0; i-- {
		killed := make([]error, len(f.tiers[i]))
		var wg sync.WaitGroup
		for j, p := range f.tiers[i] {
			wg.Go(func() { killed[j] = p.stop() })
		}
		wg.Wait()
		errs = append(errs, killed...)
	}
	f.Close()
	return errors.Join(errs...)
}

// changed follows the states of a part: a port on which nothing will answer soon is given up, so that nginx
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
