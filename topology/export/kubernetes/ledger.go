package kubernetes

import (
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"balanceo/topology/export/image"
)

func (*exporter) ledgerURL() string { return "http://" + ledgerName + ":" + strconv.Itoa(ledgerPort) }

// ledger is where pods leave what they have counted, and the balancer its log, before they end.
func (e *exporter) ledger() error {
	labels := selects(ledgerName, "")
	t := template(ledgerName, "", corev1.Container{
		Name: ledgerName, Image: image.Ref("topology"), Args: []string{"ledger", "--listen", ":" + strconv.Itoa(ledgerPort)},
		Ports:          []corev1.ContainerPort{{Name: "http", ContainerPort: ledgerPort, Protocol: corev1.ProtocolTCP}},
		ReadinessProbe: asking(time.Second, time.Second, 2),
		LivenessProbe:  asking(2*time.Second, 2*time.Second, 10),
		Resources:      needs("50m", "32Mi", "256Mi"),
	})
	e.add(
		deployment(meta(ledgerName, ledgerName, ""), labels, 1, appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}, t), // there is one truth
		service(meta(ledgerName, ledgerName, ""), labels, ledgerPort, "http"),
	)
	return nil
}
