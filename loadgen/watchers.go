package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/metrics"
	"balanceo/loadgen/tally"
)

// watchers are who sees the hits beside the tally and the live view. A nil watchers is none.
type watchers struct {
	raw  *raw
	prom *metrics.Server
	more []attack.Sink
}

// and is w and one more.
func (w *watchers) and(s attack.Sink) *watchers {
	out := &watchers{more: []attack.Sink{s}}
	if w != nil {
		out.raw, out.prom = w.raw, w.prom
	}
	return out
}

// watchers begins what -raw and -prom ask for.
func (p *plan) watchers(ctx context.Context) (w *watchers, err error) {
	w = &watchers{}
	if p.raw != "" {
		if w.raw, err = openRaw(p.raw); err != nil {
			return nil, err
		}
	}
	if p.prom != "" {
		if w.prom, err = metrics.Serve(ctx, p.prom); err != nil {
			return nil, errors.Join(fmt.Errorf("-prom: %w", err), w.close())
		}
	}
	return w, nil
}

// sinks are those of an attack.
func (w *watchers) sinks(cfg attack.Config) (out []attack.Sink) {
	if w == nil {
		return nil
	}
	if w.raw != nil {
		w.raw.attack = cfg
		out = append(out, w.raw)
	}
	if w.prom != nil {
		out = append(out, w.prom)
	}
	return append(out, w.more...)
}

func (w *watchers) close() (err error) {
	if w.raw != nil {
		err = w.raw.close()
	}
	if w.prom != nil {
		err = errors.Join(err, w.prom.Close())
	}
	return err
}

// raw writes each measured hit as vegeta's Result, so that its commands report, plot and encode read it.
type raw struct {
	path   string
	attack attack.Config
	mu     sync.Mutex // of all below
	file   *os.File
	buffer *bufio.Writer
	encode vegeta.Encoder
	began  time.Time
	seq    uint64
	err    error // the first of writing
}

func openRaw(path string) (*raw, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("-raw: %w", err)
	}
	r := &raw{path: path, file: f, buffer: bufio.NewWriterSize(f, 256<<10)}
	r.encode = vegeta.NewEncoder(r.buffer)
	return r, nil
}

// Add implements attack.Sink. Its Latency is counted from when the hit was due, as everywhere here.
func (r *raw) Add(h *tally.Hit) {
	if h.Due < r.attack.Schedule.Warmup {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.IsZero() {
		r.began = time.Now().Add(-h.Done)
	}
	t := r.attack.Requests[h.Route].At(r.attack.Target)
	err := r.encode.Encode(&vegeta.Result{
		Attack: r.attack.RequestID, Seq: r.seq, Code: uint16(h.Status), Timestamp: r.began.Add(h.Due), Latency: h.Done - h.Due,
		BytesOut: uint64(h.BytesOut), BytesIn: uint64(h.BytesIn), Error: h.Err.String(), Method: t.Method, URL: t.URL,
	})
	r.seq++
	if r.err == nil {
		r.err = err
	}
}

func (r *raw) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(r.err, r.buffer.Flush(), r.file.Close()); err != nil {
		return fmt.Errorf("-raw: write %q: %w", r.path, err)
	}
	return nil
}
