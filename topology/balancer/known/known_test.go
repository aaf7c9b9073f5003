package known

import (
	"slices"
	"testing"

	"balanceo/topology/layout"
)

// A layout may name just the balancers that there are.
func TestNames(t *testing.T) {
	if got := Names(); !slices.Equal(got, layout.Balancers()) {
		t.Errorf("Names(): got %v, the layout knows %v", got, layout.Balancers())
	}
	for _, name := range Names() {
		if b, err := Named(name); err != nil || b.Name() != name {
			t.Errorf("Named(%q): got %v, %v", name, b, err)
		}
	}
	if _, err := Named("nosuch"); err == nil {
		t.Error(`Named("nosuch"): got no error`)
	}
}
