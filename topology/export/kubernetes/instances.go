package kubernetes

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"balanceo/topology/balancer"
	"balanceo/topology/export/image"
	"balanceo/topology/layout"
	"balanceo/topology/ledger"
)

// server is the program of the instances.
const server = "server"

// workersOfCluster is how many workers an instance in mode CLUSTER has where the layout does not say: one per core
// means something on a machine of one's own, not on a node that is shared.
const workersOfCluster = 2

// starting is how long a server may take to start.
const starting = 30 * time.Second

// instances are a Deployment for each instance, with what belongs to it.
func (e *exporter) instances() error {
	for _, p := range e.parts {
		labels := selects(server, p.name)
		e.add(
			deployment(meta(p.name, server, p.name), labels, p.replicas, withoutGap(), e.pod(p)),
			service(meta(p.name, server, p.name), labels, serverPort, "http"),
			budget(meta(p.name, server, p.name), labels),
		)
	}
	return nil
}

// withoutGap replaces pods one by one, a new one before an old one.
func withoutGap() appsv1.DeploymentStrategy {
	return appsv1.DeploymentStrategy{
		Type:          appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: new(intstr.FromInt32(0)), MaxSurge: new(intstr.FromInt32(1))},
	}
}

// pod is that of an instance. Its probes are those of a layout: what is not ready gets no requests, and what gives no
// sign of life for long enough is replaced. Both ask the process only, never its database.
func (e *exporter) pod(p part) corev1.PodTemplateSpec {
	probe := e.Layout.Probe
	workers := 1
	args := []string{"--host", "0.0.0.0", "--port", strconv.Itoa(serverPort), "--mode", string(p.Mode)}
	if p.Mode == layout.Cluster {
		workers = cmp.Or(p.Workers, workersOfCluster)
		args = append(args, "--workers", strconv.Itoa(workers))
		workers++ // the master
	}
	every := max(probe.Interval, time.Second)
	t := template(server, p.name, corev1.Container{
		Name: server, Image: image.Ref(server), Args: append(args, p.Args...), Env: e.env(p),
		Ports:          []corev1.ContainerPort{{Name: "http", ContainerPort: serverPort, Protocol: corev1.ProtocolTCP}},
		StartupProbe:   asking(time.Second, probe.Timeout, int32(starting/time.Second)),
		ReadinessProbe: asking(every, probe.Timeout, int32(probe.Misses)),
		LivenessProbe:  asking(every, probe.Timeout, int32(max(1, probe.ReplaceAfter/every))),
		Lifecycle:      lingering(),
		Resources:      needs("50m", strconv.Itoa(48*workers)+"Mi", strconv.Itoa(192*workers)+"Mi"),
	})
	t.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{spread(selects(server, p.name))}
	t.Spec.Affinity = apart(selects(server, ""))
	for _, g := range e.groups {
		if slices.ContainsFunc(g.Servers, func(s balancer.Server) bool { return isServer(s, p) }) {
			t.Labels[groupLabel(g.name)] = "true"
		}
	}
	return t
}

// podNetworks are those in which pods can have their addresses: the private ones.
const podNetworks = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7"

// groupLabel tells that a pod belongs to that group of the balancer; it may belong to several.
func groupLabel(group string) string { return "group." + partOf + "/" + group }

// env is what an instance is told: who it is, where the database is, and who keeps its count.
func (e *exporter) env(p part) []corev1.EnvVar {
	env := []corev1.EnvVar{
		{Name: "INSTANCE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"}}},
		{Name: "SCOREBOARD", Value: temporary + "/scoreboard"},
		{Name: "LEDGER", Value: e.ledgerURL() + ledger.PathCounts + p.name},
		e.mongo(),
	}
	if e.Balancer != Service { // who asks is told by the balancer, which alone reaches the servers, by the policies
		env = append(env, corev1.EnvVar{Name: "TRUSTED_PROXIES", Value: podNetworks})
	}
	if p.Threads > 0 {
		env = append(env, corev1.EnvVar{Name: "GOMAXPROCS", Value: strconv.Itoa(p.Threads)})
	}
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		env = append(env, corev1.EnvVar{Name: name, Value: p.Env[name]})
	}
	return env
}
