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
	badge := ""
	if v.Badge != "" {
		badge = "**" + v.Badge + "** "
	}
	fmt.Fprintf(&b, "## %s\n\n%s%s\n\n", escapeMD(v.Title), badge, escapeMD(v.About))
	for _, r := range v.Bad {
		fmt.Fprintf(&b, "- **%s** `%s` %s: %s\n", r.Word, r.ID, escapeMD(r.Layout), escapeMD(r.Why))
	}
	for _, f := range v.Facts {
		fmt.Fprintf(&b, "- **%s**: %s\n", f.Name, escapeMD(f.Value))
	}
	heading := []string{""}
	for _, k := range v.Legend {
		heading = append(heading, k.Name)
	}
	rows := make([][]string, len(v.Differences))
	for i, d := range v.Differences {
		rows[i] = []string{d.Metric}
		for _, c := range d.Cells {
			text := c.Value
			if c.Change != "" {
				text += " " + c.Change
			}
			if c.Class != "" {
				text = "**" + text + "**"
			}
			if c.Outcome != "" {
				text += " (" + c.Outcome + ")"
			}
			rows[i] = append(rows[i], text)
		}
	}
	b.WriteString("\n")
	tableMD(&b, heading, rows)
	for _, n := range v.Notes {
		fmt.Fprintf(&b, "\n- %s", escapeMD(n))
	}
	b.WriteString("\n")
	for _, s := range v.Sections {
		if strings.HasPrefix(s.Title, "Latency") {
			continue // too many numbers for a pull request
		}
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
