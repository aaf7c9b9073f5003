package nginx

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"balanceo/topology/procs"
)

// ListenHost returns the host, empty for every address, on which the configuration in file listens on a port. It is
// not ok where that is not one IPv4 socket for all worker processes.
func (Nginx) ListenHost(file string, port int) (host string, ok bool) {
	_, directives, err := parseFile(file)
	if err != nil {
		return "", false
	}
	var hosts []string
	for _, http := range directives {
		for _, server := range http.Block {
			for _, d := range server.Block {
				if server.Directive != "server" || d.Directive != "listen" || len(d.Args) == 0 || listenPort(d.Args[0]) != port {
					continue
				}
				host, _, err := net.SplitHostPort(d.Args[0])
				switch {
				case err != nil && strings.ContainsAny(d.Args[0], ".:[") || slices.Contains(d.Args, "reuseport"):
					return "", false // an address alone, or a socket for each worker process
				case host == "*":
					host = ""
				case host != "" && net.ParseIP(host).To4() == nil:
					return "", false
				}
				hosts = append(hosts, host)
			}
		}
	}
	hosts = slices.Compact(hosts)
	if len(hosts) != 1 {
		return "", false
	}
	return hosts[0], true
}

// Inherit lets the program take over the listening socket at descriptor fd, as a new program does in an upgrade of
// nginx without a gap.
func (Nginx) Inherit(cmd *exec.Cmd, fd int) {
	cmd.Env = append(cmd.Environ(), fmt.Sprintf("NGINX=%d;", fd))
}

// Reopen lets the master with that pid open its logs anew, after they were moved.
func (Nginx) Reopen(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
		return fmt.Errorf("nginx, pid %d: %w", pid, err)
	}
	return nil
}

// Serves tells whether the master with that pid has a worker process that takes connections.
func (Nginx) Serves(_ context.Context, pid int) error {
	table, err := procs.Read()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(table.Children(pid), serves) {
		return nil
	}
	return fmt.Errorf("nginx, pid %d, has no worker process yet", pid)
}
