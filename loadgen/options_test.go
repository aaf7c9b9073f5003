package main

import (
	"errors"
	"os"
	"testing"
	"time"

	"balanceo/topology/cli"
)

func planOf(t *testing.T, args ...string) (*plan, error) {
	t.Helper()
	o, set, err := parseOptions(args)
	if err != nil {
		return nil, err
	}
	return o.plan(set)
}

func TestPlanDefaults(t *testing.T) {
	t.Setenv("BALANCEO_TARGET", "") // so that it is put back
	if err := os.Unsetenv("BALANCEO_TARGET"); err != nil {
		t.Fatal(err)
	}
	p, err := planOf(t, "-quiet")
	if err != nil {
		t.Fatal(err)
	}
	if p.rate != 200 || p.target.Addr != "127.0.0.1:80" || p.duration != 15*time.Second || p.warmup != 2*time.Second ||
		p.scenarioName != "mix" || p.paceText != "constant" || p.out != "results/runs" || p.timeout != 30*time.Second {
		t.Errorf("loadgen without flags: %+v", p)
	}
	t.Setenv("BALANCEO_TARGET", ":8123")
	if p, err = planOf(t, "-quiet"); err != nil || p.target.Addr != "127.0.0.1:8123" {
		t.Errorf("loadgen with BALANCEO_TARGET=:8123: %+v, %v", p, err)
	}
	if p, err = planOf(t, "-target", ":8124"); err != nil || p.target.Addr != "127.0.0.1:8124" {
		t.Errorf("loadgen -target :8124 with BALANCEO_TARGET=:8123: %+v, %v", p, err)
	}
}

func TestSpellings(t *testing.T) {
	for _, args := range [][]string{
		{"-rate", "7"},
		{"--rate", "7"},
		{"-rate=7"},
		{"--rate=7"},
		{"-r", "7"},
		{"-r7"},
		{"-r=7"},
		{"-jq", "-r", "7"},
		{"-label=-dashed", "-r", "7"},
	} {
		p, err := planOf(t, args...)
		if err != nil || p.rate != 7 {
			t.Errorf("loadgen %q: %v, want rate 7", args, err)
		}
	}
	for _, args := range [][]string{{"-unknown"}, {"-rat", "7"}, {"-foo=7"}, {"--rat", "7"}, {"-z"}, {"7"}} {
		_, err := planOf(t, args...)
		var usage *cli.UsageError
		if !errors.As(err, &usage) {
			t.Errorf("loadgen %q: %v, want a usage error", args, err)
		}
	}
}

func TestWorkers(t *testing.T) {
	for _, test := range []struct {
		args    []string
		workers int
	}{
		{[]string{"-rate", "1"}, 64},
		{[]string{"-rate", "200"}, 100},
		{[]string{"-rate", "5000"}, 512},
		{[]string{"-rate", "0"}, 64},
		{[]string{"-pace", "ramp:1:50000"}, 512},
		{[]string{"-pace", "step:10:400"}, 200},
		{[]string{"-rate", "5000", "-workers", "3"}, 3},
		{[]string{"-rate", "0", "-workers", "15"}, 15},
	} {
		p, err := planOf(t, test.args...)
		if err != nil {
			t.Fatal(err)
		}
		s, err := p.schedule()
		if err != nil {
			t.Fatal(err)
		}
		if got := p.workersFor(s); got != test.workers {
			t.Errorf("loadgen %q: %d workers, want %d", test.args, got, test.workers)
		}
	}
}
