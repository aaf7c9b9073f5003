package nginx

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"balanceo/topology/balancer"
	"balanceo/topology/layout"
)

// writeFiles puts files, by name, into a new folder.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRead(t *testing.T) {
	plain := balancer.Server{Weight: 1, MaxFails: 1, FailTimeout: 10}
	server := func(addr string, change func(*balancer.Server)) balancer.Server {
		s := plain
		s.Addr = addr
		if change != nil {
			change(&s)
		}
		return s
	}
	tests := []struct {
		name string
		conf string
		want balancer.Config
	}{
		{
			"defaults",
			`events {} http { upstream u { server 127.0.0.1:9001; server 127.0.0.1:9002; } server { location / { proxy_pass http://u; } } }`,
			balancer.Config{Listen: []int{80}, Workers: 1, Groups: []balancer.Group{{
				Name: "u", Method: balancer.RoundRobin,
				Servers: []balancer.Server{server("127.0.0.1:9001", nil), server("127.0.0.1:9002", nil)},
			}}},
		},
		{
			"every parameter",
			`worker_processes 3; events {} http { upstream u {
				least_conn; zone u 64k; keepalive 8 ;
				server 127.0.0.1:1 weight=5 max_fails=0 fail_timeout=1m30s;
				server 127.0.0.1:2 backup; server 127.0.0.1:3 down; server example.com; server unix:/tmp/s.sock weight=2;
				server [::1]:8080; } }`,
			balancer.Config{Workers: 3, Groups: []balancer.Group{{
				Name: "u", Method: balancer.LeastConn, Zone: true, Keepalive: 8,
				Servers: []balancer.Server{
					server("127.0.0.1:1", func(s *balancer.Server) { s.Weight, s.MaxFails, s.FailTimeout = 5, 0, 90 }),
					server("127.0.0.1:2", func(s *balancer.Server) { s.Backup = true }),
					server("127.0.0.1:3", func(s *balancer.Server) { s.Down = true }),
					server("example.com:80", nil),
					server("unix:/tmp/s.sock", func(s *balancer.Server) { s.Weight = 2 }),
					server("[::1]:8080", nil),
				},
			}}},
		},
		{
			"methods, sorted by name",
			`worker_processes auto; events {} http {
				upstream d { random two least_conn; server a:1; } upstream c { hash $request_uri consistent; server a:1; }
				upstream b { ip_hash; server a:1; } upstream a { least_time header; server a:1; } }`,
			balancer.Config{Workers: runtime.NumCPU(), Auto: true, Groups: []balancer.Group{
				{Name: "a", Method: balancer.LeastTime, Args: []string{"header"}, Servers: []balancer.Server{server("a:1", nil)}},
				{Name: "b", Method: balancer.IPHash, Servers: []balancer.Server{server("a:1", nil)}},
				{Name: "c", Method: balancer.Hash, Args: []string{"$request_uri", "consistent"}, Servers: []balancer.Server{server("a:1", nil)}},
				{Name: "d", Method: balancer.Random, Args: []string{"two", "least_conn"}, Servers: []balancer.Server{server("a:1", nil)}},
			}},
		},
		{
			"listen lines",
			`events {} http { server { listen 127.0.0.1:8001 default_server; listen [::]:8002; listen unix:/tmp/x; }
				server { listen *:8003; listen 8001; } server { listen localhost; } }`,
			balancer.Config{Listen: []int{80, 8001, 8002, 8003}, Workers: 1},
		},
		{
			"JSON log in a server block, defined after its use",
			`events {} http { access_log off; server { listen 1; access_log plain.log combined; access_log logs/a.log j buffer=4k; }
				log_format j escape=json '{"a":"$request"}'; }`,
			balancer.Config{Listen: []int{1}, Workers: 1, AccessLog: "/prefix/logs/a.log"},
		},
		{
			"no JSON log",
			`events {} http { log_format p '$request'; log_format j escape=json '{}'; access_log /a.log p; access_log syslog:server=unix:/x j; }`,
			balancer.Config{Workers: 1},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(writeFiles(t, map[string]string{"n.conf": tt.conf}), "n.conf")
			got, err := Read(file, "/prefix")
			if err != nil {
				t.Fatalf("Read: %v", err)
			}
			tt.want.File, tt.want.Balancer = file, "nginx"
			if d := cmp.Diff(&tt.want, got, cmpopts.IgnoreFields(balancer.Group{}, "Promise")); d != "" {
				t.Errorf("Read(%s): -want +got\n%s", tt.conf, d)
			}
		})
	}
}

