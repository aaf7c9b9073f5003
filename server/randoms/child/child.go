// Package child makes a program that imports it draw where it is called for that, for randoms.Processes, and end.
// It does so while the program's packages start, and imports so little that its turn comes before theirs: a
// child is started for each request, and would spend most of its life starting a database that it does not use.
package child

import (
	"os"
	"strconv"

	"balanceo/server/randoms/sample"
)

// Argument is what the program is called with to draw, before how many numbers.
const Argument = "draw"

// Packages start in the order of their paths as soon as what they import has started (Go language
// specification, "Program initialization"): this one before any of a path like github.com that needs as much.
func init() { //nolint:gochecknoinits // the point of this package
	n, ok := called(os.Args)
	if !ok {
		return
	}
	s := sample.New()
	s.Draw(n)
	if _, err := os.Stdout.Write(s.Counts.AppendJSON(nil)); err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Exit(0)
}

// called tells whether args, with the program's name, ask for numbers, and for how many.
func called(args []string) (n int, ok bool) {
	if len(args) != 3 || args[1] != Argument {
		return 0, false
	}
	n, err := strconv.Atoi(args[2])
	return n, err == nil && n > 0
}
