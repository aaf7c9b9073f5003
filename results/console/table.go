package console

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Column is one of a table.
type Column struct {
	Head  string
	Right bool // flush right
	// Drop says how soon the column goes where there is no room: those with the highest number first, 0 never.
	Drop int
	// Draw makes the cell of a row in a column that is as wide as there is room, from MinDrawn to MaxDrawn.
	Draw func(row, width int) string
}

// The widths of a drawn column.
const (
	MinDrawn = 8
	MaxDrawn = 24
)

// Right is a column of figures.
func Right(head string, drop int) Column { return Column{Head: head, Right: true, Drop: drop} }

// Left is a column of names.
func Left(head string, drop int) Column { return Column{Head: head, Drop: drop} }

// Table is aligned text.
type Table struct {
	Indent  int
	Gap     int // between columns; default 1
	Columns []Column
	Rows    [][]string // an empty cell among figures is shown as Absent
}

// Add adds a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Fit drops the columns that hold nothing, then as many as it takes to fit limit columns, and cuts the widest one of names
// at last.
func (t *Table) Fit(limit int) {
	t.Gap = max(t.Gap, 1)
	for i := len(t.Columns) - 1; i > 0; i-- {
		if t.Columns[i].Draw == nil && !slices.ContainsFunc(t.Rows, func(row []string) bool { return row[i] != "" }) {
			t.remove(i)
		}
	}
	for t.width() > limit {
		first := 0
		for i, c := range t.Columns {
			if c.Drop > t.Columns[first].Drop {
				first = i
			}
		}
		if t.Columns[first].Drop == 0 {
			break
		}
		t.remove(first)
	}
	if over := t.width() - limit; over > 0 {
		widths, widest := t.widths(), 0
		for i, c := range t.Columns {
			if !c.Right && c.Draw == nil && widths[i] > widths[widest] {
				widest = i
			}
		}
		room := max(widths[widest]-over, MinDrawn)
		for _, row := range t.Rows {
			row[widest] = Cut(row[widest], room)
		}
	}
	for i, c := range t.Columns {
		if c.Draw == nil {
			continue
		}
		width := min(max(limit-t.width()+MinDrawn, MinDrawn), MaxDrawn)
		for n, row := range t.Rows {
			row[i] = c.Draw(n, width)
		}
		t.Columns[i].Draw = nil
	}
}

func (t *Table) remove(i int) {
	t.Columns = slices.Delete(slices.Clone(t.Columns), i, i+1)
	for n := range t.Rows {
		t.Rows[n] = slices.Delete(t.Rows[n], i, i+1)
	}
}

func (t *Table) widths() []int {
	out := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		out[i] = Columns(c.Head)
		if c.Draw != nil {
			out[i] = MinDrawn
		}
		for _, row := range t.Rows {
			out[i] = max(out[i], Columns(row[i]))
		}
	}
	return out
}

func (t *Table) width() int {
	sum := t.Indent + max(t.Gap, 1)*(len(t.Columns)-1)
	for _, w := range t.widths() {
		sum += w
	}
	return sum
}

// Lines are the head and the rows.
func (t *Table) Lines() []string {
	widths := t.widths()
	heads := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		heads[i] = c.Head
	}
	var out []string
	for _, row := range append([][]string{heads}, t.Rows...) {
		var line strings.Builder
		line.WriteString(strings.Repeat(" ", t.Indent))
		for i, cell := range row {
			if i > 0 {
				line.WriteString(strings.Repeat(" ", max(t.Gap, 1)))
			}
			if cell == "" && t.Columns[i].Right && t.Columns[i].Head != "" {
				cell = Absent
			}
			pad := strings.Repeat(" ", max(0, widths[i]-Columns(cell)))
			if t.Columns[i].Right {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
		}
		out = append(out, strings.TrimRight(line.String(), " "))
	}
	return out
}

// Write writes the table to w: made to fit a terminal, else with all its columns.
func (t *Table) Write(w io.Writer) error {
	t.Fit(Width(w, math.MaxInt))
	_, err := io.WriteString(w, strings.Join(t.Lines(), "\n")+"\n")
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}
