package campaign

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"balanceo/results/run"
	"balanceo/results/run/runtest"
)

func settings() Settings {
	return Settings{
		Sides: Sides([]string{"fork", "cluster", "seed"}, nil), Rounds: 3, Searches: 1, Duration: 10 * time.Second, Probe: 2 * time.Second, Warmup: 2 * time.Second,
		Scenario: "mix", SLO: "p99<50ms",
	}
}

// fake makes records instead of runs.
type fake struct {
	dir    string
	steps  []string
	before func(step Step, n int) error // n: how many steps went before
	change func(r *run.Record, n int)
}

func (f *fake) Run(ctx context.Context, step Step, rate float64, label string) error {
	n := len(f.steps)
	f.steps = append(f.steps, fmt.Sprintf("%s %s %.0f", step.Kind, step.Side.Name, rate))
	if f.before != nil {
		if err := f.before(step, n); err != nil {
			return err
		}
	}
	time.Sleep(17 * time.Second) // of the test's clock
	if ctx.Err() != nil {
		return ctx.Err()
	}
	spec := runtest.Spec{Started: time.Now(), Layout: step.Side.Layout, Label: label, Rate: rate, Duration: time.Second}
	if step.Kind == Search {
		spec.Capacity = map[string]float64{"fork": 9000, "cluster": 8500, "seed": 8700}[step.Side.Layout]
		spec.Noise = 1e-9
	}
	r := runtest.Record(spec)
	if f.change != nil {
		f.change(r, n)
	}
	_, err := run.Write(f.dir, r)
	return err
}

type silent struct{ notes []string }

func (s *silent) Begin(*Plan, Step)            {}
func (s *silent) End(*Plan, Step, *run.Record) {}
func (s *silent) Note(text string)             { s.notes = append(s.notes, text) }

func TestOrderAndRate(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		runner, progress := &fake{dir: dir}, &silent{}
		p := NewPlan(settings(), time.Now())
		if want := 3*(40+2)*time.Second + 9*(12+2)*time.Second; p.Left() != want {
			t.Errorf("time left before the start = %v, want %v", p.Left(), want)
		}
		if err := Run(t.Context(), p, dir, runner, progress); err != nil {
			t.Fatal(err)
		}
		rate := p.Rate
		if rate < 1750 || rate > 2125 || rate != round(rate) {
			t.Errorf("rate = %v, want a quarter of about 8000, rounded down", rate)
		}
		want := []string{"search fork 1000", "search cluster 1000", "search seed 1000"}
		for _, round := range [][]string{{"fork", "cluster", "seed"}, {"seed", "cluster", "fork"}, {"fork", "cluster", "seed"}} {
			for _, layout := range round {
				want = append(want, fmt.Sprintf("run %s %.0f", layout, rate))
			}
		}
		if diff := cmp.Diff(want, runner.steps); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		if p.Done() != 12 || p.Left() != 0 {
			t.Errorf("done %d, left %v; want 12 and nothing", p.Done(), p.Left())
		}
		if again, err := Load(dir, settings(), time.Now()); again != nil || err != nil {
			t.Errorf("Load of a finished campaign = %v, %v; want none", again, err)
		}
	})
}

func TestSides(t *testing.T) {
	for _, c := range []struct {
		layouts, balancers []string
		want               string
	}{
		{[]string{"fork", "dir/two.yaml"}, nil, "fork=fork, two=dir/two.yaml"},
		{[]string{"seed"}, []string{"nginx", "haproxy"}, "nginx=seed nginx, haproxy=seed haproxy"},
		{[]string{"fork", "cluster"}, []string{"caddy"}, "fork=fork caddy, cluster=cluster caddy"},
		{[]string{"rr.yaml", "lc.yaml"}, []string{"nginx", "caddy"}, "rr nginx=rr.yaml nginx, rr caddy=rr.yaml caddy, lc nginx=lc.yaml nginx, lc caddy=lc.yaml caddy"},
		{[]string{"fork", "fork", "fork"}, nil, "fork=fork, fork 2=fork, fork 3=fork"},
	} {
		var got []string
		for _, s := range Sides(c.layouts, c.balancers) {
			got = append(got, strings.TrimSpace(s.Name+"="+s.Layout+" "+s.Balancer))
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("Sides(%q, %q) = %s, want %s", c.layouts, c.balancers, text, c.want)
		}
	}
}

