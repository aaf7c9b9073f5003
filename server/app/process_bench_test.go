package app

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"balanceo/server/store/storetest"
)

// bareCommand is the first argument that makes this test binary a server that does nothing.
const bareCommand = "bare-server"

// bareMain serves a bare handler instead of running tests, if the process was started for that.
func bareMain() {
	if len(os.Args) < 2 || os.Args[1] != bareCommand {
		return
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(ln.Addr())
	err = NewServer(func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("ok") }).Serve(ln)
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// spawn starts a process that ends with the benchmark.
func spawn(b *testing.B, cmd *exec.Cmd) {
	b.Helper()
	cmd.Stderr = nil
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		_ = cmd.Wait()
	})
}

// BenchmarkProcess measures routes of a real server process, in both modes, beside a process with a bare
// handler.
func BenchmarkProcess(b *testing.B) {
	program := filepath.Join(b.TempDir(), "server")
	if out, err := exec.Command("go", "build", "-o", program, "balanceo/server").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	db := storetest.Start(b, b.TempDir(), "127.0.0.1:0").URL

	bare := exec.Command(os.Args[0], bareCommand)
	out, err := bare.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	spawn(b, bare)
	bareAddr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	bareAddr = strings.TrimSpace(bareAddr)

	for _, mode := range []string{"FORK", "CLUSTER"} {
		addr := freeAddr(b)
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			b.Fatal(err)
		}
		server := exec.Command(program, "-p", port, "-m", mode, "--mongo-url", db)
		server.Dir = b.TempDir()
		spawn(b, server)
		awaitHealth(b, addr)
		cookie := signedIn(b, addr, mode)
		for _, c := range []struct {
			path, cookie string
			turn         int
		}{{"/login", "", 2000}, {"/info", "", 2000}, {"/", cookie, 100}} {
			b.Run(mode+c.path, func(b *testing.B) {
				beside(b, bareAddr, addr, c.path, c.cookie, c.turn)
			})
		}
	}
}

func freeAddr(b *testing.B) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		b.Fatal(err)
	}
	return ln.Addr().String()
}

func awaitHealth(b *testing.B, addr string) {
	b.Helper()
	var last error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		status, body, err := fasthttp.Get(nil, "http://"+addr+"/healthz")
		if status == http.StatusOK && strings.Contains(string(body), `"available"`) {
			return
		}
		last = fmt.Errorf("%d %s: %w", status, body, err)
	}
	b.Fatalf("server on %s: %v", addr, last)
}

// signedIn makes an account and returns the cookie of its session.
func signedIn(b *testing.B, addr, name string) string {
	b.Helper()
	browser := newBrowser(b)
	u := &url.URL{Scheme: "http", Host: addr}
	got := browser.post(u.String()+"/signup", signupForm(name+"@example.com", "clave", name))
	cookies := browser.Jar.Cookies(u)
	if got.status != http.StatusFound || len(cookies) == 0 {
		b.Fatalf("POST /signup: got %d", got.status)
	}
	return cookies[0].String()
}
