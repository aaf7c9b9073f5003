package faults

import (
	"slices"
	"testing"
)

// series is one figure over time.
type series []float64

// ends are the medians of the second and of the last eighth: what a process takes to warm up is no growth.
func (s series) ends() (early, late float64) {
	part := max(1, len(s)/8)
	from := min(part, len(s)-1)
	return median(s[from:min(from+part, len(s))]), median(s[len(s)-part:])
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// grows tells whether the figure ends higher than it was, by more than a fifth and some slack.
func (s series) grows(slack float64) bool {
	early, late := s.ends()
	return late > early*1.2+slack
}

func TestGrows(t *testing.T) {
	linear := func(from, to float64) (s series) {
		for i := range 100 {
			s = append(s, from+(to-from)*float64(i)/99)
		}
		return s
	}
	saw := func(low, high float64) (s series) { // a heap between collections
		for i := range 100 {
			s = append(s, low+(high-low)*float64(i%10)/9)
		}
		return s
	}
	warm := slices.Concat(linear(20, 60)[:8], slices.Repeat(series{60}, 92))
	for _, tt := range []struct {
		what string
		s    series
		want bool
	}{
		{"flat", linear(60, 60), false},
		{"a tenth", linear(60, 66), false},
		{"a half", linear(60, 90), true},
		{"falling", linear(90, 60), false},
		{"saw", saw(40, 80), false},
		{"warming up", warm, false},
		{"small and within the slack", linear(1, 4), false},
		{"one value", series{5}, false},
	} {
		if got := tt.s.grows(5); got != tt.want {
			early, late := tt.s.ends()
			t.Errorf("%s: grows: got %v, want %v (%v to %v)", tt.what, got, tt.want, early, late)
		}
	}
}
