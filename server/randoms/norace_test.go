//go:build !race

package randoms

const raceEnabled = false
