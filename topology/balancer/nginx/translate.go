package nginx

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nginxinc/nginx-go-crossplane"

	"balanceo/topology/balancer"
)

// Translate reads the site's source, with its ports and changes, for another balancer than nginx: as a plan,
// whose methods are nginx's unless the site's changes name others. A line that changes what happens to a request
// and that has no place in a plan is an error with its place in the file, never left out.
func Translate(s *balancer.Site) (*balancer.Plan, error) {
	source, err := filepath.Abs(s.Source)
	if err != nil {
		return nil, fmt.Errorf("nginx configuration %q: %w", s.Source, err)
	}
	src, directives, err := parseFile(source)
	if err != nil {
		return nil, err
	}
	conf, err := read(src, directives, s.Dir)
	if err != nil {
		return nil, err
	}
	if len(conf.Warnings) > 0 {
		return nil, fmt.Errorf("only nginx can do what it says: %s", conf.Warnings[0])
	}
	conf.AccessLog = filepath.Join(s.Dir, "access.log")
	t := &translator{
		writer: writer{Site: s},
		plan: &balancer.Plan{ // with nginx's defaults
			Config: conf, Connect: time.Minute, Read: time.Minute, MaxBody: 1 << 20, Lines: map[string][]string{}, Methods: map[string]string{},
		},
	}
	if s.Move.Hosts != nil { // a server that is gone with its machine refuses nothing
		t.plan.Connect = connectElsewhere
	}
	for _, d := range directives {
		if d.Directive == "http" {
			err = t.block(d.Block, "http", nil)
		} else if !ofNginxAlone(d.Directive) {
			err = t.refuse(d)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := t.changes(); err != nil {
		return nil, err
	}
	t.plan.SortRoutes()
	return t.plan, nil
}

// connectElsewhere is how long a server on another machine may take to take a connection, unless the source says it.
const connectElsewhere = 2 * time.Second

type translator struct {
	writer
	plan    *balancer.Plan
	servers int
}

// refuse is the error of a line that has no place in a plan.
func (t *translator) refuse(d *crossplane.Directive) error {
	return at(d, "%q can't be translated for another balancer than nginx", strings.TrimSpace(d.Directive+" "+strings.Join(d.Args, " ")))
}

// block translates the lines of http, of its server, or of a location.
func (t *translator) block(block crossplane.Directives, inside string, route *balancer.Route) error {
	for _, d := range block {
		var err error
		switch {
		case ofNginxAlone(d.Directive):
		case d.Directive == "server" && inside == "http":
			if t.servers++; t.servers > 1 {
				return at(d, "a second server can't be translated for another balancer than nginx")
			}
			err = t.block(d.Block, "server", nil)
		case d.Directive == "upstream" && inside == "http":
			err = t.upstream(d)
		case d.Directive == "location" && inside == "server":
			err = t.location(d)
		default:
			err = t.line(d, inside, route)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// upstream notes where its servers stand. What they say has been read already.
func (t *translator) upstream(d *crossplane.Directive) error {
	t.plan.Methods[d.Args[0]] = fmt.Sprintf("%s:%d", d.File, d.Line)
	for _, l := range d.Block {
		if methodOf(l.Directive) != "" {
			t.plan.Methods[d.Args[0]] = fmt.Sprintf("%s:%d", l.File, l.Line)
		}
		if l.Directive != "server" {
			continue
		}
		if slices.ContainsFunc(l.Args, func(arg string) bool { return strings.HasPrefix(arg, "max_conns=") }) {
			return t.refuse(l)
		}
		t.plan.Lines[d.Args[0]] = append(t.plan.Lines[d.Args[0]], fmt.Sprintf("%s:%d", l.File, l.Line))
	}
	return nil
}

// line translates one line that says something about requests or answers.
func (t *translator) line(d *crossplane.Directive, inside string, route *balancer.Route) (err error) {
	first, second := "", ""
	if len(d.Args) > 0 {
		first = d.Args[0]
	}
	if len(d.Args) > 1 {
		second = d.Args[1]
	}
	in := func(block string) bool { return inside == block }
	switch d.Directive {
	case "listen":
		if !in("server") || len(d.Args) > 2 || second != "" && second != "default_server" || strings.HasPrefix(first, "unix:") {
			return t.refuse(d)
		}
		to := bind(movePort(first, t.Move.Listen, 80))
		if _, port, err := net.SplitHostPort(to); err == nil && t.Move.Hosts != nil {
			to = ":" + port
		}
		t.plan.Binds = append(t.plan.Binds, to)
	case "proxy_pass":
		name, ok := strings.CutPrefix(first, "http://")
		if route == nil || !ok || t.plan.Group(name) == nil {
			return t.refuse(d)
		}
		route.Group = name
	case "return":
		if route == nil || second != "" {
			return t.refuse(d)
		}
		route.Status, err = strconv.Atoi(first)
	case "proxy_set_header":
		if !told(first, second) {
			return t.refuse(d)
		}
	case "add_header":
		err = t.addHeader(d, first, second)
	case "client_max_body_size":
		if route != nil {
			return t.refuse(d)
		}
		t.plan.MaxBody, err = size(first)
	case "proxy_connect_timeout", "proxy_read_timeout":
		if d.Directive == "proxy_connect_timeout" && route != nil {
			return t.refuse(d)
		}
		err = t.timeout(d.Directive, first, route)
	default:
		return t.refuse(d)
	}
	if err != nil {
		return at(d, "%s %q: %v", d.Directive, first, err)
	}
	return nil
}

// timeout takes one of the balancer's with a server; route is nil outside of a location.
func (t *translator) timeout(name, given string, route *balancer.Route) error {
	s, err := seconds(given)
	wait := time.Duration(s * float64(time.Second))
	switch {
	case err != nil:
		return err
	case name == "proxy_connect_timeout":
		t.plan.Connect = wait
	case route != nil:
		route.Read = wait
	default:
		t.plan.Read = wait
	}
	return nil
}

// addHeader takes the two headers that every balancer gives, and those with a constant value.
func (t *translator) addHeader(d *crossplane.Directive, name, value string) error {
	switch {
	case name == "X-Upstream" && value == "$upstream_addr", name == "X-Upstream-Group" && value == "$proxy_host":
	case len(d.Args) == 3 && d.Args[2] == "always" && !strings.ContainsAny(value, "$%\"\\\n"):
		t.plan.Answer = append(t.plan.Answer, [2]string{name, value})
	default:
		return t.refuse(d)
	}
	return nil
}

func (t *translator) location(d *crossplane.Directive) error {
	route := balancer.Route{Path: d.Args[len(d.Args)-1]}
	switch {
	case len(d.Args) == 2 && d.Args[0] == "=":
		route.Exact = true
	case len(d.Args) == 2 && d.Args[0] == "^~":
	case len(d.Args) != 1 || !strings.HasPrefix(d.Args[0], "/") || strings.ContainsAny(d.Args[0], " \"*{}\\"):
		return t.refuse(d)
	}
	if err := t.block(d.Block, "location", &route); err != nil {
		return err
	}
	if route.Group == "" && route.Status == 0 {
		return at(d, "location %s passes its requests to no group, which can't be translated for another balancer than nginx", route.Path)
	}
	t.plan.Routes = append(t.plan.Routes, route)
	return nil
}

// changes moves the ports of the groups and makes the site's changes in them.
func (t *translator) changes() error {
	for name := range t.Changes {
		if t.plan.Group(name) == nil {
			return fmt.Errorf("%s: there is no upstream %q", t.Source, name)
		}
	}
	for i := range t.plan.Listen {
		if to, ok := t.Move.Listen[t.plan.Listen[i]]; ok {
			t.plan.Listen[i] = to
		}
	}
	for i := range t.plan.Groups {
		g := &t.plan.Groups[i]
		change := t.Changes[g.Name]
		if change.Weights != nil && len(change.Weights) != len(g.Servers) {
			return fmt.Errorf("%s: upstream %s has %d servers, not %d as there are weights", t.Source, g.Name, len(g.Servers), len(change.Weights))
		}
		if words := strings.Fields(change.Method); len(words) > 0 {
			g.Method, g.Args = balancer.Method(words[0]), words[1:]
		}
		for j := range g.Servers {
			s := &g.Servers[j]
			s.Addr = t.moveServer(s.Addr)
			s.Down = s.Down || t.isDown(s.Addr)
			if change.Weights != nil {
				s.Weight = change.Weights[j]
			}
		}
	}
	return nil
}

// bind is a listen line's address as host:port.
func bind(listen string) string {
	if host, port, err := net.SplitHostPort(listen); err == nil {
		return net.JoinHostPort(strings.TrimPrefix(host, "*"), port)
	}
	return ":" + listen
}

// size reads a size of nginx: bytes, or with k, m or g.
func size(text string) (int64, error) {
	unit := int64(1)
	for i, suffix := range []string{"k", "m", "g"} {
		if rest, ok := strings.CutSuffix(strings.ToLower(text), suffix); ok {
			text, unit = rest, 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(text, 10, 32)
	return n * unit, err
}
