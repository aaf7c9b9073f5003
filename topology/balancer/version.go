package balancer

import (
	"context"
	"os/exec"
	"strings"
)

// Version is what a balancer's program says of itself, as "1.22.1"; empty: it does not say.
func Version(ctx context.Context, b Balancer, program string) string {
	flag := "-v"
	if b.Name() == "caddy" {
		flag = "version"
	}
	out, _ := exec.CommandContext(ctx, program, flag).CombinedOutput() // what can't be run says nothing
	for word := range strings.FieldsSeq(string(out)) {
		word = strings.TrimPrefix(word[strings.LastIndexByte(word, '/')+1:], "v")
		if len(word) > 2 && word[0] >= '0' && word[0] <= '9' && strings.Contains(word, ".") {
			return word
		}
	}
	return ""
}
