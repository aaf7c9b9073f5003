// Package caddy owns what is to be known about Caddy: a plan as its configuration, its methods and what they promise,
// how it is started and reloaded without loss, how its state is asked and what its log says.
package caddy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/nginx"
)

// Caddy implements balancer.Balancer. It was tried with version 2.6.2.
type Caddy struct{}

// Name implements balancer.Balancer.
func (Caddy) Name() string { return "caddy" }

// Programs implements balancer.Balancer.
func (Caddy) Programs() []string {
	return []string{"caddy", "/usr/bin/caddy", "/usr/local/bin/caddy", "/opt/homebrew/bin/caddy"}
}

// Write implements balancer.Balancer.
func (Caddy) Write(s *balancer.Site, file string) (*balancer.Config, error) {
	plan, err := nginx.Translate(s)
	if err != nil {
		return nil, err
	}
	conf := plan.Config
	conf.Balancer, conf.File, conf.Workers, conf.Auto = "caddy", file, 1, false // one process, one state
	conf.AtReload = atReload
	for i := range conf.Groups {
		g := &conf.Groups[i]
		g.Zone = true
		if g.Method, g.Args, err = method(g); err != nil {
			return nil, plan.RefuseMethod(g.Name, err)
		}
		if err := fits(plan, g); err != nil {
			return nil, err
		}
	}
	text, err := json.MarshalIndent(render(s, plan), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("caddy: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("caddy: %w", err)
	}
	return conf, nil
}

// Caddy listens anew (SO_REUSEPORT) before it closes what it listened on, and Linux resets what waits there, unless it is told
// to move that. Version 2.11.9 was seen to close one new connection a reload without an answer even so.
const atReload = "Caddy listens anew for it, and connections that wait where it listened before are reset or closed " +
	"(on Linux, sysctl -w net.ipv4.tcp_migrate_req=1 moves them; 2.11.9 still closes one)"

// weighted is the one method that has weights, of Caddy 2.7 and later.
const weighted = "weighted_round_robin"

// mostTurns bounds how often upstreams are repeated for their weights.
const mostTurns = 1000

// fits tells what Caddy can't do with the servers of a group.
func fits(plan *balancer.Plan, g *balancer.Group) error {
	for i, s := range g.Servers {
		switch {
		case s.Backup:
			return plan.Refuse(g.Name, i, "Caddy has no backup servers")
		case s.MaxFails != g.Servers[0].MaxFails || s.FailTimeout != g.Servers[0].FailTimeout:
			return plan.Refuse(g.Name, i, "Caddy has one max_fails and one fail_timeout for all servers of a group")
		}
	}
	if n := len(turns(g)); n > mostTurns && g.Method != weighted {
		return plan.Refuse(g.Name, 0, fmt.Sprintf("Caddy has no weights; %d upstreams in their place are too many", n))
	}
	return nil
}

// method is a group's method in Caddy's words, given in these or in nginx's.
func method(g *balancer.Group) (balancer.Method, []string, error) {
	key := strings.Join(g.Args, " ")
	words := strings.TrimSpace(string(g.Method) + " " + key)
	switch {
	case words == "round_robin", words == "random", words == "least_conn", words == "first", words == "ip_hash", words == "uri_hash", words == weighted:
		return g.Method, nil, nil
	case g.Method == balancer.Random && strings.HasPrefix(key, "two"):
		return "random_choose", []string{"2"}, nil
	case g.Method == "random_choose" && len(g.Args) < 2:
		return g.Method, append(g.Args, "2")[:1], nil
	case g.Method == "header" && len(g.Args) == 1:
		return g.Method, g.Args, nil
	case g.Method == balancer.Hash && (key == "$request_uri" || key == "$request_uri consistent"):
		return "uri_hash", nil, nil
	case g.Method == balancer.Hash && strings.HasPrefix(key, "$http_"):
		return "header", []string{strings.ReplaceAll(strings.Fields(key)[0][len("$http_"):], "_", "-")}, nil
	case g.Method == balancer.Hash && (strings.HasPrefix(key, "$remote_addr") || strings.HasPrefix(key, "$binary_remote_addr")):
		return "ip_hash", nil, nil
	}
	return "", nil, fmt.Errorf("%q is no method of caddy: round_robin, weighted_round_robin (2.7 and later), random, random_choose N, least_conn, first, ip_hash, uri_hash or header NAME", words)
}

// env keeps everything that Caddy writes by itself in the site's folder.
func env(s *balancer.Site) []string {
	return append(os.Environ(), "XDG_DATA_HOME="+s.Dir, "XDG_CONFIG_HOME="+s.Dir)
}

// Check implements balancer.Balancer.
func (Caddy) Check(ctx context.Context, s *balancer.Site, file string) error {
	cmd := exec.CommandContext(ctx, s.Program, "validate", "--config", file)
	cmd.Env = env(s)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return fmt.Errorf("caddy refuses what %s says: %s", s.Source, lines[len(lines)-1])
}

// Command implements balancer.Balancer.
func (Caddy) Command(s *balancer.Site) *exec.Cmd {
	cmd := exec.Command(s.Program, "run", "--config", s.File, "--pidfile", filepath.Join(s.Dir, "caddy.pid")) //nolint:noctx // who starts it ends it
	cmd.Env = env(s)
	return cmd
}

// Reload implements balancer.Balancer. Caddy answers once the new configuration serves; the server of the one before may
// accept some connections more until it has seen that it is to end, so that its end is waited for.
func (Caddy) Reload(ctx context.Context, s *balancer.Site, _ int) error {
	text, err := os.ReadFile(s.File)
	if err != nil {
		return fmt.Errorf("caddy: %w", err)
	}
	if _, err := ask(ctx, s, http.MethodPost, "/load", text); err != nil {
		return err
	}
	want, err := listeners(text)
	if err != nil {
		return err
	}
	return balancer.Await(ctx, errLate, func() (bool, error) {
		got, err := accepting(ctx, s)
		return got <= want, err
	})
}

var errLate = errors.New("caddy: what listened for the configuration before still accepts connections, 10s after the reload")
