package fleet

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"balanceo/topology/layout"
	"balanceo/topology/logs"
	"balanceo/topology/ports"
	"balanceo/topology/supervise"
)

// Loopback is where instances and the database listen: nobody but nginx on the same machine asks them.
const Loopback = "127.0.0.1"

// newInstance makes an instance and takes its port. The part is returned with the error once it holds
// something that is to be given back.
func (f *Fleet) newInstance(in layout.Instance) (*part, error) {
	log, err := logs.Open(f.logPath(in.Name))
	if err != nil {
		return nil, err
	}
	p := &part{
		name: in.Name, kind: Instance, port: in.Port, instance: in, log: log,
		socket:  &socket{host: Loopback, port: in.Port},
		workers: in.Workers,
		logPath: f.logPath(in.Name),
	}
	if _, err := p.socket.files(); err != nil {
		return p, fmt.Errorf("instance %s: %w", in.Name, err)
	}
	p.process = supervise.New(supervise.Spec{
		Name:       in.Name,
		Command:    func() (*exec.Cmd, error) { return f.instanceCommand(p), nil },
		Listen:     p.socket.files,
		Alive:      func(ctx context.Context) error { return f.alive(ctx, p) },
		Liveness:   supervise.Liveness(f.cfg.Layout.Probe),
		Grace:      f.cfg.Grace,
		KeepFailed: true,
		OnEvent:    func(e supervise.Event) { f.changed(p, e) },
	})
	return p, nil
}

func (f *Fleet) instanceCommand(p *part) *exec.Cmd {
	in := p.instance
	args := []string{"--host", Loopback, "--port", strconv.Itoa(in.Port), "--mode", string(in.Mode)}
	if n := p.wanted(); in.Mode == layout.Cluster && n > 0 {
		args = append(args, "--workers", strconv.Itoa(n))
	}
	cmd := exec.Command(f.serverPath(), append(args, in.Args...)...) //nolint:noctx // supervise ends it
	cmd.Env = append(os.Environ(),
		"INSTANCE="+in.Name,
		"SCOREBOARD="+f.scoreboard(p),
		"MONGO_URL="+f.mongoURL,
	)
	if in.Threads > 0 {
		cmd.Env = append(cmd.Env, "GOMAXPROCS="+strconv.Itoa(in.Threads))
	}
	for key, value := range in.Env {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	return cmd
}

// scoreboard is the file in which an instance counts, and by which it is told things.
func (f *Fleet) scoreboard(p *part) string { return filepath.Join(f.cfg.Dir, "scoreboard", p.name) }

// addDatabase makes the embedded database, as the first tier.
func (f *Fleet) addDatabase() error {
	port, err := ports.FreeAside(Loopback)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	log, err := logs.Open(f.logPath(layout.DatabaseName))
	if err != nil {
		return err
	}
	addr := net.JoinHostPort(Loopback, strconv.Itoa(port))
	p := &part{name: layout.DatabaseName, kind: Database, port: port, log: log, logPath: f.logPath(layout.DatabaseName)}
	p.process = supervise.New(supervise.Spec{
		Name: p.name,
		Command: func() (*exec.Cmd, error) {
			dir := filepath.Join(f.cfg.Dir, "database")
			cmd := exec.Command(f.cfg.Server, "database", "--listen", addr, "--dir", dir) //nolint:noctx // supervise ends it
			cmd.Stdout, cmd.Stderr = log, log
			return cmd, nil
		},
		Grace:      f.cfg.Grace,
		KeepFailed: true,
		OnEvent:    func(e supervise.Event) { f.changed(p, e) },
	})
	f.mongoURL = "mongodb://" + addr + "/balanceo"
	f.tiers = append(f.tiers, []*part{p})
	return nil
}
