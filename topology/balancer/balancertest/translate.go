package balancertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"balanceo/topology/balancer"
)

// own: the project's nginx.conf, with all that it says, can be translated, and the program accepts it.
func own(t *testing.T, b balancer.Balancer) {
	file := filepath.Join(t.TempDir(), "conf")
	site := &balancer.Site{Program: Program(t, b), Source: "../../../nginx.conf", Dir: filepath.Dir(file), File: file}
	conf, err := b.Write(site, file)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context(), site, file); err != nil {
		text, _ := os.ReadFile(file)
		t.Errorf("%v\n%s", err, text)
	}
	if v := balancer.Version(t.Context(), b, site.Program); strings.Count(v, ".") < 2 || strings.Trim(v[:1], "0123456789") != "" {
		t.Errorf("version: got %q, want one as 1.22.1", v)
	}
	if g := conf.Group("node_app"); g == nil || g.Share("127.0.0.1:8080") != 2.0/3 || conf.Balancer != b.Name() || len(conf.Listen) != 1 || conf.Listen[0] != 80 {
		t.Errorf("the project's configuration: got %+v", conf)
	}
}

// refused: what can't be done is an error that names the line, and what a group can't have one that names it.
func refused(t *testing.T, b balancer.Balancer) {
	dir := t.TempDir()
	write := func(text string, changes map[string]balancer.Change) error {
		site := &balancer.Site{Program: Program(t, b), Source: filepath.Join(dir, "n.conf"), Dir: dir, File: filepath.Join(dir, "c"), Changes: changes}
		if err := os.WriteFile(site.Source, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := b.Write(site, site.File)
		return err
	}
	const fine = "http { upstream u { server 127.0.0.1:1; server 127.0.0.1:2; }\nserver { listen 80; location / { proxy_pass http://u; } } }"
	if err := write(fine, nil); err != nil {
		t.Errorf("%s: %v", fine, err)
	}
	for _, c := range []balancer.Change{{Method: "nonsense"}, {Weights: []int{1}}} {
		if err := write(fine, map[string]balancer.Change{"u": c}); err == nil || !strings.Contains(err.Error(), "u") {
			t.Errorf("change %+v: got %v, want an error", c, err)
		}
	}
	if b.Name() == "nginx" {
		return // it can do all that nginx.conf says
	}
	const cookie = "http { upstream u { server 127.0.0.1:1;\nhash $cookie_a; }\nserver { listen 80; location / { proxy_pass http://u; } } }"
	if err := write(cookie, nil); err == nil || !strings.Contains(err.Error(), "n.conf:2: upstream u: ") {
		t.Errorf("%s: got %v, want an error at n.conf:2", cookie, err)
	}
	for line, text := range map[string]string{
		"n.conf:3": "http { upstream u { server 127.0.0.1:1; }\nserver { listen 80;\nrewrite ^ /x; location / { proxy_pass http://u; } } }",
		"n.conf:2": "http { upstream u { server 127.0.0.1:1; }\nserver { listen 80; location ~ x { proxy_pass http://u; } } }",
		"n.conf:4": "http { upstream u { server 127.0.0.1:1; }\nserver { listen 80; location / {\nproxy_set_header Host $host;\nproxy_set_header A $b; proxy_pass http://u; } } }",
		"n.conf:1": "http { upstream u { server 127.0.0.1:1 max_conns=3; } server { location / { proxy_pass http://u; } } }",
	} {
		if err := write(text, nil); err == nil || !strings.Contains(err.Error(), line+": ") {
			t.Errorf("%s: got %v, want an error at %s", text, err, line)
		}
	}
}
