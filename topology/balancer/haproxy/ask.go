package haproxy

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"balanceo/topology/balancer"
)

// command asks the worker that serves now, over the site's socket.
func command(ctx context.Context, s *balancer.Site, text string) (string, error) {
	return ask(ctx, s.Socket(), text)
}

// master is where the master process can be asked.
func master(s *balancer.Site) string { return s.Socket() + ".master" }

// ask sends a command to a socket, and returns the answer.
func ask(ctx context.Context, socket, text string) (string, error) {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return "", fmt.Errorf("haproxy's socket: %w", err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := fmt.Fprintln(c, text); err != nil {
		return "", fmt.Errorf("haproxy's socket: %q: %w", text, err)
	}
	_ = c.(*net.UnixConn).CloseWrite() //nolint:forcetypeassert // of a unix socket
	answer, err := io.ReadAll(c)
	if err != nil {
		return "", fmt.Errorf("haproxy's socket: %q: %w", text, err)
	}
	return string(answer), nil
}

// info is a number of what "show info" prints.
func info(ctx context.Context, s *balancer.Site, name string) (int, error) {
	text, err := command(ctx, s, "show info")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(line, name+": "); ok {
			return strconv.Atoi(strings.TrimSpace(n))
		}
	}
	return 0, fmt.Errorf("haproxy's socket: show info has no %s: %.80q", name, text)
}

// worker is the pid of the worker that serves now.
func worker(ctx context.Context, s *balancer.Site) (int, error) { return info(ctx, s, "Pid") }

// Dropped implements balancer.Dropper: a thread that finds another one writing tries 200 times, and then leaves its
// line out (fd_write_frag_line in HAProxy's src/fd.c). It takes a busy machine, where the other one is interrupted
// while it writes, or a slow disk.
func (HAProxy) Dropped(ctx context.Context, s *balancer.Site) (int64, error) {
	n, err := info(ctx, s, "DroppedLogs")
	return int64(n), err
}

// Ask implements balancer.Balancer.
func (HAProxy) Ask(ctx context.Context, s *balancer.Site) (balancer.State, error) {
	text, err := command(ctx, s, "show stat")
	if err != nil {
		return nil, err
	}
	return parseStat(text)
}

// parseStat reads what "show stat" prints: a table with the names of its columns in the first line.
func parseStat(text string) (balancer.State, error) {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "# ")))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("haproxy's socket: show stat: %.80q: %w", text, err)
	}
	if len(rows) == 0 {
		return nil, errors.New("haproxy's socket: show stat: no answer")
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	state := balancer.State{}
	for _, row := range rows[1:] {
		field := func(name string) string {
			if i, ok := column[name]; ok && i < len(row) {
				return row[i]
			}
			return ""
		}
		if field("type") != "2" { // 2: a server
			continue
		}
		weight, errWeight := strconv.Atoi(field("weight"))
		requests, errRequests := strconv.ParseInt(field("lbtot"), 10, 64)
		if errWeight != nil || errRequests != nil || field("addr") == "" {
			return nil, fmt.Errorf("haproxy's socket: show stat: server %q has weight %q, lbtot %q, addr %q",
				field("svname"), field("weight"), field("lbtot"), field("addr"))
		}
		status := field("status")
		state[field("pxname")] = append(state[field("pxname")], balancer.ServerState{
			Addr: field("addr"), Weight: weight, Requests: requests,
			Up: strings.HasPrefix(status, "UP") || status == "no check",
		})
	}
	return state, nil
}
