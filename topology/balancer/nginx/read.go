package nginx

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/nginxinc/nginx-go-crossplane"

	"balanceo/topology/balancer"
)

// Name is what nginx is called here.
const Name = "nginx"

// Read reads how a configuration of nginx shares load, included files too. File may be the output of nginx -T,
// and "-" is standard input. Relative paths of log files are read against prefix, nginx's -p; an empty prefix
// is the folder of the file. Only the upstream blocks of http count: a proxy_pass to an address of its own
// shares nothing. What is missing or unknown is a warning, as it may say nothing about shares.
func Read(file, prefix string) (*balancer.Config, error) {
	src, directives, err := parseFile(file)
	if err != nil {
		return nil, err
	}
	conf, err := read(src, directives, prefix)
	if err != nil {
		return nil, err
	}
	promises(conf)
	return conf, nil
}

func read(src *sources, directives crossplane.Directives, prefix string) (*balancer.Config, error) {
	r := &reader{
		conf:    &balancer.Config{Balancer: Name, File: src.main, Workers: 1},
		prefix:  cmp.Or(prefix, filepath.Dir(src.main)),
		formats: map[string]bool{},
	}
	for _, d := range directives {
		var err error
		switch d.Directive {
		case "worker_processes":
			err = r.workers(d)
		case "http":
			err = r.http(d.Block)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, path := range src.missing {
		r.conf.Warnings = append(r.conf.Warnings, fmt.Sprintf("the included file %s is not to be had, so what it says is not known", path))
	}
	slices.Sort(r.conf.Listen)
	r.conf.Listen = slices.Compact(r.conf.Listen)
	slices.SortFunc(r.conf.Groups, func(a, b balancer.Group) int { return strings.Compare(a.Name, b.Name) })
	return r.conf, nil
}

type reader struct {
	conf    *balancer.Config
	prefix  string
	formats map[string]bool // names of log formats that write JSON: whether with all that reconciliation needs
}

func (r *reader) warn(d *crossplane.Directive, format string, args ...any) {
	r.conf.Warnings = append(r.conf.Warnings, at(d, format, args...).Error())
}

func (r *reader) workers(d *crossplane.Directive) error {
	if slices.Equal(d.Args, []string{"auto"}) {
		r.conf.Workers, r.conf.Auto = runtime.NumCPU(), true
		return nil
	}
	n, err := strconv.Atoi(strings.Join(d.Args, " "))
	if err != nil || n < 1 {
		return at(d, "worker_processes %q: a number or auto", strings.Join(d.Args, " "))
	}
	r.conf.Workers = n
	return nil
}

func (r *reader) http(block crossplane.Directives) error {
	// Formats first: they may be defined after the log that uses them.
	for _, d := range block {
		if d.Directive == "log_format" && len(d.Args) > 1 && d.Args[1] == "escape=json" {
			format := strings.Join(d.Args[2:], "")
			r.formats[d.Args[0]] = !slices.ContainsFunc([]string{"$msec", "$http_user_agent", "$upstream_addr", "$upstream_status", "$http_x_request_id"},
				func(variable string) bool { return !strings.Contains(format, variable) })
		}
	}
	for _, d := range block {
		switch d.Directive {
		case "upstream":
			if err := r.group(d); err != nil {
				return err
			}
		case "server":
			listens := false
			for _, s := range d.Block {
				if s.Directive == "listen" && len(s.Args) > 0 {
					listens = true
					if port := listenPort(s.Args[0]); port != 0 {
						r.conf.Listen = append(r.conf.Listen, port)
					}
				}
			}
			if !listens {
				r.conf.Listen = append(r.conf.Listen, 80) // nginx's default
			}
		}
	}
	if r.accessLog(block, true); r.conf.AccessLog == "" {
		r.accessLog(block, false)
	}
	return nil
}

// listenPort returns the port of a listen line's first argument, 0 for a unix socket.
func listenPort(arg string) int {
	if strings.HasPrefix(arg, "unix:") {
		return 0
	}
	text := arg
	if _, p, err := net.SplitHostPort(arg); err == nil {
		text = p
	}
	if port, err := strconv.Atoi(text); err == nil {
		return port
	}
	return 80 // an address alone
}

// methodOf is the method that a line of an upstream names, "" for another line; without such a line it is round robin.
func methodOf(directive string) balancer.Method {
	switch directive {
	case "random":
		return balancer.Random
	case "hash":
		return balancer.Hash
	case "least_conn":
		return balancer.LeastConn
	case "least_time":
		return balancer.LeastTime
	case "ip_hash":
		return balancer.IPHash
	}
	return ""
}

func (r *reader) group(d *crossplane.Directive) error {
	if len(d.Args) != 1 {
		return at(d, "upstream takes one name")
	}
	g := balancer.Group{Name: d.Args[0], Method: balancer.RoundRobin}
	for _, l := range d.Block {
		switch l.Directive {
		case "server":
			s, err := r.server(l)
			if err != nil {
				return err
			}
			g.Servers = append(g.Servers, s)
		case "zone":
			g.Zone = true
		case "keepalive":
			n, err := strconv.Atoi(strings.Join(l.Args, " "))
			if err != nil || n < 0 {
				return at(l, "keepalive %q: a number", strings.Join(l.Args, " "))
			}
			g.Keepalive = n
		case "#", "keepalive_requests", "keepalive_time", "keepalive_timeout", "resolver", "resolver_timeout", "state":
		default:
			method := methodOf(l.Directive)
			known := method != ""
			if !known { // a module that is not nginx's own, Lua
				method = balancer.Method(l.Directive)
				r.warn(l, "upstream %s: what %s does to the shares is not known", g.Name, l.Directive)
			}
			g.Method, g.Args = method, nil
			if known && len(l.Args) > 0 {
				g.Args = l.Args
			}
		}
	}
	r.conf.Groups = append(r.conf.Groups, g)
	return nil
}

func (r *reader) server(d *crossplane.Directive) (balancer.Server, error) {
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
		case "max_conns":
			s.MaxConns, err = strconv.Atoi(value)
		case "fail_timeout":
			s.FailTimeout, err = seconds(value)
		case "backup":
			s.Backup = true
		case "down":
			s.Down = true
		case "resolve", "service", "route", "#":
		default:
			r.warn(d, "server %s: what %q does to the shares is not known", d.Args[0], arg)
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

// seconds reads a time of nginx: parts of a number and a unit, largest first, with or without spaces between
// them; a bare number is in seconds.
func seconds(text string) (float64, error) {
	units := []struct { // of two that fit, the longer comes first
		suffix string
		value  float64
	}{{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400}, {"M", 30 * 86400}, {"y", 365 * 86400}, {"", 1}}
	rest, total := strings.ReplaceAll(text, " ", ""), 0.0
	for more := true; more; more = rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseUint(rest[:digits], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is no time", text)
		}
		rest = rest[digits:]
		for _, u := range units {
			if after, ok := strings.CutPrefix(rest, u.suffix); ok && (u.suffix != "" || rest == "") {
				total, rest = total+float64(n)*u.value, after
				break
			}
		}
		if digits == 0 || rest != "" && (rest[0] < '0' || rest[0] > '9') {
			return 0, fmt.Errorf("%q is no time", text)
		}
	}
	return total, nil
}
