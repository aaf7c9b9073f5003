package counts

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

const metrics = `# TYPE balanceo_requests_total counter
balanceo_requests_total{route="/info",method="GET",code="2xx"} 30
balanceo_requests_total{route="other",method="GET",code="4xx"} 3
balanceo_requests_total{route="/healthz",method="GET",code="2xx"} 500
balanceo_requests_total{route="/metrics",method="GET",code="2xx"} 600
# TYPE balanceo_worker_requests_total counter
balanceo_worker_requests_total{pid="1"} 10
balanceo_worker_requests_total{pid="2"} 20
balanceo_worker_requests_total{pid="3"} 1103
# TYPE balanceo_worker_start_time_seconds gauge
balanceo_worker_start_time_seconds{pid="2"} 1700000000.125
# TYPE balanceo_worker_up gauge
balanceo_worker_up{pid="1"} 0
balanceo_worker_up{pid="2"} 1
# TYPE balanceo_open_connections gauge
balanceo_open_connections 4
# TYPE balanceo_workers gauge
balanceo_workers 2
`

func TestRead(t *testing.T) {
	got, err := read(strings.NewReader(metrics))
	want := Counts{Requests: 33, Connections: 4, Workers: 2, Processes: map[int]Process{
		1: {Requests: 10}, 2: {Requests: 20, Started: time.UnixMilli(1700000000125), Alive: true}, 3: {Requests: 1103},
	}}
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("read: got %+v, %v, want %+v", got, err, want)
	}
	for text, want := range map[string]float64{
		"balanceo_requests_total{route=\"/info\"} 5\n":                                                 5,
		"# TYPE balanceo_worker_requests_total counter\nbalanceo_worker_requests_total{pid=\"1\"} 0\n": 0,
	} {
		if got, err := read(strings.NewReader(text)); err != nil || got.Requests != want {
			t.Errorf("read(%q): got %+v, %v, want %v requests", text, got, err, want)
		}
	}
	for _, text := range []string{"", "<html>", "other_metric 1\n", "balanceo_workers x\n"} {
		if got, err := read(strings.NewReader(text)); err == nil {
			t.Errorf("read(%q): got %+v, want an error", text, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(metrics)
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := read(strings.NewReader(text)); err == nil && got == nil {
			t.Fatal("neither counts nor an error")
		}
	})
}
