package kubernetes

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"balanceo/server/scoreboard"
	"balanceo/server/serve"
	"balanceo/topology/export/image"
)

// temporary is the one folder of every container that can be written, a volume of its own.
const temporary = "/tmp"

// awayLimit is how long a pod stays on a node that is not heard of.
const awayLimit = 30 * time.Second

// template is a pod template with what is the same for all: nobody special runs in it, and nothing can be written but
// the temporary folder.
func template(program, instance string, containers ...corev1.Container) corev1.PodTemplateSpec {
	user := int64(image.User)
	for i := range containers {
		secure(&containers[i])
	}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labelled(program, instance)},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  new(false),
			EnableServiceLinks:            new(false),
			TerminationGracePeriodSeconds: new(seconds(serve.WithdrawTime + serve.InstanceGrace)),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: &user, RunAsGroup: &user, FSGroup: &user,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Tolerations: []corev1.Toleration{away(corev1.TaintNodeUnreachable), away(corev1.TaintNodeNotReady)},
			Containers:  containers,
			Volumes:     []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		},
	}
}

// secure takes from a container what it does not need.
func secure(c *corev1.Container) {
	c.ImagePullPolicy = corev1.PullIfNotPresent
	c.SecurityContext = &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), Privileged: new(false),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	c.VolumeMounts = append([]corev1.VolumeMount{{Name: "tmp", MountPath: temporary}}, c.VolumeMounts...)
}

// away is how long a pod outlasts a taint of its node.
func away(taint string) corev1.Toleration {
	return corev1.Toleration{
		Key: taint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(seconds(awayLimit)),
	}
}

// spread has pods that are chosen by labels spread over the nodes, as far as there is room.
func spread(labels map[string]string) corev1.TopologySpreadConstraint {
	return corev1.TopologySpreadConstraint{
		MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector: &metav1.LabelSelector{MatchLabels: labels},
	}
}

// apart has a pod rather go where fewer of the pods are that are chosen by labels.
func apart(labels map[string]string) *corev1.Affinity {
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 50, PodAffinityTerm: corev1.PodAffinityTerm{
			TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: labels},
		}}},
	}}
}

// lingering keeps a container serving for a while when it is to end: who sends to it hears later than it does.
func lingering() *corev1.Lifecycle {
	return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds(serve.WithdrawTime)}}}
}

// needs are the resources that are reserved, and the memory that is not exceeded. Processor time is not bounded:
// a bound holds requests up while the node has time.
func needs(cpu, memory, most string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(most)},
	}
}

// asking is a probe that asks for the process's health.
func asking(every, timeout time.Duration, misses int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: scoreboard.RouteHealth, Port: intstr.FromString("http")}},
		PeriodSeconds: int32(seconds(every)), TimeoutSeconds: int32(seconds(timeout)), FailureThreshold: misses,
	}
}

// connecting is a probe that only connects.
func connecting(port string, every time.Duration, misses int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString(port)}},
		PeriodSeconds: int32(seconds(every)), TimeoutSeconds: 1, FailureThreshold: misses,
	}
}

// service is a Service of one port before the pods that are chosen.
func service(m metav1.ObjectMeta, selector map[string]string, port int32, name string) *corev1.Service {
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: m,
		Spec: corev1.ServiceSpec{
			Selector: selector,
			Ports:    []corev1.ServicePort{{Name: name, Port: port, TargetPort: intstr.FromString(name), Protocol: corev1.ProtocolTCP}},
		},
	}
}

// seconds are whole seconds, at least one: Kubernetes knows no others.
func seconds(d time.Duration) int64 { return max(1, int64((d+time.Second-1)/time.Second)) }

// deployment keeps as many pods of a template.
func deployment(m metav1.ObjectMeta, selector map[string]string, replicas int, strategy appsv1.DeploymentStrategy, t corev1.PodTemplateSpec) *appsv1.Deployment {
	return &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: m,
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(replicas)), Selector: &metav1.LabelSelector{MatchLabels: selector}, Strategy: strategy, Template: t,
		},
	}
}

// budget lets whoever empties nodes take one of the pods at a time.
func budget(m metav1.ObjectMeta, selector map[string]string) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		TypeMeta: metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}, ObjectMeta: m,
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: new(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: selector},
		},
	}
}