func TestReadIncludes(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"n.conf":        `events {} http { include up/*.conf; server { include listen.inc; } }`,
		"up/a.conf":     `upstream a { include up/a.servers; }`,
		"up/a.servers":  `server 127.0.0.1:1 weight=3;`,
		"up/b.conf":     `upstream b { server 127.0.0.1:2; }`,
		"listen.inc":    `listen 8001;`,
		"unrelated.inc": `nonsense {`,
	})
	got, err := Read(filepath.Join(dir, "n.conf"), "")
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if len(got.Groups) != 2 || got.Groups[0].Servers[0].Weight != 3 || !cmp.Equal(got.Listen, []int{8001}) {
		t.Errorf("Read with includes: got %+v, want groups a with weight 3 and b, listen 8001", got)
	}
}

// What is missing or unknown is told and stops nothing: it may say nothing about shares.
func TestReadUnknown(t *testing.T) {
	tests := []struct {
		conf   string
		method balancer.Method
		warn   string
	}{
		{"http { include mime.types; upstream u { server a:1; } }", balancer.RoundRobin, "mime.types is not to be had"},
		{"http { upstream u { server a:1;\nsticky cookie x; } }", "sticky", "n.conf:2: upstream u: what sticky does"},
		{"http { upstream u { server a:1; balancer_by_lua_block { if x then y = '}' end } } }", "balancer_by_lua_block", "what balancer_by_lua_block does"},
		{"http { upstream u { server a:1 slow_start=30s; } }", balancer.RoundRobin, `server a:1: what "slow_start=30s" does`},
		{"http { init_by_lua_block { local a = { b = 1 } } upstream u { server a:1; } }", balancer.RoundRobin, ""},
		{"load_module x.so;\nhttp { more_set_headers 'a: b'; vhost_traffic_status_zone; upstream u { server a:1; } }", balancer.RoundRobin, ""},
	}
	for _, tt := range tests {
		file := filepath.Join(writeFiles(t, map[string]string{"n.conf": tt.conf}), "n.conf")
		got, err := Read(file, "")
		if err != nil {
			t.Errorf("Read(%q): %v", tt.conf, err)
			continue
		}
		if warned := strings.Join(got.Warnings, "\n"); !strings.Contains(warned, tt.warn) || (warned == "") != (tt.warn == "") {
			t.Errorf("Read(%q): got warnings %q, want %q", tt.conf, warned, tt.warn)
		}
		if len(got.Groups) != 1 || got.Groups[0].Method != tt.method {
			t.Errorf("Read(%q): got %+v, want one group with method %s", tt.conf, got.Groups, tt.method)
		}
	}
}

