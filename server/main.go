// Command server is the web application that the laboratory balances load over: one process in mode FORK, or
// in mode CLUSTER a master and its workers, which share one port.
//
//	main.go      what is called
//	options.go   flags, environment and .env
//	serving.go   a process that answers requests: FORK's only one, or a worker of CLUSTER
//	cluster.go   the master of CLUSTER
//	database.go  the embedded database as a process of its own, and whoever needs it
//	drawing.go   random numbers, in this process or in children
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"balanceo/topology/cli"
	"balanceo/topology/layout"
	"balanceo/topology/supervise"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	opts, err := parseOptions(args, os.LookupEnv)
	if err != nil {
		return cli.Exit(stdout, stderr, "server", err)
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(stderr, nil)))
	return cli.Report(stderr, "server", start(opts))
}

// start does what the options say until the process is told to end.
func start(opts *options) error {
	in, err := supervise.Inherited()
	if err != nil {
		return err
	}
	ctx, stop := untilToldToEnd(in, endingSignals(opts)...)
	defer stop()
	switch {
	case opts.database != nil:
		return serveDatabase(ctx, in, opts.database)
	case opts.mode == layout.Cluster && !opts.worker:
		return runMaster(ctx, in, opts)
	}
	return serveApp(ctx, in, opts)
}

// endingSignals are the signals that end this process in good order. What a terminal sends to all of its
// processes is for a master to answer, not for its workers.
func endingSignals(opts *options) []os.Signal {
	if opts.worker {
		signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
		return []os.Signal{syscall.SIGTERM}
	}
	all := []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	// To a master it means something else; see runMaster. One that nohup ignores stays so.
	if opts.mode != layout.Cluster && !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// untilToldToEnd returns a context that ends with one of the signals or with the parent's death. The signals
// are caught until stop is called; a second SIGINT ends the process at once.
func untilToldToEnd(in *supervise.Inheritance, ending ...os.Signal) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, ending...)
	done := make(chan struct{})
	go func() {
		interrupts := 0
		for {
			select {
			case s := <-signals:
				cancel(fmt.Errorf("%v", s))
				if s == syscall.SIGINT {
					if interrupts++; interrupts == 2 {
						os.Exit(cli.Failure)
					}
				}
			case <-in.ParentGone:
				cancel(errParentGone)
				in.ParentGone = nil
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}
