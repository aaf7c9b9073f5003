package supervise_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"balanceo/topology/supervise"
)

// The test binary is its own child: with childVar set it behaves as that says instead of running tests.
const childVar = "SUPERVISE_TEST_CHILD"

func TestMain(m *testing.M) {
	behaviour := os.Getenv(childVar)
	if behaviour == "" {
		os.Exit(m.Run())
	}
	os.Exit(runChild(behaviour))
}

func runChild(behaviour string) int {
	in, err := supervise.Inherited()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	verb, arg, _ := strings.Cut(behaviour, ":")
	switch verb {
	case "exit":
		fmt.Fprintln(os.Stderr, "first line\ncannot open the vault")
		code, _ := strconv.Atoi(arg)
		return code
	case "mute": // never becomes ready
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		if arg == "aloud" {
			fmt.Println(os.Getpid())
		}
		_ = in.Notify()
	case "serve":
		return serve(in)
	case "supervisor": // keeps a grandchild and prints its pid
		return superviseGrandchild(arg)
	case "litter": // leaves a member of its group behind
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVar+"=deaf:aloud")
		cmd.Stdout = os.Stdout
		_ = cmd.Start()
		_ = in.Notify()
	default:
		_ = in.Notify()
	}
	term := make(chan os.Signal, 1)
	if verb != "deaf" {
		signal.Notify(term, syscall.SIGTERM)
	}
	select {
	case <-term:
	case <-in.ParentGone:
	}
	return 0
}

func serve(in *supervise.Inheritance) int {
	ln, err := net.FileListener(in.Listeners[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			open.Go(func() { answer(conn) })
		}
	})
	_ = in.Notify()
	select {
	case <-term:
	case <-in.ParentGone:
	}
	_ = ln.Close()
	open.Wait()
	return 0
}

// answer serves one request. net/http's own server drops requests that arrive while it shuts down.
func answer(conn net.Conn) {
	defer conn.Close()
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		return
	}
	pid := strconv.Itoa(os.Getpid())
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(pid), pid)
}

func superviseGrandchild(behaviour string) int {
	p := supervise.New(supervise.Spec{Name: "grandchild", Command: command(behaviour)})
	go func() { _ = p.Run(context.Background()) }()
	if err := p.WaitReady(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(p.Status().PID)
	select {}
}

func command(behaviour string) func() (*exec.Cmd, error) {
	return func() (*exec.Cmd, error) {
		cmd := exec.Command(os.Args[0])
		// The race detector lets a process sleep for a second at its end.
		cmd.Env = append(os.Environ(), childVar+"="+behaviour, "GORACE=atexit_sleep_ms=0")
		return cmd, nil
	}
}
