package console

import (
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"a bb ccc dddddd", 4, "a bb|ccc|dddd|dd"},
		{"", 4, ""},
		{"   ", 4, ""},
		{"世界世界", 3, "世|界|世|界"},
		{"世", 1, "世"}, // no room for it at all
		{"p50 1.20 ms · p99 3 ms", 14, "p50 1.20 ms ·|p99 3 ms"},
		{"200 × 2,700 · 302 × 3", 14, "200 × 2,700 ·|302 × 3"},
		{"a\x1b[2Jb\tc", 80, "a?[2Jb?c"},
	} {
		if got := strings.Join(Wrap(c.text, c.width), "|"); got != c.want {
			t.Errorf("Wrap(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

func TestTableDropsColumns(t *testing.T) {
	table := func() *Table {
		t := &Table{Columns: []Column{
			Left("NAME", 0), Right("A", 2), {Drop: 1, Draw: func(_, width int) string { return strings.Repeat("=", width) }}, Right("NONE", 0), Right("B", 0),
		}}
		t.Add("first", "1", "", "", "10")
		t.Add("second", "", "", "", "200")
		return t
	}
	for _, c := range []struct {
		limit int
		want  string
	}{
		{80, "NAME   A                            B|first  1 ========================  10|second – ======================== 200"},
		{21, "NAME   A            B|first  1 ========  10|second – ======== 200"},
		{19, "NAME              B|first  ========  10|second ======== 200"}, // A goes, and what is drawn stays
		{15, "NAME     B|first   10|second 200"},
		{11, "NAME     B|first   10|second 200"},
	} {
		tab := table()
		tab.Fit(c.limit)
		if got := strings.Join(tab.Lines(), "|"); got != c.want {
			t.Errorf("at %d columns:\n%s\nwant\n%s", c.limit, got, c.want)
		}
	}
	long := &Table{Columns: []Column{Left("NAME", 0), Right("N", 0)}}
	long.Add("a-rather-long-name", "1")
	long.Fit(14)
	if got, want := strings.Join(long.Lines(), "|"), "NAME         N|a-rather-lo… 1"; got != want {
		t.Errorf("a long name at 14 columns: %q, want %q", got, want)
	}
}
