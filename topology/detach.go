package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"balanceo/topology/cli"
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

// report is where a detached topology tells how its start goes. Once the layout is up it says no more.
type report struct {
	mu   sync.Mutex
	pipe *os.File // nil: said all
	out  *json.Encoder
}

// isDetached tells whether this process was started by detach.
func isDetached() bool { return os.Getenv(reportFD) != "" }

// detachedReport returns the report if this process was started by detach, else nil.
func detachedReport() *report {
	fd, err := strconv.Atoi(os.Getenv(reportFD))
	if err != nil || os.Unsetenv(reportFD) != nil {
		return nil
	}
	syscall.CloseOnExec(fd)
	pipe := os.NewFile(uintptr(fd), "report")
	return &report{pipe: pipe, out: json.NewEncoder(pipe)}
}

func (r *report) send(n news) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pipe != nil {
		_ = r.out.Encode(n) // whoever started it may be gone
	}
}

func (r *report) line(line string) { r.send(news{Line: line}) }

func (r *report) up(_ context.Context, _ *host, broken []error) error {
	for _, err := range broken {
		r.send(newsOf(err))
	}
	r.send(news{Up: true})
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.pipe.Close()
	r.pipe = nil
	return nil
}

// close ends the report with how the start went.
func (r *report) close(err error) error {
	if err != nil {
		r.send(newsOf(err))
	}
	return err
}

func newsOf(err error) news {
	n := news{Error: err.Error(), Hint: cli.HintOf(err)}
	var usage *cli.UsageError
	n.Usage = errors.As(err, &usage)
	return n
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
// with an error if a part of it is not, or with the reason why it is not up; nothing is left then.
func detach(ctx context.Context, s *session, p *plan, args []string) (up bool, err error) {
	own, err := os.Executable()
	if err != nil {
		return false, fmt.Errorf("own program: %w", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return false, fmt.Errorf("detach: %w", err)
	}
	defer func() { _ = read.Close() }()
	// What no log catches, as a panic, must not be lost.
	crash, err := crashFile(p.Dir)
	if err != nil {
		_ = write.Close()
		return false, err
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
		return false, fmt.Errorf("detach: %w", err)
	}
	keep := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	up, err = listen(s, read)
	if keep() && up {
		return true, err
	}
	waitErr := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return false, errors.New("interrupted; nothing was left running")
	case err != nil:
		return false, err
	}
	text, _ := os.ReadFile(crash.Name()) // what can't be read says nothing
	return false, fmt.Errorf("the detached topology ended without saying why: %w: %s", waitErr, firstLine(text))
}

// listen reads the report to its end.
func listen(s *session, pipe *os.File) (up bool, failed error) {
	in := bufio.NewScanner(pipe)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var n news
		if err := json.Unmarshal(in.Bytes(), &n); err != nil {
			return up, fmt.Errorf("detach: %w", err)
		}
		switch {
		case n.Up:
			up = true
		case n.Error != "":
			failed = n.err()
		case cli.IsTerminal(s.stdout):
			fmt.Fprintln(s.stdout, n.Line)
		}
	}
	return up, failed
}

func crashFile(dir string) (*os.File, error) {
	dir = filepath.Join(dir, "logs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("folder of the layout: %w", err)
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
