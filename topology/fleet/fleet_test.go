package fleet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/nginx"
	"balanceo/topology/layout"
	"balanceo/topology/logs"
	"balanceo/topology/ports"
)

// The port is held while it is open, is given up when it is closed, and can be opened again.
func TestWithoutSecrets(t *testing.T) {
	for given, want := range map[string]string{
		"mongodb://127.0.0.1:1/balanceo":                 "mongodb://127.0.0.1:1/balanceo",
		"mongodb://u:se@cret@a:1,b:2/db?password=secret": "mongodb://a:1,b:2/db",
		"mongodb+srv://u:secret@host/?tls=true":          "mongodb+srv://host/",
	} {
		if got := withoutSecrets(given); got != want {
			t.Errorf("withoutSecrets(%q): got %q, want %q", given, got, want)
		}
	}
}

func TestSocket(t *testing.T) {
	port, err := ports.FreeBlock(Loopback, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	s := &socket{host: Loopback, port: port}
	for range 2 {
		files, err := s.files()
		if err != nil || len(files) != 1 {
			t.Fatalf("files: got %v, %v", files, err)
		}
		again, err := s.files()
		if err != nil || again[0] != files[0] {
			t.Errorf("files again: got %v, %v, want the same", again, err)
		}
		var taken *ports.TakenError
		if err := ports.Check(Loopback, port); !errors.As(err, &taken) {
			t.Errorf("Check while it is open: got %v", err)
		}
		s.close()
		s.close()
		if err := ports.Check(Loopback, port); err != nil {
			t.Errorf("Check after close: %v", err)
		}
	}
}

// An nginx that has outlived its topology is ended; a pid file that means somebody else harms nobody.
func TestEndLeftover(t *testing.T) {
	dir := t.TempDir()
	f := &Fleet{
		cfg:  Config{Dir: dir, Grace: 20 * time.Second, Balancer: nginx.Nginx{}},
		site: balancer.Site{Program: "nginx", Dir: filepath.Join(dir, "nginx"), File: filepath.Join(dir, "nginx", "nginx.conf")},
	}
	record, err := logs.Open(filepath.Join(dir, "topology.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = record.Close() }()
	f.record = record
	if err := os.Mkdir(f.site.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := f.endLeftover(t.Context()); err != nil {
		t.Errorf("endLeftover without a pid file: %v", err)
	}
	pidFile := filepath.Join(f.site.Dir, "nginx.pid")
	for _, text := range []string{"", "x", "-1", strconv.Itoa(os.Getpid()) + "\n", "99999999"} {
		if err := os.WriteFile(pidFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := f.endLeftover(t.Context()); err != nil {
			t.Errorf("endLeftover with the pid file %q: %v", text, err)
		}
		if _, err := os.Stat(pidFile); !os.IsNotExist(err) {
			t.Errorf("the pid file %q is still there: %v", text, err)
		}
	}

	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("pid nginx.pid;\nevents {}\nhttp { access_log off; client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; "+
		"uwsgi_temp_path t; scgi_temp_path t; server { listen 127.0.0.1:%d; } }\n", port)
	if err := os.WriteFile(f.site.File, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	front := f.cfg.Balancer.Command(&f.site)
	if err := front.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- front.Wait() }()
	// It listens before it writes its pid.
	for wrote := false; !wrote; {
		text, err := os.ReadFile(pidFile)
		wrote = err == nil && len(text) > 0
		select {
		case err := <-ended:
			t.Fatalf("nginx ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err := f.endLeftover(t.Context()); err != nil {
		t.Errorf("endLeftover of an nginx that runs: %v", err)
		_ = front.Process.Kill()
	}
	<-ended
	if err := ports.Check("", port); err != nil {
		t.Errorf("after endLeftover: %v", err)
	}
}

// A fleet that can't be made gives back what it had taken already.
func TestNewGivesBack(t *testing.T) {
	base, err := ports.FreeBlock(Loopback, []int{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp4", (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: base + 1}).String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	dir := t.TempDir()
	conf := filepath.Join(dir, "n.conf")
	if err := os.WriteFile(conf, []byte("events {}\nhttp { server { listen 80; } }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	from := &layout.Layout{HTTPPort: 80, Instances: []layout.Instance{{Name: "a", Port: 8080, Mode: layout.Fork}, {Name: "b", Port: 8081, Mode: layout.Fork}}}
	to := &layout.Layout{HTTPPort: base + 2, Instances: []layout.Instance{{Name: "a", Port: base, Mode: layout.Fork}, {Name: "b", Port: base + 1, Mode: layout.Fork}}}
	_, err = New(t.Context(), Config{Layout: to, From: from, NginxConf: conf, Dir: filepath.Join(dir, "run"), Balancer: nginx.Nginx{}, Program: "nginx", Server: "none"})
	var taken *ports.TakenError
	if !errors.As(err, &taken) || taken.Port != base+1 || !strings.Contains(err.Error(), "instance b: ") {
		t.Errorf("New: got %v, want port %d of b taken", err, base+1)
	}
	if err := ports.Check(Loopback, base); err != nil {
		t.Errorf("the port of a after New failed: %v", err)
	}
}
