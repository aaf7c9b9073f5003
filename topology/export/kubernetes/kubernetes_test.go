package kubernetes

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/haproxy"
	"balanceo/topology/layout"
)

var update = flag.Bool("update", false, "write the golden files")

const conf = "../../../nginx.conf"

func config(t *testing.T, name string) *Config {
	t.Helper()
	l, err := layout.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	l.HTTPPort = layout.HTTPPort
	return &Config{Layout: l, Conf: conf, Balancer: "nginx"}
}

func objects(t *testing.T, cfg *Config) []runtime.Object {
	t.Helper()
	out, err := Objects(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The manifests of a layout are those of the golden file, the same each time.
func TestWrite(t *testing.T) {
	cfg := config(t, "testdata/two.yaml")
	cfg.Conf = "testdata/two.conf"
	cfg.Replicas = map[string]int{"serverA": 3}
	cfg.Load = &Load{Generators: 2, Args: []string{"-rate", "300"}}
	var got, again bytes.Buffer
	for _, w := range []*bytes.Buffer{&got, &again} {
		if err := Write(w, objects(t, cfg)); err != nil {
			t.Fatal(err)
		}
	}
	if got.String() != again.String() {
		t.Error("the same layout gives other manifests the second time")
	}
	golden := filepath.Join("testdata", "two.golden")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("manifests: -want +got (-update writes them)\n%s", d)
	}
}

// Every pod of every layout keeps what the profile "restricted" of Kubernetes asks for.
func TestRestricted(t *testing.T) {
	for _, name := range layout.Names() {
		cfg := config(t, name)
		cfg.Load = &Load{Generators: 1}
		all := objects(t, cfg)
		if found, err := exec.LookPath(haproxyPath()); err == nil {
			cfg.Balancer, cfg.Program = haproxy.Name, found
			all = append(all, objects(t, cfg)...)
		}
		for _, o := range all {
			spec := podOf(o)
			if spec == nil {
				continue
			}
			if !*spec.SecurityContext.RunAsNonRoot || *spec.AutomountServiceAccountToken || spec.SecurityContext.SeccompProfile == nil {
				t.Errorf("%s: a pod may be root, has a token, or calls everything: %+v", name, spec.SecurityContext)
			}
			for _, c := range append(spec.InitContainers, spec.Containers...) {
				s := c.SecurityContext
				if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
					t.Errorf("%s: container %s has privileges: %+v", name, c.Name, s)
				}
				if c.ImagePullPolicy != corev1.PullIfNotPresent || !strings.Contains(c.Image, ":") || strings.HasSuffix(c.Image, ":latest") {
					t.Errorf("%s: container %s: image %q, %s; want a fixed tag that is not pulled again", name, c.Name, c.Image, c.ImagePullPolicy)
				}
				if c.Resources.Requests.Cpu().IsZero() || c.Resources.Limits.Memory().IsZero() {
					t.Errorf("%s: container %s has no resources", name, c.Name)
				}
			}
		}
	}
}

func podOf(o runtime.Object) *corev1.PodSpec {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template.Spec
	case *appsv1.StatefulSet:
		return &o.Spec.Template.Spec
	case *batchv1.Job:
		return &o.Spec.Template.Spec
	}
	return nil
}

// The load is told the shares of nginx.conf, by the names of the services, and whose counts are whose.
func TestShares(t *testing.T) {
	for _, o := range objects(t, config(t, "seed")) {
		m, ok := o.(*corev1.ConfigMap)
		if !ok || m.Name != sharesName {
			continue
		}
		var c balancer.Config
		if err := json.Unmarshal([]byte(m.Data[sharesFile]), &c); err != nil {
			t.Fatal(err)
		}
		if got := c.Group("node_app").Share("site1:8080"); got != 2.0/3 || c.Ledger != "http://ledger:8090" {
			t.Errorf("site1 is promised %v, the ledger is at %q; want 2/3 and http://ledger:8090", got, c.Ledger)
		}
		for _, s := range c.Group("node_app_api").Servers {
			if s.Addr != s.Name+":8080" || !strings.HasPrefix(s.Name, "server-") {
				t.Errorf("server %+v is not named as its service", s)
			}
		}
		return
	}
	t.Error("no expected shares")
}

func haproxyPath() string {
	programs := haproxy.HAProxy{}.Programs()
	i := slices.IndexFunc(programs, func(p string) bool { _, err := exec.LookPath(p); return err == nil })
	return programs[max(i, 0)]
}

// edited is the configuration of testdata/two in a folder of its own, with a text of nginx.conf replaced.
func edited(t *testing.T, from, to string) *Config {
	t.Helper()
	cfg := config(t, "testdata/two.yaml")
	text, err := os.ReadFile("testdata/two.conf")
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(text), from)
	if !found {
		t.Fatalf("there is no %q to replace", from)
	}
	cfg.Conf = filepath.Join(t.TempDir(), "nginx.conf")
	if err := os.WriteFile(cfg.Conf, []byte(before+to+after), 0o644); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Nothing in a manifest is of the machine that made it.
