package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"balanceo/loadgen/attack"
	"balanceo/topology/cli"
)

func (o *requestOptions) into(p *plan) error {
	if strings.ContainsFunc(p.method, func(c rune) bool { return c < 'A' || c > 'Z' }) {
		return cli.Usagef("-http-method %q: want a method, for example POST", o.Method)
	}
	for _, text := range o.Header {
		name, value, found := strings.Cut(text, ":")
		value = strings.TrimSpace(value)
		if !found || name == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
			return cli.Usagef("-header %q: want 'NAME: VALUE'", text)
		}
		if p.header == nil {
			p.header = http.Header{}
		}
		p.header[name] = append(p.header[name], value)
	}
	for _, code := range o.ExpectStatus {
		if err := between("-expect-status", code, 100, 999); err != nil {
			return err
		}
	}
	if path, isFile := strings.CutPrefix(o.Body, "@"); isFile {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("-body: %w", err)
		}
		p.body = data
	} else if o.Body != "" {
		p.body = []byte(o.Body)
	}
	return nil
}

func (o *clientOptions) into(p *plan) (err error) {
	if p.timeout, err = readDuration("-timeout", o.Timeout, time.Millisecond); err != nil {
		return err
	}
	p.client = attack.Client{HTTP2: o.HTTP2, UnixSocket: o.UnixSocket, Redirects: o.Redirects}
	if o.Connections != nil {
		p.workers, p.inTurn = *o.Connections, true
		if err := between("-connections", p.workers, 1, maxWorkers); err != nil {
			return err
		}
	}
	if err := between("-redirects", o.Redirects, 0, 100); err != nil {
		return err
	}
	if o.Proxy != "" {
		if p.client.Proxy, err = url.Parse(o.Proxy); err != nil || p.client.Proxy.Host == "" {
			return cli.Usagef("-proxy %q: want a URL, for example http://127.0.0.1:3128", o.Proxy)
		}
	}
	for _, text := range o.Resolve {
		word := strings.SplitN(text, ":", 3)
		if len(word) < 3 || net.ParseIP(strings.Trim(word[2], "[]")) == nil {
			return cli.Usagef("-resolve %q: want HOST:PORT:ADDR, for example example.com:80:127.0.0.1", text)
		}
		if p.client.Resolve == nil {
			p.client.Resolve = map[string]string{}
		}
		p.client.Resolve[net.JoinHostPort(word[0], word[1])] = net.JoinHostPort(strings.Trim(word[2], "[]"), word[1])
	}
	p.client.TLS, err = o.tls()
	return err
}

// tls reads certificates.
func (o *clientOptions) tls() (*tls.Config, error) {
	out := &tls.Config{InsecureSkipVerify: o.Insecure}
	if o.CACert != "" {
		pem, err := os.ReadFile(o.CACert)
		if err != nil {
			return nil, fmt.Errorf("-cacert: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("-cacert: %q has no certificate", o.CACert)
		}
	}
	if o.Cert != "" || o.Key != "" {
		pair, err := tls.LoadX509KeyPair(o.Cert, cmp.Or(o.Key, o.Cert))
		if err != nil {
			return nil, fmt.Errorf("-cert: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}
