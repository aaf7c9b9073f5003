// Package nginx owns what is to be known about nginx and its configuration: how it shares load, and what a copy
// of it needs to run with other ports in a folder of its own.
package nginx

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"

	"github.com/nginxinc/nginx-go-crossplane"

	"balanceo/topology/balancer"
)

// Read reads how a configuration of nginx shares load, included files too. Relative paths of log files
// are read against prefix, nginx's -p; an empty prefix is the folder of the file. Only the upstream blocks
// of http count: a proxy_pass to an address of its own shares nothing.
func Read(file, prefix string) (*balancer.Config, error) {
	directives, err := parse(file)
	if err != nil {
		return nil, err
	}
	if prefix == "" {
		prefix = filepath.Dir(file)
	}
	r := &reader{
		conf:    &balancer.Config{File: file, Workers: 1},
		prefix:  prefix,
		formats: map[string]bool{},
		listen:  map[int]bool{},
	}
	for _, d := range directives {
		switch d.Directive {
		case "worker_processes":
			if err := r.workers(d); err != nil {
				return nil, err
			}
		case "http":
			if err := r.http(d.Block); err != nil {
				return nil, err
			}
		}
	}
	for port := range r.listen {
		r.conf.Listen = append(r.conf.Listen, port)
	}
	sort.Ints(r.conf.Listen)
	groups := r.conf.Groups
	sort.Slice(groups, func(i, j int) bool { return groups[i].Name < groups[j].Name })
	return r.conf, nil
}

// parse returns the directives of the file with those of included files in their places.
func parse(file string) (crossplane.Directives, error) {
	payload, err := crossplane.Parse(file, &crossplane.ParseOptions{
		CombineConfigs:            true,
		StopParsingOnError:        true,
		ParseComments:             true,
		SkipDirectiveContextCheck: true, // modules that are not known here
		SkipDirectiveArgsCheck:    true,
	})
	if err != nil {
		var at *crossplane.ParseError
		if errors.As(err, &at) && at.File != nil && at.Line != nil {
			return nil, fmt.Errorf("%s:%d: %s", *at.File, *at.Line, at.What)
		}
		return nil, fmt.Errorf("nginx configuration: %w", err)
	}
	if len(payload.Config) == 0 {
		return nil, nil
	}
	return payload.Config[0].Parsed, nil
}

// at places an error in the file.
func at(d *crossplane.Directive, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", d.File, d.Line, fmt.Sprintf(format, args...))
}

type reader struct {
	conf    *balancer.Config
	prefix  string
	formats map[string]bool // names of log formats that write JSON
	listen  map[int]bool
}

func (r *reader) workers(d *crossplane.Directive) error {
	if len(d.Args) != 1 {
		return at(d, "worker_processes takes a number or auto")
	}
	if d.Args[0] == "auto" {
		r.conf.Workers = runtime.NumCPU()
		return nil
	}
	n, err := strconv.Atoi(d.Args[0])
	if err != nil || n < 1 {
		return at(d, "worker_processes %q: a number or auto", d.Args[0])
	}
	r.conf.Workers = n
	return nil
}

func (r *reader) http(block crossplane.Directives) error {
	// Formats first: they may be defined after the log that uses them.
	for _, d := range block {
		if d.Directive == "log_format" && len(d.Args) > 1 && d.Args[1] == "escape=json" {
			r.formats[d.Args[0]] = true
		}
	}
	for _, d := range block {
		switch d.Directive {
		case "upstream":
			g, err := readGroup(d)
			if err != nil {
				return err
			}
			r.conf.Groups = append(r.conf.Groups, g)
		case "server":
			listens := false
			for _, s := range d.Block {
				if s.Directive == "listen" && len(s.Args) > 0 {
					listens = true
					if port := listenPort(s.Args[0]); port != 0 {
						r.listen[port] = true
					}
				}
			}
			if !listens {
				r.listen[80] = true // nginx's default
			}
		}
	}
	r.accessLog(block)
	return nil
}

