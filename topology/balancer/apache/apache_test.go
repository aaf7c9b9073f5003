package apache

import (
	"encoding/json"
	"testing"

	"balanceo/topology/balancer/balancertest"
)

func TestApache(t *testing.T) { balancertest.Run(t, Apache{}) }

func TestLogLine(t *testing.T) {
	for text, want := range map[string][2]string{
		`{"status":200,"error_id":"-","user_agent":"a"}`:                 {"0", "a"},
		`{"status":503,"error_id":"-","user_agent":"a"}`:                 {"0", "a"},
		`{"status":503,"error_id":"xy","user_agent":"a"}`:                {"-", "a"},
		`{"status":200,"error_id":"xy","user_agent":"\xc3\\x \"q\" \\"}`: {"0", `\xc3\x "q" \`},
	} {
		var got struct {
			HeaderTime string `json:"upstream_header_time"`
			Agent      string `json:"user_agent"`
		}
		line := Apache{}.LogLine([]byte(text))
		if err := json.Unmarshal(line, &got); err != nil || got.HeaderTime != want[0] || got.Agent != want[1] {
			t.Errorf("LogLine(%s): got %s: %+v, %v, want %q", text, line, got, err, want)
		}
	}
}
