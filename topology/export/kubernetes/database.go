package kubernetes

import (
	"fmt"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"balanceo/topology/export/image"
)

// mongoKey is the environment's name of the address of a database, and its key in the Secret.
const mongoKey = "MONGO_URL"

// mongo tells an instance where the database is. An address may have a password in it, so it is a Secret.
func (e *exporter) mongo() corev1.EnvVar {
	if e.MongoURL == "" {
		return corev1.EnvVar{Name: mongoKey, Value: "mongodb://" + databaseName + ":" + strconv.Itoa(databasePort)}
	}
	return corev1.EnvVar{Name: mongoKey, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: databaseName}, Key: mongoKey,
	}}}
}

// database is the embedded one, or the address of another.
func (e *exporter) database() error {
	if e.MongoURL != "" {
		e.add(&corev1.Secret{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: meta(databaseName, databaseName, ""),
			Type: corev1.SecretTypeOpaque, Data: map[string][]byte{mongoKey: []byte(e.MongoURL)},
		})
		return nil
	}
	const data = "/data"
	labels := selects(databaseName, "")
	t := template(databaseName, "", corev1.Container{
		Name: databaseName, Image: image.Ref(server),
		Args: []string{"database", "--listen", "0.0.0.0:" + strconv.Itoa(databasePort), "--news-port", strconv.Itoa(newsPort), "--dir", data + "/database"},
		Ports: []corev1.ContainerPort{
			{Name: "mongodb", ContainerPort: databasePort, Protocol: corev1.ProtocolTCP},
			{Name: "news", ContainerPort: newsPort, Protocol: corev1.ProtocolTCP},
		},
		ReadinessProbe: connecting("mongodb", time.Second, 2),
		LivenessProbe:  connecting("mongodb", 2*time.Second, 10),
		Resources:      needs("100m", "96Mi", "512Mi"),
		VolumeMounts:   []corev1.VolumeMount{{Name: "data", MountPath: data}},
	})
	set := &appsv1.StatefulSet{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"}, ObjectMeta: meta(databaseName, databaseName, ""),
		Spec: appsv1.StatefulSetSpec{
			Replicas: new(int32(1)), ServiceName: databaseName, Selector: &metav1.LabelSelector{MatchLabels: labels},
		},
	}
	if e.StorageClass == "" {
		t.Spec.Volumes = append(t.Spec.Volumes, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	} else {
		size, err := resource.ParseQuantity(e.StorageSize)
		if err != nil {
			return fmt.Errorf("size of the storage %q: %w; accepted is a quantity as 1Gi", e.StorageSize, err)
		}
		set.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{
			ObjectMeta: metav1.ObjectMeta{Name: "data", Labels: labels},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: &e.StorageClass,
				Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: size}},
			},
		}}
	}
	set.Spec.Template = t
	s := service(meta(databaseName, databaseName, ""), labels, databasePort, "mongodb")
	s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "news", Port: newsPort, TargetPort: intstr.FromString("news"), Protocol: corev1.ProtocolTCP})
	e.add(set, s)
	return nil
}
