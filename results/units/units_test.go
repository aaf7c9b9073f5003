package units

import (
	"math"
	"testing"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit Unit
		want string
	}{
		{0, Seconds, "0 s"},
		{0.0000042, Seconds, "4.20 µs"},
		{0.000812, Seconds, "812 µs"},
		{0.0312, Seconds, "31.2 ms"},
		{1.9, Seconds, "1.90 s"},
		{199.94, PerSecond, "200 /s"},
		{9999, PerSecond, "9999 /s"},
		{52340, PerSecond, "52.3 k/s"},
		{1.3e9, PerSecond, "1.30 G/s"},
		{251658240, Bytes, "240 MiB"},
		{0, Ratio, "0 %"},
		{1, Ratio, "100 %"},
		{0.25, Ratio, "25.0 %"},
		{0.00001, Ratio, "<0.01 %"},
		{0.9512, Index, "0.951"},
		{math.NaN(), Seconds, "–"},
	} {
		if got := Format(c.v, c.unit); got != c.want {
			t.Errorf("Format(%v, %s) = %q, want %q", c.v, c.unit, got, c.want)
		}
	}
	if got, want := Signed(-0.0312), "-3.1 %"; got != want {
		t.Errorf("Signed = %q, want %q", got, want)
	}
	if got, want := Signed(29.907), "×30.9"; got != want {
		t.Errorf("Signed(29.907) = %q, want %q", got, want)
	}
	if got, want := Signed(math.Inf(1)), "–"; got != want {
		t.Errorf("Signed(+Inf) = %q, want %q", got, want)
	}
}

func TestList(t *testing.T) {
	for want, texts := range map[string][]string{"": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}} {
		if got := List(texts); got != want {
			t.Errorf("List(%q) = %q, want %q", texts, got, want)
		}
	}
}
