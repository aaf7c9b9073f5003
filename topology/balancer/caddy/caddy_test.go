package caddy

import (
	"testing"

	"balanceo/topology/balancer/balancertest"
)

func TestCaddy(t *testing.T) { balancertest.Run(t, Caddy{}) }
