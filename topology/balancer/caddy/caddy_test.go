package caddy

import (
	"encoding/json"
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
	} {
		fields := strings.Fields(words)
		got, args, err := method(&balancer.Group{Method: balancer.Method(fields[0]), Args: fields[1:]})
		if all := strings.Join(append([]string{string(got)}, args...), " "); all != want || (err == nil) != (want != "") {
			t.Errorf("method(%q): got %q, %v, want %q", words, all, err, want)
		}
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