// The output of nginx -T is read as if the files were here, and files of this machine are none of it.
func TestReadDump(t *testing.T) {
	dump := `nginx: configuration file /etc/nginx/nginx.conf test is successful
# configuration file /etc/nginx/nginx.conf:
worker_processes 3;
http { include mime.types; include /etc/nginx/conf.d/*.conf; include /proc/self/status; }
# configuration file /etc/nginx/mime.types:
types { text/html html; }
# configuration file /etc/nginx/conf.d/a.conf:
upstream u { server 10.0.0.1:80 weight=5; server 10.0.0.2:80; }
`
	file := filepath.Join(writeFiles(t, map[string]string{"dump": dump}), "dump")
	got, err := Read(file, "")
	if err != nil {
		t.Fatal(err)
	}
	if u := got.Group("u"); u == nil || u.Share("10.0.0.1:80") != 5.0/6 || got.Workers != 3 || got.File != "/etc/nginx/nginx.conf" {
		t.Errorf("Read of a dump: got %+v", got)
	}
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "/proc/self/status") {
		t.Errorf("Read of a dump: got warnings %q, want one about the file that is not in it", got.Warnings)
	}
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Fatal(err)
	}
	own, err := exec.Command("nginx", "-T", "-p", t.TempDir(), "-c", "/etc/nginx/nginx.conf").CombinedOutput()
	if err != nil {
		return // this machine's own configuration does not hold
	}
	if got, err = Read(filepath.Join(writeFiles(t, map[string]string{"dump": string(own)}), "dump"), ""); err != nil || len(got.Warnings) > 0 {
		t.Errorf("Read of this machine's nginx -T: %v, warnings %q", err, got.Warnings)
	}
}

// What nginx itself prints of the project's configuration says the same as the file.
func TestReadOwnDump(t *testing.T) {
	conf, err := filepath.Abs("../../../nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	prefix := t.TempDir()
	dump, err := exec.Command("nginx", "-T", "-p", prefix, "-c", conf, "-e", filepath.Join(prefix, "error.log")).Output()
	if err != nil {
		t.Skipf("nginx -T: %v; it may not be allowed to log in this place", err)
	}
	want, err := Read(conf, prefix)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(filepath.Join(writeFiles(t, map[string]string{"dump": string(dump)}), "dump"), prefix)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("nginx -T of nginx.conf: -file +dump\n%s", d)
	}
}

func TestWriteChanged(t *testing.T) {
	const conf = `http {
    upstream u { least_conn; zone u 64k; server 127.0.0.1:1 weight=2; server 127.0.0.1:2 max_fails=0; server 127.0.0.1:3; keepalive 8; }
    upstream v { server 127.0.0.1:1; }
    server { listen 80; }
}`
	src := filepath.Join(writeFiles(t, map[string]string{"n.conf": conf}), "n.conf")
	site := &balancer.Site{
		Source: src, Move: balancer.Move{Servers: map[int]int{2: 9002}}, Down: map[int]bool{9002: true},
		Changes: map[string]balancer.Change{"u": {Method: "random two", Weights: []int{7, 3, 2}}},
	}
	got, err := Nginx{}.Write(site, filepath.Join(t.TempDir(), "n.conf"))
	if err != nil {
		t.Fatal(err)
	}
	u, v := got.Group("u"), got.Group("v")
	if u.Method != balancer.Random || !cmp.Equal(u.Args, []string{"two"}) || u.Keepalive != 8 {
		t.Errorf("changed group: got %+v, want random two", u)
	}
	if u.Share("127.0.0.1:1") != 7.0/9 || u.Share("127.0.0.1:9002") != 0 || u.Servers[1].MaxFails != 0 || v.Share("127.0.0.1:1") != 1 {
		t.Errorf("changed group: got %+v and %+v, want 7:2 with port 9002 down", u, v)
	}
	for _, tt := range []struct {
		group  string
		change balancer.Change
		want   string
	}{
		{"u", balancer.Change{Weights: []int{1}}, "n.conf:2: upstream u has 3 servers, not 1"},
		{"u", balancer.Change{Method: "fair"}, `"fair" is no method of nginx: round_robin, least_conn`},
		{"w", balancer.Change{}, `there is no upstream "w"`},
	} {
		site.Changes = map[string]balancer.Change{tt.group: tt.change}
		if _, err := (Nginx{}).Write(site, filepath.Join(t.TempDir(), "n.conf")); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Write with %+v: got %v, want %q", tt.change, err, tt.want)
		}
	}
	site.Changes = map[string]balancer.Change{"u": {Method: "round-robin"}}
	if got, err = (Nginx{}).Write(site, filepath.Join(t.TempDir(), "n.conf")); err != nil || got.Group("u").Method != balancer.RoundRobin {
		t.Errorf("Write with round robin: got %+v, %v", got, err)
	}
}

