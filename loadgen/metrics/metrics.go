// Package metrics serves what an attack has counted so far to Prometheus. It owns the names of those metrics.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"balanceo/loadgen/tally"
)

// Server is the metrics of one call of loadgen, warm-up included.
type Server struct {
	http     *http.Server
	served   chan error
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	received prometheus.Counter
}

// Serve answers GET /metrics at addr until Close is called.
func Serve(ctx context.Context, addr string) (*Server, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen at %q: %w", addr, err)
	}
	s := &Server{
		served: make(chan error, 1),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "loadgen_requests_total", Help: "Requests that have ended, by status (0: no answer), class of failure and upstream.",
		}, []string{"status", "error", "upstream"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "loadgen_latency_seconds", Help: "Latency from when requests were due.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 20),
		}, []string{"outcome"}),
		received: prometheus.NewCounter(prometheus.CounterOpts{Name: "loadgen_received_bytes_total", Help: "Bytes of the answers' bodies."}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.requests, s.latency, s.received)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { s.served <- s.http.Serve(ln) }()
	return s, nil
}

// Add implements attack.Sink; it may be called from several goroutines.
func (s *Server) Add(h *tally.Hit) {
	_, upstream := tally.Tried(h.Tried)
	s.requests.WithLabelValues(strconv.Itoa(h.Status), h.Err.String(), upstream).Inc()
	outcome := "ok"
	if !h.OK() {
		outcome = "failed"
	}
	s.latency.WithLabelValues(outcome).Observe((h.Done - h.Due).Seconds())
	s.received.Add(float64(h.BytesIn))
}

// Close ends the serving.
//
//nolint:contextcheck // also after an interrupt, and within a second
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := errors.Join(s.http.Shutdown(ctx), <-s.served); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
