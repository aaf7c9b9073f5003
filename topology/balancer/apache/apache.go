// Package apache owns what is to be known about Apache httpd as a balancer: a plan as its configuration, its methods
// and what they promise, how it is started and reloaded without loss, and what its log says.
package apache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/nginx"
	"balanceo/topology/procs"
)

// Apache implements balancer.Balancer. It was tried with version 2.4.
type Apache struct{}

// Name implements balancer.Balancer.
func (Apache) Name() string { return "apache" }

// Programs implements balancer.Balancer.
func (Apache) Programs() []string {
	return []string{"apache2", "httpd", "/usr/sbin/apache2", "/usr/sbin/httpd", "/opt/homebrew/bin/httpd"}
}

// Write implements balancer.Balancer.
func (Apache) Write(s *balancer.Site, file string) (*balancer.Config, error) {
	plan, err := nginx.Translate(s)
	if err != nil {
		return nil, err
	}
	conf := plan.Config
	conf.Balancer, conf.File, conf.Workers, conf.Auto = "apache", file, 1, false // one process with threads
	for i := range conf.Groups {
		g := &conf.Groups[i]
		g.Zone = true
		if g.Method, err = method(g); err != nil {
			return nil, plan.RefuseMethod(g.Name, err)
		}
		for j, server := range g.Servers {
			if server.Weight > 100 {
				return nil, plan.Refuse(g.Name, j, fmt.Sprintf("weight %d: Apache's go up to 100", server.Weight))
			}
			if server.MaxFails > 1 {
				return nil, plan.Refuse(g.Name, j, fmt.Sprintf("max_fails=%d: Apache leaves a server out at once (1) or not (0)", server.MaxFails))
			}
		}
	}
	text, err := render(s, plan)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, fmt.Errorf("apache: %w", err)
	}
	return conf, nil
}

// method is a group's method in Apache's words, given in these or in nginx's.
func method(g *balancer.Group) (balancer.Method, error) {
	switch {
	case len(g.Args) > 0:
	case g.Method == balancer.RoundRobin:
		return "byrequests", nil
	case g.Method == balancer.LeastConn:
		return "bybusyness", nil
	case g.Method == "byrequests", g.Method == "bybusyness", g.Method == "bytraffic":
		return g.Method, nil
	}
	return "", fmt.Errorf("%q is no method of apache: byrequests, bybusyness or bytraffic",
		strings.TrimSpace(string(g.Method)+" "+strings.Join(g.Args, " ")))
}

// modules is the folder with Apache's modules.
func modules() (string, error) {
	folders := []string{"/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules", "/usr/libexec/apache2", "/opt/homebrew/lib/httpd/modules"}
	for _, dir := range folders {
		if _, err := os.Stat(filepath.Join(dir, "mod_proxy.so")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("apache: mod_proxy.so is in none of %s", strings.Join(folders, ", "))
}

// servant is the user as whom Apache serves where it is started as root; empty: as who starts it.
func servant() string {
	if os.Getuid() != 0 {
		return ""
	}
	for _, name := range []string{"www-data", "apache", "http", "nobody"} {
		if _, err := user.Lookup(name); err == nil {
			return name
		}
	}
	return ""
}

// Check implements balancer.Balancer.
func (Apache) Check(ctx context.Context, s *balancer.Site, file string) error {
	out, err := exec.CommandContext(ctx, s.Program, "-t", "-d", s.Dir, "-f", file).CombinedOutput()
	if err == nil {
		return nil
	}
	return fmt.Errorf("apache refuses what %s says: %w: %s", s.Source, err, bytes.ReplaceAll(bytes.TrimSpace(out), []byte("\n"), []byte(" ")))
}

// Command implements balancer.Balancer.
func (Apache) Command(s *balancer.Site) *exec.Cmd {
	return exec.Command(s.Program, "-DFOREGROUND", "-d", s.Dir, "-f", s.File) //nolint:noctx // who starts it ends it
}

// Reload implements balancer.Balancer: the parent starts a new process, and the old one finishes what it has begun and
// ends. One that has a websocket ends later; it takes no new connections.
func (Apache) Reload(ctx context.Context, _ *balancer.Site, pid int) error {
	table, err := procs.Read()
	if err != nil {
		return err
	}
	old := table.Children(pid)
	isOld := func(pid int) bool { return slices.Contains(old, pid) }
	begun := time.Now()
	late := fmt.Errorf("apache, pid %d, has no new process within 10s of the reload", pid)
	return balancer.SignalReload(ctx, "apache", pid, syscall.SIGUSR1, late, func() (bool, error) {
		table, err := procs.Read()
		if err != nil {
			return false, err
		}
		now := table.Children(pid)
		remain := slices.ContainsFunc(now, isOld)
		fresh := slices.ContainsFunc(now, func(pid int) bool { return !isOld(pid) })
		return fresh && (!remain || time.Since(begun) > 3*time.Second), nil
	})
}

// Promise implements balancer.Balancer.
func (Apache) Promise(_ context.Context, _ *balancer.Site, c *balancer.Config) error {
	for i := range c.Groups {
		g := &c.Groups[i]
		switch g.Method {
		case "byrequests":
			g.Promise = &balancer.Promise{
				Kind: balancer.Exact, Within: nginx.Within(g.Peers(), 1),
				Because: "Apache's byrequests is nginx's smooth weighted round robin, here with one process, so that nobody disturbs its order.",
			}
		case "bybusyness":
			g.Promise = &balancer.Promise{Kind: balancer.Nothing, Because: "bybusyness takes the server with the fewest requests under way, so the split depends on how fast the servers answer."}
		default:
			g.Promise = &balancer.Promise{Kind: balancer.Nothing, Because: "bytraffic shares bytes, not requests."}
		}
	}
	return nil
}

// Ask implements balancer.Balancer.
func (Apache) Ask(context.Context, *balancer.Site) (balancer.State, error) {
	return nil, balancer.ErrCantAsk
}

var errNoUser = errors.New("apache: as root it serves as another user, and there is none of www-data, apache, http and nobody")
