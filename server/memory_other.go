//go:build !linux

package main

import "runtime/debug"

// shedStart gives back the memory that only the start needed.
func shedStart() { debug.FreeOSMemory() }
