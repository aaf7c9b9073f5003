package nginx

import (
	"testing"

	"balanceo/topology/balancer/balancertest"
)

func TestNginx(t *testing.T) { balancertest.Run(t, Nginx{}) }
