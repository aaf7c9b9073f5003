package compare

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"balanceo/results/run"
	"balanceo/results/units"
)

// property is something in which runs must be alike to be compared.
type property struct {
	name  string
	path  string // as in Value; "" where it is made of several
	of    func(*run.Record) string
	fatal bool // an unlike pair says nothing at all; else it is footnoted
}

func properties() []property {
	return []property{
		{"scenario", "scenario", func(r *run.Record) string { return r.Scenario }, true},
		{"rate", "requested_rate", notOfSearches(func(r *run.Record) string { return fmt.Sprint(r.RequestedRate) }), true},
		{"pace", "pace", func(r *run.Record) string { return cmp.Or(r.Pace, "constant") }, true}, // which is the default
		{"duration", "duration_s", notOfSearches(func(r *run.Record) string { return fmt.Sprintf("%.0f s", r.Duration) }), true},
		{"SLO", "search.slo", slo, true},
		{"target's host", "target", host, true},
		{"target's scheme", "target", func(r *run.Record) string { return targetURL(r).Scheme }, true},
		{"target's path", "target", func(r *run.Record) string { return targetURL(r).RequestURI() }, true},
		{"methods", "routes", methods, true},
		{"engine", "load.engine", func(r *run.Record) string { return r.Load.Engine }, true},
		{"connections", "load.connections", connections, true},
		{"time-out", "load.timeout_s", func(r *run.Record) string { return positive(r.Load.Timeout, "%g s") }, true},
		{"numbers drawn", "load.cant", func(r *run.Record) string { return positive(float64(r.Load.Cant), "%.0f") }, true},
		{"users", "load.users", func(r *run.Record) string { return positive(float64(r.Load.Users), "%.0f") }, true},
		{"clients", "load.clients", func(r *run.Record) string { return positive(float64(r.Load.Clients), "%.0f") }, true},
		{"cores of the generator", "load.generator_cores", func(r *run.Record) string { return positive(float64(r.Load.Cores), "%.0f") }, true},
		{"machine", "", machine, true},
		{"balancer", "env.balancer", func(r *run.Record) string { return r.Env.Balancer }, false},
		{"operating system", "env.os", func(r *run.Record) string { return r.Env.OS }, false},
		{"nginx version", "env.nginx", func(r *run.Record) string { return r.Env.Nginx }, false},
		{"Go version", "env.go", func(r *run.Record) string { return r.Env.Go }, false},
		{"database", "env.database", func(r *run.Record) string { return r.Env.Database }, false},
		{"commit", "env.commit", func(r *run.Record) string { return r.Env.Commit }, false},
	}
}

// notOfSearches passes over a property that a search ends with, and was not given.
func notOfSearches(of func(*run.Record) string) func(*run.Record) string {
	return func(r *run.Record) string {
		if r.Search != nil {
			return ""
		}
		return of(r)
	}
}

// host leaves out the port: one machine's layouts have different ones. A target is an URL, HOST:PORT or :PORT.
func host(r *run.Record) string {
	u := targetURL(r)
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "" || ip != nil && ip.IsLoopback() {
		return "localhost"
	}
	return u.Hostname()
}

// targetURL is the target as a URL; one that is none is all host.
func targetURL(r *run.Record) *url.URL {
	target := r.Target
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	if u, err := url.Parse(target); err == nil {
		return u
	}
	return &url.URL{Scheme: "http", Host: r.Target}
}

// methods are those of the requests.
func methods(r *run.Record) string {
	set := map[string]bool{}
	for _, t := range r.Routes {
		set[t.Method] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}

// connections is how requests found one: as many as were needed at most are no property of the load.
func connections(r *run.Record) string {
	switch l := r.Load; {
	case l.Engine == "":
		return ""
	case !l.KeepAlive:
		return "one a request"
	case l.Connections > 0:
		return fmt.Sprintf("%d in turn", l.Connections)
	case r.Search != nil:
		return "as needed" // as many as the rate found asks for
	default:
		return fmt.Sprintf("up to %d", l.Workers)
	}
}

func positive(v float64, format string) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}

func slo(r *run.Record) string {
	if r.Search == nil {
		return ""
	}
	return r.Search.SLO
}

func machine(r *run.Record) string {
	if r.Env.CPU == "" && r.Env.Cores == 0 {
		return ""
	}
	return fmt.Sprintf("%s, %d cores", r.Env.CPU, r.Env.Cores)
}

// UnlikeError is a refusal: the runs differ in more than what is compared.
type UnlikeError struct{ Differences []string }

func (e *UnlikeError) Error() string {
	return "the runs are not alike: " + strings.Join(e.Differences, "; ")
}

// unlike tells in which properties, other than the one compared, the runs of both sides differ: in the fatal ones, or
// in those that only deserve a note.
func unlike(runs []*run.Record, by string, fatal bool) []string {
	var differences []string
	for _, p := range properties() {
		if p.fatal != fatal || p.path != "" && p.path == Path(by) || p.path == "" && (Path(by) == "env.cpu" || Path(by) == "env.cores") ||
			p.name == "balancer" && by == "side" {
			continue
		}
		counts := map[string]int{}
		var values []string
		for _, r := range runs {
			v := p.of(r)
			if counts[v] == 0 {
				values = append(values, v)
			}
			counts[v]++
		}
		if len(values) < 2 {
			continue
		}
		slices.Sort(values)
		for i, v := range values {
			values[i] = fmt.Sprintf("%s (%s)", cmp.Or(v, "unknown"), units.Count(int64(counts[v]), "run"))
		}
		differences = append(differences, p.name+" "+strings.Join(values, ", "))
	}
	return differences
}

// failures notes how many of a side's runs had requests that failed: their latencies are those of the rest.
func failures(name string, runs []*run.Record) []string {
	bad, failed, requests := 0, int64(0), int64(0)
	for _, r := range runs {
		n, _ := r.Failed()
		failed, requests = failed+n, requests+r.Requests+r.Unsent
		if n > 0 {
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	return []string{fmt.Sprintf("in %d of %s of %s requests failed, %s of all; latencies are of those that succeeded",
		bad, units.Count(int64(len(runs)), "run"), name, units.Percent(float64(failed)/float64(requests)))}
}

// misled notes runs whose shares were not as promised.
func misled(name string, runs []*run.Record) []string {
	bad := 0
	for _, r := range runs {
		if slices.ContainsFunc(r.Groups, func(g run.Group) bool { return g.Verdict == run.Fail }) {
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	return []string{fmt.Sprintf("in %d of %s of %s the load was not shared as promised", bad, units.Count(int64(len(runs)), "run"), name)}
}

// mixed notes that a side holds runs of several layouts, which is seldom meant.
func mixed(name string, runs []*run.Record, by string) []string {
	layouts := map[string]bool{}
	for _, r := range runs {
		layouts[r.Layout] = true
	}
	if len(layouts) < 2 || by == "layout" || by == "side" {
		return nil
	}
	return []string{fmt.Sprintf("%s holds runs of the layouts %s", name, strings.Join(slices.Sorted(maps.Keys(layouts)), ", "))}
}
