package kubernetes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"balanceo/topology/export/image"
	"balanceo/topology/layout"
)

// The expected shares, for the generators.
const (
	sharesName = "shares"
	sharesFile = "shares.json"
)

// byPod is how an answer tells which pod gave it, for loadgen.
const byPod = "header:" + layout.HeaderInstance

// load is the load as a Job: each of its pods sends its part of one schedule, and prints its record.
func (e *exporter) load() error {
	if e.Load == nil {
		return nil
	}
	args := append([]string{}, e.Load.Args...)
	args = append(args, "-out", temporary+"/runs", "-json", "-quiet")
	search := slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(strings.TrimLeft(arg, "-"), "find-max") })
	if e.Load.Generators > 1 || !search { // which has no parts
		args = append(args, "-part=-/"+strconv.Itoa(e.Load.Generators), "-start-at", e.ledgerURL())
	}
	shares := []corev1.Volume{configVolume("shares", sharesName)}
	if e.Balancer == Service {
		for _, g := range e.groups {
			e.job(loadName+"-"+g.name, append(slices.Clip(args), "-target", "http://"+g.name, "-by", byPod, "-nginx-conf", confDir+"/"+g.name+".json"), shares)
		}
		return nil
	}
	args = append(args, "-target", fmt.Sprintf("http://%s:%d", e.Balancer, frontServicePort), "-nginx-conf", confDir+"/"+sharesFile)
	e.job(loadName, args, shares)
	return nil
}

// job is one Job of generators.
func (e *exporter) job(name string, args []string, config []corev1.Volume) {
	c := corev1.Container{
		Name: loadName, Image: image.Ref(loadName), Args: args, WorkingDir: temporary,
		// The Job's own id, so that a second Job does not meet with the first.
		Env: []corev1.EnvVar{{Name: "LOAD_ID", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{
			APIVersion: "v1", FieldPath: "metadata.labels['" + batchv1.ControllerUidLabel + "']",
		}}}},
		Resources: needs("100m", "64Mi", "512Mi"),
	}
	for _, v := range config {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: v.Name, MountPath: confDir, ReadOnly: true})
	}
	t := template(loadName, name, c)
	t.Spec.Volumes = append(t.Spec.Volumes, config...)
	t.Spec.RestartPolicy = corev1.RestartPolicyNever
	t.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{spread(selects(loadName, name))}
	n := int32(e.Load.Generators)
	e.add(&batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"}, ObjectMeta: meta(name, loadName, name),
		Spec: batchv1.JobSpec{
			CompletionMode: new(batchv1.IndexedCompletion), Completions: &n, Parallelism: &n,
			// A part that is sent again is none of the same load; one that fails ends itself and not the others.
			BackoffLimitPerIndex: new(int32(0)),
			Template:             t,
		},
	})
}
