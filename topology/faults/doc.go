// Package faults tries a whole layout, as real processes under load: its tests, under the build tag e2e, do to it what
// happens to servers (a process dies, freezes, runs out of descriptors, the disk fills up, the network is cut) and
// measure what clients notice, what is lost, how soon all is as before, and whether status or log name the cause.
//
//	go test -tags e2e -run Faults ./topology/faults          # the whole matrix, some five minutes
//	go test -tags e2e -short -run Faults ./topology/faults   # the short form
//	go test -tags e2e -run Soak -timeout 3h ./topology/faults -args -for 2h
//
// The whole matrix wants root, for namespaces of its own in which it can cut a network and fill a disk; without them
// these rows are skipped, and say so.
package faults
