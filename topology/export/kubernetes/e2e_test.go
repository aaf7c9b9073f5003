//go:build e2e

// Package kubernetes_test runs the seed layout on a cluster.
package kubernetes_test

import (
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"balanceo/results/merge"
	"balanceo/results/run"
)

func TestE2EKubernetes(t *testing.T) {
	c := newCluster(t)
	c.images()
	nodes := c.nodes()
	t.Logf("nodes: %s", strings.Join(nodes, ", "))
	c.apply()
	c.settled()
	for _, step := range []struct {
		name string
		test func(*cluster)
		long bool
	}{
		{"again", again, false},
		{"shares", shares, false},
		{"signed in", signedIn, true},
		{"products", products, true},
		{"rolling restart", rollingRestart, false},
		{"scale", scale, true},
		{"haproxy", haproxyShares, false},
		{"service", serviceCounts, false},
		{"node killed", nodeKilled, true},
	} {
		t.Run(step.name, func(t *testing.T) {
			if step.long && testing.Short() {
				t.Skip("-short")
			}
			began := time.Now()
			in := *c
			in.t = t
			step.test(&in)
			t.Logf("%s: %v", step.name, time.Since(began).Round(time.Second))
		})
	}
}

// images are built twice, with the same bytes, and loaded into the nodes.
func (c *cluster) images() {
	var sums [2][sha256.Size]byte
	var file string
	for i := range sums {
		file = filepath.Join(c.t.TempDir(), "images.tar")
		if _, err := c.command("", "bin/topology", "export", "image", "--with-nginx", "--with-haproxy", "-o", file); err != nil {
			c.t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			c.t.Fatal(err)
		}
		sums[i] = sha256.Sum256(data)
	}
	if sums[0] != sums[1] {
		c.t.Errorf("the images have other bytes the second time: %x, %x", sums[0], sums[1])
	}
	if _, err := c.command("", "sh", "-c", os.Getenv(envLoad)+" "+file); err != nil {
		c.t.Fatal(err)
	}
}

// Applying a second time changes nothing.
func again(c *cluster) {
	versions := func() string {
		return c.kubectl("get", "all,configmaps,networkpolicies,poddisruptionbudgets",
			"--output=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation} {.metadata.resourceVersion}{'\\n'}{end}")
	}
	before := versions()
	c.apply()
	if after := versions(); after != before {
		c.t.Errorf("before and after:\n%s\n%s", before, after)
	}
	manifests, err := c.command("", append([]string{"bin/topology", "export", "kubernetes"}, c.export...)...)
	if err == nil {
		_, err = c.try(manifests, "diff", "-f", "-")
	}
	if err != nil {
		c.t.Errorf("kubectl diff: %v", err)
	}
}

// exact checks that the counts of client, balancer and servers are the same, and returns what each instance answered.
func exact(c *cluster, records []*run.Record) map[string]float64 {
	c.t.Helper()
	got := map[string]float64{}
	for _, r := range records {
		n := r.Reconciliation
		if n.Nginx == nil || n.Servers == nil || n.Unexplained != 0 {
			c.t.Errorf("part %d: %+v, want all counts and nothing unexplained; %v", r.Part.Number, n, r.Warnings)
		}
		c.t.Logf("part %d: %d requests, client %d, nginx %s, servers %s, unexplained %d, %v", r.Part.Number, r.Requests, n.Client,
			show(n.Nginx), show(n.Servers), n.Unexplained, n.Attributed)
		for _, g := range r.Groups {
			for _, u := range g.Upstreams {
				got[u.Instance] += float64(u.Requests)
			}
		}
	}
	return got
}

func show(n *int64) string {
	if n == nil {
		return "unknown"
	}
	return fmt.Sprint(*n)
}

// noneLost checks that every request was answered.
func noneLost(c *cluster, records []*run.Record) {
	c.t.Helper()
	for _, r := range records {
		if len(r.Errors) > 0 || r.Responses != r.Requests || r.Unsent > 0 {
			c.t.Errorf("part %d: %d of %d requests answered, %d unsent, errors %v", r.Part.Number, r.Responses, r.Requests, r.Unsent, r.Errors)
		}
	}
}

// Two generators see what nginx.conf promises, exactly.
func shares(c *cluster) {
	asPromised(c)
}

// asPromised sends a load over the balancer that is exported.
func asPromised(c *cluster) {
	c.t.Helper()
	records := c.load(nil, "--rate", "300", "--duration", "10s")
	noneLost(c, records)
	got := exact(c, records)
	c.t.Logf("requests by instance: %v", got)
	for instance, share := range map[string]float64{
		"site1": 1000, "site2": 500, "server-a": 375, "server-b": 375, "server-c": 375, "server-d": 375,
	} {
		if math.Abs(got[instance]-share) > 2 {
			c.t.Errorf("%s answered %v requests, want %v", instance, got[instance], share)
		}
	}
	for _, r := range records {
		if n := r.Reconciliation; n.Nginx != nil && n.Servers != nil && (*n.Nginx != n.Client || *n.Servers != n.Client) {
			c.t.Errorf("part %d: client %d, nginx %d, servers %d", r.Part.Number, n.Client, *n.Nginx, *n.Servers)
		}
	}
}

// HAProxy in nginx's place shares likewise, by the same nginx.conf.
func haproxyShares(c *cluster) {
	c.export = []string{"--balancer", "haproxy", "--haproxy-image", "balanceo/haproxy:v1"}
	c.apply()
	c.settled()
	asPromised(c)
}

