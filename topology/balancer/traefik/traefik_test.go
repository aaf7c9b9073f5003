package traefik

import (
	"math"
	"testing"

	"balanceo/topology/balancer"
)

const answer = `[
 {"loadBalancer":{"servers":[{"url":"http://10.0.0.1:80","weight":7},{"url":"http://10.0.0.2:80","weight":3},{"url":"http://10.0.0.3:80","weight":2}],
  "passHostHeader":true,"strategy":"wrr"},"status":"enabled","serverStatus":{"http://10.0.0.1:80":"UP","http://10.0.0.2:80":"UP","http://10.0.0.3:80":"UP"},
  "usedBy":["web@file"],"name":"web@file","provider":"file","type":"loadbalancer"},
 {"loadBalancer":{"servers":[{"url":"http://10.0.0.1:80"},{"url":"http://10.0.0.2:80"}]},"serverStatus":{"http://10.0.0.2:80":"DOWN"},"name":"api@docker"},
 {"loadBalancer":{"servers":[{"url":"http://10.0.0.1:80"}],"strategy":"p2c"},"name":"busy@file"},
 {"loadBalancer":{"servers":[{"url":"http://10.0.0.1:80"}],"sticky":{"cookie":{"name":"x"}}},"name":"sticky@file"},
 {"weighted":{"services":[{"name":"web","weight":1}]},"name":"canary@file"},
 {"loadBalancer":{"servers":[]},"name":"dashboard@internal"}]`

func TestParse(t *testing.T) {
	c, err := Parse([]byte(answer))
	if err != nil || len(c.Groups) != 4 {
		t.Fatalf("Parse: got %+v, %v, want four groups", c, err)
	}
	web := c.Group("web@file")
	if p := web.Promise; p.Kind != balancer.Exact || math.Abs(p.Within-(1+7.0/12)) > 1e-9 || math.Abs(web.Share("10.0.0.2:80")-0.25) > 1e-9 {
		t.Errorf("7:3:2: got %+v, %+v, want a window of 1.58", web, p)
	}
	if api := c.Group("api@docker"); api.Method != "wrr" || api.Share("10.0.0.1:80") != 1 || !api.Servers[1].Down {
		t.Errorf("a server that is down: got %+v", api)
	}
	for name, want := range map[string]balancer.Kind{"busy@file": balancer.Nothing, "sticky@file": balancer.ByKey} {
		if got := c.Group(name).Promise.Kind; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for _, text := range []string{"", "{}", `[{"name":"a","loadBalancer":{"servers":[{"url":"x"}]}}]`} {
		if c, err := Parse([]byte(text)); err == nil {
			t.Errorf("Parse(%q): got %+v, want an error", text, c)
		}
	}
}

// The window holds for the algorithm itself: of servers with the earliest deadline the first is taken.
func TestWindow(t *testing.T) {
	for _, weights := range [][]int{{7, 3, 2}, {2, 1}, {1, 1, 1, 1}, {9, 1}, {5, 4, 3, 2, 1}} {
		g := &balancer.Group{}
		sum := 0
		for _, w := range weights {
			g.Servers = append(g.Servers, balancer.Server{Weight: w})
			sum += w
		}
		deadline := make([]float64, len(weights))
		count := make([]float64, len(weights))
		for i, w := range weights {
			deadline[i] = 1 / float64(w)
		}
		low, high := make([]float64, len(weights)), make([]float64, len(weights))
		for n := 1; n <= 20*sum; n++ {
			next := 0
			for i := range deadline {
				if deadline[i] < deadline[next]-1e-12 {
					next = i
				}
			}
			deadline[next] += 1 / float64(weights[next])
			count[next]++
			for i, w := range weights {
				off := count[i] - float64(n)*float64(w)/float64(sum)
				low[i], high[i] = min(low[i], off), max(high[i], off)
			}
		}
		for i := range weights {
			if got := high[i] - low[i]; got > window(g)+1e-9 {
				t.Errorf("weights %v: server %d is in a window of %v, promised are %v", weights, i, got, window(g))
			}
		}
	}
}
