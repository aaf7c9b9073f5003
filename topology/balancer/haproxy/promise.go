package haproxy

import (
	"context"

	"balanceo/topology/balancer"
)

// Promise implements balancer.Balancer.
func (h HAProxy) Promise(ctx context.Context, s *balancer.Site, c *balancer.Config) error {
	return nil
}
