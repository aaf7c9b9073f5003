// Package ports tells whether a TCP port can be listened on, and if not, who is in the way.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"

	"balanceo/topology/procs"
)

// Holder is the process that has a port.
type Holder struct {
	PID      int
	Command  string // its command line
	Outgoing bool   // it does not listen: the port is its end of a connection to elsewhere
}

func (h Holder) String() string {
	if h.Outgoing {
		return fmt.Sprintf("pid %d (%s) for a connection to elsewhere", h.PID, h.Command)
	}
	return fmt.Sprintf("pid %d (%s)", h.PID, h.Command)
}

// FindHolder names the process that listens on port or, if none does, has it as its end of a connection. False:
// there is none, or it may not be looked at.
func FindHolder(port int) (Holder, bool) {
	pid, listens := procs.OnPort(port)
	if pid == 0 {
		return Holder{}, false
	}
	command, err := procs.Command(pid)
	if err != nil {
		return Holder{}, false
	}
	return Holder{PID: pid, Command: command, Outgoing: !listens}, true
}

// TakenError is a port that another process has.
type TakenError struct {
	Port   int
	Holder Holder // zero: it can't be read, as of another user's process
}

func (e *TakenError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("port %d is taken by a process that can't be named (another user's?)", e.Port)
	}
	return fmt.Sprintf("port %d is taken by %v", e.Port, e.Holder)
}

// DeniedError is a port that this user may not listen on.
type DeniedError struct{ Port int }

func (e *DeniedError) Error() string {
	return fmt.Sprintf("port %d needs root or CAP_NET_BIND_SERVICE, which this user does not have", e.Port)
}

// Listen listens on host:port. Errors are a TakenError or a DeniedError where they are one.
func Listen(host string, port int) (*net.TCPListener, error) {
	network := "tcp4" // a name that has both kinds of addresses stands for one
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		network = "tcp6"
	}
	ln, err := net.Listen(network, net.JoinHostPort(host, strconv.Itoa(port))) //nolint:noctx // it waits for nobody
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		holder, _ := FindHolder(port)
		return nil, &TakenError{Port: port, Holder: holder}
	case errors.Is(err, syscall.EACCES):
		return nil, &DeniedError{Port: port}
	case err != nil:
		return nil, err
	}
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("listen on port %d: got a %T", port, ln)
	}
	return tcp, nil
}

// Check tells whether host:port can be listened on; an empty host is every address. It is a glance: the port
// may be taken the next moment.
func Check(host string, port int) error {
	ln, err := Listen(host, port)
	if err != nil {
		return err
	}
	return ln.Close()
}

// Free returns a port that was free on every address a moment ago.
func Free() (int, error) { return FreeBlock("", []int{0}) }

// Ports are drawn from below those that the kernel gives to outgoing connections, so that none of these is
// in the way a moment later. Those that nobody has to know have a range of their own, so that none of them
// takes one of a block that another layout has found free and not listened on yet.
const (
	lowestAside = 10000
	lowest      = 20000
	highest     = 32000
)

// FreeBlock returns a base so that base+offset is free on host for every one of the offsets.
func FreeBlock(host string, offsets []int) (int, error) {
	return free(host, offsets, lowest, highest)
}

// FreeAside returns a port that was free on host a moment ago, and that FreeBlock never returns.
func FreeAside(host string) (int, error) { return free(host, []int{0}, lowestAside, lowest) }

func free(host string, offsets []int, lowest, highest int) (int, error) {
	var last error
next:
	for range 200 {
		base := lowest + rand.IntN(highest-lowest)
		for _, o := range offsets {
			if last = Check(host, base+o); last != nil {
				continue next
			}
		}
		return base, nil
	}
	return 0, fmt.Errorf("no %d free ports between %d and %d: %w", len(offsets), lowest, highest, last)
}
