package balancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"balanceo/topology/ports"
)

// Try asks the program itself what it does: it runs it in a place of its own in front of servers of ours, with the
// method and the weights of g, sends n requests one after the other, and returns which server got each, as an index
// into g's servers. Servers that are down or backup are left out.
func Try(ctx context.Context, b Balancer, program string, g *Group, n int) ([]int, error) {
	dir, err := os.MkdirTemp("", "oracle")
	if err != nil {
		return nil, fmt.Errorf("trying %s: %w", g.Method, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	o := &oracle{seen: make([]int, 0, n)}
	defer o.close()
	source, err := o.serve(g)
	if err != nil {
		return nil, err
	}
	site := &Site{
		Program: program, Source: filepath.Join(dir, "source"), Dir: dir, File: filepath.Join(dir, "conf"),
		Changes: map[string]Change{"g": {Method: strings.Join(append([]string{string(g.Method)}, g.Args...), " ")}},
	}
	if err := os.WriteFile(site.Source, []byte(source), 0o600); err != nil {
		return nil, fmt.Errorf("trying %s: %w", g.Method, err)
	}
	if _, err := b.Write(site, site.File); err != nil {
		return nil, fmt.Errorf("trying %s: %w", g.Method, err)
	}
	if err := o.run(ctx, b, site, n); err != nil {
		return nil, fmt.Errorf("trying %s: %w", g.Method, err)
	}
	seen := o.order()
	if len(seen) != n { // somebody else answered on that port
		return nil, fmt.Errorf("trying %s: of %d requests %d came", g.Method, n, len(seen))
	}
	return seen, nil
}

type oracle struct {
	servers []*http.Server
	port    int // of the balancer
	mu      sync.Mutex
	seen    []int
}

// serve starts a server for each of the group's, and returns the configuration for them.
func (o *oracle) serve(g *Group) (source string, err error) {
	var lines strings.Builder
	for i, s := range g.Servers {
		if !s.Active() {
			continue
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it waits for nobody
		if err != nil {
			return "", err
		}
		server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.seen = append(o.seen, i)
		})}
		o.servers = append(o.servers, server)
		go func() { _ = server.Serve(ln) }() // ends with close
		fmt.Fprintf(&lines, "server %s weight=%d max_fails=0; ", ln.Addr(), s.Weight)
	}
	if o.port, err = ports.FreeAside("127.0.0.1"); err != nil {
		return "", err
	}
	return fmt.Sprintf("worker_processes 1; events {} http { upstream g { zone g 64k; %s} server { listen 127.0.0.1:%d; location / { proxy_pass http://g; } } }",
		&lines, o.port), nil
}

// order is who got the requests until now.
func (o *oracle) order() []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[:len(o.seen):len(o.seen)]
}

func (o *oracle) close() {
	for _, s := range o.servers {
		_ = s.Close()
	}
}

// run sends n requests through the program and ends it.
func (o *oracle) run(ctx context.Context, b Balancer, site *Site, n int) (err error) {
	cmd := b.Command(site)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // nothing of it is to be kept
		<-ended                                             //nolint:errcheck // it was killed
	}()
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	url := "http://127.0.0.1:" + strconv.Itoa(o.port) + "/"
	for deadline := time.Now().Add(5 * time.Second); n > 0; {
		err := get(ctx, client, url)
		switch {
		case err == nil:
			n--
			continue
		case len(o.order()) > 0 || ctx.Err() != nil || time.Now().After(deadline):
			return err
		}
		select {
		case err := <-ended:
			ended <- err
			return errors.Join(errors.New("it ended"), err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return nil
}
