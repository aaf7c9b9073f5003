// Package nginx owns what is to be known about nginx: what its configuration says about sharing load, a copy of
// it for a layout's ports and folder, and how it is started and reloaded.
package nginx

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"balanceo/topology/balancer"
	"balanceo/topology/procs"
)

// Nginx implements balancer.Balancer.
type Nginx struct{}

// Name implements balancer.Balancer.
func (Nginx) Name() string { return Name }

// Programs implements balancer.Balancer.
func (Nginx) Programs() []string {
	return []string{"nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/bin/nginx", "/opt/homebrew/bin/nginx"}
}

// Command implements balancer.Balancer.
func (Nginx) Command(s *balancer.Site) *exec.Cmd {
	args := []string{"-p", s.Dir + "/", "-c", s.File, "-e", "error.log", "-g", "daemon off;"}
	return exec.Command(s.Program, args...) //nolint:noctx // who starts it ends it
}

// Check implements balancer.Balancer.
func (Nginx) Check(ctx context.Context, s *balancer.Site, file string) error {
	args := []string{"-t", "-q", "-p", s.Dir + "/", "-c", file, "-e", "error.log"}
	out, err := exec.CommandContext(ctx, s.Program, args...).CombinedOutput()
	if err == nil {
		return nil
	}
	for line := range strings.Lines(string(out)) {
		// The first complaint is the cause; what follows it says that the test failed.
		if strings.Contains(line, "[emerg]") || strings.Contains(line, "[alert]") {
			return fmt.Errorf("nginx refuses %s: %s", s.Source, strings.TrimSpace(line))
		}
	}
	return fmt.Errorf("nginx refuses %s: %w: %s", s.Source, err, bytes.TrimSpace(out))
}

// Reload implements balancer.Balancer: the master starts new worker processes, and the old ones finish what they
// have begun. It is done when these say that they are shutting down.
func (Nginx) Reload(ctx context.Context, _ *balancer.Site, pid int) error {
	table, err := procs.Read()
	if err != nil {
		return err
	}
	old := table.Children(pid)
	late := fmt.Errorf("nginx, pid %d, has not read its configuration within 10s; its error.log tells", pid)
	return balancer.SignalReload(ctx, Name, pid, syscall.SIGHUP, late, func() (bool, error) {
		return !slices.ContainsFunc(old, serves), nil
	})
}

// serves tells whether a worker process still takes connections.
func serves(pid int) bool {
	command, err := procs.Command(pid)
	return err == nil && strings.Contains(command, "worker process") && !strings.Contains(command, "shutting down")
}

// Ask implements balancer.Balancer. nginx without Plus has nobody to ask.
func (Nginx) Ask(context.Context, *balancer.Site) (balancer.State, error) {
	return nil, balancer.ErrCantAsk
}

// Promise implements balancer.Balancer.
func (Nginx) Promise(_ context.Context, _ *balancer.Site, c *balancer.Config) error {
	promises(c)
	return nil
}

func promises(c *balancer.Config) {
	for i := range c.Groups {
		c.Groups[i].Promise = promise(c, &c.Groups[i])
	}
}

func promise(c *balancer.Config, g *balancer.Group) *balancer.Promise {
	nothing := func(why string) *balancer.Promise { return &balancer.Promise{Kind: balancer.Nothing, Because: why} }
	switch g.Method {
	case balancer.RoundRobin:
		sequences := 1
		because := "Smooth weighted round robin is exact."
		if !g.Zone && c.Workers > 1 {
			sequences = c.Workers
			because = fmt.Sprintf("Smooth weighted round robin is exact, and without a zone each of the %d worker processes counts for itself.", c.Workers)
		}
		return &balancer.Promise{Kind: balancer.Exact, Within: Within(g.Peers(), sequences), Because: because}
	case balancer.Random:
		if len(g.Args) > 0 {
			return nothing("random two takes the less busy of two servers, so the split depends on how fast they answer.")
		}
		return &balancer.Promise{Kind: balancer.Chance, Because: "Each request is drawn by the weights on its own."}
	case balancer.Hash:
		return &balancer.Promise{Kind: balancer.ByKey, Because: "Requests with the same key get the same server."}
	case balancer.IPHash:
		return &balancer.Promise{Kind: balancer.ByKey, Because: "ip_hash sends all requests of one client address to one server, and this load comes from one client."}
	case balancer.LeastConn:
		return nothing("least_conn sends a request to the server with the fewest open connections for its weight, so the split depends on how fast the servers answer.")
	}
	return nothing(fmt.Sprintf("What %s does to the shares is not known.", g.Method))
}

// Within is how many requests a peer can be off its share over any stretch of requests, by the smooth weighted
// round robin of nginx: H(n-1) for n peers, for each sequence of choices (proved in loadgen/distribution).
func Within(peers, sequences int) float64 {
	var h float64
	for i := 1; i < peers; i++ {
		h += 1 / float64(i)
	}
	return h * float64(max(sequences, 1))
}

// LogFormat is the least that is read of an access log, to paste into the http block. No piece of it is so long that a
// terminal would break it.
const LogFormat = `log_format loadgen escape=json '{"msec":$msec,"request_time":$request_time,' ` +
	`'"user_agent":"$http_user_agent","request_id":"$http_x_request_id",' ` +
	`'"upstream_group":"$proxy_host","upstream_addr":"$upstream_addr",' ` +
	`'"upstream_status":"$upstream_status",' '"upstream_header_time":"$upstream_header_time"}'; ` +
	`access_log /var/log/nginx/loadgen.log loadgen;`

// LogLine implements balancer.Balancer.
func (Nginx) LogLine(line []byte) []byte { return line }
