// Package kubernetes says in the objects of Kubernetes what a layout is: the same instances, shares and probes as on
// one machine, over as many nodes as there are.
//
//	names.go     names, labels and ports
//	pod.go       what all pods have in common
//	instances.go a Deployment, a Service and a disruption budget for each instance
//	front.go     the balancer, with the configuration that topology/balancer renders
//	programs.go  which balancers there are, and how they run in a pod
//	services.go  or none but the Services of Kubernetes
//	database.go  the embedded database, or the address of another one
//	ledger.go    who keeps the log and the counts of pods that come and go
//	load.go      the load, as a Job of several generators
//	policy.go    who may talk to whom
//
// Everything is made of the types of k8s.io/api and applies in any namespace.
package kubernetes

import (
	"bytes"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"balanceo/topology/balancer"
	"balanceo/topology/layout"
)

// Service is the balancer that Kubernetes has itself: kube-proxy, which shares connections.
const Service = balancer.Service

// Config is what is to be exported.
type Config struct {
	Layout   *layout.Layout
	Conf     string         // path of nginx.conf, the source of groups, weights and routes
	Balancer string         // one of Balancers
	Program  string         // path of the balancer on this machine, for one that has to be tried to know its shares
	Image    string         // of the balancer; empty: the public one
	Replicas map[string]int // by instance; missing: 1

	MongoURL     string // of a database elsewhere; empty: the embedded one
	StorageClass string // of the claim that the embedded database lies on; empty: a folder that goes with its pod
	StorageSize  string

	Load *Load // nil: none
}

// Load is the load that a Job sends.
type Load struct {
	Generators int
	Args       []string // of loadgen, beside what the Job needs itself
}

// exporter makes the objects of one Config.
type exporter struct {
	*Config
	parts   []part  // the instances
	groups  []group // of the source
	objects []runtime.Object
}

// Objects are those of the configuration, in the order in which they are to be made.
func Objects(cfg *Config) ([]runtime.Object, error) {
	e := &exporter{Config: cfg}
	if err := e.read(); err != nil {
		return nil, err
	}
	for _, add := range []func() error{e.policies, e.database, e.ledger, e.instances, e.front, e.load} {
		if err := add(); err != nil {
			return nil, err
		}
	}
	return e.objects, nil
}

func (e *exporter) add(objects ...runtime.Object) { e.objects = append(e.objects, objects...) }

// Write prints objects as YAML, without the state that only a cluster knows.
func Write(w io.Writer, objects []runtime.Object) error {
	var out bytes.Buffer
	for i, o := range objects {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return fmt.Errorf("manifest %d: %w", i, err)
		}
		delete(fields, "status")
		text, err := yaml.Marshal(fields)
		if err != nil {
			return fmt.Errorf("manifest %d: %w", i, err)
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(text)
	}
	_, err := w.Write(out.Bytes())
	return err
}
