package serve

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"balanceo/topology/supervise"
)

func TestListenInherits(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	socket, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Listen(&supervise.Inheritance{Listeners: []*os.File{socket}}, "127.0.0.1", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if got.Addr().String() != ln.Addr().String() {
		t.Errorf("Listen = %v, want the inherited %v", got.Addr(), ln.Addr())
	}
	if err := socket.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the inherited file is still open: %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, tt := range []struct {
		listeners []*os.File
		want      string
	}{
		{[]*os.File{file}, "is no listener"},
		{[]*os.File{file, file}, "2 listeners were inherited"},
	} {
		if _, err := Listen(&supervise.Inheritance{Listeners: tt.listeners}, "127.0.0.1", 0); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Listen with %d inherited = %v, want %q", len(tt.listeners), err, tt.want)
		}
	}
}
