package balancertest

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"balanceo/topology/balancer"
)

// Source is a configuration as nginx.conf is written, with two groups: a over the first servers with these weights,
// b over the others equally, for paths that begin with /b.
func Source(weights []int, others int) string {
	var a, b strings.Builder
	for i, w := range weights {
		fmt.Fprintf(&a, "server 127.0.0.1:%d weight=%d max_fails=0; ", i+1, w)
	}
	for i := range others {
		fmt.Fprintf(&b, "server 127.0.0.1:%d max_fails=0; ", len(weights)+i+1)
	}
	return fmt.Sprintf(`worker_processes 1;
error_log error.log warn;
events { worker_connections 1024; }
http {
    log_format json escape=json '{"msec":$msec,"request_time":$request_time,"method":"$request_method","uri":"$request_uri","status":$status,'
        '"upstream_group":"$proxy_host","upstream_addr":"$upstream_addr","upstream_header_time":"$upstream_header_time",'
        '"user_agent":"$http_user_agent","request_id":"$http_x_request_id"}';
    access_log access.log json;
    upstream a { zone a 64k; %s keepalive 16; }
    upstream b { zone b 64k; %s keepalive 16; }
    map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
    server {
        listen 127.0.0.1:80;
        client_max_body_size 64k;
        proxy_http_version 1.1;
        proxy_set_header Host              $http_host;
        proxy_set_header X-Real-IP         $remote_addr;
        proxy_set_header X-Forwarded-For   $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Upgrade           $http_upgrade;
        proxy_set_header Connection        $connection_upgrade;
        add_header X-Upstream       $upstream_addr always;
        add_header X-Upstream-Group $proxy_host    always;
        location = /hidden { return 404; }
        location /b { proxy_read_timeout 5s; proxy_pass http://b; }
        location / { proxy_pass http://a; }
    }
}
`, &a, &b)
}

func rig(t *testing.T, b balancer.Balancer, weights []int, others int) *Rig {
	t.Helper()
	servers := make([]*Server, len(weights)+others)
	for i := range servers {
		servers[i] = NewServer(t)
	}
	return Start(t, b, Source(weights, others), servers...)
}

// Run shows that b does what a balancer is to do.
func Run(t *testing.T, b balancer.Balancer) {
	t.Run("shares", func(t *testing.T) { shares(t, b) })
	t.Run("wrong configuration", func(t *testing.T) { wrong(t, b) })
	t.Run("headers", func(t *testing.T) { headers(t, b) })
	t.Run("websocket", func(t *testing.T) { websocket(t, b) })
	t.Run("log", func(t *testing.T) { log(t, b) })
	t.Run("dead server", func(t *testing.T) { dead(t, b) })
	t.Run("reload", func(t *testing.T) { reload(t, b) })
	t.Run("opening", func(t *testing.T) { opening(t, b) })
	t.Run("own configuration", func(t *testing.T) { own(t, b) })
	t.Run("refused", func(t *testing.T) { refused(t, b) })
}

// shares: what clients and servers count is the same, and what the promise says of the default method.
func shares(t *testing.T, b balancer.Balancer) {
	for _, weights := range [][]int{{2, 1}, {7, 3, 2}} {
		for _, connections := range []int{0, 1, 8} {
			t.Run(fmt.Sprintf("%v over %d", weights, connections), func(t *testing.T) {
				r := rig(t, b, weights, 2)
				counts := r.Split(t, 1200, connections, "/")
				Judge(t, r, "a", counts)
				others := r.Split(t, 100, connections, "/b/x?y=z")
				Judge(t, r, "b", others)
				checkLog(t, r, 1300, counts, others)
				for _, s := range r.Servers {
					if got := int(s.n.Load()); got == 0 {
						t.Errorf("server %s: got no request", s.Addr)
					}
				}
				checkState(t, r)
			})
		}
	}
}

// checkState compares what the balancer says of itself with what its servers count.
func checkState(t *testing.T, r *Rig) {
	t.Helper()
	state, err := r.Ask(t.Context(), r.Site)
	if err == balancer.ErrCantAsk { //nolint:errorlint // it is the value itself
		return
	}
	if err != nil {
		t.Fatalf("Ask: %v", err)
	}
	for _, g := range r.Conf.Groups {
		for i, s := range g.Servers {
			if i >= len(state[g.Name]) || state[g.Name][i].Addr != s.Addr || state[g.Name][i].Weight != s.Weight || !state[g.Name][i].Up {
				t.Fatalf("Ask: got %+v, want the servers %+v", state[g.Name], g.Servers)
			}
			if n := state[g.Name][i].Requests; n >= 0 && n != r.server(s.Addr).n.Load() {
				t.Errorf("Ask: server %s has %d requests, it counts %d itself", s.Addr, n, r.server(s.Addr).n.Load())
			}
		}
	}
}

func (r *Rig) server(addr string) *Server {
	for _, s := range r.Servers {
		if s.Addr == addr {
			return s
		}
	}
	return nil
}

// Judge compares counts with the promise of a group.
func Judge(t *testing.T, r *Rig, group string, counts map[string]int) {
	t.Helper()
	g := r.Conf.Group(group)
	if g == nil || g.Promise == nil {
		t.Fatalf("nothing is said of group %s", group)
	}
	for addr, n := range counts {
		if r.server(addr) == nil {
			t.Errorf("group %s: %d answers by %q", group, n, addr)
		}
	}
	for _, text := range broken(g, counts) {
		t.Errorf("group %s: %s", group, text)
	}
}

