package ports

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
)

func TestTakenPortNamesItsHolder(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	port := ln.Addr().(*net.TCPAddr).Port
	for _, host := range []string{"127.0.0.1", ""} {
		err := Check(host, port)
		var taken *TakenError
		if !errors.As(err, &taken) || taken.Port != port || taken.Holder.PID != os.Getpid() ||
			!strings.Contains(taken.Holder.Command, "ports.test") {
			t.Errorf("Check(%q, %d): got %v, want it taken by pid %d, ports.test", host, port, err, os.Getpid())
		}
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Check("127.0.0.1", port); err != nil {
		t.Errorf("Check after the holder closed it: %v", err)
	}
	if h, ok := FindHolder(port); ok {
		t.Errorf("FindHolder(%d) of a free port: got %v", port, h)
	}
}

// A connection's own end can't be listened on either; who has it is named.
func TestOutgoingConnection(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	c, err := net.Dial("tcp4", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var taken *TakenError
	err = Check("127.0.0.1", c.LocalAddr().(*net.TCPAddr).Port)
	if !errors.As(err, &taken) || taken.Holder.PID != os.Getpid() || !taken.Holder.Outgoing {
		t.Errorf("Check of a connection's port: got %v, want it taken by pid %d for a connection", err, os.Getpid())
	}
}

func TestFreeBlock(t *testing.T) {
	offsets := []int{0, 1, 5}
	base, err := FreeBlock("127.0.0.1", offsets)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range offsets {
		ln, err := Listen("127.0.0.1", base+o)
		if err != nil {
			t.Fatalf("FreeBlock: got %d, but %v", base, err)
		}
		defer func() { _ = ln.Close() }()
	}
}

func TestErrorsSayWhat(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{&TakenError{80, Holder{PID: 12, Command: "nginx -g x"}}, "port 80 is taken by pid 12 (nginx -g x)"},
		{&TakenError{80, Holder{}}, "port 80 is taken by a process that can't be named (another user's?)"},
		{&DeniedError{80}, "port 80 needs root or CAP_NET_BIND_SERVICE, which this user does not have"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
