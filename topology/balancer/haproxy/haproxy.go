// Package haproxy owns what is to be known about HAProxy: a plan as its configuration, its methods and what they
// promise, how it is started and reloaded without loss, and how its state is asked.
package haproxy

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/nginx"
)

// HAProxy implements balancer.Balancer.
type HAProxy struct{}

// Name implements balancer.Balancer.
func (HAProxy) Name() string { return Name }

// Programs implements balancer.Balancer.
func (HAProxy) Programs() []string {
	return []string{"haproxy", "/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/opt/homebrew/bin/haproxy"}
}

// Write implements balancer.Balancer.
func (HAProxy) Write(s *balancer.Site, file string) (*balancer.Config, error) {
	plan, err := nginx.Translate(s)
	if err != nil {
		return nil, err
	}
	conf := plan.Config
	conf.Balancer, conf.File, conf.Workers, conf.Auto = Name, file, 1, false // all threads share one state
	for i := range conf.Groups {
		g := &conf.Groups[i]
		g.Zone = true
		if g.Method, g.Args, err = method(g); err != nil {
			return nil, plan.RefuseMethod(g.Name, err)
		}
		for j := range g.Servers {
			if g.Servers[j].Weight > 256 {
				return nil, plan.Refuse(g.Name, j, fmt.Sprintf("weight %d: HAProxy's go up to 256", g.Servers[j].Weight))
			}
		}
	}
	text, err := render(s, plan)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	return conf, nil
}

// method is a group's method in HAProxy's words, given in these or in nginx's.
func method(g *balancer.Group) (balancer.Method, []string, error) {
	key := strings.Join(g.Args, " ")
	switch g.Method {
	case balancer.RoundRobin:
		return "roundrobin", nil, nil
	case balancer.LeastConn:
		return "leastconn", nil, nil
	case balancer.IPHash:
		return "source", nil, nil
	case balancer.Random:
		if strings.HasPrefix(key, "two") {
			return "random(2)", nil, nil
		}
		return "random(1)", nil, nil
	case balancer.Hash:
		words := strings.Fields(key)
		ring := len(words) == 2 && words[1] == "consistent"
		if len(words) == 0 || len(words) > 1 && !ring {
			return "", nil, fmt.Errorf("hash %q can't be translated", key)
		}
		by, err := hashed(words[0])
		if ring {
			return by, []string{"consistent"}, err
		}
		return by, nil, err
	case "roundrobin", "static-rr", "leastconn", "first", "source", "uri":
		return g.Method, g.Args, nil
	}
	if name, _, ok := strings.Cut(string(g.Method), "("); ok && (name == "random" || name == "hdr" || name == "url_param") {
		return g.Method, g.Args, nil
	}
	return "", nil, fmt.Errorf("%q is no method of haproxy: roundrobin, static-rr, leastconn, first, random, random(2), source, uri or hdr(NAME)",
		strings.TrimSpace(string(g.Method)+" "+key))
}

// hashed is how HAProxy calls hashing by one of nginx's variables.
func hashed(variable string) (balancer.Method, error) {
	switch {
	case variable == "$request_uri":
		return "uri whole", nil
	case variable == "$uri":
		return "uri", nil
	case variable == "$remote_addr", variable == "$binary_remote_addr":
		return "source", nil
	case strings.HasPrefix(variable, "$http_"):
		return balancer.Method("hdr(" + strings.ReplaceAll(variable[len("$http_"):], "_", "-") + ")"), nil
	case strings.HasPrefix(variable, "$arg_"):
		return balancer.Method("url_param " + variable[len("$arg_"):]), nil
	}
	return "", fmt.Errorf("hash %s can't be translated", variable)
}

// Check implements balancer.Balancer.
func (HAProxy) Check(ctx context.Context, s *balancer.Site, file string) error {
	out, err := exec.CommandContext(ctx, s.Program, "-c", "-f", file).CombinedOutput()
	if err == nil {
		return nil
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "[ALERT]") {
			return fmt.Errorf("haproxy refuses what %s says: %s", s.Source, strings.TrimSpace(line))
		}
	}
	return fmt.Errorf("haproxy refuses what %s says: %w: %s", s.Source, err, bytes.TrimSpace(out))
}

// Command implements balancer.Balancer: a master that lives on over reloads, and a worker process with a thread
// per core. The shell lets it write its log, which goes to standard output, straight into the file: through a pipe
// HAProxy drops lines that do not fit in at once.
func (HAProxy) Command(s *balancer.Site) *exec.Cmd {
	const script = `exec "$0" "$@" >>access.log`
	cmd := exec.Command("/bin/sh", "-c", script, s.Program, "-W", "-db", "-S", master(s)+",mode,600", "-p", filepath.Join(s.Dir, "haproxy.pid"), "-f", s.File) //nolint:noctx // who starts it ends it
	cmd.Dir = s.Dir
	return cmd
}

// Reload implements balancer.Balancer: the master starts a new worker, which takes the listening sockets over from
// the old one; that one finishes what it has begun. It is done when a new worker answers for itself, and the master can be
// told something again: while it starts, signals are lost on it.
func (h HAProxy) Reload(ctx context.Context, s *balancer.Site, pid int) error {
	late := fmt.Errorf("haproxy, pid %d: no new worker within 10s of the reload", pid)
	listens := func() (bool, error) {
		_, err := ask(ctx, master(s), "show proc")
		return err == nil, nil //nolint:nilerr // it does not answer while it starts
	}
	if err := balancer.Await(ctx, late, listens); err != nil {
		return err
	}
	before, err := worker(ctx, s)
	if err != nil {
		return err
	}
	err = balancer.SignalReload(ctx, Name, pid, syscall.SIGUSR2, late, func() (bool, error) {
		now, err := worker(ctx, s)
		return err == nil && now != before, nil //nolint:nilerr // it does not answer while it is replaced
	})
	if err != nil {
		return err
	}
	return balancer.Await(ctx, late, listens)
}

// LogLine implements balancer.Balancer.
func (HAProxy) LogLine(line []byte) []byte { return line }
