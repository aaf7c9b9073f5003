//go:build e2e

package kubernetes_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"balanceo/results/run"
)

// Environment of these tests. KUBE_IN is what a command is called by that is to reach the cluster, empty where this
// machine does; KUBE_LOAD loads an archive of images into every node; KUBE_KILL ends a node without warning, as a line
// for the shell with the node's name in $1. Where it is empty, no node is killed.
const (
	envIn   = "KUBE_IN"
	envLoad = "KUBE_LOAD"
	envKill = "KUBE_KILL"
)

// cluster is a namespace of a cluster, and the programs with which a user works on it.
type cluster struct {
	t         *testing.T
	root      string // of the project
	namespace string
	export    []string // flags of every export
	job       string   // whose generators are waited for
}

// command is a program of the project's or of the machine's, run in the project's folder.
func (c *cluster) command(stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(c.t.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.Stdin = c.root, strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		err = errors.Join(err, errors.New(strings.Join(args, " ")+": "+errs.String()))
	}
	return out.String(), err
}

// try is kubectl in the namespace.
func (c *cluster) try(stdin string, args ...string) (string, error) {
	in := strings.Fields(os.Getenv(envIn))
	return c.command(stdin, append(append(in, "kubectl", "--namespace", c.namespace), args...)...)
}

// kubectl is try, which has to succeed.
func (c *cluster) kubectl(args ...string) string {
	c.t.Helper()
	out, err := c.try("", args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// newCluster makes a namespace, in which nothing may run with privileges, for as long as the test lasts.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, root: root, namespace: "balanceo-e2e", job: "loadgen", export: []string{"--nginx-image", "balanceo/nginx:v1"}}
	c.kubectl("create", "namespace", c.namespace)
	t.Cleanup(func() { // the test's context is done by now
		in := append(strings.Fields(os.Getenv(envIn)), "kubectl", "delete", "namespace", c.namespace, "--timeout=3m")
		if out, err := exec.Command(in[0], in[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	c.kubectl("label", "namespace", c.namespace, "pod-security.kubernetes.io/enforce=restricted")
	return c
}

// apply applies the manifests that topology prints.
func (c *cluster) apply(flags ...string) {
	c.t.Helper()
	manifests, err := c.command("", append(append([]string{"bin/topology", "export", "kubernetes"}, c.export...), flags...)...)
	if err == nil {
		_, err = c.try(manifests, "apply", "-f", "-")
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// settled waits until everything that was asked for is there.
func (c *cluster) settled() {
	c.t.Helper()
	for _, what := range strings.Fields(c.kubectl("get", "deployments,statefulsets", "--output=name")) {
		c.kubectl("rollout", "status", what, "--timeout=3m")
	}
}

// load sends a load of two generators and returns their records. While it lasts, meanwhile is done.
func (c *cluster) load(meanwhile func(), flags ...string) []*run.Record {
	c.t.Helper()
	c.kubectl("delete", "jobs", "--all", "--wait")
	c.apply(append([]string{"--loadgen", "2"}, flags...)...)
	c.until("the generators run", func() bool { return c.kubectl("get", "job", c.job, "--output=jsonpath={.status.ready}") == "2" })
	if meanwhile != nil {
		meanwhile()
	}
	c.until("the load ends", func() bool {
		return c.kubectl("get", "job", c.job, "--output=jsonpath={.status.conditions[?(@.status=='True')].type}") != ""
	})
	var records []*run.Record
	for _, pod := range strings.Fields(c.kubectl("get", "pods", "--selector=job-name="+c.job, "--output=name")) {
		c.until("the log of "+pod+" is whole", func() bool { // it is written behind the container's end
			printed, err := run.Scan(strings.NewReader(c.kubectl("logs", pod)))
			whole := err == nil && len(printed) == 1
			if whole {
				records = append(records, printed[0])
			}
			return whole
		})
	}
	if len(records) != 2 {
		c.t.Fatalf("got %d records of 2 generators", len(records))
	}
	return records
}

// until waits for something, at most five minutes.
func (c *cluster) until(what string, there func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !there(); time.Sleep(500 * time.Millisecond) {
		if time.Now().After(deadline) {
			said, _ := c.try("", "logs", "--selector=job-name="+c.job, "--prefix", "--tail=30")
			c.t.Fatalf("waited in vain until %s:\n%s\n%s", what, c.kubectl("get", "pods", "--output=wide"), said)
		}
	}
}

// nodes are the names of those that are ready.
func (c *cluster) nodes() []string {
	var ready []string
	for line := range strings.Lines(c.kubectl("get", "nodes", "--no-headers")) {
		if f := strings.Fields(line); strings.HasPrefix(f[1], "Ready") {
			ready = append(ready, f[0])
		}
	}
	slices.Sort(ready)
	return ready
}