// accessLog finds the first log in a JSON format, at any depth. Logs of the outer blocks come first.
func (r *reader) accessLog(block crossplane.Directives) {
	for _, d := range block {
		if r.conf.AccessLog != "" {
			return
		}
		if d.Directive != "access_log" || len(d.Args) < 2 || !r.formats[d.Args[1]] {
			continue
		}
		path := d.Args[0]
		if strings.HasPrefix(path, "syslog:") || strings.Contains(path, "$") {
			continue
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(r.prefix, path)
		}
		r.conf.AccessLog = path
	}
	for _, d := range block {
		if r.conf.AccessLog == "" {
			r.accessLog(d.Block)
		}
	}
}

// listenPort returns the port of a listen line's first argument, 0 for a unix socket.
func listenPort(arg string) int {
	if strings.HasPrefix(arg, "unix:") {
		return 0
	}
	if port, err := strconv.Atoi(arg); err == nil {
		return port
	}
	if _, p, err := net.SplitHostPort(arg); err == nil {
		if port, err := strconv.Atoi(p); err == nil {
			return port
		}
	}
	return 80 // an address alone
}

func readGroup(d *crossplane.Directive) (balancer.Group, error) {
	if len(d.Args) != 1 {
		return balancer.Group{}, at(d, "upstream takes one name")
	}
	g := balancer.Group{Name: d.Args[0], Method: balancer.RoundRobin}
	for _, l := range d.Block {
		switch l.Directive {
		case "server":
			s, err := readServer(l)
			if err != nil {
				return g, err
			}
			g.Servers = append(g.Servers, s)
		case "zone":
			g.Zone = true
		case "keepalive":
			if len(l.Args) == 1 {
				n, err := strconv.Atoi(l.Args[0])
				if err != nil || n < 0 {
					return g, at(l, "keepalive %q: a number", l.Args[0])
				}
				g.Keepalive = n
			}
		case "random":
			g.Method = balancer.Random
		case "hash":
			g.Method = balancer.Hash
		case "least_conn":
			g.Method = balancer.LeastConn
		case "least_time":
			g.Method = balancer.LeastTime
		case "ip_hash":
			g.Method = balancer.IPHash
		}
	}
	return g, nil
}

func readServer(d *crossplane.Directive) (balancer.Server, error) {
	if len(d.Args) == 0 {
		return balancer.Server{}, at(d, "server needs an address")
	}
	// nginx's defaults: weight 1, one failure within 10 s takes the server out for 10 s.
	s := balancer.Server{Addr: serverAddr(d.Args[0]), Weight: 1, MaxFails: 1, FailTimeout: 10}
	for _, arg := range d.Args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		var err error
		switch key {
		case "weight":
			s.Weight, err = strconv.Atoi(value)
			if err == nil && s.Weight < 1 {
				err = errors.New("at least 1")
			}
		case "max_fails":
			s.MaxFails, err = strconv.Atoi(value)
		case "fail_timeout":
			s.FailTimeout, err = seconds(value)
		case "backup":
			s.Backup = true
		case "down":
			s.Down = true
		}
		if err != nil {
			return s, at(d, "server %s: %q: %v", d.Args[0], arg, err)
		}
	}
	return s, nil
}

// serverAddr adds the port that nginx assumes.
func serverAddr(arg string) string {
	if strings.HasPrefix(arg, "unix:") {
		return arg
	}
	if _, _, err := net.SplitHostPort(arg); err == nil {
		return arg
	}
	return net.JoinHostPort(strings.Trim(arg, "[]"), "80")
}

// seconds reads a time of nginx: parts of a number and a unit (ms s m h d w M y), largest first, with or
// without spaces between them; a bare number is in seconds.
func seconds(text string) (float64, error) {
	units := []struct {
		suffix string
		value  float64
	}{
		{"ms", 1e-3},
		{"s", 1},
		{"m", 60},
		{"h", 3600},
		{"d", 86400},
		{"w", 7 * 86400},
		{"M", 30 * 86400},
		{"y", 365 * 86400},
	}
	rest, total := strings.ReplaceAll(text, " ", ""), 0.0
	if rest == "" {
		return 0, fmt.Errorf("%q is no time", text)
	}
next:
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseUint(rest[:digits], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is no time", text)
		}
		rest = rest[digits:]
		if rest == "" {
			return total + float64(n), nil
		}
		for _, u := range units {
			if after, ok := strings.CutPrefix(rest, u.suffix); ok {
				total += float64(n) * u.value
				rest = after
				continue next
			}
		}
		return 0, fmt.Errorf("%q is no time", text)
	}
	return total, nil
}
