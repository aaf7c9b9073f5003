package supervise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// The variables by which a child learns what it was given.
const (
	listenFDs = "LISTEN_FDS" // how many listeners stand at descriptor 3 and up
	listenPID = "LISTEN_PID" // whom they are for; systemd sets it
	readyFD   = "READY_FD"   // where to write the line "ready"
	parentFD  = "PARENT_FD"  // ends when the parent does
)

// FirstListener is the descriptor of the first listener, by convention.
const FirstListener = 3

// Inheritance is what a process was given by whoever started it.
type Inheritance struct {
	// Listeners are the sockets to serve on. They are closed when a further program is executed.
	Listeners []*os.File
	// Notify tells the supervisor that the process is ready. Without a supervisor, and from the second
	// call on, it does nothing.
	Notify func() error
	// ParentGone is closed when the supervisor has died. It is nil without a supervisor.
	ParentGone <-chan struct{}
}

// Inherited reads what the environment says this process was given, and removes it from the environment so
// that the process's own children do not take it for theirs. Call it once, early in main.
func Inherited() (*Inheritance, error) {
	in := &Inheritance{Notify: func() error { return nil }}
	n, err := take(listenFDs, 0)
	if err != nil {
		return nil, err
	}
	pid, err := take(listenPID, 0)
	if err != nil {
		return nil, err
	}
	if n > 0 && (pid == 0 || pid == os.Getpid()) {
		for i := range n {
			f, err := inherit(FirstListener+i, fmt.Sprintf("listener %d", i))
			if err != nil {
				return nil, fmt.Errorf("%s=%d: %w", listenFDs, n, err)
			}
			in.Listeners = append(in.Listeners, f)
		}
	}
	if fd, err := take(readyFD, FirstListener); err != nil {
		return nil, err
	} else if fd != 0 {
		f, err := inherit(fd, "ready")
		if err != nil {
			return nil, fmt.Errorf("%s=%d: %w", readyFD, fd, err)
		}
		in.Notify = notifier(f)
	}
	if fd, err := take(parentFD, FirstListener); err != nil {
		return nil, err
	} else if fd != 0 {
		f, err := inherit(fd, "parent")
		if err != nil {
			return nil, fmt.Errorf("%s=%d: %w", parentFD, fd, err)
		}
		in.ParentGone = watchParent(f)
	}
	return in, nil
}

// take reads a number from the environment and removes it. 0: not there.
func take(name string, least int) (int, error) {
	text, ok := os.LookupEnv(name)
	if !ok {
		return 0, nil
	}
	if err := os.Unsetenv(name); err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > 1<<16 {
		return 0, fmt.Errorf("%s=%q in the environment is not a number from %d on", name, text, least)
	}
	return n, nil
}

// inherit makes a file of a descriptor that came with the process.
func inherit(fd int, name string) (*os.File, error) {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
		return nil, fmt.Errorf("descriptor %d is not open: %w", fd, err)
	}
	syscall.CloseOnExec(fd)
	// Non-blocking, so that reading takes a place in the poller and not a thread.
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

func notifier(f *os.File) func() error {
	return sync.OnceValue(func() error {
		_, err := io.WriteString(f, "ready\n")
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return fmt.Errorf("telling the supervisor that this process is ready: %w", err)
		}
		return nil
	})
}

// watchParent waits, as long as the process lives, for the end of the pipe that the parent holds.
func watchParent(f *os.File) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, f)
		_ = f.Close()
	}()
	return gone
}

// handDown adds to cmd what the child is to inherit: listeners first, as the convention wants it, then the
// caller's files, then our own.
func handDown(cmd *exec.Cmd, listeners []*os.File, ready, parent *os.File) {
	env := cmd.Env
	if env == nil {
		env = os.Environ()
	}
	kept := make([]string, 0, len(env)+3)
	for _, kv := range env {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case listenFDs, listenPID, readyFD, parentFD:
		default:
			kept = append(kept, kv)
		}
	}
	files := append(append([]*os.File{}, listeners...), cmd.ExtraFiles...)
	tell := func(name string, f *os.File) {
		if f != nil {
			kept = append(kept, name+"="+strconv.Itoa(FirstListener+len(files)))
			files = append(files, f)
		}
	}
	if len(listeners) > 0 {
		kept = append(kept, listenFDs+"="+strconv.Itoa(len(listeners)))
	}
	tell(readyFD, ready)
	tell(parentFD, parent)
	cmd.Env, cmd.ExtraFiles = kept, files
}

// nonBlocking duplicates listeners for os/exec, which calls Fd on what it hands down. On a file that came
// from a net.Listener that call would switch the socket to blocking mode, for every process that shares it:
// their accepts would then hang in the kernel. A file made by os.NewFile is left as it is.
func nonBlocking(listeners []*os.File) (dups []*os.File, err error) {
	for _, f := range listeners {
		conn, err := f.SyscallConn()
		if err != nil {
			closeAll(dups)
			return nil, fmt.Errorf("listener %q: %w", f.Name(), err)
		}
		dup, dupErr := -1, error(nil)
		err = conn.Control(func(fd uintptr) {
			dup, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
			if dupErr == nil {
				dupErr = unix.SetNonblock(dup, true)
			}
		})
		if err = errors.Join(err, dupErr); err != nil {
			closeAll(dups)
			return nil, fmt.Errorf("listener %q: %w", f.Name(), err)
		}
		dups = append(dups, os.NewFile(uintptr(dup), f.Name()))
	}
	return dups, nil
}
