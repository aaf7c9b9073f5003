// Command loadgen loads an nginx and explains what it saw: which server and which process answered, whether
// load is shared as nginx.conf promises, how fast, how evenly, and what was lost.
//
//	loadgen -rate 200 -target :80
//
// It works in steps: flags are read (options.go) and checked (plan.go, client.go, judged.go), package promise finds out
// what to expect, the requests are made (load.go) and sent by package attack, every hit is counted by package tally, and
// what was counted becomes a run record (measure.go), which is explained (explain.go), judged (verdict.go), stored, and
// printed by package report (run.go).
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"balanceo/topology/cli"
)

func main() { os.Exit(loadgen(os.Args[1:], os.Stdout, os.Stderr)) }

// loadgen is the whole command; its result is the exit code.
func loadgen(args []string, stdout, stderr *os.File) int {
	opts, set, err := parseOptions(args)
	if err != nil {
		return cli.Exit(stdout, stderr, "loadgen", err)
	}
	p, err := opts.plan(set)
	if err != nil {
		return cli.Report(stderr, "loadgen", err)
	}
	schedule, err := p.schedule()
	if err != nil {
		return cli.Report(stderr, "loadgen", err)
	}
	p.command = append([]string{"loadgen"}, args...)
	ctx, stop := interruptible(context.Background(), stderr)
	defer stop()
	return cli.Report(stderr, "loadgen", p.run(ctx, schedule, stdout, stderr))
}

// interruptible returns a context that ends at the first Ctrl-C or TERM. The second one ends the process at
// once, as it would without us.
func interruptible(parent context.Context, stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-signals:
			signal.Stop(signals)
			fmt.Fprintln(stderr, "\nloadgen: ending the attack; once more to leave at once")
			cancel()
		case <-ctx.Done():
			signal.Stop(signals)
		}
	}()
	return ctx, func() {
		cancel()
		<-done
	}
}
