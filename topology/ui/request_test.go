package ui

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// logged is a line as nginx.conf's log_format makes it.
func logged(msec string, group, addrs, statuses, headers, times string, status int, agent string) string {
	return fmt.Sprintf(`{"time":"2026-11-27T21:11:33+00:00","msec":%s,"remote_addr":"127.0.0.1","method":"GET",`+
		`"uri":"/api/randoms?a=\"status\":7,","status":%d,"bytes":122,"request_time":0.012,"upstream_group":"%s",`+
		`"upstream_addr":"%s","upstream_status":"%s","upstream_connect_time":"0.000","upstream_header_time":"%s",`+
		`"upstream_response_time":"%s","user_agent":"%s"}`, msec, status, group, addrs, statuses, headers, times, agent)
}

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct {
		line string
		want *request
	}{
		"one server": {
			logged("1795813893.171", "g", "10.0.0.1:80", "200", "0.001", "0.002", 200, "curl/7"),
			&request{ended: 1795813893171, took: 12, group: "g", status: 200, attempts: []attempt{{"10.0.0.1:80", true, 2}}},
		},
		"a retry, by loadgen": {
			logged("1.0005", "g", "a:1, b:2", "502, 200", "-, 0.001", "0.001, 0.003", 200, "loadgen/x"),
			&request{ended: 1001, took: 12, group: "g", status: 200, run: "x", attempts: []attempt{{"a:1", false, 1}, {"b:2", true, 3}}},
		},
		"a warm-up": {
			logged("1.000", "g", "a:1", "200", "0.001", "0.001", 200, "loadgen/20261128-001644-a1b2c3-warmup"),
			&request{ended: 1000, took: 12, group: "g", status: 200, run: "20261128-001644-a1b2c3", warmup: true, attempts: []attempt{{"a:1", true, 1}}},
		},
		"a server's own 502": {
			logged("1.000", "g", "a:1", "502", "0.001", "0.001", 502, ""),
			&request{ended: 1000, took: 12, group: "g", status: 502, attempts: []attempt{{"a:1", true, 1}}},
		},
		"an internal redirect": {
			logged("1.000", "g", "a:1 : b:2", "404 : 200", "0.001 : 0.002", "0.001 : 0.002", 200, ""),
			&request{ended: 1000, took: 12, group: "g", status: 200, attempts: []attempt{{"a:1", true, 1}, {"b:2", true, 2}}},
		},
		"an internal redirect after a retry": {
			logged("1.000", "g", "a:1, b:2 : c:3", "502, 404 : 200", "-, 0.001 : 0.002", "0.001, 0.001 : 0.002", 200, `a \" b\\`),
			&request{ended: 1000, took: 12, group: "g", status: 200, attempts: []attempt{{"a:1", false, 1}, {"b:2", true, 1}, {"c:3", true, 2}}},
		},
		"with spaces, as somebody else writes JSON": {
			`{ "msec" : 1.000 , "request_time": 0.012, "upstream_group": "g", "upstream_addr": "a:1", "upstream_status": "200", "status": 200 }`,
			&request{ended: 1000, took: 12, group: "g", status: 200, attempts: []attempt{{"a:1", true, 0}}},
		},
		"no live server":          {logged("1.000", "g", "g", "502", "-", "0.000", 502, ""), &request{ended: 1000, took: 12, group: "g", status: 502}},
		"nginx answers by itself": {logged("1.000", "", "", "", "", "", 404, ""), nil},
		"half a line":             {`{"time":"2026-11-27T21:11:33+00:00","msec":179581`, nil},
		"half a server":           {`{"msec":1.0,"upstream_group":"g","upstream_addr":"a:1`, nil},
		"nothing":                 {"", nil},
	} {
		got, ok := new(reader).request([]byte(tt.line))
		if ok != (tt.want != nil) {
			t.Errorf("%s: got %v, want one: %v", name, ok, tt.want != nil)
			continue
		}
		if tt.want == nil {
			continue
		}
		if d := cmp.Diff(*tt.want, got, cmp.AllowUnexported(request{}, attempt{})); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(logged("1.000", "g", "a:1, b:2", "502, 200", "-, 0.001", "0.001, 0.003", 200, "x"))
	f.Add(`{"msec":1,"upstream_group":"g","upstream_addr":", "}`)
	f.Fuzz(func(t *testing.T, line string) {
		r, ok := new(reader).request([]byte(line))
		if !ok {
			return
		}
		if r.took < 0 || r.group == "" {
			t.Errorf("got %+v", r)
		}
		c := newCounts()
		c.second(1).add(&r)
		c.second(1).row()
	})
}

func BenchmarkParse(b *testing.B) {
	line := []byte(logged("1795813893.171", "node_app_api", "127.0.0.1:8082", "200", "0.001", "0.002", 200, "loadgen/x"))
	var r reader
	b.ReportAllocs()
	for b.Loop() {
		r.request(line)
	}
}