// broken says what of an exact promise counts do not keep.
func broken(g *balancer.Group, counts map[string]int) (out []string) {
	total := 0
	for _, n := range counts {
		total += n
	}
	for _, s := range g.Servers {
		share := g.Share(s.Addr)
		off := math.Abs(float64(counts[s.Addr]) - share*float64(total))
		if g.Promise.Kind == balancer.Exact && off > g.Promise.Within+1e-6 {
			out = append(out, fmt.Sprintf("%s got %d of %d, share %.4f: off by %.2f, promised are %.2f (%s)",
				s.Addr, counts[s.Addr], total, share, off, g.Promise.Within, g.Promise.Because))
		}
	}
	return out
}

// wrong: what runs 9:1 does not pass for 2:1.
func wrong(t *testing.T, b balancer.Balancer) {
	r := rig(t, b, []int{2, 1}, 1)
	told := r.Conf.Group("a")
	r.Renew(t, func(s *balancer.Site) { s.Changes = map[string]balancer.Change{"a": {Weights: []int{9, 1}}} })
	counts := r.Split(t, 300, 1, "/")
	if got := broken(told, counts); len(got) == 0 {
		t.Errorf("9:1 told as 2:1: %v pass", counts)
	}
	Judge(t, r, "a", counts)
}

// dead: a server that is gone costs no request.
func dead(t *testing.T, b balancer.Balancer) {
	r := rig(t, b, []int{1, 1, 1}, 1)
	gone := r.Servers[1]
	gone.Close()
	counts := r.Split(t, 90, 1, "/")
	if counts[r.Servers[0].Addr]+counts[r.Servers[2].Addr] != 90 {
		t.Errorf("with %s dead: got %v, want 90 answers by the others", gone.Addr, counts)
	}
	for _, l := range r.Log(t, 90) {
		if !strings.HasSuffix(l.Addr, r.Servers[0].Addr) && !strings.HasSuffix(l.Addr, r.Servers[2].Addr) {
			t.Errorf("log with %s dead: got %+v", gone.Addr, l)
		}
	}
}

// opening: a reload loses no request over a new connection either, unless the balancer is said to.
func opening(t *testing.T, b balancer.Balancer) {
	r := rig(t, b, []int{2, 1}, 1)
	lost := r.Reloads(t, 10)
	if len(lost) > 0 && r.Conf.AtReload == "" {
		t.Errorf("lost while it was reloaded: %v", lost)
	}
}

// Reloads reloads n times and returns how the requests that are sent meanwhile, each over a new connection, were lost.
func (r *Rig) Reloads(t *testing.T, n int) (lost map[string]int) {
	t.Helper()
	return r.meanwhile(t, 0, func() {
		for range n {
			if err := r.Reload(t.Context(), r.Site, r.process.Process.Pid); err != nil {
				t.Error(err)
			}
		}
	})
}

// meanwhile sends requests to group b while do runs, four at a time, over that many connections that are kept or each over a new
// one, and returns how they were lost. At least one is sent before and one after.
func (r *Rig) meanwhile(t *testing.T, connections int, do func()) (lost map[string]int) {
	t.Helper()
	client := r.Client(t, connections)
	lost = map[string]int{}
	var over atomic.Bool
	begun, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for round := 0; !over.Load() || round == 0; round++ {
			for addr, n := range r.SplitBy(client, 20, 4, "/b") {
				if r.server(addr) == nil {
					lost[addr] += n
				}
			}
			if round == 0 {
				close(begun)
			}
		}
	}()
	<-begun
	defer func() { over.Store(true); <-done }()
	do()
	return lost
}

// reload: new weights, another method and a server that is left out are in force when Reload returns, and no
// request over connections that are kept is lost meanwhile.
func reload(t *testing.T, b balancer.Balancer) {
	r := rig(t, b, []int{2, 1}, 2)
	lost := r.meanwhile(t, 4, func() {
		for _, weights := range [][]int{{1, 3}, {5, 1}, {1, 1}} {
			r.Renew(t, func(s *balancer.Site) { s.Changes = map[string]balancer.Change{"a": {Weights: weights}} })
			Judge(t, r, "a", r.Split(t, 240, 1, "/"))
			if got := r.Conf.Group("a").Share(r.Servers[0].Addr); math.Abs(got-float64(weights[0])/float64(weights[0]+weights[1])) > 1e-9 {
				t.Errorf("weights %v: the first share is %v", weights, got)
			}
		}
		r.Renew(t, func(s *balancer.Site) { s.Down = map[int]bool{r.Servers[0].port(): true} })
		if got := r.Split(t, 30, 1, "/"); got[r.Servers[1].Addr] != 30 {
			t.Errorf("with %s left out: got %v, want 30 by the other", r.Servers[0].Addr, got)
		}
		r.Renew(t, func(s *balancer.Site) {
			s.Down, s.Changes = nil, map[string]balancer.Change{"a": {Method: "least_conn"}}
		})
		Judge(t, r, "a", r.Split(t, 60, 1, "/"))
	})
	if len(lost) > 0 {
		t.Errorf("lost while it was reloaded: %v", lost)
	}
	select {
	case err := <-r.ended:
		r.ended <- err
		t.Errorf("the process ended by reloading: %v", err)
	default:
	}
}
