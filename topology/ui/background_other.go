//go:build !linux

package ui

// background does nothing: priorities of single threads are Linux's.
func background() {}
