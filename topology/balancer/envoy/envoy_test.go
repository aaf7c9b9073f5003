package envoy

import (
	"testing"

	"balanceo/topology/balancer"
)

const answer = `{"configs":[{"@type":"type.googleapis.com/envoy.admin.v3.BootstrapConfigDump"},
 {"@type":"type.googleapis.com/envoy.admin.v3.ClustersConfigDump","static_clusters":[
  {"cluster":{"name":"web","lb_policy":"RANDOM","load_assignment":{"cluster_name":"web","endpoints":[{"lb_endpoints":[
   {"endpoint":{"address":{"socket_address":{"address":"10.0.0.1","port_value":80}}},"load_balancing_weight":3},
   {"endpoint":{"address":{"socket_address":{"address":"10.0.0.2","port_value":80}}}},
   {"endpoint":{"address":{"socket_address":{"address":"10.0.0.3","port_value":80}}},"health_status":"UNHEALTHY"}]}]}},"last_updated":"2026-11-27T00:00:00Z"}],
  "dynamic_active_clusters":[{"cluster":{"name":"api","load_assignment":{"endpoints":[{"lb_endpoints":[
   {"endpoint":{"address":{"socket_address":{"address":"10.0.0.4","port_value":80}}}}]}]}}},{"cluster":{"name":"eds"}}]}]}`

func TestParse(t *testing.T) {
	c, err := Parse([]byte(answer))
	if err != nil || len(c.Groups) != 2 {
		t.Fatalf("Parse: got %+v, %v, want two groups", c, err)
	}
	web := c.Group("web")
	if web.Promise.Kind != balancer.Chance || web.Share("10.0.0.1:80") != 0.75 || !web.Servers[2].Down {
		t.Errorf("web: got %+v", web)
	}
	if api := c.Group("api"); api.Method != balancer.RoundRobin || api.Promise.Kind != balancer.Nothing {
		t.Errorf("api: got %+v", api)
	}
	for _, text := range []string{"", "[]", "{}", `{"configs":[]}`} {
		if c, err := Parse([]byte(text)); err == nil {
			t.Errorf("Parse(%q): got %+v, want an error", text, c)
		}
	}
}
