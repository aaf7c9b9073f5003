package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/joho/godotenv"

	"balanceo/topology/balancer/nginx"
	"balanceo/topology/cli"
	"balanceo/topology/fleet"
	"balanceo/topology/keeper"
	"balanceo/topology/layout"
	"balanceo/topology/lock"
	"balanceo/topology/ports"
)

// upFlags are those of up and run.
type upFlags struct {
	Layout    layoutName    `short:"l" long:"layout" value-name:"NAME|FILE" default:"seed" description:"a built-in layout (cluster, fork, seed, single) or the path of a YAML file"`
	HTTPPort  port          `long:"http-port" value-name:"PORT" description:"where the balancer listens (default: the layout's, 80)"`
	BasePort  port          `long:"base-port" value-name:"PORT" description:"the lowest port of the instances (default: the layout's, 8080)"`
	FreePorts bool          `long:"free-ports" description:"where a port that was not asked for is taken or not permitted, take a free one"`
	Grace     time.Duration `long:"grace" value-name:"TIME" default:"10s" description:"how long a process that is to end may drain before it is killed"`
	ServerBin string        `long:"server-bin" value-name:"FILE" description:"the server binary (default: beside topology, else on the PATH)"`
	Balancer  string        `long:"balancer" value-name:"NAME" description:"what shares the load: nginx, haproxy, caddy or apache (default: the layout's, nginx)"`
	Program   string        `long:"balancer-bin" value-name:"FILE" description:"the balancer's binary (default: on the PATH)"`
	NginxBin  string        `long:"nginx-bin" value-name:"FILE" description:"the same, where the balancer is nginx"`
}

// plan is what up is going to start.
type plan struct {
	keeper.Config
	runDir  string   // absolute
	changes []string // what --free-ports has changed, for people

	ui     string    // where the live page is to be; empty: nowhere, or live is there
	freeUI bool      // another address will do
	live   *livePage // nil: there is none
}

// newPlan checks the flags and reads the files they name. It starts nothing.
func (f *upFlags) newPlan(runDir string) (*plan, error) {
	runDir, err := filepath.Abs(runDir)
	if err != nil {
		return nil, fmt.Errorf("--run-dir: %w", err)
	}
	l, conf, err := f.readLayout()
	if err != nil {
		return nil, err
	}
	from := *l
	from.Instances = slices.Clone(l.Instances)
	if err := l.Move(int(f.BasePort), int(f.HTTPPort)); err != nil {
		return nil, &cli.UsageError{Err: err}
	}
	if f.Grace <= 0 {
		return nil, cli.Usagef("--grace %v: accepted is a time above 0, for example 500ms or 10s", f.Grace)
	}
	p := &plan{runDir: runDir, freeUI: f.FreePorts}
	p.Grace = f.Grace
	p.Layout, p.From, p.NginxConf = l, &from, conf
	if p.MongoURL, err = mongoURL(); err != nil {
		return nil, err
	}
	if p.Server, err = findServer(f.ServerBin); err != nil {
		return nil, err
	}
	if p.Balancer, p.Program, err = f.findBalancer(l.Balancer, runDir); err != nil {
		return nil, err
	}
	if f.FreePorts {
		if err := p.freePorts(f); err != nil {
			return nil, err
		}
	}
	p.Dir = filepath.Join(runDir, strconv.Itoa(l.HTTPPort))
	return p, nil
}

// readLayout reads the layout, with the path of its nginx.conf.
func (f *upFlags) readLayout() (l *layout.Layout, conf string, err error) {
	if l, err = layout.Load(string(f.Layout)); err != nil {
		return nil, "", cli.Usagef("--layout: %w", err)
	}
	if conf = l.NginxConf; conf == "" {
		if conf, err = ownNginxConf(); err != nil {
			return nil, "", err
		}
	}
	if l.HTTPPort == 0 {
		if l.HTTPPort, err = httpPort(conf); err != nil {
			return nil, "", err
		}
	}
	return l, conf, l.Check()
}

// ownNginxConf finds the project's nginx.conf: here, or above topology's own binary in bin/.
func ownNginxConf() (string, error) {
	candidates := []string{"nginx.conf"}
	if own, err := os.Executable(); err == nil {
		candidates = append(candidates, filepath.Join(filepath.Dir(own), "..", "nginx.conf"))
	}
	for _, c := range candidates {
		if _, err := os.Stat(c); err == nil {
			return filepath.Abs(c)
		}
	}
	return "", cli.Hint(errors.New("there is no nginx.conf in this folder"),
		"start topology in the project's folder, or give a --layout FILE with the key nginx_conf")
}

