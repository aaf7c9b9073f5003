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
	"time"

	"balanceo/server/app"
	"balanceo/server/cluster"
	"balanceo/server/scoreboard"
	"balanceo/server/serve"
	"balanceo/topology/supervise"
)

// runMaster keeps the workers of mode CLUSTER. The master answers no request itself and opens no database.
//
// Signals: TERM and INT let everything drain and end; HUP replaces the workers one after the other; USR1 says that
// the scoreboard has another number of workers that are wanted; TTIN wants one more and TTOU one less, as in
// unicorn and gunicorn. A HUP that comes because the terminal was
// closed ends everything as TERM does: nobody is left to look after it.
func runMaster(ctx context.Context, in *supervise.Inheritance, opts *options) error {
	ln, err := serve.Listen(in, opts.host, opts.port)
	if err != nil {
		return err
	}
	defer func() { _ = ln.Close() }()
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("own executable: %w", err)
	}
	path, cleanUp, err := scoreboardPath(opts)
	if err != nil {
		return err
	}
	defer cleanUp()
	board, err := scoreboard.Open(path, app.Routes())
	if err != nil {
		return err
	}
	defer func() { _ = board.Close() }()
	defer endTelling(tellLedger(ctx, board))
	board.SetWanted(opts.workers)
	env := append(os.Environ(), "SCOREBOARD="+path)
	if os.Getenv("GOMAXPROCS") == "" { // as many threads for each worker as make one per core in all
		env = append(env, "GOMAXPROCS="+strconv.Itoa((runtime.GOMAXPROCS(0)+opts.workers-1)/opts.workers))
	}
	master := cluster.New(cluster.Config{
		Workers:  opts.workers,
		Listener: ln,
		Grace:    serve.WorkerGrace,
		Counted:  board.SetReady,
		Life: cluster.Life{
			Beats: board.Beats, Silence: serve.Silence,
			Spared: func() bool { return time.Now().Before(board.Sparing()) },
		},
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
	defer time.AfterFunc(startOver, shedStart).Stop()
	return steer(ctx, end, master, board)
}

// steer runs a master and does what signals tell it, until ctx, which end ends, is done.
func steer(ctx context.Context, end context.CancelCauseFunc, master *cluster.Master, board *scoreboard.Board) error {
	onTerminal := hasTerminal()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTTIN, syscall.SIGTTOU)
	defer signal.Stop(signals)
	ended := make(chan error, 1)
	go func() { ended <- master.Run(ctx) }()
	for {
		select {
		case err := <-ended:
			return err
		case s := <-signals:
			switch {
			case s == syscall.SIGHUP && onTerminal && !hasTerminal():
				end(errors.New("the terminal was closed"))
			case s == syscall.SIGHUP:
				master.Reload()
			case s == syscall.SIGUSR1:
				master.Scale(board.Wanted())
			case s == syscall.SIGTTIN:
				master.Scale(master.Wanted() + 1)
			case s == syscall.SIGTTOU:
				master.Scale(master.Wanted() - 1)
			}
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

// scoreboardPath is where the workers count: what the environment says, or a folder of their own.
func scoreboardPath(opts *options) (path string, cleanUp func(), err error) {
	if opts.scoreboard != "" {
		return opts.scoreboard, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "balanceo-scoreboard-*")
	if err != nil {
		return "", nil, fmt.Errorf("scoreboard: %w", err)
	}
	return filepath.Join(dir, "scores"), func() { _ = os.RemoveAll(dir) }, nil
}
