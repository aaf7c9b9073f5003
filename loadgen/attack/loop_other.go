//go:build !linux

package attack

import (
	"context"
	"errors"
)

// fastHere tells that the engine "fast" is to be had on this system.
const fastHere = false

func (a *attack) runFast(context.Context, int) error {
	return errors.New("engine fast: it needs Linux")
}
