package attack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Target is the server under load.
type Target struct {
	Addr   string // host:port to connect to
	Host   string // the Host header
	TLS    bool
	Query  string // with its question mark; part of the scenario "url" only
	Slash  string // the one that the path ends with, if it does; part of the scenario "url" only
	Prefix string // put before each path; empty or begins with a slash and does not end with one
}

// ParseTarget reads ":80" (this machine), "host", "host:port", or an http or https URL.
func ParseTarget(text string) (Target, error) {
	raw := text
	if strings.HasPrefix(raw, ":") {
		raw = "127.0.0.1" + raw
	}
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return Target{}, errTarget
	}
	defaultPort, known := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if !known || u.Hostname() == "" || u.User != nil || u.Fragment != "" || strings.HasSuffix(u.Host, ":") {
		return Target{}, errTarget
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil && strings.ContainsAny(u.Hostname(), "[]:%") {
		return Target{}, errTarget
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return Target{}, fmt.Errorf("port %q is not in 1..65535", port)
	}
	t := Target{
		Addr:   net.JoinHostPort(u.Hostname(), port),
		Host:   u.Host,
		TLS:    u.Scheme == "https",
		Prefix: strings.TrimSuffix(u.EscapedPath(), "/"),
	}
	if strings.HasSuffix(u.EscapedPath(), "/") {
		t.Slash = "/"
	}
	if u.RawQuery != "" {
		t.Query = "?" + u.RawQuery
	}
	return t, nil
}

var errTarget = errors.New("want :PORT, HOST:PORT or an http or https URL")

// URL is the target as a URL.
func (t Target) URL() string {
	if t.TLS {
		return "https://" + t.Host + t.Prefix
	}
	return "http://" + t.Host + t.Prefix
}
