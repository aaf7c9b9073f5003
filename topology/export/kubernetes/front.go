package kubernetes

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"balanceo/topology/balancer"
	"balanceo/topology/export/image"
	"balanceo/topology/layout"
)

// Folders of the balancer's pod.
const (
	confDir  = "/etc/balanceo"
	frontDir = "/run/balanceo" // what it writes; its log is read there

	accessLog = frontDir + "/access.log"
)

// isServer tells whether a server of the source is that instance.
func isServer(s balancer.Server, p part) bool {
	host, port, err := net.SplitHostPort(s.Addr)
	return err == nil && layout.IsLocal(host) && port == strconv.Itoa(p.Port)
}

// front is the balancer.
func (e *exporter) front() error {
	if e.Balancer == Service {
		return e.services()
	}
	p, ok := programOf(e.Balancer)
	if !ok {
		return fmt.Errorf("balancer %q can't be exported; %s can", e.Balancer, strings.Join(Balancers(), ", "))
	}
	conf, text, err := e.render(p)
	if err != nil {
		return err
	}
	name := p.Name()
	labels := selects(name, "")
	e.add(
		&corev1.ConfigMap{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: meta(name, name, ""), Data: map[string]string{p.file: text},
		},
		deployment(meta(name, name, ""), labels, 1, withoutGap(), e.frontPod(p, text)),
		service(meta(name, name, ""), labels, frontServicePort, "http"),
		budget(meta(name, name, ""), labels),
	)
	return e.shares(conf)
}

// frontPod is the one pod of a balancer, as its round robin is exact in one place only, with who passes its log on.
func (e *exporter) frontPod(p program, conf string) corev1.PodTemplateSpec {
	name := p.Name()
	run := corev1.VolumeMount{Name: "run", MountPath: frontDir}
	t := template(name, "", corev1.Container{
		Name: name, Image: cmp.Or(e.Image, p.image), Command: p.command,
		Ports:          []corev1.ContainerPort{{Name: "http", ContainerPort: frontPort, Protocol: corev1.ProtocolTCP}},
		ReadinessProbe: connecting("http", time.Second, 2),
		LivenessProbe:  connecting("http", 2*time.Second, 5),
		Lifecycle:      lingering(),
		Resources:      needs("100m", "32Mi", "256Mi"),
		VolumeMounts:   []corev1.VolumeMount{{Name: "conf", MountPath: confDir, ReadOnly: true}, run},
	})
	t.Annotations = map[string]string{partOf + "/configuration": digest(conf)}
	ship := corev1.Container{
		Name: "log", Image: image.Ref("topology"), Args: []string{"ship", "--log", accessLog, "--to", e.ledgerURL()},
		RestartPolicy: new(corev1.ContainerRestartPolicyAlways), // begins before the balancer and ends after it
		Resources:     needs("20m", "24Mi", "128Mi"), VolumeMounts: []corev1.VolumeMount{run},
	}
	secure(&ship)
	t.Spec.InitContainers = []corev1.Container{ship}
	t.Spec.Volumes = append(t.Spec.Volumes, configVolume("conf", name),
		corev1.Volume{Name: "run", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	return t
}

// tempName begins the name of the folder in which a configuration is rendered.
const tempName = "balanceo-export-"

// render writes the balancer's configuration for the cluster, over the names of the services.
func (e *exporter) render(p program) (*balancer.Config, string, error) {
	dir, err := os.MkdirTemp("", tempName+"*")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	site := &balancer.Site{
		Program: e.Program, Source: e.Conf, Dir: frontDir,
		Move: balancer.Move{Listen: map[int]int{e.Layout.HTTPPort: frontPort}, Hosts: map[int]string{}},
	}
	for _, p := range e.parts {
		site.Move.Hosts[p.Port] = p.addr()
	}
	file := filepath.Join(dir, p.file)
	conf, err := p.Write(site, file)
	if err != nil {
		return nil, "", err
	}
	if err := p.Promise(context.Background(), site, conf); err != nil {
		return nil, "", err
	}
	for _, g := range conf.Groups {
		if e.Program != "" && g.Promise.Kind == balancer.Exact {
			g.Promise.Because += " That was tried where the manifests were made, and what runs in the cluster may be of another version."
		}
	}
	for i, warning := range conf.Warnings { // they name the file by the folder that is gone then
		conf.Warnings[i] = strings.ReplaceAll(warning, dir+string(filepath.Separator), "")
	}
	if conf.AccessLog != "" && conf.AccessLog != accessLog {
		return nil, "", fmt.Errorf("%s: its access log is %s; in a cluster it is passed on from where \"access_log access.log\" writes it", e.Conf, conf.AccessLog)
	}
	text, err := os.ReadFile(file)
	return conf, string(text), err
}

// shares say to the load what is promised, and where the log and the counts are.
func (e *exporter) shares(conf *balancer.Config) error {
	conf.File, conf.Ledger, conf.AccessLog = filepath.Base(conf.File), e.ledgerURL(), e.ledgerURL()
	for i := range conf.Groups {
		for j := range conf.Groups[i].Servers {
			s := &conf.Groups[i].Servers[j]
			if k := slices.IndexFunc(e.parts, func(p part) bool { return p.addr() == s.Addr }); k >= 0 {
				s.Name = e.parts[k].name
			}
		}
	}
	return e.sharesMap(map[string]*balancer.Config{sharesFile: conf})
}

// sharesMap adds what is promised as files, by their names.
func (e *exporter) sharesMap(files map[string]*balancer.Config) error {
	data := map[string]string{}
	for name, conf := range files {
		text, err := json.MarshalIndent(conf, "", "  ")
		if err != nil {
			return err
		}
		data[name] = string(text) + "\n"
	}
	e.add(&corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: meta(sharesName, loadName, ""), Data: data,
	})
	return nil
}

func configVolume(volume, config string) corev1.Volume {
	return corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: config},
	}}}
}

// digest changes with a text, so that pods are replaced when their configuration does.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}
