package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"balanceo/topology/cli"
	"balanceo/topology/fleet"
	"balanceo/topology/keeper"
)

// reportFD is the variable that tells a detached topology where to report how its start goes.
const reportFD = "TOPOLOGY_REPORT_FD"

// news is one line of that report.
type news struct {
	Line  string `json:"line,omitempty"`
	Up    bool   `json:"up,omitempty"`
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
	Usage bool   `json:"usage,omitempty"` // the error is one of usage
}

// isDetached tells whether this process was started by detach.
func isDetached() bool { return os.Getenv(reportFD) != "" }

// detachedReport returns where to report if this process was started by detach, else nil.
func detachedReport() *os.File {
	fd, err := strconv.Atoi(os.Getenv(reportFD))
	if err != nil || os.Unsetenv(reportFD) != nil {
		return nil
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "report")
}

// keepDetached keeps the layout and reports how its start goes; once it is up, no more.
func (c *upCommand) keepDetached(ctx context.Context, p *plan, pipe *os.File) error {
	out := newSpool(pipe) // whoever started it may be gone, or stopped
	end := sync.OnceFunc(func() {
		out.close(10 * time.Second)
		_ = pipe.Close()
	})
	defer end()
	send := func(n news) { _ = json.NewEncoder(out).Encode(n) }
	p.Event = func(e fleet.Event) { send(news{Line: e.Line()}) }
	err := withLog(p.keep(ctx, func(_ context.Context, _ *keeper.Keeper, broken []error) error {
		for _, err := range broken {
			send(newsOf(err))
		}
		send(news{Up: true})
		end()
		return nil
	}))
	if err != nil {
		send(newsOf(err))
	}
	return err
}

func newsOf(err error) news {
	_, usage := errors.AsType[*cli.UsageError](err)
	return news{Error: err.Error(), Hint: cli.HintOf(err), Usage: usage}
}

func (n news) err() error {
	err := errors.New(n.Error)
	if n.Usage {
		err = &cli.UsageError{Err: err}
	}
	if n.Hint != "" {
		err = cli.Hint(err, "%s", n.Hint)
	}
	return err
}

// detach starts this program again with args and without a terminal. It returns when the layout of p is up,
// with an error for each part that is not, or with the reason why it is not up; nothing is left then.
func detach(ctx context.Context, s *session, p *plan, args []string) (up bool, failed []error) {
	fail := func(err error) (bool, []error) { return false, []error{err} }
	own, err := os.Executable()
	if err != nil {
		return fail(fmt.Errorf("own program: %w", err))
	}
	read, write, err := os.Pipe()
	if err != nil {
		return fail(fmt.Errorf("detach: %w", err))
	}
	defer func() { _ = read.Close() }()
	// What no log catches, as a panic, must not be lost.
	crash, err := crashFile(p.Dir)
	if err != nil {
		_ = write.Close()
		return fail(err)
	}
	defer func() { _ = crash.Close() }()
	cmd := exec.Command(own, args...) //nolint:noctx // it outlives this process
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), reportFD+"=3")
	cmd.ExtraFiles = []*os.File{write}
	cmd.Stderr = crash
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = write.Close()
	if err != nil {
		return fail(fmt.Errorf("detach: %w", err))
	}
	keep := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	up, failed = readReport(s, read)
	if keep() && up {
		return true, failed
	}
	waitErr := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return fail(errors.New("interrupted; nothing was left running"))
	case len(failed) > 0:
		return false, failed
	}
	text, _ := os.ReadFile(crash.Name()) // what can't be read says nothing
	return fail(fmt.Errorf("the detached topology ended without saying why: %w: %s", waitErr, firstLine(text)))
}

// readReport reads the report to its end.
func readReport(s *session, pipe *os.File) (up bool, failed []error) {
	in := bufio.NewScanner(pipe)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var n news
		if err := json.Unmarshal(in.Bytes(), &n); err != nil {
			return up, append(failed, fmt.Errorf("detach: %w", err))
		}
		switch {
		case n.Up:
			up = true
		case n.Error != "":
			failed = append(failed, n.err())
		case cli.IsTerminal(s.stdout):
			fmt.Fprintln(s.stdout, n.Line)
		}
	}
	return up, failed
}

// writable adds what helps where a folder may not be written.
func writable(err error) error {
	if cli.HintOf(err) == "" && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)) {
		return cli.Hint(err, "--run-dir or $BALANCEO_RUN names a folder that you can write to")
	}
	return err
}

func crashFile(dir string) (*os.File, error) {
	dir = filepath.Join(dir, "logs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, writable(fmt.Errorf("folder of the layout: %w", err))
	}
	f, err := os.Create(filepath.Join(dir, "crash.txt"))
	if err != nil {
		return nil, fmt.Errorf("folder of the layout: %w", err)
	}
	return f, nil
}

func firstLine(text []byte) []byte {
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	return line
}
