package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"balanceo/results/run"
	"balanceo/results/run/runtest"
	"balanceo/topology/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"results": main, "fakeloadgen": fakeLoadgen})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC")
			return os.MkdirAll(filepath.Join(env.WorkDir, run.DefaultDir), 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"runs": makeRuns},
	})
}

// fakeLoadgen stands in for loadgen: it writes the record of a run without making it. LAYOUT is what the stand-in for
// topology brought up.
func fakeLoadgen() {
	set := flag.NewFlagSet("loadgen", flag.ExitOnError)
	rate := set.Float64("rate", 0, "")
	label := set.String("label", "", "")
	out := set.String("out", "", "")
	slo := set.String("find-max", "", "")
	duration := set.Duration("duration", 0, "")
	for _, ignored := range []string{"target", "warmup", "scenario", "find-precision"} {
		set.String(ignored, "", "")
	}
	set.Bool("quiet", false, "")
	_ = set.Parse(os.Args[1:])
	spec := runtest.Spec{
		Started: time.Now(), Seed: uint64(time.Now().UnixNano()), Layout: os.Getenv("LAYOUT"), Label: *label, Rate: *rate, Duration: *duration, Noise: 0.01,
	}
	if *slo != "" {
		spec.Capacity = 9000
	}
	if spec.Layout == "cluster" {
		spec.Slower = 1.5
	}
	if _, err := run.Write(*out, runtest.Record(spec)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// makeRuns is the script command "runs KIND": it fills results/runs with one known set of records.
func makeRuns(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: runs KIND")
	}
	dir := ts.MkAbs(run.DefaultDir)
	at := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	write := func(spec runtest.Spec) {
		spec.Started = at
		at = at.Add(time.Minute)
		_, err := run.Write(dir, runtest.Record(spec))
		ts.Check(err)
	}
	switch args[0] {
	case "few":
		write(runtest.Spec{Layout: "seed", Label: "first"})
		write(runtest.Spec{Layout: "fork", Rate: 400, Errors: 30})
		write(runtest.Spec{Layout: "fork", Scenario: "site", Label: "last"})
	case "slower": // ten ABBA pairs of two layouts, the second 20 % slower, and a search of each
		for round := range 10 {
			specs := []runtest.Spec{{Layout: "fork"}, {Layout: "cluster", Slower: 1.2}}
			write(specs[round%2])
			write(specs[1-round%2])
		}
		write(runtest.Spec{Layout: "fork", Capacity: 9000})
		write(runtest.Spec{Layout: "cluster", Capacity: 8000})
	case "same":
		for round := range 20 {
			write(runtest.Spec{Layout: "seed", Label: []string{"one", "two", "two", "one"}[round%4]})
		}
	case "sizes": // three searches of each of five sizes, which the label tells, by a law with a peak at 15
		for _, n := range []float64{1, 2, 4, 8, 16} {
			for range 3 {
				write(runtest.Spec{Label: fmt.Sprint(n), Capacity: 2000 * n / (1 + 0.1*(n-1) + 0.004*n*(n-1)), Noise: 0.02})
			}
		}
	case "parts": // two of three parts of one load, and the third in a file beside them
		for i := range 3 {
			r := runtest.Record(runtest.Spec{Seed: uint64(i + 1), Started: at.Add(time.Duration(i) * time.Second), Label: "three"})
			r.ID, r.Part = fmt.Sprintf("part-%d", i+1), &run.Part{Number: i + 1, Of: 3, StartAt: at}
			r.Groups, r.Series = nil, nil
			to := dir
			if i == 2 {
				to = ts.MkAbs(".")
			}
			_, err := run.Write(to, r)
			ts.Check(err)
		}
	default:
		ts.Fatalf("runs %q: accepted are few, slower, same, sizes, parts", args[0])
	}
}

// TestMergedVerdict: what no part was judged for, the exit code of merge tells.
func TestMergedVerdict(t *testing.T) {
	r := runtest.Record(runtest.Spec{})
	if err := verdict(r); err != nil {
		t.Errorf("a load that was shared as promised: %v", err)
	}
	r.Groups[0].Verdict = run.Fail
	var broken *cli.VerdictError
	if err := verdict(r); !errors.As(err, &broken) {
		t.Errorf("a load that was not: %v, want a VerdictError", err)
	}
}
