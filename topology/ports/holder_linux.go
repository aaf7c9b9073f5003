package ports

import (
	"slices"
	"strings"

	"github.com/prometheus/procfs"

	"balanceo/topology/procs"
)

// FindHolder names the process that listens on port or, if none does, has it as its end of a connection. False:
// there is none, or it may not be looked at.
func FindHolder(port int) (Holder, bool) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return Holder{}, false
	}
	listeners, others := socketsOn(port)
	if h, ok := holderOf(fs, listeners); ok {
		return h, true
	}
	h, ok := holderOf(fs, others)
	h.Outgoing = true
	return h, ok
}

// holderOf names the process that has one of the sockets open.
func holderOf(fs procfs.FS, sockets []string) (Holder, bool) {
	if len(sockets) == 0 {
		return Holder{}, false
	}
	procs, err := fs.AllProcs()
	if err != nil {
		return Holder{}, false
	}
	var found []Holder
	for _, p := range procs {
		targets, err := p.FileDescriptorTargets()
		if err != nil {
			continue // another user's, or gone
		}
		if slices.ContainsFunc(targets, func(t string) bool { return slices.Contains(sockets, t) }) {
			args, err := p.CmdLine()
			if err != nil {
				continue
			}
			found = append(found, Holder{PID: p.PID, Command: strings.Join(args, " ")})
		}
	}
	if len(found) == 0 {
		return Holder{}, false
	}
	// A master that hands its socket to workers is the oldest of them.
	return slices.MinFunc(found, func(a, b Holder) int { return a.PID - b.PID }), true
}

// socketsOn returns the sockets that have port as their own, as /proc/PID/fd names them.
func socketsOn(port int) (listeners, others []string) {
	sockets, err := procs.Sockets()
	if err != nil {
		return nil, nil // what can't be read names nobody
	}
	for _, s := range sockets {
		if s.Port != port || s.Inode == "0" {
			continue
		}
		if name := "socket:[" + s.Inode + "]"; s.State == procs.Listening {
			listeners = append(listeners, name)
		} else {
			others = append(others, name)
		}
	}
	return listeners, others
}
