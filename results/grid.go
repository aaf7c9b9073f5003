package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// grid is a table in columns of text. A heading that begins with ">" makes its column right-aligned.
type grid struct {
	right []bool
	rows  [][]string
}

func newGrid(headings ...string) *grid {
	g := &grid{}
	row := make([]string, len(headings))
	for i, h := range headings {
		text, right := strings.CutPrefix(h, ">")
		row[i] = text
		g.right = append(g.right, right)
	}
	g.rows = append(g.rows, row)
	return g
}

func (g *grid) row(cells ...string) { g.rows = append(g.rows, cells) }

func (g *grid) write(w io.Writer) error {
	widths := make([]int, len(g.right))
	for _, row := range g.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range g.rows {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if g.right[i] {
				line.WriteString(space + cell + "  ")
			} else {
				line.WriteString(cell + space + "  ")
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	return nil
}
