package balancertest

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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

// checkLog compares what clients saw with the balancer's own log.
func checkLog(t *testing.T, r *Rig, n int, groups ...map[string]int) {
	t.Helper()
	left := map[string]int{}
	for _, counts := range groups {
		for addr, n := range counts {
			left[addr] += n
		}
	}
	for _, l := range r.Log(t, n) {
		left[l.Addr]--
	}
	for addr, n := range left {
		if n != 0 {
			t.Errorf("log: %s has %d answers more or less than clients saw", addr, -n)
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

// headers: servers and clients are told what they are to know, whatever the answer.
func headers(t *testing.T, b balancer.Balancer) {
	r := rig(t, b, []int{1}, 1)
	client := r.Client(t, 1)
	for path, want := range map[string]struct {
		status int
		group  string
	}{"/": {200, "a"}, "/status/404": {404, "a"}, "/status/503": {503, "a"}, "/b": {200, "b"}, "/bc/d": {200, "b"}, "/hidden/not": {200, "a"}, "/hidden": {404, ""}} {
		answer, err := r.Get(client, path, "X-Forwarded-For", "10.1.2.3", "X-Upstream", "forged")
		if err != nil {
			t.Errorf("GET %s: %v", path, err)
			continue
		}
		addr := ""
		if g := r.Conf.Group(want.group); g != nil {
			addr = g.Servers[0].Addr
		}
		if answer.Status != want.status || answer.Header.Get("X-Upstream-Group") != want.group || answer.Header.Get("X-Upstream") != addr {
			t.Errorf("GET %s: got status %d, group %q, upstream %q, want %d, %q, %q", path, answer.Status,
				answer.Header.Get("X-Upstream-Group"), answer.Header.Get("X-Upstream"), want.status, want.group, addr)
		}
	}
	if _, err := r.Get(client, "/x%2Fy?q=%20z", "X-Forwarded-For", "10.1.2.3"); err != nil {
		t.Fatal(err)
	}
	s := r.server(r.Conf.Group("a").Servers[0].Addr)
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if want := strings.TrimPrefix(r.URL, "http://"); last.Host != want || last.RequestURI != "/x%2Fy?q=%20z" {
		t.Errorf("the server saw Host %q and %q, want %q and /x%%2Fy?q=%%20z", last.Host, last.RequestURI, want)
	}
	for name, want := range map[string]string{"X-Real-Ip": "127.0.0.1", "X-Forwarded-For": "10.1.2.3, 127.0.0.1", "X-Forwarded-Proto": "http"} {
		if got := strings.Join(last.Header.Values(name), " | "); got != want {
			t.Errorf("the server saw %s %q, want %q", name, got, want)
		}
	}
	if status := raw(t, r, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n"); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of 1 MB where 64k are accepted: got status %d, want 413", status)
	}
}

// raw sends the bytes of a request and returns the status of the answer.
func raw(t *testing.T, r *Rig, request string) int {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(c, request)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// websocket: a connection that is upgraded passes both ways.
func websocket(t *testing.T, b balancer.Balancer) {
	r := rig(t, b, []int{1}, 1)
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("upgrade: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: got %s, want 101", resp.Status)
	}
	_, _ = io.WriteString(c, "ping")
	got := make([]byte, 4)
	if _, err := io.ReadFull(in, got); err != nil || string(got) != "ping" {
		t.Errorf("through the websocket: got %q, %v, want ping", got, err)
	}
}

// log: a line for each request says who answered it.
func log(t *testing.T, b balancer.Balancer) {
	r := rig(t, b, []int{2, 1}, 1)
	before := time.Now()
	counts := r.Split(t, 60, 4, "/x?y=z")
	if _, err := r.Get(r.Client(t, 1), `/b`, "X-Request-Id", "ab12-7", "User-Agent", `odd "agent" \ é`); err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Log(t, 61) {
		if l.RequestID == "ab12-7" {
			if l.Group != "b" || !strings.HasPrefix(l.UserAgent, `odd "agent" \ `) {
				t.Errorf("log: got %+v, want group b and the agent as it was sent", l)
			}
			continue
		}
		at := time.UnixMilli(int64(l.Msec * 1000))
		if l.UserAgent != Agent || l.Method != http.MethodGet || l.URI != "/x?y=z" || l.Status != 200 || l.Group != "a" ||
			l.RequestTime < 0 || l.RequestTime > 10 || l.HeaderTime == "" || l.HeaderTime == "-" ||
			at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("log: got %+v", l)
		}
		counts[l.Addr]--
	}
	for addr, n := range counts {
		if n != 0 {
			t.Errorf("log: %s has %d answers more or less than clients saw", addr, n)
		}
	}
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

// reload: new weights, another method and a server that is left out are in force when Reload returns, and no
// request is lost meanwhile.
func reload(t *testing.T, b balancer.Balancer) {
	r := rig(t, b, []int{2, 1}, 2)
	var stop atomic.Bool
	lost := make(chan map[string]int, 1)
	go func() {
		all := map[string]int{}
		for !stop.Load() {
			for addr, n := range r.Split(t, 100, 4, "/b") {
				if r.server(addr) == nil {
					all[addr] += n
				}
			}
		}
		lost <- all
	}()
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
	stop.Store(true)
	if all := <-lost; len(all) > 0 {
		t.Errorf("lost while it was reloaded: %v", all)
	}
	select {
	case err := <-r.ended:
		r.ended <- err
		t.Errorf("the process ended by reloading: %v", err)
	default:
	}
}

// own: the project's nginx.conf, with all that it says, can be translated, and the program accepts it.
func own(t *testing.T, b balancer.Balancer) {
	file := filepath.Join(t.TempDir(), "conf")
	site := &balancer.Site{Program: Program(t, b), Source: "../../../nginx.conf", Dir: filepath.Dir(file), File: file}
	conf, err := b.Write(site, file)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context(), site, file); err != nil {
		text, _ := os.ReadFile(file)
		t.Errorf("%v\n%s", err, text)
	}
	if g := conf.Group("node_app"); g == nil || g.Share("127.0.0.1:8080") != 2.0/3 || conf.Balancer != b.Name() || len(conf.Listen) != 1 || conf.Listen[0] != 80 {
		t.Errorf("the project's configuration: got %+v", conf)
	}
}

// refused: what can't be done is an error that names the line, and what a group can't have one that names it.
func refused(t *testing.T, b balancer.Balancer) {
	dir := t.TempDir()
	write := func(text string, changes map[string]balancer.Change) error {
		site := &balancer.Site{Program: Program(t, b), Source: filepath.Join(dir, "n.conf"), Dir: dir, File: filepath.Join(dir, "c"), Changes: changes}
		if err := os.WriteFile(site.Source, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := b.Write(site, site.File)
		return err
	}
	const fine = "http { upstream u { server 127.0.0.1:1; server 127.0.0.1:2; }\nserver { listen 80; location / { proxy_pass http://u; } } }"
	if err := write(fine, nil); err != nil {
		t.Errorf("%s: %v", fine, err)
	}
	for _, c := range []balancer.Change{{Method: "nonsense"}, {Weights: []int{1}}} {
		if err := write(fine, map[string]balancer.Change{"u": c}); err == nil || !strings.Contains(err.Error(), "u") {
			t.Errorf("change %+v: got %v, want an error", c, err)
		}
	}
	if b.Name() == "nginx" {
		return // it can do all that nginx.conf says
	}
	const cookie = "http { upstream u { server 127.0.0.1:1;\nhash $cookie_a; }\nserver { listen 80; location / { proxy_pass http://u; } } }"
	if err := write(cookie, nil); err == nil || !strings.Contains(err.Error(), "n.conf:2: upstream u: ") {
		t.Errorf("%s: got %v, want an error at n.conf:2", cookie, err)
	}
	for line, text := range map[string]string{
		"n.conf:3": "http { upstream u { server 127.0.0.1:1; }\nserver { listen 80;\nrewrite ^ /x; location / { proxy_pass http://u; } } }",
		"n.conf:2": "http { upstream u { server 127.0.0.1:1; }\nserver { listen 80; location ~ x { proxy_pass http://u; } } }",
		"n.conf:4": "http { upstream u { server 127.0.0.1:1; }\nserver { listen 80; location / {\nproxy_set_header Host $host;\nproxy_set_header A $b; proxy_pass http://u; } } }",
		"n.conf:1": "http { upstream u { server 127.0.0.1:1 max_conns=3; } server { location / { proxy_pass http://u; } } }",
	} {
		if err := write(text, nil); err == nil || !strings.Contains(err.Error(), line+": ") {
			t.Errorf("%s: got %v, want an error at %s", text, err, line)
		}
	}
}
