package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"balanceo/topology/status"
)

// Client talks to the topology process whose control socket stands at a path.
type Client struct{ http *http.Client }

// NewClient makes a Client. It connects when it is used.
func NewClient(socket string) *Client {
	return &Client{&http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}}
}

// Status asks how the layout is.
func (c *Client) Status(ctx context.Context) (*status.Snapshot, error) {
	resp, err := c.do(ctx, http.MethodGet, "/status", nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var s status.Snapshot
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	return &s, nil
}

// Reload replaces the processes of the named parts, of all without names. Line is told what is done.
func (c *Client) Reload(ctx context.Context, names []string, line func(string)) error {
	return c.act(ctx, "/reload", url.Values{"name": names}, line)
}

// Restart ends and starts the named parts, all without names.
func (c *Client) Restart(ctx context.Context, names []string, line func(string)) error {
	return c.act(ctx, "/restart", url.Values{"name": names}, line)
}

// Down ends the named parts, the layout without names.
func (c *Client) Down(ctx context.Context, names []string, line func(string)) error {
	return c.act(ctx, "/down", url.Values{"name": names}, line)
}

// Scale gives a CLUSTER instance n workers.
func (c *Client) Scale(ctx context.Context, name string, n int, line func(string)) error {
	return c.act(ctx, "/scale", url.Values{"name": {name}, "n": {strconv.Itoa(n)}}, line)
}

// Kill sends a signal to a part, or to its worker with that pid if worker is not 0.
func (c *Client) Kill(ctx context.Context, name string, worker int, sig syscall.Signal, line func(string)) error {
	return c.act(ctx, "/kill", url.Values{
		"name": {name}, "worker": {strconv.Itoa(worker)}, "signal": {strconv.Itoa(int(sig))},
	}, line)
}

func (c *Client) do(ctx context.Context, method, path string, query url.Values) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://topology"+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the layout's topology process does not answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		return nil, fmt.Errorf("%s: %s", strings.TrimPrefix(path, "/"), strings.TrimSpace(string(text)))
	}
	return resp, nil
}

// act passes on the lines of an action and returns its outcome.
func (c *Client) act(ctx context.Context, path string, query url.Values, line func(string)) error {
	resp, err := c.do(ctx, http.MethodPost, path, query)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	in := json.NewDecoder(resp.Body)
	for {
		var m message
		if err := in.Decode(&m); err != nil {
			return fmt.Errorf("%s: topology ended before it was done: %w", strings.TrimPrefix(path, "/"), err)
		}
		if m.Line != "" {
			line(m.Line)
		}
		if m.Error != "" {
			return errors.New(m.Error)
		}
		if m.Done {
			return nil
		}
	}
}
