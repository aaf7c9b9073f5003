//go:build !linux

package attack

import "errors"

// fastHere tells that the engine "fast" is to be had on this system.
const fastHere = false

func (a *attack) runFast(int) error { return errors.New("engine fast: it needs Linux") }
