package reconcile

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"balanceo/results/run"
)

// Six servers of the standard library, without X-Worker, X-Instance and /metrics.
func TestServersThatAreNotOurs(t *testing.T) {
	t.Parallel()
	site, api := backends(t, 3, false, nil), backends(t, 3, false, nil)
	nginx, target := startNginx(t, upstream("site", "", site, 3, 1, 1), upstream("api", "", api))
	r, out := load{
		nginx: nginx, target: target, paths: []string{"/a", "/api/b"}, rate: 2000, timeout: 10 * time.Second,
		warmup: 100 * time.Millisecond, duration: time.Second,
	}.attack(t)

	if len(r.Groups) != 2 || r.Groups[0].Name != "api" || r.Groups[1].Name != "site" {
		t.Fatalf("groups %+v; want api and site", r.Groups)
	}
	for _, g := range r.Groups {
		if g.Verdict != run.Pass || g.Requests < r.Requests/2-1 {
			t.Errorf("%s: verdict %s, %d requests, off by %v, bound %v, %q; want pass of half of them",
				g.Name, g.Verdict, g.Requests, g.WorstDeviation, g.Bound, g.Reasons)
		}
		for _, u := range g.Upstreams {
			if len(u.Workers) > 0 || u.Instance != "" || u.Latency.P99 == 0 {
				t.Errorf("upstream %+v; want latency, and neither workers nor a name", u)
			}
		}
	}
	for _, u := range r.Groups[1].Upstreams {
		want := 0.2
		if u.Addr == site[0].addr() {
			want = 0.6
		}
		if u.ExpectedShare != want || math.Abs(u.Share-want)*float64(r.Groups[1].Requests) > r.Groups[1].Bound {
			t.Errorf("%s: expected %v, got %v; want %v", u.Addr, u.ExpectedShare, u.Share, want)
		}
	}
	c := r.Reconciliation
	if c.Nginx == nil || *c.Nginx != r.Requests || c.Client != r.Requests || c.Servers != nil || c.Unexplained != 0 {
		t.Errorf("reconciliation %+v; want %d = %[2]d, no servers, 0 unexplained", c, r.Requests)
	}
	if c.Attributed[Warmup] == 0 || !out.LogRead {
		t.Errorf("attributed %v; want those of the warm-up", c.Attributed)
	}
	said := text(t, r)
	// How many requests of the warm-up still wait when the measured part begins widens the bounds, and is the machine's to say.
	for _, want := range []string{" 60.0 % ", " 20.0 % ", " 33.3 % ", ")  pass", "0 unexplained"} {
		if !strings.Contains(said, want) {
			t.Errorf("the report lacks %q:\n%s", want, said)
		}
	}
	if strings.Contains(said, "workers") {
		t.Errorf("the report speaks of workers:\n%s", said)
	}
}

func TestMethods(t *testing.T) {
	for _, c := range []struct {
		method  string
		paths   []string
		weights []int // that nginx runs; the configuration that is read says 1:1:1
		want    []run.Verdict
		says    string
	}{
		{method: "", paths: uris(1), want: []run.Verdict{run.Pass}},
		{method: noZone, paths: uris(1), want: []run.Verdict{run.Pass}},
		{method: "", paths: uris(1), weights: []int{3, 1, 1}, want: []run.Verdict{run.Fail}, says: "another configuration"},
		// One of a thousand sound groups fails by design, so pass is not asked for.
		{method: "random;", paths: uris(1), want: []run.Verdict{run.Pass, run.Fail}},
		{method: "random;", paths: uris(1), weights: []int{3, 1, 1}, want: []run.Verdict{run.Fail}, says: "probability"},
		{method: "hash $request_uri;", paths: uris(150), want: []run.Verdict{run.Pass}},
		{method: "hash $request_uri consistent;", paths: uris(150), want: []run.Verdict{run.Pass}},
		{method: "hash $request_uri;", paths: uris(150), weights: []int{3, 1, 1}, want: []run.Verdict{run.Fail}, says: "probability"},
		{method: "hash $request_uri;", paths: uris(6), want: []run.Verdict{run.Info}, says: "6 different URIs are too few"},
		{method: "hash $request_id;", paths: uris(150), want: []run.Verdict{run.Info}, says: "the key of the hash is not the URI"},
		{method: "least_conn;", paths: uris(1), want: []run.Verdict{run.Info}, says: "how fast the servers answer"},
		{method: "ip_hash;", paths: uris(1), want: []run.Verdict{run.Info}, says: "one client"},
	} {
		name := fmt.Sprintf("%s %d URIs, weights %v", c.method, len(c.paths), c.weights)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := backends(t, 3, false, nil)
			nginx, target := startNginx(t, upstream("app", c.method, servers, c.weights...))
			for i := range nginx.Groups[0].Servers {
				nginx.Groups[0].Servers[i].Weight = 1
			}
			r, _ := load{nginx: nginx, target: target, paths: c.paths, rate: 1000, timeout: 10 * time.Second, duration: 600 * time.Millisecond}.attack(t)
			g := r.Groups[0]
			if c.method == noZone && g.Bound < 2*1.5 {
				t.Errorf("bound %v without a zone and with two worker processes; want twice that of one", g.Bound)
			}
			if !slices.Contains(c.want, g.Verdict) || !strings.Contains(strings.Join(g.Reasons, " "), c.says) {
				t.Errorf("verdict %s, worst %.2f, bound %.2f, %q; want %s with %q", g.Verdict, g.WorstDeviation, g.Bound, g.Reasons, c.want, c.says)
			}
			if g.Requests != r.Requests || r.Reconciliation.Unexplained != 0 {
				t.Errorf("%d requests, reconciliation %+v; want %d, 0 unexplained", g.Requests, r.Reconciliation, r.Requests)
			}
			text(t, r)
		})
	}
}

