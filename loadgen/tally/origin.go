package tally

import (
	"net"
	"slices"
	"strconv"
	"strings"
)

// origin is where an answer came from, as its headers tell.
type origin struct{ group, tried, worker, name string }

// answer finds where to count a hit; nil where the answer does not tell its group or its upstream.
func (t *Tally) answer(h *Hit) *answer {
	if h.Group == "" || h.Tried == "" {
		return nil
	}
	key := origin{h.Group, h.Tried, h.Worker, h.Name}
	if a := t.answers[key]; a != nil {
		return a
	}
	if len(t.answers) >= maxAnswers {
		key = origin{group: Rest, tried: Rest}
		if a := t.answers[key]; a != nil {
			return a
		}
	}
	// The hit's strings may be views of larger ones; what is kept is a copy.
	key = origin{strings.Clone(key.group), strings.Clone(key.tried), strings.Clone(key.worker), strings.Clone(key.name)}
	a := t.newAnswer(key)
	t.answers[key] = a
	return a
}

func (t *Tally) newAnswer(key origin) *answer {
	g := t.group(key.group)
	a := &answer{group: g, tried: key.tried}
	failed, last := Tried(key.tried)
	for _, addr := range failed {
		if !NoneLive(addr, key.group) {
			a.failed = append(a.failed, t.upstream(g, addr))
		}
	}
	if NoneLive(last, key.group) && key.group != Rest {
		return a
	}
	a.upstream = t.upstream(g, last)
	if key.name != "" {
		a.upstream.instance = key.name
		a.upstream.named(key.name)
	}
	if pid, err := strconv.Atoi(key.worker); err == nil && pid > 0 {
		a.worker = a.upstream.worker(pid)
	}
	return a
}

func (u *upstream) named(names ...string) {
	for _, name := range names {
		if len(u.names) < maxNames && !slices.Contains(u.names, name) {
			u.names = append(u.names, name)
		}
	}
}

// NoneLive tells whether an entry of $upstream_addr says that no server of the group was live: nginx then puts
// the group's name there. The group of a proxy_pass to an address is that address itself.
func NoneLive(addr, group string) bool {
	if addr != group {
		return false
	}
	_, _, err := net.SplitHostPort(group)
	return err != nil
}

// Tried takes nginx's $upstream_addr apart: the addresses that failed and were left for another, and the
// last one, which answered. Where internal redirects join several requests by " : ", the last address
// before each redirect answered too, so it is in neither.
func Tried(list string) (failed []string, last string) {
	for part := range strings.SplitSeq(list, " : ") {
		addrs := strings.Split(part, ", ")
		failed = append(failed, addrs[:len(addrs)-1]...)
		last = addrs[len(addrs)-1]
	}
	return failed, last
}
