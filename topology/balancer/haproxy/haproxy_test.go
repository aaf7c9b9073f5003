package haproxy

import (
	"testing"

	"balanceo/topology/balancer/balancertest"
)

func TestHAProxy(t *testing.T) { balancertest.Run(t, HAProxy{}) }
