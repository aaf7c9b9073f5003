package procs

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Socket is one TCP socket of this machine.
type Socket struct {
	Port  int    // its own
	State int    // one of the constants below, or another of Linux's
	Inode string // by which /proc/PID/fd names it; "0": it belongs to no process any more
}

// States of a socket, by Linux's include/net/tcp_states.h.
const (
	Established = 0x01
	Listening   = 0x0a
)

// Sockets lists the TCP sockets of both versions of IP.
func Sockets() ([]Socket, error) {
	var out []Socket
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		more, err := readSockets(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // as without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("sockets: %w", err)
		}
		out = append(out, more...)
	}
	return out, nil
}

func readSockets(file string) ([]Socket, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var out []Socket
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if s, ok := parseSocket(lines.Text()); ok {
			out = append(out, s)
		}
	}
	return out, lines.Err()
}

// parseSocket reads a line of /proc/net/tcp: number, own address, other address, state, …, inode as the tenth.
func parseSocket(line string) (Socket, bool) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return Socket{}, false
	}
	_, hexPort, ok := strings.Cut(f[1], ":")
	port, err := hex.DecodeString(hexPort)
	state, err2 := strconv.ParseUint(f[3], 16, 8)
	if !ok || err != nil || err2 != nil || len(port) != 2 {
		return Socket{}, false // the heading
	}
	return Socket{Port: int(binary.BigEndian.Uint16(port)), State: int(state), Inode: f[9]}, true
}

// Connections counts the established TCP connections to each local port.
func Connections() (map[int]int, error) {
	sockets, err := Sockets()
	if err != nil {
		return nil, err
	}
	count := map[int]int{}
	for _, s := range sockets {
		if s.State == Established {
			count[s.Port]++
		}
	}
	return count, nil
}
