package serve

import (
	"errors"
	"fmt"
	"net"

	"balanceo/topology/cli"
	"balanceo/topology/ports"
	"balanceo/topology/supervise"
)

// Listen returns the listener to serve on: the inherited one, if there is one, else a new one on host:port.
// Port 0 is any free port. The error of a port that is taken names its holder, as far as it can be read.
func Listen(in *supervise.Inheritance, host string, port int) (*net.TCPListener, error) {
	if len(in.Listeners) > 0 {
		return inheritedListener(in)
	}
	ln, err := ports.Listen(host, port)
	var taken *ports.TakenError
	var denied *ports.DeniedError
	switch {
	case errors.As(err, &taken):
		return nil, cli.Hint(err, "end that process, or choose another port with --port")
	case errors.As(err, &denied):
		return nil, cli.Hint(err, "ports from 1024 on are free for everybody: --port 8080")
	case err != nil:
		return nil, err
	}
	return ln, nil
}

func inheritedListener(in *supervise.Inheritance) (*net.TCPListener, error) {
	if n := len(in.Listeners); n > 1 {
		return nil, fmt.Errorf("%d listeners were inherited by LISTEN_FDS, one is wanted", n)
	}
	f := in.Listeners[0]
	ln, err := net.FileListener(f) // a duplicate
	if err != nil {
		return nil, fmt.Errorf("the inherited descriptor %d is no listener: %w", f.Fd(), err)
	}
	if err := f.Close(); err != nil {
		return nil, errors.Join(fmt.Errorf("inherited listener: %w", err), ln.Close())
	}
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the inherited listener is a %T, a TCP one is wanted", ln), ln.Close())
	}
	return tcp, nil
}