func TestNoPathOfThisMachine(t *testing.T) {
	cfgs := []*Config{edited(t, "zone ", "unheard_of 1; zone "), edited(t, "zone ", "unheard_of 1; zone "), edited(t, "", "")}
	cfgs[1].Balancer = Service
	if found, err := exec.LookPath(haproxyPath()); err == nil {
		cfgs[2].Balancer, cfgs[2].Program = haproxy.Name, found
	}
	for _, cfg := range cfgs {
		cfg.Load = &Load{Generators: 2}
		var out, again bytes.Buffer
		for _, w := range []*bytes.Buffer{&out, &again} {
			if err := Write(w, objects(t, cfg)); err != nil {
				t.Fatal(err)
			}
		}
		if out.String() != again.String() {
			t.Errorf("%s: the same layout gives other manifests the second time", cfg.Balancer)
		}
		for _, path := range []string{filepath.Dir(cfg.Conf), tempName} {
			if before, after, found := strings.Cut(out.String(), path); found {
				t.Errorf("%s: a path of this machine: %s%s%s", cfg.Balancer, before[max(0, len(before)-80):], path, after[:80])
			}
		}
	}
}

// An instance that several groups share is behind the Service of each.
func TestServicesOfSharedServers(t *testing.T) {
	cfg := edited(t, "upstream app {", "upstream other { server 127.0.0.1:8080; }\n    upstream app {")
	cfg.Balancer = Service
	behind := map[string]int{}
	all := objects(t, cfg)
	for _, o := range all {
		s, ok := o.(*corev1.Service)
		if !ok {
			continue
		}
		for _, o := range all {
			if d, ok := o.(*appsv1.Deployment); ok && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(d.Spec.Template.Labels)) {
				behind[s.Name]++
			}
		}
	}
	if behind["app"] != 2 || behind["other"] != 1 {
		t.Errorf("Deployments behind the Services: got %v, want 2 behind app and 1 behind other", behind)
	}
}

// HAProxy gets the services for servers, is tried for its shares, and takes no more connections than there is memory for.
func TestHAProxy(t *testing.T) {
	cfg := config(t, "seed")
	cfg.Balancer, cfg.Program = haproxy.Name, haproxyPath()
	if _, err := exec.LookPath(cfg.Program); err != nil {
		t.Skip("no haproxy here; .ci/need haproxy installs it")
	}
	var text string
	var shares balancer.Config
	for _, o := range objects(t, cfg) {
		switch o := o.(type) {
		case *corev1.ConfigMap:
			if o.Name == haproxy.Name {
				text = o.Data["haproxy.cfg"]
			} else if err := json.Unmarshal([]byte(o.Data[sharesFile]), &shares); err != nil {
				t.Fatal(err)
			}
		case *appsv1.Deployment:
			if o.Name != haproxy.Name {
				continue
			}
			c := o.Spec.Template.Spec.Containers[0]
			if command := strings.Join(c.Command, " "); c.Image != "haproxy:3.0.5" || !strings.Contains(command, " -n 4096 ") || !strings.HasSuffix(command, ">>/run/balanceo/access.log") {
				t.Errorf("container: got %s, %s", c.Image, command)
			}
		}
	}
	for _, want := range []string{"bind :8080\n", " site1:8080 weight 2\n", " server-d:8080 weight 1\n", "timeout connect 2000ms\n", "nbthread 1\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("haproxy.cfg has no line %q:\n%s", want, text)
		}
	}
	g := shares.Group("node_app")
	if shares.Balancer != haproxy.Name || shares.Ledger != "http://ledger:8090" || g.Share("site1:8080") != 2.0/3 || !strings.Contains(g.Promise.Because, "where the manifests were made") {
		t.Errorf("shares: got %+v, %+v", shares, g)
	}
}

func TestClusterName(t *testing.T) {
	for name, want := range map[string]string{"site1": "site1", "serverA": "server-a", "my_App.x": "my-app-x", "ABC": "abc", "web2B": "web2-b"} {
		if got := ClusterName(name); got != want {
			t.Errorf("ClusterName(%q): got %q, want %q", name, got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Replicas = map[string]int{"nobody": 2} }, `"nobody": layout seed has no instance of that name`},
		{func(c *Config) { c.Layout.Instances[0].Name = "server_A" }, `"serverA" would be "server-a" in the cluster, and something else`},
		{func(c *Config) { c.Layout.Instances[0].Name = "Ledger" }, `"Ledger" would be "ledger" in the cluster, and something else`},
		{func(c *Config) { c.Balancer = "caddy" }, `balancer "caddy" can't be exported; nginx, haproxy, service can`},
		{func(c *Config) { c.StorageClass, c.StorageSize = "fast", "much" }, `size of the storage "much"`},
	} {
		cfg := config(t, "seed")
		tt.change(cfg)
		if _, err := Objects(cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
	for _, tt := range []struct{ from, to, want string }{
		{"listen 127.0.0.1:80;", "listen 80; auth_basic_user_file users;", "auth_basic_user_file users: this file is of this machine"},
		{"access_log access.log", "access_log logs/a.log", "its access log is /run/balanceo/logs/a.log; in a cluster"},
		{"server 127.0.0.1:8081;", "server 127.0.0.1:9000;", "server 127.0.0.1:9000 of upstream app is on this machine and no instance of layout two"},
	} {
		if _, err := Objects(edited(t, tt.from, tt.to)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("with %q: got %v, want %q", tt.to, err, tt.want)
		}
	}
}

// A database elsewhere is a Secret, and its address is nowhere else.
func TestSecret(t *testing.T) {
	cfg := config(t, "seed")
	cfg.MongoURL = "mongodb://u:hidden@db/x"
	for _, o := range objects(t, cfg) {
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, secret := o.(*corev1.Secret); strings.Contains(string(text), "hidden") && !secret {
			t.Errorf("the password is in %s", text)
		}
		if _, set := o.(*appsv1.StatefulSet); set {
			t.Error("there is a database of our own, too")
		}
	}
}
