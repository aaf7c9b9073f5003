package page

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Markdown writes the page for a pull request: the same words and tables, without plots.
func Markdown(w io.Writer, in Input) error {
	v := newView(in)
	var b bytes.Buffer
	fmt.Fprintf(&b, "## %s\n\n%s\n\n", escapeMD(v.Title), escapeMD(v.Verdict))
	for _, f := range v.Facts {
		fmt.Fprintf(&b, "- **%s**: %s\n", f.Name, escapeMD(f.Value))
	}
	heading := append([]string{""}, v.GlanceSets...)
	rows := make([][]string, len(v.Glance))
	for i, g := range v.Glance {
		rows[i] = append([]string{g.Name}, g.Cells...)
	}
	b.WriteString("\n### At a glance\n\n")
	tableMD(&b, heading, rows)
	for _, c := range v.Comparisons {
		fmt.Fprintf(&b, "\n### %s\n\n", escapeMD(c.Title))
		var rows [][]string
		for _, r := range c.Rows {
			change := r.Change
			if r.Class != "" {
				change = "**" + change + "**"
			}
			rows = append(rows, []string{r.Metric, r.Base, r.Other, change, r.Range, r.P, r.N, r.Remark})
		}
		tableMD(&b, []string{"", c.Base, c.Other, "change", "interval", "p", "pairs", "result"}, rows)
		for _, n := range c.Notes {
			fmt.Fprintf(&b, "\n- %s", escapeMD(n))
		}
		b.WriteString("\n")
	}
	for _, s := range v.Sections[max(0, len(v.Sections)-2):] {
		fmt.Fprintf(&b, "\n### %s\n", s.Title)
		for _, f := range s.Figures {
			fmt.Fprintf(&b, "\n<details><summary>%s</summary>\n\n", escapeMD(f.Title))
			tableMD(&b, f.Columns, f.Rows)
			b.WriteString("\n</details>\n")
		}
	}
	b.WriteString("\n### Verdicts on the shares\n\n")
	for _, f := range v.Verdicts {
		fmt.Fprintf(&b, "- %s: %s\n", escapeMD(f.Name), escapeMD(f.Value))
	}
	b.WriteString("\n### Environment\n\n")
	for _, f := range v.Environment {
		fmt.Fprintf(&b, "- %s: %s\n", f.Name, escapeMD(f.Value))
	}
	if len(v.Warnings) > 0 {
		b.WriteString("\n### Warnings\n\n")
		for _, text := range v.Warnings {
			fmt.Fprintf(&b, "- %s\n", escapeMD(text))
		}
	}
	if len(v.Commands) > 0 {
		fmt.Fprintf(&b, "\n### To repeat it\n\n```sh\n%s\n```\n", strings.Join(v.Commands, "\n"))
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write Markdown: %w", err)
	}
	return nil
}

func tableMD(b *bytes.Buffer, heading []string, rows [][]string) {
	line := func(cells []string) {
		for _, c := range cells {
			b.WriteString("| " + escapeMD(c) + " ")
		}
		b.WriteString("|\n")
	}
	line(heading)
	b.WriteString("|---" + strings.Repeat("|--:", len(heading)-1) + "|\n")
	for _, row := range rows {
		line(row)
	}
}

// escapeMD keeps a text from ending a table's cell, and "~" from striking anything out.
func escapeMD(text string) string {
	return strings.NewReplacer("|", `\|`, "~", `\~`, "<", "&lt;", "\n", " ").Replace(text)
}