// TestSearchesInTurn: a campaign's searches lie between its runs, in alternating order, start near what is known, and
// each record says which round it belongs to.
func TestSearchesInTurn(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := settings()
		s.Sides, s.Rounds, s.Searches = Sides([]string{"fork", "cluster"}, nil), 2, 3
		runner := &fake{dir: dir}
		p := NewPlan(s, time.Now())
		if err := Run(t.Context(), p, dir, runner, &silent{}); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"search fork 1000", "search cluster 1000", "run fork 2000", "run cluster 2000",
			"search cluster 7251", "search fork 7910", "run cluster 2000", "run fork 2000", "search fork 8355", "search cluster 7659",
		}
		if diff := cmp.Diff(want, runner.steps); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		records, err := p.Records(dir)
		if err != nil {
			t.Fatal(err)
		}
		var rounds strings.Builder
		for _, r := range records {
			fmt.Fprint(&rounds, r.Side[:1], r.Round)
		}
		if want := "f1c1f1c1c2f2c2f2f3c3"; rounds.String() != want {
			t.Errorf("the records' sides and rounds are %s, want %s", &rounds, want)
		}
	})
}

func TestInterruptedGoesOn(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		first := &fake{dir: dir, before: func(_ Step, n int) error {
			if n == 5 {
				cancel()
			}
			return nil
		}}
		p := NewPlan(settings(), time.Now())
		if err := Run(ctx, p, dir, first, &silent{}); !errors.Is(err, context.Canceled) {
			t.Fatalf("Run = %v, want the context's error", err)
		}
		for name, s := range map[string]struct {
			settings Settings
			now      time.Time
		}{
			"other settings": {Settings{Sides: Sides([]string{"fork"}, nil)}, time.Now()},
			"too late":       {settings(), time.Now().Add(24 * time.Hour)},
		} {
			if again, err := Load(dir, s.settings, s.now); again != nil || err != nil {
				t.Errorf("%s: Load = %v, %v; want none", name, again, err)
			}
		}
		again, err := Load(dir, settings(), time.Now())
		if err != nil || again == nil {
			t.Fatalf("Load = %v, %v; want the interrupted campaign", again, err)
		}
		if again.Done() != 5 || again.Label != p.Label {
			t.Errorf("done %d of %q, want 5 of %q", again.Done(), again.Label, p.Label)
		}
		if want := 7 * 17 * time.Second; again.Left() != want {
			t.Errorf("time left = %v, want %v from what the steps took", again.Left(), want)
		}
		second := &fake{dir: dir}
		if err := Run(t.Context(), again, dir, second, &silent{}); err != nil {
			t.Fatal(err)
		}
		if len(second.steps) != 7 {
			t.Errorf("went on with %q, want the 7 steps that were left", second.steps)
		}
		records, err := again.Records(dir)
		if err != nil || len(records) != 12 {
			t.Errorf("%d records, %v; want 12", len(records), err)
		}
	})
}

func TestInvalidRunIsRepeated(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := settings()
		s.Sides, s.Rounds, s.Searches, s.Rate = Sides([]string{"fork"}, nil), 2, 0, 500
		runner := &fake{dir: dir, change: func(r *run.Record, n int) {
			if n == 0 {
				r.Generator.SendRatio = 0.5
			}
		}}
		progress := &silent{}
		p := NewPlan(s, time.Now())
		if err := Run(t.Context(), p, dir, runner, progress); err != nil {
			t.Fatal(err)
		}
		if len(runner.steps) != 3 || !strings.Contains(strings.Join(progress.notes, ""), "less than 99 % of what was due; once more") {
			t.Errorf("steps %q, notes %q; want the first one repeated and said", runner.steps, progress.notes)
		}
		if all, err := p.Records(dir); err != nil || all[0].Side != "fork" || all[0].Round != 0 {
			t.Errorf("the run that was repeated is of side %q, round %d (%v), want fork and none", all[0].Side, all[0].Round, err)
		}
		late := &fake{dir: t.TempDir(), change: func(r *run.Record, n int) {
			if n > 0 {
				r.Generator.SendRatio = 0.5
			}
		}}
		if err := Run(t.Context(), NewPlan(s, time.Now()), late.dir, late, progress); err != nil || len(late.steps) != 1+attempts {
			t.Errorf("Run where the second round can't be used = %v after %d runs, want it done after %d", err, len(late.steps), 1+attempts)
		}
		runner.change = func(r *run.Record, _ int) { r.Generator.SendRatio = 0.5 }
		if err := Run(t.Context(), NewPlan(s, time.Now()), dir, runner, progress); err == nil || !strings.Contains(err.Error(), "4 runs") {
			t.Errorf("Run with a generator too slow = %v, want an end after 4 tries", err)
		}
	})
}

