package fleet

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/nginx"
	"balanceo/topology/layout"
	"balanceo/topology/logs"
	"balanceo/topology/ports"
	"balanceo/topology/supervise"
)

// Host is where instances and the database listen: nobody but nginx on the same machine asks them.
const Host = "127.0.0.1"

// newInstance makes an instance and takes its port. The part is returned with the error once it holds
// something that is to be given back.
func (f *Fleet) newInstance(in layout.Instance) (*part, error) {
	log, err := logs.Open(f.logPath(in.Name))
	if err != nil {
		return nil, err
	}
	p := &part{
		name: in.Name, kind: Instance, port: in.Port, instance: in, log: log,
		socket:  &socket{host: Host, port: in.Port},
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
		Grace:      f.cfg.Grace,
		KeepFailed: true,
		OnEvent:    func(e supervise.Event) { f.changed(p, e) },
	})
	return p, nil
}

func (f *Fleet) instanceCommand(p *part) *exec.Cmd {
	in := p.instance
	args := []string{"--host", Host, "--port", strconv.Itoa(in.Port), "--mode", string(in.Mode)}
	if n := p.wanted(); in.Mode == layout.Cluster && n > 0 {
		args = append(args, "--workers", strconv.Itoa(n))
	}
	cmd := exec.Command(f.serverPath(), append(args, in.Args...)...) //nolint:noctx // supervise ends it
	cmd.Env = append(os.Environ(),
		"INSTANCE="+in.Name,
		"SCOREBOARD="+filepath.Join(f.cfg.Dir, "scoreboard", in.Name),
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

// addDatabase makes the embedded database, as the first tier.
func (f *Fleet) addDatabase() error {
	port, err := ports.FreeAside(Host)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	log, err := logs.Open(f.logPath(layout.DatabaseName))
	if err != nil {
		return err
	}
	addr := net.JoinHostPort(Host, strconv.Itoa(port))
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

func (f *Fleet) nginxDir() string { return filepath.Join(f.cfg.Dir, "nginx") }

func (f *Fleet) nginxConf() string { return filepath.Join(f.nginxDir(), "nginx.conf") }

// prepareNginx writes the configuration with the layout's ports to file and reads what it says.
func (f *Fleet) prepareNginx(ctx context.Context, file string) (*balancer.Config, error) {
	conf, err := nginx.Read(f.cfg.NginxConf, f.nginxDir())
	if err != nil {
		return nil, err
	}
	site := balancer.Site{Source: f.cfg.NginxConf, Dir: f.nginxDir()}
	if site.Move, err = balancer.Moves(conf, f.cfg.From, f.cfg.Layout); err != nil {
		return nil, err
	}
	if conf, err = (nginx.Nginx{}).Write(&site, file); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // of looking up names
	defer cancel()
	conf.Resolve(ctx, nil)
	return conf, nil
}

// testNginx lets nginx itself check the configuration.
func (f *Fleet) testNginx(ctx context.Context, file string) error {
	args := []string{"-t", "-q", "-p", f.nginxDir() + "/", "-c", file, "-e", "error.log"}
	out, err := exec.CommandContext(ctx, f.cfg.Nginx, args...).CombinedOutput()
	if err == nil {
		return nil
	}
	for line := range strings.Lines(string(out)) {
		// The first complaint is the cause; what follows it says that the test failed.
		if strings.Contains(line, "[emerg]") || strings.Contains(line, "[alert]") {
			return fmt.Errorf("nginx refuses %s: %s", f.cfg.NginxConf, strings.TrimSpace(line))
		}
	}
	return fmt.Errorf("nginx refuses %s: %w: %s", f.cfg.NginxConf, err, bytes.TrimSpace(out))
}

func (f *Fleet) newNginx() (*part, error) {
	log, err := logs.Open(f.logPath(layout.NginxName))
	if err != nil {
		return nil, err
	}
	p := &part{name: layout.NginxName, kind: Nginx, port: f.cfg.Layout.HTTPPort, log: log, logPath: f.logPath(layout.NginxName)}
	p.process = supervise.New(supervise.Spec{
		Name: p.name,
		Command: func() (*exec.Cmd, error) {
			args := []string{"-p", f.nginxDir() + "/", "-c", f.nginxConf(), "-e", "error.log", "-g", "daemon off;"}
			cmd := exec.Command(f.cfg.Nginx, args...) //nolint:noctx // supervise ends it
			cmd.Stdout, cmd.Stderr = log, log
			return cmd, nil
		},
		Probe:       func(ctx context.Context, _ int) error { return accepts(ctx, p.port) },
		Grace:       f.cfg.Grace,
		KeepFailed:  true,
		DeathSignal: syscall.SIGTERM, // its master takes the workers along; killed, it would leave them
		OnEvent:     func(e supervise.Event) { f.changed(p, e) },
	})
	return p, nil
}

// accepts tells whether something accepts connections on the port.
func accepts(ctx context.Context, port int) error {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(Host, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return c.Close()
}
