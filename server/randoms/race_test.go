//go:build race

package randoms

const raceEnabled = true
