package news

import "time"

// settling is somebody who waits until nobody relies on what was before an item.
type settling struct {
	by       *peer
	number   uint64             // of the question
	item     uint64             // the last one before it
	missing  map[*peer]struct{} // those that have a lease and have not heard the item
	patience time.Time          // until then, those without a connection count as missing
	timer    *time.Timer        // runs out with the last lease
}

// grant gives a lease. It is in the order: whatever was told before it was asked for is heard before it arrives.
func (b *Broker) grant(p *peer, number uint64, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, here := b.listeners[p]; here {
		p.until = until
		p.send(frame{kind: granted, number: number})
	}
}

// release ends the lease of a listener that relies on nothing any more.
func (b *Broker) release(p *peer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.until = time.Time{}
	p.heard = b.last
	b.settleAll(p)
}

// heard takes down what a listener has heard.
func (b *Broker) heard(p *peer, number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.heard = max(p.heard, number)
	b.settleAll(p)
}

// settleAll answers those who waited for p alone; b.mu is held.
func (b *Broker) settleAll(p *peer) {
	for s := range b.waiting {
		if p.heard >= s.item {
			delete(s.missing, p)
		}
		if len(s.missing) == 0 && !s.patience.After(time.Now()) {
			b.answer(s)
		}
	}
}

// settle answers once every listener has heard all items until now, or its lease is over. Leases that are granted
// meanwhile arrive behind the items. One that was granted before lasts for Life at most.
func (b *Broker) settle(p *peer, number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	now := time.Now()
	s := &settling{by: p, number: number, item: b.last, missing: map[*peer]struct{}{}, patience: b.gone}
	last := b.gone
	for l := range b.listeners {
		if l.heard < s.item && l.until.After(now) {
			s.missing[l] = struct{}{}
			if l.until.After(last) {
				last = l.until
			}
		}
	}
	b.waiting[s] = struct{}{}
	s.timer = time.AfterFunc(last.Sub(now), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.answer(s)
	})
	if len(s.missing) == 0 && !s.patience.After(now) {
		b.answer(s)
	}
}

// answer answers a settling, once; b.mu is held.
func (b *Broker) answer(s *settling) {
	if _, waits := b.waiting[s]; !waits {
		return
	}
	s.timer.Stop()
	delete(b.waiting, s)
	if _, here := b.listeners[s.by]; here {
		s.by.send(frame{kind: settled, number: s.number})
	}
}
