package kubernetes

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/nginx"
	"balanceo/topology/export/image"
	"balanceo/topology/layout"
)

// Ports inside the pods. None needs a privilege.
const (
	serverPort   = 8080
	frontPort    = 8080
	databasePort = 27017
	newsPort     = 27018 // where the embedded database tells its changes
	ledgerPort   = 8090
)

// frontServicePort is where the balancer's clients ask.
const frontServicePort = 80

// Names of the parts that are no instances. The balancer has its own.
const (
	databaseName = layout.DatabaseName
	ledgerName   = "ledger"
	loadName     = "loadgen"
)

// part is an instance of the layout.
type part struct {
	layout.Instance
	name     string // in the cluster
	replicas int
}

func (p part) addr() string { return p.name + ":" + strconv.Itoa(serverPort) }

// group is a group of servers in the source.
type group struct {
	balancer.Group
	name string // in the cluster
}

// ClusterName turns a name of a layout into one that Kubernetes takes: serverA is server-a.
func ClusterName(name string) string {
	var b strings.Builder
	var before rune
	for _, r := range name {
		switch {
		case r >= 'A' && r <= 'Z':
			if before >= 'a' && before <= 'z' || before >= '0' && before <= '9' {
				b.WriteByte('-')
			}
			b.WriteRune(r - 'A' + 'a')
		case r == '_' || r == '.':
			b.WriteByte('-')
		default:
			b.WriteRune(r)
		}
		before = r
	}
	return strings.Trim(b.String(), "-")
}

// read names the instances and groups.
func (e *exporter) read() error {
	taken := []string{databaseName, ledgerName, loadName, e.Balancer}
	for _, in := range e.Layout.Instances {
		p := part{Instance: in, name: ClusterName(in.Name), replicas: 1}
		if n, ok := e.Replicas[in.Name]; ok {
			p.replicas = n
		}
		if err := claim(&taken, in.Name, p.name); err != nil {
			return err
		}
		e.parts = append(e.parts, p)
	}
	for name := range e.Replicas {
		if _, ok := e.Layout.Find(name); !ok {
			return fmt.Errorf("replicas of %q: layout %s has no instance of that name", name, e.Layout.Name)
		}
	}
	conf, err := nginx.Read(e.Conf, "")
	if err != nil {
		return err
	}
	for _, g := range conf.Groups {
		name := ClusterName(g.Name)
		if err := claim(&taken, g.Name, name); err != nil {
			return err
		}
		for _, server := range g.Servers {
			host, _, err := net.SplitHostPort(server.Addr)
			if err == nil && layout.IsLocal(host) && !slices.ContainsFunc(e.parts, func(p part) bool { return isServer(server, p) }) {
				return fmt.Errorf("%s: server %s of upstream %s is on this machine and no instance of layout %s, so the cluster won't have it",
					e.Conf, server.Addr, g.Name, e.Layout.Name)
			}
		}
		e.groups = append(e.groups, group{g, name})
	}
	return nil
}

// claim takes a name in the cluster for something that the layout calls otherwise.
func claim(taken *[]string, called, name string) error {
	if wrong := validation.IsDNS1035Label(name); len(wrong) > 0 {
		return fmt.Errorf("%q would be %q in the cluster, which is no name of a Service: %s", called, name, wrong[0])
	}
	if slices.Contains(*taken, name) {
		return fmt.Errorf("%q would be %q in the cluster, and something else is called so already", called, name)
	}
	*taken = append(*taken, name)
	return nil
}

// partOf is the value of the label by which everything is found that belongs to the layout.
const partOf = "balanceo"

// selects are the labels by which a part's pods are chosen: program is what runs, instance which one.
func selects(program, instance string) map[string]string {
	labels := map[string]string{"app.kubernetes.io/part-of": partOf, "app.kubernetes.io/name": program}
	if instance != "" {
		labels["app.kubernetes.io/instance"] = instance
	}
	return labels
}

// labelled are the labels of an object.
func labelled(program, instance string) map[string]string {
	labels := selects(program, instance)
	labels["app.kubernetes.io/version"] = image.Tag
	labels["app.kubernetes.io/managed-by"] = "topology"
	return labels
}

// meta is the metadata of an object.
func meta(name, program, instance string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: labelled(program, instance)}
}
