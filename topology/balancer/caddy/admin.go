package caddy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"balanceo/topology/balancer"
)

// ask sends a request to the admin API of the site's Caddy.
func ask(ctx context.Context, s *balancer.Site, method, path string, body []byte) ([]byte, error) {
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", s.Socket())
		},
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://caddy"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("caddy's admin API: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Cache-Control", "must-revalidate") // reload even what has not changed
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("caddy's admin API: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(text))
	}
	if err != nil {
		return nil, fmt.Errorf("caddy's admin API: %s %s: %w", method, path, err)
	}
	return text, nil
}

// listeners counts those of a configuration, the admin API among them.
func listeners(text []byte) (int, error) {
	var conf struct {
		Apps struct {
			HTTP struct {
				Servers map[string]struct {
					Listen []string `json:"listen"`
				} `json:"servers"`
			} `json:"http"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(text, &conf); err != nil {
		return 0, fmt.Errorf("caddy's configuration: %w", err)
	}
	n := 1
	for _, s := range conf.Apps.HTTP.Servers {
		n += len(s.Listen)
	}
	return n, nil
}

// accepting counts the listeners on which the site's Caddy accepts connections now: each has a goroutine of its own.
func accepting(ctx context.Context, s *balancer.Site) (n int, err error) {
	profile, err := ask(ctx, s, http.MethodGet, "/debug/pprof/goroutine?debug=1", nil)
	if err != nil {
		return 0, err
	}
	for _, m := range serving.FindAllSubmatch(profile, -1) {
		k, _ := strconv.Atoi(string(m[1])) // digits
		n += k
	}
	return n, nil
}

// serving is a stack of the profile that accepts connections, and how many goroutines have it.
var serving = regexp.MustCompile(`(?m)^(\d+) @ .*\n(?:#.*\n)*?#.*\snet/http\.\(\*Server\)\.Serve\+`)
