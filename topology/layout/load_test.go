package layout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

func TestBuiltIn(t *testing.T) {
	if got, want := Names(), []string{"cluster", "fork", "seed", "single"}; !cmp.Equal(got, want) {
		t.Fatalf("Names(): got %v, want %v", got, want)
	}
	modes := map[string]string{"seed": "CFFFCC", "fork": "FFFFFF", "cluster": "CCCCCC", "single": "FFFFFF"}
	for name, want := range modes {
		l, err := Load(name)
		if err != nil {
			t.Fatalf("Load(%q): %v", name, err)
		}
		var got []byte
		for i, in := range l.Instances {
			got = append(got, in.Mode[0])
			if in.Port != BasePort+i {
				t.Errorf("Load(%q): %s has port %d, want %d", name, in.Name, in.Port, BasePort+i)
			}
			if wantThreads := map[bool]int{true: 1}[name == "single"]; in.Threads != wantThreads {
				t.Errorf("Load(%q): %s has %d threads, want %d", name, in.Name, in.Threads, wantThreads)
			}
		}
		if string(got) != want || l.Name != name {
			t.Errorf("Load(%q): got name %q, modes %s, want %s", name, l.Name, got, want)
		}
	}
}

func TestLoadFile(t *testing.T) {
	dir := writeFiles(t, map[string]string{"three.yaml": `
nginx_conf: three.conf
http_port: 9000
probe: {interval: 200ms, misses: 3}
instances:
  - {name: a, port: 9001, mode: cluster, workers: 3}
  - name: b
    port: 9002
    threads: 2
    env: {CANT_DEFAULT: "10"}
    args: [--randoms, process]
`})
	got, err := Load(filepath.Join(dir, "three.yaml"))
	want := &Layout{
		Name: "three", Balancer: "nginx", NginxConf: filepath.Join(dir, "three.conf"), HTTPPort: 9000,
		Probe: Probe{Interval: 200 * time.Millisecond, Timeout: time.Second, Misses: 3, ReplaceAfter: 10 * time.Second},
		Instances: []Instance{
			{Name: "a", Port: 9001, Mode: Cluster, Workers: 3},
			{
				Name: "b", Port: 9002, Mode: Fork, Threads: 2,
				Env: map[string]string{"CANT_DEFAULT": "10"}, Args: []string{"--randoms", "process"},
			},
		},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("Load: %v, -want +got\n%s", err, d)
	}
}

func TestLoadErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"nme: x\n", `l.yaml:1:1: unknown key "nme"; known are name, balancer,`},
		{"name: x\ninstances:\n- name: a\n  port: 1\n  prt: 2\n", `l.yaml:5:3: unknown key "prt"`},
		{"instances:\n- {name: a, port: 99999}\n", "l.yaml:2:19: port 99999 is no port"},
		{"instances:\n- {name: a, port: x}\n", "l.yaml:2:19: a number is expected, not a text"},
		{"instances:\n- {name: a, port: 1, mode: bar}\n", `l.yaml:2:28: mode "bar": FORK or CLUSTER`},
		{"instances:\n- {name: a, port: 1}\n- {name: a, port: 2}\n", `l.yaml:3:10: the name "a" is used twice`},
		{"instances:\n- {name: a, port: 1}\n- {name: b, port: 1}\n", `l.yaml:3:19: port 1 is taken by "a"`},
		{"http_port: 7\ninstances:\n- {name: a, port: 7}\n", "l.yaml:3:19: port 7 is where nginx listens"},
		{"name: x\nbalancer: ngix\ninstances:\n- {name: a, port: 7}\n", `l.yaml:2:11: balancer "ngix": nginx, haproxy, caddy, apache`},
		{"http_port: 70000\n", "l.yaml:1:12: http_port 70000"},
		{"instances:\n- {name: nginx, port: 7}\n", `"nginx" belongs to another part`},
		{"instances:\n- {name: 80, port: 7}\n", `l.yaml:2:10: name "80": a letter`},
		{"instances:\n- {name: a}\n", `instance "a" needs a port`},
		{"instances:\n- {port: 1}\n", "needs a name"},
		{"instances:\n- {name: a, port: 1, mode: FORK, workers: 2}\n", "l.yaml:2:43: workers belong to mode CLUSTER"},
		{"instances:\n- {name: a, port: 1, threads: -1}\n", "threads -1"},
		{"instances: []\n", "at least one instance"},
		{"", "at least one instance"},
		{"a: [\n", "l.yaml:1:4: "},
		{"\tname: x\n", "l.yaml:1:"},
		{"instances: !0 0\n", "l.yaml: it is no YAML that can be read"},
	}
	for _, tt := range tests {
		got, err := Load(filepath.Join(writeFiles(t, map[string]string{"l.yaml": tt.text}), "l.yaml"))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Load(%q): got %+v, %v, want one line with %q", tt.text, got, err, tt.want)
		}
	}
	if _, err := Load("nosuch"); err == nil || !strings.Contains(err.Error(), "cluster, fork, seed, single") {
		t.Errorf(`Load("nosuch"): got %v, want an error that lists the built-in layouts`, err)
	}
}

func TestMovePorts(t *testing.T) {
	tests := []struct {
		base, http int
		want       []int // HTTP port, then the instances'
		err        string
	}{
		{0, 0, []int{80, 8080, 8081, 8085}, ""},
		{9000, 0, []int{80, 9000, 9001, 9005}, ""},
		{0, 8000, []int{8000, 8080, 8081, 8085}, ""},
		{9000, 9002, []int{9002, 9000, 9001, 9005}, ""},
		{9000, 9001, nil, "port 9001 is where nginx listens"},
		{65533, 0, nil, "port 65538 is no port"},
		{0, 70000, nil, "http_port 70000"},
	}
	for _, tt := range tests {
		l := &Layout{HTTPPort: 80, Instances: []Instance{
			{Name: "b", Port: 8081, Mode: Fork}, {Name: "a", Port: 8080, Mode: Fork}, {Name: "c", Port: 8085, Mode: Fork},
		}}
		before := *l
		err := l.Move(tt.base, tt.http)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) || !cmp.Equal(&before, l) {
				t.Errorf("Move(%d, %d): got %v and %+v, want an error with %q and no change", tt.base, tt.http, err, l, tt.err)
			}
			continue
		}
		got := []int{l.HTTPPort, l.Instances[1].Port, l.Instances[0].Port, l.Instances[2].Port}
		if err != nil || !cmp.Equal(got, tt.want) {
			t.Errorf("Move(%d, %d): got %v, %v, want %v", tt.base, tt.http, got, err, tt.want)
		}
	}
}

func TestFind(t *testing.T) {
	l, err := Load("seed")
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{"site2": "site2", "8084": "serverC", ":8080": "site1", "80": "", "Site1": "", "": ""} {
		got, ok := l.Find(given)
		if got.Name != want || ok != (want != "") {
			t.Errorf("Find(%q): got %q, %v, want %q", given, got.Name, ok, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		text, err := os.ReadFile("builtin/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("instances:\n- {name: a, port: 1, env: {a: b}, args: [c]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parse("f", []byte(text))
		if err == nil && l.Check() != nil {
			t.Fatalf("parse(%q) accepted what Check refuses: %v", text, l.Check())
		}
	})
}