func TestReadErrors(t *testing.T) {
	tests := []struct{ conf, want string }{
		{"events {}\nhttp {\n", "unexpected end of file"},
		{"events {}\nhttp { upstream u {\n server 127.0.0.1:1 weight=x; } }", `n.conf:3: server 127.0.0.1:1: "weight=x"`},
		{"events {}\nhttp { upstream u { server 127.0.0.1:1 weight=0; } }", "at least 1"},
		{"worker_processes many;", `n.conf:1: worker_processes "many"`},
	}
	for _, tt := range tests {
		file := filepath.Join(writeFiles(t, map[string]string{"n.conf": tt.conf}), "n.conf")
		got, err := Read(file, "")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Read(%q): got %+v, %v, want an error with %q", tt.conf, got, err, tt.want)
		}
	}
	if _, err := Read("/does/not/exist.conf", ""); err == nil {
		t.Error("Read of a missing file: got no error")
	}
}

func TestSeconds(t *testing.T) {
	for text, want := range map[string]float64{"10": 10, "10s": 10, "500ms": 0.5, "1m30s": 90, "1h 5": 3605, "1M": 30 * 86400, "0": 0} {
		if got, err := seconds(text); got != want || err != nil {
			t.Errorf("seconds(%q): got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "s", "1x", "-1", "1s2q"} {
		if got, err := seconds(text); err == nil {
			t.Errorf("seconds(%q): got %v, want an error", text, got)
		}
	}
}

func TestWriteMoved(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"n.conf": `# head: listen 80; stays
user nobody;
daemon on;
pid /run/nginx.pid;
events {}
http {
    proxy_temp_path mine;
    include servers.inc; include types.inc;
    map $uri $x { default 8080; listen 80; }
    upstream u { server 127.0.0.1:8080 weight=2; # not 8080
                 server "127.0.0.1:8081"; server localhost:8081; server example.com:8080; include more.inc; }
    server { listen 80; listen [::]:80 ipv6only=on; listen 127.0.0.1; listen unix:/x; listen 443 ssl;
        ssl_certificate cert.pem;
        location /a { proxy_pass http://127.0.0.1:8080/b?c=8080; return 200 "listen 80; server 127.0.0.1:8080;"; }
        location / { proxy_pass http://u; } }
}
`,
		"servers.inc": "server { listen 80; } # kept\n",
		"types.inc":   "types { text/html html; }\n",
		"more.inc":    "server 127.0.0.1:8081 backup;\n",
	})
	want := `# head: listen 80; stays
user nobody;
pid nginx.pid;
events {
}
http {
    client_body_temp_path temp_client_body;
    fastcgi_temp_path temp_fastcgi;
    uwsgi_temp_path temp_uwsgi;
    scgi_temp_path temp_scgi;
    proxy_temp_path mine;
    server {
        listen 7000;
    } # kept
    types {
        text/html html;
    }
    map $uri $x {
        default 8080;
        listen 80;
    }
    upstream u {
        server 127.0.0.1:9080 weight=2; # not 8080
        server 127.0.0.1:9081;
        server localhost:9081;
        server example.com:8080;
        server 127.0.0.1:9081 backup;
    }
    server {
        listen 7000;
        listen [::]:7000 ipv6only=on;
        listen 127.0.0.1:7000;
        listen unix:/x;
        listen 7363 ssl;
        ssl_certificate DIR/cert.pem;
        location /a {
            proxy_pass http://127.0.0.1:9080/b?c=8080;
            return 200 "listen 80; server 127.0.0.1:8080;";
        }
        location / {
            proxy_pass http://u;
        }
    }
}
`
	dst := filepath.Join(t.TempDir(), "moved.conf")
	move := balancer.Move{Listen: map[int]int{80: 7000, 443: 7363}, Servers: map[int]int{8080: 9080, 8081: 9081}}
	if _, err := (Nginx{}).Write(&balancer.Site{Source: filepath.Join(dir, "n.conf"), Move: move}, dst); err != nil {
		t.Fatalf("Write: %v", err)
	}
	got, err := os.ReadFile(dst)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.ReplaceAll(want, "DIR", dir), string(got)); d != "" {
		t.Errorf("Write: -want +got\n%s", d)
	}
}

