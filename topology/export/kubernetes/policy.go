package kubernetes

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// policies say who may connect to whom: clients to the balancer, the balancer to the servers, these to the database,
// and all of ours to the ledger. Whoever else is in the namespace reaches nothing of this.
func (e *exporter) policies() error {
	ours := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/part-of": partOf}}}
	from := func(program string) networkingv1.NetworkPolicyPeer {
		return networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: selects(program, "")}}
	}
	e.allow(ledgerName, []string{"http"}, ours)
	if e.MongoURL == "" {
		e.allow(databaseName, []string{"mongodb", "news"}, from(server))
	}
	if e.Balancer == Service {
		e.allow(server, []string{"http"})
		return nil
	}
	e.allow(server, []string{"http"}, from(e.Balancer))
	e.allow(e.Balancer, []string{"http"})
	return nil
}

// allow lets peers, or everybody where none is named, connect to ports of a program, and nobody to others.
func (e *exporter) allow(program string, ports []string, peers ...networkingv1.NetworkPolicyPeer) {
	rule := networkingv1.NetworkPolicyIngressRule{From: peers}
	for _, port := range ports {
		rule.Ports = append(rule.Ports, networkingv1.NetworkPolicyPort{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromString(port))})
	}
	e.add(&networkingv1.NetworkPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}, ObjectMeta: meta(program, program, ""),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: selects(program, "")},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{rule},
		},
	})
}
