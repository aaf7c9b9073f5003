//go:build !linux

package bench

import "errors"

func runFloor(string) error { return errors.ErrUnsupported }