// The project's own configuration, moved, says the same as before and nginx accepts it.
func TestMoveOwnConfiguration(t *testing.T) {
	prefix := t.TempDir()
	dst := filepath.Join(prefix, "nginx.conf")
	move := balancer.Move{Listen: map[int]int{80: 17080}, Servers: map[int]int{}}
	for i := range 6 {
		move.Servers[layout.BasePort+i] = 18080 + i
	}
	if _, err := (Nginx{}).Write(&balancer.Site{Source: "../../../nginx.conf", Move: move}, dst); err != nil {
		t.Fatalf("Write: %v", err)
	}
	before, err := Read("../../../nginx.conf", prefix)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Read(dst, prefix)
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(after.Listen, []int{17080}) {
		t.Errorf("moved: got listen %v, want [17080]", after.Listen)
	}
	for i := range before.Groups {
		for j := range before.Groups[i].Servers {
			s := &before.Groups[i].Servers[j]
			s.Addr = strings.Replace(s.Addr, ":80", ":180", 1)
		}
	}
	if d := cmp.Diff(before.Groups, after.Groups); d != "" {
		t.Errorf("groups after the move: -want +got\n%s", d)
	}
	out, err := exec.Command("nginx", "-t", "-p", prefix, "-c", dst, "-e", filepath.Join(prefix, "error.log")).CombinedOutput()
	if err != nil {
		t.Errorf("nginx -t on the moved configuration: %v\n%s", err, out)
	}
}

func TestWriteErrors(t *testing.T) {
	tests := []struct{ conf, want string }{
		{"http {", "n.conf:1: unexpected end of file"},
		{"a }", "n.conf:1: premature end of file"},
		{"a 'b", "premature end of file"},
		{"include n.conf;", "include cycle"},
		{"\ninclude none.conf;", "none.conf is not to be had"},
		{`http { server { add_header A "#b"; } }`, "can't be copied"},
	}
	for _, tt := range tests {
		dir := writeFiles(t, map[string]string{"n.conf": tt.conf})
		_, err := (Nginx{}).Write(&balancer.Site{Source: filepath.Join(dir, "n.conf")}, filepath.Join(dir, "out"))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Write(%q): got %v, want an error with %q", tt.conf, err, tt.want)
		}
	}
}

// Whatever the text: an error or a configuration, no panic; and a copy says what the original says.
func FuzzRead(f *testing.F) {
	own, err := os.ReadFile("../../../nginx.conf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(own))
	f.Add("http { upstream u { server a:1 weight=2; } server { listen 80; } }")
	f.Add("http { upstream { server; } server { listen; } }")
	f.Add("worker_processes auto; include *.conf; \"a\" 'b' {}")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "include") {
			return // it would read files that are not the test's
		}
		dir := t.TempDir()
		src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
		if err := os.WriteFile(src, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		before, err := Read(src, "/p")
		if err != nil {
			return
		}
		if _, err := (Nginx{}).Write(&balancer.Site{Source: src}, dst); err != nil {
			return // it is stricter: crossplane forgives some syntax that nginx does not
		}
		after, err := Read(dst, "/p")
		if err != nil {
			t.Fatalf("the copy of %q can't be read: %v", text, err)
		}
		before.File, after.File = "", ""
		before.Warnings, after.Warnings = nil, nil // they name lines
		if d := cmp.Diff(before, after); d != "" {
			t.Fatalf("the copy of %q: -want +got\n%s", text, d)
		}
	})
}
