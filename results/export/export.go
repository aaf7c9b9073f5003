// Package export writes runs in the formats of other tools: CSV for spreadsheets, HdrHistogram's percentile
// format for its plotter, Prometheus' text format, and Go's benchmark format for benchstat.
package export

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"golang.org/x/perf/benchfmt"

	"balanceo/results/compare"
	"balanceo/results/run"
	"balanceo/results/units"
)

// Format writes runs to w.
type Format func(w io.Writer, runs []*run.Record) error

// Formats are all formats by name.
func Formats() map[string]Format {
	return map[string]Format{"csv": CSV, "hgrm": HGRM, "prom": Prometheus, "benchfmt": Benchmark}
}

// CSV writes a line a run (RFC 4180): what it was, and each metric in the unit that the heading names.
func CSV(w io.Writer, runs []*run.Record) error {
	out := csv.NewWriter(w)
	heading := []string{
		"id", "started", "layout", "label", "scenario", "pace", "requested_rate", "actual_rate", "duration_s", "requests",
		"valid", "partial",
	}
	for _, m := range compare.Metrics() {
		unit, _, _ := names(m.Unit)
		heading = append(heading, m.Key+"_"+unit)
	}
	if err := out.Write(heading); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	for _, r := range runs {
		line := []string{
			r.ID, r.Started.Format(time.RFC3339Nano), r.Layout, r.Label, r.Scenario, r.Pace, number(r.RequestedRate),
			number(r.ActualRate), number(r.Duration), strconv.FormatInt(r.Requests, 10),
			strconv.FormatBool(r.Valid()), strconv.FormatBool(r.Partial),
		}
		for _, m := range compare.Metrics() {
			cell := "" // empty where the run has no such figure
			if v, ok := m.Of(r); ok {
				cell = number(v)
			}
			line = append(line, cell)
		}
		if err := out.Write(line); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	out.Flush()
	return out.Error()
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// names are what a unit is called in the heading of a column of CSV; as Prometheus wants it, in whole words; and at the end
// of the name of a metric by which benchstat scales it.
func names(u units.Unit) (csv, prometheus, benchmark string) {
	switch u {
	case units.Seconds:
		return "s", "seconds", "-sec"
	case units.PerSecond:
		return "per_s", "per_second", "/s"
	case units.Bytes:
		return "bytes", "bytes", "-B"
	}
	return string(u), string(u), ""
}

// HGRM writes the latency distribution of all runs together, in milliseconds, as HdrHistogram's own tools
// print it.
func HGRM(w io.Writer, runs []*run.Record) error {
	h, err := run.MergedHistogram(runs)
	if err != nil {
		return err
	}
	const ticks, microsInMilli = 5, 1000
	if _, err := h.PercentilesPrint(w, ticks, microsInMilli); err != nil {
		return fmt.Errorf("write percentiles: %w", err)
	}
	return nil
}

// Prometheus writes gauges labelled by run, as for a node exporter's textfile collector.
func Prometheus(w io.Writer, runs []*run.Record) error {
	var families []*dto.MetricFamily
	latency := gauge("balanceo_run_latency_seconds", "latency of the requests of one run, counted from when they were due")
	for _, m := range compare.Metrics() {
		_, unit, _ := names(m.Unit)
		f := gauge("balanceo_run_"+m.Key+"_"+unit, m.Name+" of one run")
		quantile := map[string]string{"p50": "0.5", "p90": "0.9", "p99": "0.99", "p999": "0.999"}[m.Key]
		for _, r := range runs {
			v, ok := m.Of(r)
			switch {
			case ok && quantile != "":
				add(latency, v, append(runLabels(r), label("quantile", quantile))...)
			case ok:
				add(f, v, runLabels(r)...)
			}
		}
		families = append(families, f)
	}
	families = append(families, latency)
	requests := gauge("balanceo_run_upstream_requests", "requests that an upstream answered in one run")
	expected := gauge("balanceo_run_upstream_expected_share", "share of its group's requests that is promised to an upstream")
	for _, r := range runs {
		for _, g := range r.Groups {
			for _, u := range g.Upstreams {
				labels := append(runLabels(r), label("group", g.Name), label("upstream", u.Addr), label("instance", u.Instance))
				add(requests, float64(u.Requests), labels...)
				add(expected, u.ExpectedShare, labels...)
			}
		}
	}
	for _, f := range append(families, requests, expected) {
		if len(f.Metric) == 0 {
			continue
		}
		if _, err := expfmt.MetricFamilyToText(w, f); err != nil {
			return fmt.Errorf("write metric %q: %w", f.GetName(), err)
		}
	}
	return nil
}

func gauge(name, help string) *dto.MetricFamily {
	return &dto.MetricFamily{Name: &name, Help: &help, Type: dto.MetricType_GAUGE.Enum()}
}

func add(f *dto.MetricFamily, v float64, labels ...*dto.LabelPair) {
	f.Metric = append(f.Metric, &dto.Metric{Label: labels, Gauge: &dto.Gauge{Value: &v}})
}

func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

func runLabels(r *run.Record) []*dto.LabelPair {
	return []*dto.LabelPair{
		label("run", r.ID), label("layout", r.Layout), label("label", r.Label), label("scenario", r.Scenario),
	}
}

// Benchmark writes a line a run in Go's benchmark format. What distinguishes runs of one comparison is in the
// name, so that "benchstat -col /layout FILE" works; where they took place is file configuration. Runs
// that can't be compared (see run.Record.Valid) are left out.
func Benchmark(w io.Writer, runs []*run.Record) error {
	out := benchfmt.NewWriter(w)
	for _, m := range compare.Metrics() {
		better := "lower"
		if m.Better == compare.Higher {
			better = "higher"
		}
		meta := &benchfmt.UnitMetadata{UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: benchUnit(m), Key: "better"}, OrigUnit: benchUnit(m), Value: better}
		if err := out.Write(meta); err != nil {
			return fmt.Errorf("write unit %q: %w", m.Key, err)
		}
	}
	for _, r := range runs {
		if r.Partial || r.Search == nil && !r.Valid() {
			continue
		}
		result := &benchfmt.Result{Name: benchName(r), Iters: int(max(1, r.Requests))}
		for _, c := range [][2]string{
			{"pkg", "balanceo"},
			{"goos", r.Env.OS},
			{"cpu", r.Env.CPU},
			{"cores", strconv.Itoa(r.Env.Cores)},
			{"go", r.Env.Go},
			{"nginx", r.Env.Nginx},
			{"database", r.Env.Database},
			{"commit", r.Env.Commit},
			{"label", r.Label},
		} {
			if c[1] != "" {
				result.SetConfig(c[0], oneLine(c[1]))
				i, _ := result.ConfigIndex(c[0])
				result.Config[i].File = true
			}
		}
		for _, m := range compare.Metrics() {
			if v, ok := m.Of(r); ok && m.Search == (r.Search != nil) {
				result.Values = append(result.Values, benchfmt.Value{Value: v, Unit: benchUnit(m)})
			}
		}
		if len(result.Values) == 0 {
			continue
		}
		if err := out.Write(result); err != nil {
			return fmt.Errorf("write run %q: %w", r.ID, err)
		}
	}
	return nil
}

// benchName puts the layout before the rate: "-2" at the end of a name would be read as GOMAXPROCS.
func benchName(r *run.Record) benchfmt.Name {
	what := "Run"
	if r.Search != nil {
		what = "FindMax"
	}
	name := fmt.Sprintf("%s/scenario=%s/layout=%s", what, word(r.Scenario), word(r.Layout))
	if r.Search == nil {
		name += "/rate=" + number(r.RequestedRate)
	}
	return benchfmt.Name(name)
}

// benchUnit names a metric as a unit that benchstat scales by its ending.
func benchUnit(m compare.Metric) string {
	_, _, ending := names(m.Unit)
	return m.Key + ending
}

// word makes text a part of a benchmark's name, which ends at a space and splits at a slash.
func word(text string) string {
	return cmp.Or(strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r == 0x7f || r == 0x85 || r == 0xa0 {
			return '_'
		}
		return r
	}, text), "none")
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
