package fleet

import (
	"fmt"
	"net"
	"os"
	"sync"

	"balanceo/topology/ports"
)

// socket is the port of one instance, or of the balancer. topology holds it, not the process, so that connections wait
// while one process makes way for the next.
type socket struct {
	host string
	port int

	mu       sync.Mutex
	listener *net.TCPListener
	file     *os.File // the same socket, as it is handed down
}

// files opens the socket if need be and returns what a process is to inherit.
func (s *socket) files() ([]*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		if err := s.open(); err != nil {
			return nil, err
		}
	}
	return []*os.File{s.file}, nil
}

func (s *socket) open() error {
	ln, err := ports.Listen(s.host, s.port)
	if err != nil {
		return err
	}
	file, err := ln.File()
	if err != nil {
		_ = ln.Close()
		return fmt.Errorf("port %d: %w", s.port, err)
	}
	s.listener, s.file = ln, file
	return nil
}

// close gives the port up, as far as topology holds it. Parts without a socket have none to give up.
func (s *socket) close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.giveUp()
}

// moveTo gives the port up unless it is held on that host, and is to be.
func (s *socket) moveTo(host string, held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !held || host != s.host {
		s.giveUp()
	}
	s.host = host
}

func (s *socket) giveUp() {
	if s.file == nil {
		return
	}
	_ = s.file.Close()
	_ = s.listener.Close()
	s.file, s.listener = nil, nil
}
