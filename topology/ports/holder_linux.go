package ports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
)

// listening is the state of a listening socket in /proc/net/tcp.
const listening = 0x0a

// FindHolder names the process that listens on port. False: none does, or it may not be looked at.
func FindHolder(port int) (Holder, bool) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return Holder{}, false
	}
	sockets := listeningOn(fs, port)
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

// listeningOn returns the sockets that listen on port, as /proc/PID/fd names them.
func listeningOn(fs procfs.FS, port int) []string {
	var out []string
	four, _ := fs.NetTCP() // what can't be read has no sockets
	six, _ := fs.NetTCP6()
	for _, lines := range []procfs.NetTCP{four, six} {
		for _, l := range lines {
			if l.St == listening && l.LocalPort == uint64(port) {
				out = append(out, fmt.Sprintf("socket:[%d]", l.Inode))
			}
		}
	}
	return out
}
