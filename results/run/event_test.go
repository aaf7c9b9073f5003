package run

import "testing"

func TestTouched(t *testing.T) {
	for want, e := range map[string]Event{
		"": {},
		"1 attempt there went on to another server":                                                         {Retried: 1},
		"1200 attempts there went on to another server, 1 request failed there, 3 requests under way there": {Retried: 1200, Failed: 1, UnderWay: 3},
	} {
		if got := e.Touched(); got != want {
			t.Errorf("Touched of %+v: got %q, want %q", e, got, want)
		}
	}
}