// A server that goes away half-way: its requests are retried elsewhere, which explains the shares to the last of them and
// is said, and the three counts still agree.
func TestServerGoesAway(t *testing.T) {
	t.Parallel()
	servers := backends(t, 3, true, nil)
	nginx, target := startNginx(t, upstream("app", "", servers))
	r, out := load{
		nginx: nginx, target: target, paths: uris(1), rate: 1000, timeout: 10 * time.Second, duration: time.Second,
		during: func() {
			for servers[1].answered.Load() < 100 {
				time.Sleep(time.Millisecond)
			}
			servers[1].Listener.Close()
			servers[1].CloseClientConnections()
		},
	}.attack(t)
	g := r.Groups[0]
	i := slices.IndexFunc(g.Upstreams, func(u run.Upstream) bool { return u.Addr == servers[1].addr() })
	gone := g.Upstreams[i]
	said := strings.Join(g.Notes, " ")
	if g.Verdict != run.Pass || gone.RetriedAway == 0 || !strings.Contains(said, gone.Addr+" refused or failed") {
		t.Errorf("verdict %s, %q, %q, %d retried away; want pass naming %s", g.Verdict, g.Reasons, g.Notes, gone.RetriedAway, gone.Addr)
	}
	for _, s := range servers {
		if s != servers[1] && strings.Contains(said, s.addr()) {
			t.Errorf("notes %q; want none on %s, which took over", g.Notes, s.addr())
		}
	}
	if r.SuccessRatio < 0.99 {
		t.Errorf("success ratio %v; want nearly all requests to be answered by others", r.SuccessRatio)
	}
	c := r.Reconciliation
	if c.Unexplained != 0 || c.Nginx == nil || *c.Nginx != r.Requests || c.Attributed[Unasked] == 0 || len(out.Notes) != 1 {
		t.Errorf("reconciliation %+v, notes %q; want all in nginx's log and those of the dead server as not asked", c, out.Notes)
	}
	text(t, r)
}

// Foreign requests are part of nginx's sequence: counted in, the shares are exact.
func TestForeignTraffic(t *testing.T) {
	t.Parallel()
	servers := backends(t, 3, true, nil)
	nginx, target := startNginx(t, upstream("app", "", servers))
	const foreigners = 300
	r, out := load{
		nginx: nginx, target: target, paths: uris(1), rate: 1000, timeout: 10 * time.Second, duration: time.Second,
		during: func() {
			for range foreigners {
				resp, err := http.Get(target.URL() + "/foreign")
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
			}
		},
	}.attack(t)
	g := r.Groups[0]
	if g.Verdict != run.Pass {
		t.Errorf("verdict %s, off by %v, bound %v, %q; want pass", g.Verdict, g.WorstDeviation, g.Bound, g.Reasons)
	}
	c := r.Reconciliation
	if c.Client != r.Requests || *c.Nginx != r.Requests || c.Servers == nil || *c.Servers != r.Requests || c.Unexplained != 0 || c.Attributed[Others] != foreigners {
		t.Errorf("reconciliation %+v of %d; want %d three times and %d foreign", c, *c.Servers, r.Requests, foreigners)
	}
	var counted int64
	for _, n := range out.Foreign["app"].ByAddr {
		counted += n
	}
	if counted+out.Foreign["app"].Border == 0 || !strings.Contains(strings.Join(g.Notes, " "), "Foreign traffic") {
		t.Errorf("foreign %+v, notes %q; want them counted and told", out.Foreign, g.Notes)
	}
	text(t, r)
}

