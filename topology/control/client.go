package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"balanceo/topology/fleet"
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

// Status asks how the layout is; sockets: with the connections of parts that don't count them themselves, too.
func (c *Client) Status(ctx context.Context, sockets bool) (*status.Snapshot, error) {
	resp, err := c.ask(ctx, http.MethodGet, "/status?sockets="+strconv.FormatBool(sockets), nil)
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

// Events calls visit with what has happened after the event of that number and with what happens from now on,
// until ctx is done or the layout is down.
func (c *Client) Events(ctx context.Context, after int, visit func(fleet.Event)) error {
	resp, err := c.ask(ctx, http.MethodGet, "/events?after="+strconv.Itoa(after), nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	in := json.NewDecoder(resp.Body)
	for {
		var e fleet.Event
		switch err := in.Decode(&e); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("events: %w", err)
		}
		visit(e)
	}
}

// Do asks for an action. Line is told what is done.
func (c *Client) Do(ctx context.Context, a fleet.Action, line func(string)) error {
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("%s: %w", a.Verb, err)
	}
	resp, err := c.ask(ctx, http.MethodPost, "/actions", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	in := json.NewDecoder(resp.Body)
	for {
		var m message
		if err := in.Decode(&m); err != nil {
			return fmt.Errorf("%s: topology ended before it was done: %w", a.Verb, err)
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

func (c *Client) ask(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://topology"+path, body)
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
		return nil, fmt.Errorf("%s: %s", path, strings.TrimSpace(string(text)))
	}
	return resp, nil
}
