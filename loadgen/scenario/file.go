package scenario

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"balanceo/loadgen/attack"
)

// file is a user's own scenario:
//
//	name: shop           # optional; else the file's name
//	requests:
//	  - path: /info      # with the query; must begin with a slash
//	    weight: 3        # optional; 1. 0: never sent
//	  - method: POST     # optional; GET
//	    path: /login
//	    headers: {Content-Type: application/x-www-form-urlencoded}
//	    body: email=a@b.c&password=x
type file struct {
	Name     string        `yaml:"name"`
	Requests []fileRequest `yaml:"requests"`
}

type fileRequest struct {
	Method  string            `yaml:"method"`
	Path    string            `yaml:"path"`
	Weight  *int              `yaml:"weight"`
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
}

// Load reads a user's own scenario from a YAML file. Errors name line and column.
func Load(path string) (*Scenario, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	s, err := Parse(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), data)
	if err != nil {
		return nil, fmt.Errorf("scenario %q: %w", path, err)
	}
	return s, nil
}

// Parse makes a scenario of YAML; name is used where it gives none.
func Parse(name string, data []byte) (*Scenario, error) {
	f, err := decode(data)
	if err != nil {
		return nil, flat(err)
	}
	if len(f.Requests) == 0 {
		return nil, errors.New("it has no requests")
	}
	requests := make([]attack.Request, len(f.Requests))
	for i, r := range f.Requests {
		var err error
		if requests[i], err = r.request(); err != nil {
			return nil, at(data, i, err)
		}
	}
	if f.Name != "" {
		name = f.Name
	}
	return New(name, requests)
}

// decode reads the YAML. The library panics on some malformed documents, such as "requests: !0 0".
func decode(data []byte) (f file, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it is no YAML that can be read: %v", p)
		}
	}()
	err = yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&f)
	if errors.Is(err, io.EOF) { // an empty document
		err = nil
	}
	return f, err
}

// keyError is a value that can't be used, under its key.
type keyError struct {
	key string
	err error
}

func (e *keyError) Error() string { return e.key + ": " + e.err.Error() }

func (r fileRequest) request() (attack.Request, error) {
	out := attack.Get(r.Path)
	out.Method, out.Body = cmp.Or(strings.ToUpper(r.Method), "GET"), []byte(r.Body)
	if strings.ContainsFunc(out.Method, func(c rune) bool { return c < 'A' || c > 'Z' }) {
		return out, &keyError{"method", fmt.Errorf("%q is none", r.Method)}
	}
	if !strings.HasPrefix(r.Path, "/") || strings.ContainsFunc(r.Path, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return out, &keyError{"path", fmt.Errorf("%q must begin with a slash and contain no blanks", r.Path)}
	}
	u, err := url.ParseRequestURI(r.Path)
	if err != nil {
		return out, &keyError{"path", fmt.Errorf("%q is none", r.Path)}
	}
	if r.Weight != nil {
		out.Weight = *r.Weight
	}
	if out.Weight < 0 {
		return out, &keyError{"weight", fmt.Errorf("%d is negative", out.Weight)}
	}
	if n, err := strconv.ParseInt(u.Query().Get("cant"), 10, 64); err == nil && u.Path == randomsPath && n > 0 {
		out.Draws = n
	}
	for name, value := range r.Headers {
		if name == "" || strings.ContainsAny(name, " :\r\n\t") || strings.ContainsAny(value, "\r\n") {
			return out, &keyError{"headers", fmt.Errorf("%q can't be sent", name)}
		}
		if out.Header == nil {
			out.Header = http.Header{}
		}
		out.Header[name] = []string{value}
	}
	return out, nil
}

// at adds to err the line and column of the i-th request's key in data.
func at(data []byte, i int, err error) error {
	var key *keyError
	if !errors.As(err, &key) {
		return err
	}
	for _, where := range []string{"." + key.key, ""} {
		path, perr := yaml.PathString(fmt.Sprintf("$.requests[%d]%s", i, where))
		if perr != nil {
			break
		}
		node, perr := path.ReadNode(bytes.NewReader(data))
		if perr == nil && node != nil && node.GetToken() != nil {
			pos := node.GetToken().Position
			return fmt.Errorf("line %d, column %d: %w", pos.Line, pos.Column, err)
		}
	}
	return fmt.Errorf("request %d: %w", i+1, err)
}

// flat puts an error of the YAML library, which shows the source on several lines, on one.
func flat(err error) error {
	var syntax yaml.Error
	if !errors.As(err, &syntax) || syntax.GetToken() == nil {
		return err
	}
	pos := syntax.GetToken().Position
	return fmt.Errorf("line %d, column %d: %s", pos.Line, pos.Column, syntax.GetMessage())
}