// Requests that the client gave up on reach the servers nevertheless: attributed, not unexplained.
func TestClientGivesUp(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	release := make(chan struct{})
	servers := backends(t, 2, true, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%10 == 0 {
			<-release
		}
		_, _ = w.Write([]byte("late\n"))
	})
	nginx, target := startNginx(t, upstream("app", "", servers))
	r, _ := load{
		nginx: nginx, target: target, paths: uris(1), rate: 200, duration: 500 * time.Millisecond, timeout: 300 * time.Millisecond,
		during: func() {
			time.Sleep(900 * time.Millisecond) // beyond the client's patience with the last request
			close(release)
		},
	}.attack(t)
	c := r.Reconciliation
	if c.Client >= r.Requests || c.Nginx == nil || *c.Nginx != r.Requests || c.Attributed[NoAnswer] != r.Requests-c.Client || c.Unexplained != 0 {
		t.Errorf("reconciliation %+v (nginx %d); want the missing answers as %s", c, *c.Nginx, NoAnswer)
	}
	if g := r.Groups[0]; g.Verdict != run.Pass || !strings.Contains(strings.Join(g.Notes, " "), "got no answer") {
		t.Errorf("verdict %s, %q, notes %q; want pass with a bound that allows for the lost", g.Verdict, g.Reasons, g.Notes)
	}
}

// Requests past nginx are in nobody's log: that is not hidden.
func TestUnexplained(t *testing.T) {
	t.Parallel()
	servers := backends(t, 2, true, nil)
	nginx, target := startNginx(t, upstream("app", "", servers))
	r, out := load{
		nginx: nginx, target: target, paths: uris(1), rate: 200, duration: 200 * time.Millisecond, timeout: 10 * time.Second,
		during: func() {
			for range 3 {
				if resp, err := http.Get(servers[0].URL); err == nil {
					_ = resp.Body.Close()
				}
			}
		},
	}.attack(t)
	if c := r.Reconciliation; c.Unexplained != 3 {
		t.Errorf("reconciliation %+v; want 3 unexplained", c)
	}
	want := servers[0].addr() + " counted 3 requests that did not come through nginx"
	if !strings.Contains(strings.Join(out.Warnings, " "), want) {
		t.Errorf("warnings %q; want %q", out.Warnings, want)
	}
}

// Servers that nginx.conf names and that got nothing, while no log tells: they are not those behind the target.
func TestOtherServers(t *testing.T) {
	t.Parallel()
	named, behind := backends(t, 1, true, nil), backends(t, 1, false, nil)
	believed, _ := startNginx(t, upstream("app", "", named))
	believed.AccessLog = ""
	_, target := startNginx(t, upstream("app", "", behind))
	r, out := load{nginx: believed, target: target, paths: uris(1), rate: 200, duration: 100 * time.Millisecond, timeout: 10 * time.Second}.attack(t)
	if c := r.Reconciliation; c.Client != r.Responses || c.Nginx != nil || c.Servers != nil || c.Unexplained != 0 || len(out.Warnings) > 0 {
		t.Errorf("reconciliation %+v, warnings %q; want the client's count alone", c, out.Warnings)
	}
	if len(out.Notes) != 1 || !strings.Contains(out.Notes[0], "names none whose lines are JSON") {
		t.Errorf("notes %q; want one that says why nginx's lines are not counted", out.Notes)
	}
	if g := r.Groups[0]; g.Verdict != run.Fail || !strings.Contains(g.Reasons[0], "does not name it: nginx runs another configuration") {
		t.Errorf("verdict %s, %q; want fail as another server answered", g.Verdict, g.Reasons)
	}
}

// TestOthersGoOn has somebody else's requests before, during and after the run: what the servers count of them when
// they are asked is not in the log yet, and nothing is accused for it.
func TestOthersGoOn(t *testing.T) {
	t.Parallel()
	servers := backends(t, 2, true, nil)
	nginx, target := startNginx(t, upstream("g", "", servers))
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			for tick := time.NewTicker(5 * time.Millisecond); ctx.Err() == nil; <-tick.C {
				if resp, err := http.Get(target.URL() + "/others"); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			}
		})
	}
	r, out := load{nginx: nginx, target: target, paths: []string{"/a"}, rate: 200, timeout: 10 * time.Second, duration: time.Second}.attack(t)
	stop()
	others.Wait()
	c := r.Reconciliation
	if c.Unexplained != 0 || c.Servers == nil || *c.Servers != r.Requests || *c.Nginx != r.Requests || c.Attributed[Others] < 100 {
		t.Errorf("reconciliation %+v, %q; want %d = %[3]d = %[3]d beside those of others, 0 unexplained", c, out.Warnings, r.Requests)
	}
}