func TestSearchThatHeldNothingIsRepeated(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := settings()
		s.Sides, s.Rounds = Sides([]string{"fork"}, nil), 1
		runner := &fake{dir: dir, change: func(r *run.Record, n int) {
			if n == 0 {
				r.Search.MaxRate = 0
			}
		}}
		p := NewPlan(s, time.Now())
		if err := Run(t.Context(), p, dir, runner, &silent{}); err != nil || p.Rate < 1500 {
			t.Errorf("Run = %v, rate %v; want the rate of the second search", err, p.Rate)
		}
		if len(runner.steps) != 3 {
			t.Errorf("steps %q, want the search repeated", runner.steps)
		}
	})
}

func TestNoRecordIsAnError(t *testing.T) {
	dir := t.TempDir()
	s := settings()
	s.Rate, s.Searches = 100, 0
	p := NewPlan(s, time.Now())
	err := Run(t.Context(), p, dir, runnerFunc(func() error { return nil }), &silent{})
	if err == nil || !strings.Contains(err.Error(), "left no record") {
		t.Errorf("Run = %v, want an error that there is no record", err)
	}
	s.Rate = 0
	err = Run(t.Context(), NewPlan(s, time.Now()), dir, runnerFunc(func() error { return nil }), &silent{})
	if err == nil || !strings.Contains(err.Error(), "no common rate") {
		t.Errorf("Run without rate and search = %v, want an error", err)
	}
}

type runnerFunc func() error

func (f runnerFunc) Run(context.Context, Step, float64, string) error { return f() }

// TestCommands runs a stand-in for topology that says what it was asked for.
func TestCommands(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := &Commands{
		Topology: script("topology", `echo "$1 $2 $3 $4 $5 $6" >"`+dir+`/asked"; while [ "$1" != -- ]; do shift; done; shift; BALANCEO_TARGET=:21080 exec "$@"`),
		Loadgen:  script("loadgen", `echo "$@" >>"`+dir+`/asked"; exit 3`),
		Flags:    []string{"--free-ports"}, Dir: "records", Settings: settings(),
	}
	if err := c.Run(t.Context(), Step{Kind: Search, Side: Side{"seed", "seed", "haproxy"}}, 1000, "the label"); err != nil {
		t.Fatalf("Run = %v; a failed verdict (exit 3) is no failure", err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "asked"))
	if err != nil {
		t.Fatal(err)
	}
	want := "run --layout seed --free-ports --balancer haproxy\n-target :21080 -rate 1000 -scenario mix -label the label -out records -quiet -find-max p99<50ms -find-precision 5% -duration 2s -warmup 500ms\n"
	if string(got) != want {
		t.Errorf("asked for\n%swant\n%s", got, want)
	}

	c.Topology = script("broken", "echo first; echo the port is taken >&2; exit 1")
	if err := c.Run(t.Context(), Step{Kind: Rated, Side: Side{"seed", "seed", ""}}, 1000, ""); err == nil || !strings.Contains(err.Error(), "the port is taken") {
		t.Errorf("Run of what fails = %v, want its last words", err)
	}

	// An interrupt is passed on once, and what it ends is waited for.
	c.Topology = script("slow", `trap 'echo interrupted >>"`+dir+`/trapped"; exit 130' INT; : >"`+dir+`/ready"; while :; do sleep 0.05; done`)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
				cancel()
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	if err := c.Run(ctx, Step{Kind: Rated, Side: Side{"seed", "seed", ""}}, 1000, ""); err == nil {
		t.Error("Run of an interrupted step = nil, want an error")
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "trapped")); string(got) != "interrupted\n" {
		t.Errorf("the step was told %q, want one interrupt", got)
	}
}
