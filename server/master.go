package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"balanceo/server/cluster"
	"balanceo/topology/supervise"
)

// runMaster keeps the workers of mode CLUSTER. The master answers no request itself and opens no database.
//
// Signals: TERM and INT let everything drain and end; HUP replaces the workers one after the other; TTIN adds
// a worker and TTOU takes one away, as in unicorn and gunicorn. A HUP that comes because the terminal was
// closed ends everything as TERM does: nobody is left to look after it.
func runMaster(ctx context.Context, in *supervise.Inheritance, opts *options) error {
	ln, err := cluster.Listen(in, opts.host, opts.port)
	if err != nil {
		return err
	}
	defer func() { _ = ln.Close() }()
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("own executable: %w", err)
	}
	env, cleanUp, err := workerEnvironment(opts)
	if err != nil {
		return err
	}
	defer cleanUp()
	master := cluster.New(cluster.Config{
		Workers:  opts.workers,
		Listener: ln,
		Command: func() (*exec.Cmd, error) {
			cmd := exec.CommandContext(context.WithoutCancel(ctx), executable, append([]string{"--as-worker"}, opts.args...)...)
			cmd.Env, cmd.Stdout, cmd.Stderr = env, os.Stdout, os.Stderr
			return cmd, nil
		},
		Ready: func() error {
			slog.Info("serving", "address", ln.Addr().String(), "mode", opts.mode, "pid", os.Getpid(), "workers", opts.workers)
			return in.Notify()
		},
	})
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	onTerminal := hasTerminal()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTTIN, syscall.SIGTTOU)
	defer signal.Stop(signals)
	ended := make(chan error, 1)
	go func() { ended <- master.Run(ctx) }()
	for {
		select {
		case err := <-ended:
			return err
		case s := <-signals:
			if s == syscall.SIGHUP && onTerminal && !hasTerminal() {
				end(errors.New("the terminal was closed"))
				continue
			}
			obey(master, s)
		}
	}
}

// hasTerminal tells whether the process has a controlling terminal.
func hasTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	_ = tty.Close()
	return true
}

func obey(m *cluster.Master, s os.Signal) {
	switch s {
	case syscall.SIGHUP:
		m.Reload()
	case syscall.SIGTTIN:
		m.Grow()
	case syscall.SIGTTOU:
		m.Shrink()
	}
}

// workerEnvironment is the master's own with a scoreboard that all workers share, and as many threads for
// each as makes one per core in all, unless that is given.
func workerEnvironment(opts *options) (env []string, cleanUp func(), err error) {
	env, cleanUp = os.Environ(), func() {}
	if opts.scoreboard == "" {
		dir, err := os.MkdirTemp("", "balanceo-scoreboard-*")
		if err != nil {
			return nil, nil, fmt.Errorf("scoreboard: %w", err)
		}
		cleanUp = func() { _ = os.RemoveAll(dir) }
		env = append(env, "SCOREBOARD="+filepath.Join(dir, "scores"))
	}
	if os.Getenv("GOMAXPROCS") == "" {
		threads := (runtime.GOMAXPROCS(0) + opts.workers - 1) / opts.workers
		env = append(env, "GOMAXPROCS="+strconv.Itoa(threads))
	}
	return env, cleanUp, nil
}
