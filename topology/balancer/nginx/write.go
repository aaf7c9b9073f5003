package nginx

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/nginxinc/nginx-go-crossplane"

	"balanceo/topology/balancer"
	"balanceo/topology/layout"
)

// Write implements balancer.Balancer: a copy of the source with the site's ports and changes. Comments stay;
// included files become part of the copy, and paths relative to the source's folder absolute, so that it reads
// the same from any folder. What would tie it to one place of the system becomes relative to the prefix: the
// pid file, and the folders for temporary files where the source does not name them. The "daemon" line goes,
// so that whoever starts nginx decides.
func (Nginx) Write(s *balancer.Site, file string) (*balancer.Config, error) {
	source, err := filepath.Abs(s.Source)
	if err != nil {
		return nil, fmt.Errorf("nginx configuration %q: %w", s.Source, err)
	}
	src, directives, err := parseFile(source)
	if err != nil {
		return nil, err
	}
	if len(src.missing) > 0 {
		return nil, fmt.Errorf("%s: the included file %s is not to be had", source, src.missing[0])
	}
	w := &writer{Site: s, folder: filepath.Dir(source), named: map[string]bool{}}
	if directives, err = w.block("", directives); err != nil {
		return nil, err
	}
	// Workers can't become somebody to whom the layout's folder is closed.
	if os.Geteuid() == 0 && s.Move.Hosts == nil && !slices.ContainsFunc(directives, func(d *crossplane.Directive) bool { return d.Directive == "user" }) {
		directives = append(crossplane.Directives{{Directive: "user", Args: []string{"root"}}}, directives...)
	}
	text, err := build(directives)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	if err := renameio.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, fmt.Errorf("nginx configuration %q: %w", file, err)
	}
	copied := &sources{main: file, texts: map[string][]byte{file: []byte(text)}, here: true}
	if directives, err = copied.parse(); err != nil {
		return nil, err
	}
	conf, err := read(copied, directives, s.Dir)
	if err != nil {
		return nil, err
	}
	for group := range s.Changes {
		if conf.Group(group) == nil {
			return nil, fmt.Errorf("%s: there is no upstream %q", source, group)
		}
	}
	return conf, nil
}

type writer struct {
	*balancer.Site
	folder string          // against which the source's paths are read
	named  map[string]bool // directives that the source has itself
}

// pidFile is the pid file of a site's nginx, in its prefix.
const pidFile = "nginx.pid"

