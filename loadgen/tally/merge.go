package tally

// histograms are those of all requests together.
func (t *Tally) histograms() []*Histogram {
	return []*Histogram{&t.failures, &t.lag, &t.own, &t.without, &t.calm, &t.connect, &t.firstByte, &t.overtime}
}

// Merge adds what other counted. Both must have the same Config.
func (t *Tally) Merge(other *Tally) {
	t.requests += other.requests
	t.responses += other.responses
	t.successes += other.successes
	t.warmed += other.warmed
	t.unsigned.merge(other.unsigned)
	t.ids.merge(&other.ids)
	for code, n := range other.status {
		t.status[code] += n
	}
	for class, n := range other.errors {
		t.errors[class] += n
	}
	t.in += other.in
	t.out += other.out
	theirs := other.histograms()
	for i, h := range t.histograms() {
		h.Merge(theirs[i])
	}
	t.series.merge(&other.series)
	t.slowest.merge(other.slowest)
	for i := range other.routes {
		t.routes[min(i, len(t.routes)-1)].merge(&other.routes[i])
	}
	for name, g := range other.groups {
		into := t.group(name)
		into.noLive += g.noLive
		t.mergeCarriers(into, g)
		for tried, n := range g.chains {
			into.chains[tried] += n
		}
		for addr, u := range g.upstreams {
			t.upstream(into, addr).merge(u)
		}
	}
}

func (r *route) merge(other *route) {
	if other.group != "" {
		r.group = other.group
	}
	r.requests += other.requests
	r.successes += other.successes
	r.draws += other.draws
	r.drawing = r.drawing || other.drawing
	r.lost += other.lost
	r.unsigned += other.unsigned
	r.latency.Merge(&other.latency)
}

func (u *upstream) merge(other *upstream) {
	if other.instance != "" {
		u.instance = other.instance
		u.named(other.names...)
	}
	u.requests += other.requests
	u.successes += other.successes
	u.retriedAway += other.retriedAway
	u.stragglers += other.stragglers
	u.failedBefore += other.failedBefore
	u.time.merge(&other.time)
	for i, n := range other.byRoute {
		u.byRoute[i] += n
	}
	u.latency.Merge(&other.latency)
	u.series.merge(&other.series)
	for pid, n := range other.workers {
		*u.worker(pid) += *n
	}
}
