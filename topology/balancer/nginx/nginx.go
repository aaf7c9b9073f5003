// Package nginx owns what is to be known about nginx: what its configuration says about sharing load, a copy of
// it for a layout's ports and folder, and how it is started and reloaded.
package nginx

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"balanceo/topology/balancer"
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

// Reload implements balancer.Balancer: old worker processes finish what they have begun.
func (Nginx) Reload(_ context.Context, _ *balancer.Site, pid int) error {
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("nginx, pid %d: %w", pid, err)
	}
	return nil
}
