//go:build !linux

package reconcile

import (
	"errors"

	"balanceo/topology/layout"
)

// takeSample needs /proc: without it the record has no figures of the servers' cost.
func takeSample(*layout.State) (*sample, error) {
	return nil, errors.New("the cost of other processes is read from /proc, which only Linux has")
}
