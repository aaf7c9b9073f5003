package distribution

// A simulation of how nginx 1.22 chooses a server by round robin, statement by statement after
// ngx_http_upstream_get_round_robin_peer(), ngx_http_upstream_get_peer() and
// ngx_http_upstream_free_round_robin_peer().

type simPeer struct {
	weight, effective, current int
	maxFails, fails            int
	failTimeout                int64 // seconds
	accessed, checked          int64
}

// simSequence is the state of one upstream: of all worker processes with a zone, of one without.
type simSequence []simPeer

func newSequence(weights []int, maxFails int, failTimeout int64) simSequence {
	s := make(simSequence, len(weights))
	for i, w := range weights {
		s[i] = simPeer{weight: w, effective: w, maxFails: maxFails, failTimeout: failTimeout}
	}
	return s
}

// get chooses a peer that is not in tried; -1: none is live.
func (s simSequence) get(tried uint64, now int64) int {
	best, total := -1, 0
	for i := range s {
		p := &s[i]
		if tried&(1<<i) != 0 {
			continue
		}
		if p.maxFails > 0 && p.fails >= p.maxFails && now-p.checked <= p.failTimeout {
			continue
		}
		p.current += p.effective
		total += p.effective
		if p.effective < p.weight {
			p.effective++
		}
		if best < 0 || p.current > s[best].current {
			best = i
		}
	}
	if best < 0 {
		return -1
	}
	p := &s[best]
	p.current -= total
	if now-p.checked > p.failTimeout {
		p.checked = now
	}
	return best
}

// free tells how the attempt at a peer ended.
func (s simSequence) free(i int, failed bool, now int64) {
	p := &s[i]
	if !failed {
		if p.accessed < p.checked {
			p.fails = 0
		}
		return
	}
	p.fails++
	p.accessed, p.checked = now, now
	if p.maxFails > 0 {
		p.effective = max(p.effective-p.weight/p.maxFails, 0)
	}
}