// httpPort is where nginx listens by its own configuration: the port of HTTP if that is among several.
func httpPort(conf string) (int, error) {
	n, err := nginx.Read(conf, "")
	if err != nil {
		return 0, err
	}
	switch {
	case slices.Contains(n.Listen, layout.HTTPPort):
		return layout.HTTPPort, nil
	case len(n.Listen) > 0:
		return n.Listen[0], nil
	}
	return 0, fmt.Errorf("%s: no server listens on a port", conf)
}

// mongoURL is the external database: from the environment, else from .env as server reads it. Empty: none.
func mongoURL() (string, error) {
	const key = "MONGO_URL"
	if url, ok := os.LookupEnv(key); ok {
		return url, nil
	}
	env, err := godotenv.Read(".env")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf(".env: %w", err)
	}
	return env[key], nil
}

// freePorts moves what can't be had, as long as nobody asked for just that.
func (p *plan) freePorts(f *upFlags) error {
	if f.BasePort == 0 {
		var inTheWay error
		var offsets []int
		for _, in := range p.Layout.Instances {
			offsets = append(offsets, in.Port-p.Layout.LowestPort())
			if err := ports.Check(fleet.Loopback, in.Port); err != nil && inTheWay == nil {
				inTheWay = err
			}
		}
		if inTheWay != nil {
			free, err := ports.FreeBlock(fleet.Loopback, offsets)
			if err != nil {
				return err
			}
			if err := p.Layout.Move(free, 0); err != nil {
				return err
			}
			p.changes = append(p.changes, fmt.Sprintf("%v; the instances use ports from %d on", inTheWay, free))
		}
	}
	if f.HTTPPort == 0 {
		if inTheWay := ports.Check("", p.Layout.HTTPPort); inTheWay != nil {
			free, err := ports.Free()
			if err != nil {
				return err
			}
			if err := p.Layout.Move(0, free); err != nil {
				return err
			}
			p.changes = append(p.changes, fmt.Sprintf("%v; %s uses port %d", inTheWay, p.Balancer.Name(), free))
		}
	}
	return nil
}

// keep starts the layout and keeps it until ctx is done or a command takes it down; see keeper.Run.
func (p *plan) keep(ctx context.Context, ready func(context.Context, *keeper.Keeper, []error) error) error {
	if p.live == nil {
		if err := p.listenUI(p.ui); err != nil {
			return err
		}
	}
	defer p.live.close()
	k, err := keeper.New(ctx, p.Config)
	if errors.Is(err, lock.ErrHeld) {
		running, ok, findErr := layout.FindByTarget(p.runDir, fmt.Sprintf(":%d", p.Layout.HTTPPort))
		if ok && findErr == nil {
			return p.otherRuns(running)
		}
		return cli.Hint(err, "a layout is being started or taken down there; topology status tells")
	}
	if err != nil {
		return writable(p.inTheWay(err))
	}
	wait := func() {}
	defer func() { wait() }()
	return k.Run(ctx, func(ctx context.Context, broken []error) error {
		wait = p.live.serve(ctx, k, p.runDir)
		return ready(ctx, k, broken)
	})
}

// otherRuns is the error of a layout that runs where p is to.
func (p *plan) otherRuns(running layout.State) error {
	return cli.Hint(fmt.Errorf("layout %s runs on :%d already, as pid %d", running.Layout, running.HTTPPort, running.PID),
		"topology down --http-port %d ends it; --http-port and --base-port put %s beside it", running.HTTPPort, p.Layout.Name)
}

// inTheWay adds to an error about a port what can be done about it.
func (p *plan) inTheWay(err error) error {
	if denied, ok := errors.AsType[*ports.DeniedError](err); ok {
		if denied.Port == p.Layout.HTTPPort {
			return cli.Hint(err, "HTTP_PORT=8000 make topology, or topology up --http-port 8000")
		}
		return cli.Hint(err, "--base-port moves the instances to ports from 1024 on")
	}
	var taken *ports.TakenError
	if !errors.As(err, &taken) {
		return err
	}
	states, listErr := layout.Running(p.runDir)
	if listErr != nil {
		return err
	}
	for _, s := range states {
		_, its := s.Find(strconv.Itoa(taken.Port))
		if its || s.HTTPPort == taken.Port {
			return cli.Hint(fmt.Errorf("port %d belongs to layout %s, which runs on :%d (pid %d)",
				taken.Port, s.Layout, s.HTTPPort, s.PID),
				"topology down --http-port %d ends it; --http-port and --base-port put another beside it", s.HTTPPort)
		}
	}
	flag := "--base-port"
	if taken.Port == p.Layout.HTTPPort {
		flag = "--http-port"
	}
	if taken.Holder.PID == 0 {
		return cli.Hint(err, "%s moves the layout to other ports, --free-ports finds some", flag)
	}
	return cli.Hint(err, "end it (kill %d), or move the layout with %s or --free-ports", taken.Holder.PID, flag)
}
