package caddy

import (
	"encoding/json"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/balancertest"
)

func TestCaddy(t *testing.T) { balancertest.Run(t, Caddy{}) }

func TestAbove(t *testing.T) {
	for _, n := range []int64{1, 9, 10, 99, 1000, 65536, 1 << 20} {
		pattern := regexp.MustCompile(above(n))
		for _, m := range []int64{0, 1, n - 1, n, n + 1, n + 9, 10 * n, 10*n + 1, n / 2} {
			if got := pattern.MatchString(strconv.FormatInt(m, 10)); got != (m > n) {
				t.Errorf("above(%d) of %d: got %v", n, m, got)
			}
		}
	}
}

func TestMethods(t *testing.T) {
	for words, want := range map[string]string{
		"round_robin": "round_robin", "random": "random", "random two": "random_choose 2", "random_choose 3": "random_choose 3",
		"random_choose": "random_choose 2", "least_conn": "least_conn", "ip_hash": "ip_hash", "hash $request_uri": "uri_hash",
		"hash $http_x_user": "header x-user", "header Host": "header Host", "hash $cookie_a": "", "static-rr": "",
		"weighted_round_robin": "weighted_round_robin",
	} {
		fields := strings.Fields(words)
		got, args, err := method(&balancer.Group{Method: balancer.Method(fields[0]), Args: fields[1:]})
		if all := strings.Join(append([]string{string(got)}, args...), " "); all != want || (err == nil) != (want != "") {
			t.Errorf("method(%q): got %q, %v, want %q", words, all, err, want)
		}
	}
}

// Caddy's own weights are promised in contiguous runs, and a server that gets nothing when idle is told of.
func TestPromises(t *testing.T) {
	g := &balancer.Group{Method: weighted, Servers: []balancer.Server{{Addr: "a", Weight: 7}, {Addr: "b", Weight: 3}, {Addr: "c", Weight: 2}, {Addr: "d", Weight: 9, Down: true}}}
	p := promise(g)
	if p.Kind != balancer.Exact || p.Warning != "" || p.Shares["a"] != 7./12 || math.Abs(p.Within-7*5./12) > 1e-9 { // w(1-w/W) of the first
		t.Errorf("got %+v", p)
	}
	g.Servers[0].MaxFails = 1
	if p := promise(g); p.Kind != balancer.Exact || p.Warning != outOfTurn {
		t.Errorf("where failures are noted: got %+v", p)
	}
	g.Servers[0].Down, g.Servers[0].Failed = true, true
	if p := promise(g); p.Kind != balancer.Nothing || p.Because != outOfTurn {
		t.Errorf("with one that failed: got %+v", p)
	}
	g.Method, g.Args = "random_choose", []string{"2"}
	if got := starved(g, []int{0, 2, 0, 2}); !strings.HasPrefix(got, "Of 4 requests, one after the other, this caddy's random_choose 2 gave b none") {
		t.Errorf("got %q", got)
	}
	if got := starved(g, []int{0, 1, 2}); got != "" {
		t.Errorf("all got some: got %q", got)
	}
}

// What Caddy says of its servers: the weights that its policy has, and who has failed as often as is allowed.
func TestParseState(t *testing.T) {
	const routes = `[{"handle":[{"handler":"vars","group":"a"},{"handler":"reverse_proxy","upstreams":[{"dial":"x:1"},{"dial":"x:2"}],
		"load_balancing":{"selection_policy":{"policy":"weighted_round_robin","weights":[7,3]}},"health_checks":{"passive":{"max_fails":2}}}]},
		{"handle":[{"handler":"vars","group":"b"},{"handler":"reverse_proxy","upstreams":[{"dial":"x:3"},{"dial":"x:3"}]}]}]`
	got, err := parseState([]byte(routes), []byte(`[{"address":"x:1","fails":1},{"address":"x:2","fails":2}]`))
	want := balancer.State{
		"a": {{Addr: "x:1", Weight: 7, Requests: -1, Up: true}, {Addr: "x:2", Weight: 3, Requests: -1}}, "b": {{Addr: "x:3", Weight: 2, Requests: -1, Up: true}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestLogLine(t *testing.T) {
	const answer = `{"level":"info","ts":1795500107.25,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"127.0.0.1","remote_port":"1",
		"proto":"HTTP/1.1","method":"GET","host":"x","uri":"/a?b","headers":{"User-Agent":["u \"v\""],"X-Request-Id":["ab-7"]}},"user_id":"","duration":0.0015,
		"size":7,"status":503,"resp_headers":{"Server":["Caddy"],"X-Upstream":["127.0.0.1:1"],"X-Upstream-Group":["a"]}}`
	var got line
	if err := json.Unmarshal(Caddy{}.LogLine([]byte(answer)), &got); err != nil {
		t.Fatal(err)
	}
	want := line{
		Msec: 1795500107.25, RemoteAddr: "127.0.0.1", Method: "GET", URI: "/a?b", Status: 503, Bytes: 7, RequestTime: 0.0015,
		UpstreamGroup: "a", UpstreamAddr: "127.0.0.1:1", UpstreamStatus: "503", HeaderTime: "-", UserAgent: `u "v"`, RequestID: "ab-7",
	}
	if got != want {
		t.Errorf("LogLine: got %+v, want %+v", got, want)
	}
	if got := string(Caddy{}.LogLine([]byte("no line"))); got != "no line" {
		t.Errorf("LogLine of what is none: got %q", got)
	}
}
