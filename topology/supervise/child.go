package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// execLauncher starts real processes.
type execLauncher struct{ spec Spec }

// child is one real process and its group.
type child struct {
	spec    *Spec
	cmd     *exec.Cmd
	tail    tail
	outputs []*os.File // the ends of the pipes that are read here
	alive   *os.File   // the end of the pipe that the child watches; its closing tells of the parent's death
	ready   *os.File   // the end of the pipe on which the child reports; nil with a Probe
	pumps   sync.WaitGroup

	leader chan struct{} // closed when the process itself has ended, the rest of its group perhaps not

	ending sync.WaitGroup // of the goroutine that terminate starts

	mu         sync.Mutex
	terminated bool
	reaped     bool
	notes      []string // what had to be done to end it
}

func (l *execLauncher) launch(ctx context.Context, onReady func(), onExit func(string)) (process, error) {
	cmd, err := l.spec.Command()
	if err != nil {
		return nil, err
	}
	var listeners []*os.File
	if l.spec.Listen != nil {
		if listeners, err = l.spec.Listen(); err != nil {
			return nil, err
		}
	}
	c := &child{
		spec: &l.spec, cmd: cmd, leader: make(chan struct{}),
	}
	if err := c.start(listeners); err != nil {
		return nil, err
	}
	ctx, stopWatching := context.WithCancel(ctx)
	watched := c.watchReady(ctx, onReady)
	go func() {
		err := c.reap()
		stopWatching()
		<-watched
		c.close()
		onExit(c.exitReason(err))
	}()
	return c, nil
}

// start wires the pipes and starts the command.
func (c *child) start(listeners []*os.File) (err error) {
	var theirs []*os.File // closed here in any case once the child has them
	defer func() {
		closeAll(theirs)
		if err != nil {
			c.close()
			c.pumps.Wait()
		}
	}()
	pipe := func() (r, w *os.File) {
		if err == nil {
			r, w, err = os.Pipe()
		}
		return r, w
	}
	aliveR, aliveW := pipe()
	c.alive, theirs = aliveW, append(theirs, aliveR)
	readyW := (*os.File)(nil)
	if c.spec.Probe == nil {
		c.ready, readyW = pipe()
		theirs = append(theirs, readyW)
	}
	sinks := []io.Writer{c.cmd.Stdout, c.cmd.Stderr}
	outR, outW := pipe()
	c.outputs, theirs = append(c.outputs, outR), append(theirs, outW)
	errR, errW := outR, outW
	if !same(sinks[0], sinks[1]) {
		errR, errW = pipe()
		c.outputs, theirs = append(c.outputs, errR), append(theirs, errW)
	}
	if err != nil {
		return fmt.Errorf("pipes of %q: %w", c.spec.Name, err)
	}
	c.cmd.Stdout, c.cmd.Stderr = outW, errW
	c.pump(outR, sinks[0])
	if errR != outR {
		c.pump(errR, sinks[1])
	}
	dups, err := nonBlocking(listeners)
	if err != nil {
		return err
	}
	theirs = append(theirs, dups...)
	handDown(c.cmd, dups, readyW, aliveR)
	c.cmd.SysProcAttr = processAttributes(c.cmd.SysProcAttr, c.spec)
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("start %q: %w", c.spec.Name, err)
	}
	return nil
}

// pump copies what the child writes to the tail and to sink.
func (c *child) pump(r *os.File, sink io.Writer) {
	c.pumps.Add(1)
	go func() {
		defer c.pumps.Done()
		w := io.Writer(&c.tail)
		if sink != nil {
			w = io.MultiWriter(&c.tail, swallow{sink})
		}
		_, _ = io.Copy(w, r) // ends at the end of file, by the deadline, or by Close
	}()
}

// swallow goes on when its writer fails: a full disk under the log must not block the child.
type swallow struct{ w io.Writer }

func (s swallow) Write(b []byte) (int, error) {
	_, _ = s.w.Write(b)
	return len(b), nil
}

// watchReady calls onReady when the child is ready; the channel it returns is closed when it has given up
// or done so.
func (c *child) watchReady(ctx context.Context, onReady func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c.spec.Probe == nil {
			var line [64]byte
			if n, _ := c.ready.Read(line[:]); n > 0 {
				onReady()
			}
			return
		}
		if c.probe(ctx) {
			onReady()
		}
	}()
	return done
}

// probe asks until the answer is good or the child has ended.
func (c *child) probe(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, c.spec.ReadyTimeout)
	defer cancel()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if c.spec.Probe(ctx, c.cmd.Process.Pid) == nil {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

// reap waits for the child's end, ends what is left of its group, and reads the last of its output.
func (c *child) reap() error {
	err := c.cmd.Wait()
	close(c.leader)
	c.mu.Lock()
	c.reaped = true
	c.mu.Unlock()
	c.ending.Wait()
	if !c.spec.SameGroup {
		c.endGroup()
	}
	// Everything in the group has ended, so the pipes end too, unless something escaped from it.
	for _, r := range c.outputs {
		_ = r.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	}
	c.pumps.Wait()
	if c.ready != nil {
		_ = c.ready.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	}
	return err
}

func (c *child) close() { closeAll(append(c.outputs, c.alive, c.ready)) }

// leftoverGrace is how long the rest of a group has to end after TERM when its leader died by itself.
const leftoverGrace = time.Second

// endGroup ends the processes that outlive their leader and waits for their end.
func (c *child) endGroup() {
	pgid := c.cmd.Process.Pid
	if len(groupMembers(pgid)) == 0 {
		return
	}
	_ = syscall.Kill(-pgid, syscall.SIGTERM)
	if waitGroup(pgid, leftoverGrace) {
		return
	}
	c.note("killed the rest of its group: %s", describeGroup(pgid))
	_ = syscall.Kill(-pgid, syscall.SIGKILL)
	if !waitGroup(pgid, 5*time.Second) {
		c.note("could not end %s", describeGroup(pgid))
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) signal(sig syscall.Signal) error { return c.cmd.Process.Signal(sig) }

// signalGroup signals everything that the child has started and that has not left its group, unless it shares the
// supervisor's.
func (c *child) signalGroup(sig syscall.Signal) error {
	if c.spec.SameGroup {
		return c.signal(sig)
	}
	return syscall.Kill(-c.pid(), sig)
}

func (c *child) terminate(grace time.Duration, why string) {
	c.mu.Lock()
	idle := c.terminated || c.reaped
	if !idle {
		c.terminated = true
		c.ending.Add(1)
	}
	c.mu.Unlock()
	if idle {
		return
	}
	if why != "" {
		c.note("%s", why)
	}
	if grace == 0 {
		defer c.ending.Done()
		_ = c.signalGroup(syscall.SIGKILL)
		return
	}
	go func() {
		defer c.ending.Done()
		if err := c.signalGroup(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
			c.note("TERM: %v", err)
		}
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-c.leader: // reap sees to the rest of the group
			return
		case <-timer.C:
		}
		who := fmt.Sprintf("pid %d", c.pid())
		if !c.spec.SameGroup {
			who = describeGroup(c.pid())
		}
		c.note("%s ignored TERM for %v and was killed", who, grace)
		_ = c.signalGroup(syscall.SIGKILL)
	}()
}

func (c *child) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// same tells whether both streams go to the same place, as exec.Cmd does for its own.
func same(a, b io.Writer) bool {
	defer func() { _ = recover() }() // writers of types that can't be compared
	return a == b
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}
