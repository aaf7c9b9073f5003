package nginx

import (
	"fmt"
	"math"
	"testing"

	"balanceo/topology/balancer"
)

func TestPromises(t *testing.T) {
	const three = "server 127.0.0.1:1; server 127.0.0.1:2; server 127.0.0.1:3; server 127.0.0.1:4 backup; server 127.0.0.1:5 down;"
	for _, tt := range []struct {
		upstream string
		kind     balancer.Kind
		within   float64
	}{
		{"", balancer.Exact, 1.5 * 4}, // 1 + 1/2 for each of four worker processes
		{"zone u 64k;", balancer.Exact, 1.5},
		{"random;", balancer.Chance, 0},
		{"random two least_conn;", balancer.Nothing, 0},
		{"least_conn;", balancer.Nothing, 0},
		{"least_time header;", balancer.Nothing, 0},
		{"ip_hash;", balancer.ByKey, 0},
		{"hash $request_uri consistent;", balancer.ByKey, 0},
	} {
		conf := fmt.Sprintf("worker_processes 4; events {} http { upstream u { %s %s } }", tt.upstream, three)
		got, err := Read(writeFiles(t, map[string]string{"n.conf": conf})+"/n.conf", "/prefix")
		if err != nil {
			t.Fatal(err)
		}
		p := got.Groups[0].Promise
		if p == nil || p.Kind != tt.kind || math.Abs(p.Within-tt.within) > 1e-9 || p.Because == "" {
			t.Errorf("upstream { %s… }: promise %+v, want %s within %g", tt.upstream, p, tt.kind, tt.within)
		}
	}
}
