package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrapeTimeout bounds one question for /metrics.
const scrapeTimeout = 2 * time.Second

// errNotOurs is an answer that is no count of requests.
var errNotOurs = errors.New("no balanceo_requests_total at /metrics")

// scraper asks servers how many requests they have answered.
type scraper struct{ client *http.Client }

func newScraper() *scraper {
	return &scraper{&http.Client{
		Timeout:       scrapeTimeout,
		Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// all asks every address at once. Those that do not tell are missing from the result.
func (s *scraper) all(ctx context.Context, addrs []string) map[string]int64 {
	var (
		mu  sync.Mutex
		wg  sync.WaitGroup
		out = map[string]int64{}
	)
	for _, addr := range addrs {
		wg.Go(func() {
			if n, err := s.requests(ctx, addr); err == nil {
				mu.Lock()
				out[addr] = n
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return out
}

// requests is how many requests the server at addr has answered, all its processes together, but for the
// probes: asking changes nothing.
func (s *scraper) requests(ctx context.Context, addr string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s", req.URL, resp.Status)
	}
	return countRequests(io.LimitReader(resp.Body, 4<<20))
}

func countRequests(r io.Reader) (int64, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return 0, fmt.Errorf("/metrics: %w", err)
	}
	// The workers' family is there from the start, the one of requests once there was any.
	if families["balanceo_worker_requests_total"] == nil && families["balanceo_requests_total"] == nil {
		return 0, errNotOurs
	}
	var sum float64
	for _, metric := range families["balanceo_requests_total"].GetMetric() {
		probe := false
		for _, label := range metric.GetLabel() {
			probe = probe || label.GetName() == "route" && (label.GetValue() == "/healthz" || label.GetValue() == "/metrics")
		}
		if !probe {
			sum += metric.GetCounter().GetValue() + metric.GetUntyped().GetValue()
		}
	}
	return int64(sum), nil
}

// local tells whether addr is on this machine's loopback: others are not asked unless they are known to be ours.
func local(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
