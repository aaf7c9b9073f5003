package main

import (
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"balanceo/topology/cli"
)

func planOf(t *testing.T, args ...string) (*plan, error) {
	t.Helper()
	o, err := parseOptions(args)
	if err != nil {
		return nil, err
	}
	return o.plan()
}

func TestPlanDefaults(t *testing.T) {
	t.Setenv("BALANCEO_TARGET", "") // so that it is put back
	if err := os.Unsetenv("BALANCEO_TARGET"); err != nil {
		t.Fatal(err)
	}
	p, err := planOf(t)
	if err != nil {
		t.Fatal(err)
	}
	if p.rate != 200 || p.target.Addr != "127.0.0.1:80" || p.duration != 15*time.Second || p.warmup != 2*time.Second ||
		p.scenario.Name != "mix" || p.paceText != "constant" || p.out != "results/runs" || p.timeout != 30*time.Second {
		t.Errorf("loadgen without flags: %+v", p)
	}
	t.Setenv("BALANCEO_TARGET", ":8123")
	if p, err = planOf(t); err != nil || p.target.Addr != "127.0.0.1:8123" {
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

func TestWorkersAndCores(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	t.Setenv("GOGC", "")
	all := runtime.GOMAXPROCS(0)
	for _, test := range []struct {
		args    []string
		workers int
		cores   int
	}{
		{[]string{"-rate", "1"}, 64, 1},
		{[]string{"-rate", "200"}, 100, 1},
		{[]string{"-rate", "5000"}, 512, 1},
		{[]string{"-rate", "50000"}, 512, all},
		{[]string{"-rate", "0"}, 64, all},
		{[]string{"-pace", "ramp:1:50000"}, 512, all},
		{[]string{"-pace", "step:10:400"}, 200, 1},
		{[]string{"-rate", "5000", "-workers", "3"}, 3, 1},
	} {
		p, err := planOf(t, test.args...)
		if err != nil {
			t.Fatal(err)
		}
		s, err := p.schedule(p.rate)
		if err != nil {
			t.Fatal(err)
		}
		cores, undo := tune(s)
		if now := runtime.GOMAXPROCS(0); now != cores {
			t.Errorf("loadgen %q runs on %d cores and says %d", test.args, now, cores)
		}
		undo()
		if got := p.workersFor(s); got != test.workers || cores != test.cores {
			t.Errorf("loadgen %q: %d workers on %d cores, want %d on %d", test.args, got, cores, test.workers, test.cores)
		}
	}
	gc := debug.SetGCPercent(100)
	debug.SetGCPercent(gc)
	if now := runtime.GOMAXPROCS(0); now != all || gc != 100 {
		t.Errorf("after all: GOMAXPROCS %d, GC %d%%, want %d and 100%%", now, gc, all)
	}
}
