package fleet

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/nginx"
	"balanceo/topology/logs"
	"balanceo/topology/ports"
	"balanceo/topology/supervise"
)

// shares is the name of the file that tells what the balancer promises, in its folder.
const shares = "shares.json"

// prepareBalancer makes the balancer's place and its first configuration.
func (f *Fleet) prepareBalancer(ctx context.Context) error {
	dir := filepath.Join(f.cfg.Dir, f.cfg.Balancer.Name())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("folder of the layout: %w", err)
	}
	f.site = balancer.Site{
		Program: f.cfg.Program, Source: f.cfg.NginxConf, Dir: dir, File: filepath.Join(dir, f.cfg.Balancer.Name()+".conf"),
		Changes: map[string]balancer.Change{}, Down: map[int]bool{},
	}
	if err := f.endLeftover(ctx); err != nil {
		return err
	}
	move, err := f.moves()
	if err != nil {
		return err
	}
	for _, port := range move.Listen {
		if err := ports.Check("", port); err != nil {
			return fmt.Errorf("%s: %w", f.cfg.Balancer.Name(), err)
		}
	}
	_, err = f.renewBalancer(ctx, f.site, true)
	return err
}

// moves says which ports of the source, as it is now, are others here.
func (f *Fleet) moves() (balancer.Move, error) {
	source, err := nginx.Read(f.cfg.NginxConf, "")
	if err != nil {
		return balancer.Move{}, err
	}
	return balancer.Moves(source, f.cfg.From, f.cfg.Layout)
}

// addBalancer makes the part.
func (f *Fleet) addBalancer() error {
	b := f.cfg.Balancer
	log, err := logs.Open(f.logPath(b.Name()))
	if err != nil {
		return err
	}
	p := &part{
		name: b.Name(), kind: Balancer, port: f.cfg.Layout.HTTPPort, log: log, logPath: f.logPath(b.Name()),
		socket: &socket{port: f.cfg.Layout.HTTPPort},
	}
	heir, _ := b.(heir)
	var inherits atomic.Bool // in this start
	p.process = supervise.New(supervise.Spec{
		Name: p.name,
		Command: func() (*exec.Cmd, error) {
			site := f.siteNow()
			cmd := b.Command(&site)
			cmd.Stdout, cmd.Stderr = log, log
			host, ok := "", heir != nil
			if ok {
				host, ok = heir.ListenHost(site.File, p.port)
			}
			if inherits.Store(ok); ok {
				heir.Inherit(cmd, supervise.FirstListener)
			}
			p.socket.moveTo(host, ok)
			return cmd, nil
		},
		Listen: func() ([]*os.File, error) {
			if !inherits.Load() {
				return nil, nil
			}
			return p.socket.files()
		},
		Probe: func(ctx context.Context, pid int) error {
			if inherits.Load() { // the socket takes connections, whoever serves them
				return heir.Serves(ctx, pid)
			}
			return accepts(ctx, p.port)
		},
		Grace:       f.cfg.Grace,
		KeepFailed:  true,
		DeathSignal: syscall.SIGTERM, // its master takes the workers along; killed, it would leave them
		OnEvent:     func(e supervise.Event) { f.changed(p, e) },
	})
	f.front = p
	return nil
}

// heir is a balancer that can take over a listening socket, as instances do: connections wait while one process of it
// makes way for the next.
type heir interface {
	ListenHost(file string, port int) (host string, ok bool)
	Inherit(cmd *exec.Cmd, fd int)
	Serves(ctx context.Context, pid int) error
}

// renewBalancer writes the configuration of a site anew and lets the balancer's program check it; the old one
// stays where that fails. From then on the fleet's site is this one.
func (f *Fleet) renewBalancer(ctx context.Context, site balancer.Site, always bool) (changed bool, err error) {
	b := f.cfg.Balancer
	if site.Move, err = f.moves(); err != nil {
		return false, err
	}
	next := site.File + ".next"
	conf, err := b.Write(&site, next)
	if err != nil {
		return false, err
	}
	defer func() { _ = os.Remove(next) }() // gone already when all went well
	if err := b.Check(ctx, &site, next); err != nil {
		return false, err
	}
	conf.File = site.File
	lookup, cancel := context.WithTimeout(ctx, time.Second) // of names
	conf.Resolve(lookup, nil)
	cancel()
	if err := b.Promise(ctx, &site, conf); err != nil {
		return false, err
	}
	conf.Version = balancer.Version(ctx, b, site.Program)
	old, _ := os.ReadFile(site.File) // none at first
	text, err := os.ReadFile(next)
	if err != nil {
		return false, fmt.Errorf("%s: %w", b.Name(), err)
	}
	changed = !bytes.Equal(old, text)
	f.mu.Lock()
	before := f.conf
	f.mu.Unlock()
	conf.Begin(before, time.Now())
	if !changed && !always && before != nil {
		conf.Epochs = before.Epochs // it is not going to be read
	}
	if err := os.Rename(next, site.File); err != nil {
		return false, fmt.Errorf("%s: %w", b.Name(), err)
	}
	if err := conf.Save(filepath.Join(site.Dir, shares)); err != nil {
		return false, err
	}
	f.mu.Lock()
	f.site, f.conf = site, conf
	f.mu.Unlock()
	return changed, nil
}

// inForce notes that the balancer has read its configuration, for the first time or once more.
func (f *Fleet) inForce() error {
	f.mu.Lock()
	conf := *f.conf
	f.mu.Unlock()
	conf.Done(time.Now())
	if err := conf.Save(filepath.Join(f.siteNow().Dir, shares)); err != nil {
		return err
	}
	f.mu.Lock()
	f.conf = &conf
	f.mu.Unlock()
	return nil
}

// rebalance changes what the balancer is to do, if change is not nil, and lets it read its configuration, written
// anew; unless always, only if that has changed.
func (f *Fleet) rebalance(ctx context.Context, always bool, change func(*balancer.Site)) (changed bool, err error) {
	f.balancing.Lock()
	defer f.balancing.Unlock()
	p, site := f.front, f.siteNow()
	if change != nil {
		change(&site)
	}
	changed, err = f.renewBalancer(ctx, site, always)
	if err != nil || !changed && !always {
		return false, err
	}
	s := p.process.Status()
	if s.State != supervise.Ready {
		return false, fmt.Errorf("%s is %s; it will read its configuration when it starts", p.name, s.State)
	}
	if err := f.cfg.Balancer.Reload(ctx, &site, s.PID); err != nil {
		return false, err
	}
	if err := f.inForce(); err != nil {
		return false, err
	}
	f.note(Event{Kind: EventBalancer, Part: p.name, Text: "reads its configuration anew"})
	return true, nil
}

// changeGroup gives a group another method or other weights; what c leaves out stays as it is.
func (f *Fleet) changeGroup(ctx context.Context, group string, c balancer.Change) error {
	_, err := f.rebalance(ctx, false, func(site *balancer.Site) {
		now := site.Changes[group]
		if c.Method != "" {
			now.Method = c.Method
		}
		if c.Weights != nil {
			now.Weights = c.Weights
		}
		site.Changes[group] = now
	})
	return err
}

// siteNow is a copy of the balancer's place that can be changed.
func (f *Fleet) siteNow() balancer.Site {
	f.mu.Lock()
	defer f.mu.Unlock()
	site := f.site
	site.Changes, site.Down = maps.Clone(site.Changes), maps.Clone(site.Down)
	return site
}

// accepts tells whether something accepts connections on the port.
func accepts(ctx context.Context, port int) error {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(Loopback, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return c.Close()
}