// Behind a Service alone no log tells whose request is whose, but the servers counted what all generators sent.
func serviceCounts(c *cluster) {
	c.export, c.job = []string{"--balancer", "service"}, "loadgen-node-app"
	records := c.load(nil, append(twice(), "--rate", "200", "--duration", "5s", "--load=-scenario=site")...)
	sum, err := merge.Records(records)
	if err != nil {
		c.t.Fatal(err)
	}
	n := sum.Reconciliation
	c.t.Logf("client %d, servers %s, unexplained %d, %v", n.Client, show(n.Servers), n.Unexplained, n.Attributed)
	if n.Client != 1000 || n.Servers == nil || *n.Servers != n.Client || n.Unexplained != 0 {
		c.t.Errorf("got %+v, want 1,000 and the same of the servers; %v", n, sum.Warnings)
	}
}

// twice are the flags that have two pods for each instance.
func twice() (flags []string) {
	for _, name := range []string{"site1", "site2", "serverA", "serverB", "serverC", "serverD"} {
		flags = append(flags, "--replicas", name+"=2")
	}
	return flags
}

// A user who has signed in is signed in on every pod.
func signedIn(c *cluster) {
	c.apply(twice()...)
	c.settled()
	records := c.load(nil, append(twice(), "--rate", "30", "--duration", "2s", "--load=-warmup=0s", "--load=-scenario=session", "--load=-users=2",
		"--load=-no-keepalive")...)
	var requests, breaks int64
	for _, r := range records {
		requests, breaks = requests+r.Session.Requests, breaks+r.Session.Breaks
	}
	c.t.Logf("%d of %d requests signed in", requests-breaks, requests)
	if breaks != 0 || requests != 60 {
		c.t.Errorf("%d of %d requests were signed in, want 60 of 60", requests-breaks, requests)
	}
}

// A product reaches the browsers on every pod.
func products(c *cluster) {
	records := c.load(nil, append(twice(), "--rate", "10", "--duration", "5s", "--load=-scenario=ws", "--load=-clients=40")...)
	for _, r := range records {
		w := r.WS
		c.t.Logf("%d products to %d browsers: %d deliveries, %d lost, %d doubled", w.Sent, w.Clients, w.Delivered, w.Lost, w.Doubled)
		if w.Sent == 0 || w.Lost != 0 || w.Doubled != 0 || len(w.Upstreams) != 2 {
			c.t.Errorf("got %+v, want each product once in each browser, over both instances", w)
		}
	}
}

// Every pod of the layout is replaced under load, and no request is lost.
func rollingRestart(c *cluster) {
	records := c.load(func() {
		began := time.Now()
		all := []string{"rollout", "restart", "statefulset/database", "deployment/nginx"}
		for _, instance := range []string{"site1", "site2", "server-a", "server-b", "server-c", "server-d"} {
			all = append(all, "deployment/"+instance)
		}
		c.kubectl(all...)
		c.settled()
		c.t.Logf("everything was replaced within %v", time.Since(began).Round(time.Second))
	}, append(twice(), "--rate", "300", "--duration", "60s")...)
	noneLost(c, records)
	exact(c, records)
}

// An instance grows from one pod to four under load.
func scale(c *cluster) {
	records := c.load(func() {
		c.kubectl("scale", "deployment/site1", "--replicas=4")
		c.kubectl("rollout", "status", "deployment/site1", "--timeout=2m")
	}, "--rate", "300", "--duration", "20s")
	noneLost(c, records)
	got := exact(c, records)
	if math.Abs(got["site1"]-2*got["site2"]) > 3 {
		c.t.Errorf("site1 answered %v and site2 %v, want 2:1 whatever pods they have", got["site1"], got["site2"])
	}
}

// A node ends without warning: what is lost is explained, and the layout serves again without anybody's help.
func nodeKilled(c *cluster) {
	kill := os.Getenv(envKill)
	nodes := c.nodes()
	if kill == "" || len(nodes) < 2 {
		c.t.Skip("no node is killed: " + envKill + " says not how, or there is one only")
	}
	victim := nodes[len(nodes)-1]
	c.apply(twice()...)
	c.settled()
	// What there is one of only stays: the test is of the servers.
	c.kubectl("cordon", victim)
	c.kubectl("rollout", "restart", "statefulset/database", "deployment/nginx", "deployment/ledger")
	c.settled()
	var killed time.Time
	records := c.load(func() {
		time.Sleep(10 * time.Second)
		killed = time.Now()
		if _, err := c.command("", "sh", "-c", kill, "sh", victim); err != nil {
			c.t.Fatal(err)
		}
	}, append(twice(), "--rate", "300", "--duration", "120s")...)
	// As the operator of a cluster does: its pods are not waited for any more.
	c.kubectl("delete", "node", victim)
	exact(c, records)
	for _, r := range records {
		at := killed.Sub(r.Started).Seconds() - r.Warmup
		lost, slow := -1.0, -1.0 // the last second in which requests were lost, and were slow
		for _, p := range r.Series {
			if p.Errors > 0 {
				lost = p.T
			}
			if p.T >= at-1 && p.P99 > 1 {
				slow = p.T
			}
		}
		c.t.Logf("part %d: the node was killed at %.0f s; of %d requests %d were not answered well: %v; the last one lost was due at %.0f s, the last "+
			"second with a p99 above 1 s was %.0f s (-1: none), the slowest took %.2f s; %v", r.Part.Number, at, r.Requests,
			r.Requests-int64(math.Round(r.SuccessRatio*float64(r.Requests))), r.Errors, lost, slow, r.Latency.Max, r.Warnings)
		if n := len(r.Series); n < 115 || slices.ContainsFunc(r.Series[n-15:], func(p run.Point) bool { return p.Errors > 0 }) {
			c.t.Errorf("part %d: not served again by the end", r.Part.Number)
		}
	}
}
