package kubernetes

import (
	"slices"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/haproxy"
	"balanceo/topology/balancer/nginx"
)

// program is a balancer in a pod.
type program struct {
	balancer.Balancer
	image   string // the public one, where no other is named
	file    string // of its configuration
	command []string
}

// haproxyMost is how many connections HAProxy takes. It makes room for all that it may ever have when it starts, which
// a container without a bound of its own on open files does not survive.
const haproxyMost = "4096"

// programs are the balancers that can run in a cluster.
func programs() []program {
	return []program{
		{nginx.Nginx{}, "nginx:1.28.0", "nginx.conf", []string{"nginx", "-p", frontDir + "/", "-c", confDir + "/nginx.conf", "-e", "stderr", "-g", "daemon off;"}},
		// It writes its log to its standard output, which the shell makes the file.
		{haproxy.HAProxy{}, "haproxy:3.0.5", "haproxy.cfg", []string{
			"/bin/sh", "-c", "exec haproxy -db -n " + haproxyMost + " -f " + confDir + "/haproxy.cfg >>" + accessLog,
		}},
	}
}

func programOf(name string) (program, bool) {
	all := programs()
	i := slices.IndexFunc(all, func(p program) bool { return p.Name() == name })
	if i < 0 {
		return program{}, false
	}
	return all[i], true
}

// Balancers are the names of what can share load in a cluster.
func Balancers() []string {
	var names []string
	for _, p := range programs() {
		names = append(names, p.Name())
	}
	return append(names, Service)
}
