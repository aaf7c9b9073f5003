package report

import "strings"

// cell is one field of a table.
type cell struct {
	text  string
	right bool // flush right
}

func right(text string) cell { return cell{text, true} }

// barHead stands in a table where a bar goes once the width that is left for it is known.
const barHead = "\x00"

// table is aligned text; every row has as many cells as the head.
type table struct {
	indent int
	head   []cell
	rows   [][]cell
}

// hide drops the columns for which drop is true.
func (t *table) hide(drop func(int) bool) {
	keep := func(row []cell) []cell {
		var out []cell
		for i, c := range row {
			if !drop(i) {
				out = append(out, c)
			}
		}
		return out
	}
	t.head = keep(t.head)
	for i := range t.rows {
		t.rows[i] = keep(t.rows[i])
	}
}

// widths are those of the columns; the head counts too.
func (t *table) widths() []int {
	out := make([]int, len(t.head))
	for _, row := range append([][]cell{t.head}, t.rows...) {
		for i, c := range row {
			out[i] = max(out[i], columns(c.text))
		}
	}
	return out
}

func (t *table) width() int {
	sum := t.indent + len(t.head) - 1
	for _, w := range t.widths() {
		sum += w
	}
	return sum
}

// shrink cuts the first column, a name, so that the table fits limit columns.
func (t *table) shrink(limit int) {
	over := t.width() - limit
	if over <= 0 {
		return
	}
	room := max(t.widths()[0]-over, 8)
	for i := range t.rows {
		t.rows[i][0].text = cut(t.rows[i][0].text, room)
	}
}

// fill puts into the place of barHead what f makes for the row; -1 is the head.
func (t *table) fill(f func(row int) string) {
	for n, row := range append([][]cell{t.head}, t.rows...) {
		for i := range row {
			if row[i].text == barHead {
				row[i].text = f(n - 1)
			}
		}
	}
}

// lines are the head and the rows.
func (t *table) lines() []string {
	widths := t.widths()
	var out []string
	for _, row := range append([][]cell{t.head}, t.rows...) {
		var b strings.Builder
		b.WriteString(strings.Repeat(" ", t.indent))
		for i, c := range row {
			if i > 0 {
				b.WriteByte(' ')
			}
			pad := strings.Repeat(" ", widths[i]-columns(c.text))
			if c.right {
				b.WriteString(pad + c.text)
			} else {
				b.WriteString(c.text + pad)
			}
		}
		out = append(out, strings.TrimRight(b.String(), " "))
	}
	return out
}