// block changes the directives inside a block of that name; "" is the main one.
func (w *writer) block(inside string, block crossplane.Directives) (crossplane.Directives, error) {
	out := crossplane.Directives{} // never nil: an empty block is one, too
	for _, d := range block {
		w.named[d.Directive] = true
		if d.IsComment() || d.IsMapBlockParameter || inside == "types" {
			out = append(out, d)
			continue
		}
		if inside == "" && d.Directive == "daemon" {
			continue
		}
		err := w.directive(inside, d)
		if err == nil && d.Directive == "upstream" && inside == "http" {
			err = w.upstream(d)
		}
		if err == nil && d.IsBlock() {
			d.Block, err = w.block(d.Directive, d.Block)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	switch inside {
	case "":
		out = w.missing(out, "pid", pidFile)
		if w.Move.Hosts != nil { // websockets have no end, and those who wait for one end everything
			out = w.missing(out, "worker_shutdown_timeout", "5s")
		}
	case "http":
		if w.Move.Hosts != nil { // a server that is gone with its machine refuses nothing
			out = w.missing(out, "proxy_connect_timeout", connectElsewhere.String())
		}
		// Where nginx makes folders for temporary files by itself depends on how it was built.
		for _, what := range []string{"scgi", "uwsgi", "fastcgi", "proxy", "client_body"} {
			out = w.missing(out, what+"_temp_path", "temp_"+what)
		}
	}
	return out, nil
}

// missing puts a line in front, unless the source has one of its kind.
func (w *writer) missing(block crossplane.Directives, name, value string) crossplane.Directives {
	if w.named[name] {
		return block
	}
	return slices.Insert(block, 0, &crossplane.Directive{Directive: name, Args: []string{value}})
}

// isConfPath tells of a directive that nginx reads its path against the folder of the configuration.
func isConfPath(directive string) bool {
	switch strings.TrimPrefix(directive, "proxy_") {
	case "ssl_certificate", "ssl_certificate_key", "ssl_trusted_certificate", "ssl_client_certificate", "ssl_dhparam",
		"ssl_password_file", "ssl_crl", "ssl_session_ticket_key", "auth_basic_user_file":
		return true
	}
	return false
}

// directive changes the first argument of a line, where it is a port or a path.
func (w *writer) directive(inside string, d *crossplane.Directive) error {
	if len(d.Args) == 0 {
		return nil
	}
	arg := &d.Args[0]
	switch {
	case d.Directive == "listen" && inside == "server":
		*arg = movePort(*arg, w.Move.Listen, 80)
		if _, port, err := net.SplitHostPort(*arg); err == nil && w.Move.Hosts != nil {
			*arg = port
		}
	case d.Directive == "server" && inside == "upstream":
		*arg = w.moveServer(*arg)
	case strings.HasSuffix(d.Directive, "_pass"):
		if scheme, rest, ok := strings.Cut(*arg, "://"); ok {
			host, path, slash := strings.Cut(rest, "/")
			if slash {
				path = "/" + path
			}
			*arg = scheme + "://" + w.moveServer(host) + path
		}
	case d.Directive == "error_log" && w.Move.Hosts != nil:
		*arg = "stderr"
	case d.Directive == "pid" && inside == "":
		*arg = pidFile
	case !isConfPath(d.Directive) || strings.ContainsAny(*arg, "$:") || *arg == "off":
	case w.Move.Hosts != nil:
		return at(d, "%s %s: this file is of this machine, and is not there where nginx is to run", d.Directive, *arg)
	case !filepath.IsAbs(*arg):
		*arg = filepath.Join(w.folder, *arg)
	}
	return nil
}

// moveServer moves the port of an address on this machine, or names where that server is instead.
func (w *writer) moveServer(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || !layout.IsLocal(host) {
		return addr
	}
	if n, err := strconv.Atoi(port); err == nil && w.Move.Hosts[n] != "" {
		return w.Move.Hosts[n]
	}
	return movePort(addr, w.Move.Servers, 0)
}

// isDown tells whether the server at addr, as moved, is to get nothing for now.
func (w *writer) isDown(addr string) bool {
	host, text, err := net.SplitHostPort(addr)
	port, _ := strconv.Atoi(text)
	return err == nil && w.Down[port] && layout.IsLocal(host)
}

// movePort gives an address the port that ports has for its own; assumed is the port of an address without.
func movePort(addr string, ports map[int]int, assumed int) string {
	if strings.HasPrefix(addr, "unix:") {
		return addr
	}
	front, text := "", addr
	if i := strings.LastIndexByte(addr, ':'); i >= 0 && !strings.HasSuffix(addr, "]") {
		front, text = addr[:i+1], addr[i+1:]
	}
	port, err := strconv.Atoi(text)
	if err != nil && front == "" {
		front, port = addr+":", assumed
	}
	if to, ok := ports[port]; ok && port != 0 {
		return front + strconv.Itoa(to)
	}
	return addr
}

// upstream makes the changes that were asked for in a group, before its ports move.
func (w *writer) upstream(d *crossplane.Directive) error {
	change := w.Changes[strings.Join(d.Args, " ")]
	if change.Method != "" {
		method, err := parseMethod(change.Method)
		if err != nil {
			return err
		}
		d.Block = slices.DeleteFunc(d.Block, func(l *crossplane.Directive) bool { return methodOf(l.Directive) != "" })
		if method != nil {
			d.Block = slices.Insert(d.Block, 0, method)
		}
	}
	n := 0
	for _, l := range d.Block {
		if l.Directive != "server" || len(l.Args) == 0 {
			continue
		}
		if n < len(change.Weights) {
			l.Args = slices.DeleteFunc(l.Args, func(arg string) bool { return strings.HasPrefix(arg, "weight=") })
			l.Args = slices.Insert(l.Args, 1, "weight="+strconv.Itoa(change.Weights[n]))
		}
		if w.isDown(w.moveServer(l.Args[0])) && !slices.Contains(l.Args, "down") {
			l.Args = append(l.Args, "down")
		}
		n++
	}
	if change.Weights != nil && len(change.Weights) != n {
		return at(d, "upstream %s has %d servers, not %d as there are weights", strings.Join(d.Args, " "), n, len(change.Weights))
	}
	return nil
}

// parseMethod turns the words for a method into its line; nil: round robin, which has none.
func parseMethod(words string) (*crossplane.Directive, error) {
	args := strings.Fields(strings.ReplaceAll(words, "-", "_"))
	if len(args) == 1 && args[0] == string(balancer.RoundRobin) {
		return nil, nil
	}
	if len(args) == 0 || methodOf(args[0]) == "" {
		return nil, fmt.Errorf("%q is no method of nginx: round_robin, least_conn, random, random two, ip_hash or hash KEY", words)
	}
	return &crossplane.Directive{Directive: args[0], Args: args[1:]}, nil
}
