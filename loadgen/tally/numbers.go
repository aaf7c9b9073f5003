package tally

import "math/bits"

// Numbers is a set of the numbers of hits: a bit for each up to the greatest. The zero value is empty.
type Numbers struct{ words []uint64 }

// Add puts n into the set and tells whether it was not there.
func (s *Numbers) Add(n uint64) bool {
	word, bit := n/64, uint64(1)<<(n%64)
	if more := int(word) + 1 - len(s.words); more > 0 {
		s.words = append(s.words, make([]uint64, more)...)
	}
	was := s.words[word]
	s.words[word] |= bit
	return was&bit == 0
}

// Has tells whether n is in the set.
func (s *Numbers) Has(n uint64) bool {
	return n/64 < uint64(len(s.words)) && s.words[n/64]&(1<<(n%64)) != 0
}

// Merge adds what is in other.
func (s *Numbers) Merge(other *Numbers) {
	if more := len(other.words) - len(s.words); more > 0 {
		s.words = append(s.words, make([]uint64, more)...)
	}
	for i, w := range other.words {
		s.words[i] |= w
	}
}

// End is greater than all numbers in the set.
func (s *Numbers) End() uint64 { return 64 * uint64(len(s.words)) }

// Count is how many numbers are in the set.
func (s *Numbers) Count() (n int64) {
	for _, w := range s.words {
		n += int64(bits.OnesCount64(w))
	}
	return n
}

// Without is how many numbers are in the set and in none of the others, with up to most of them, the least first.
func (s *Numbers) Without(most int, others ...*Numbers) (n int64, some []uint64) {
	for i, w := range s.words {
		for _, o := range others {
			if i < len(o.words) {
				w &^= o.words[i]
			}
		}
		n += int64(bits.OnesCount64(w))
		for ; w != 0 && len(some) < most; w &= w - 1 {
			some = append(some, uint64(i)*64+uint64(bits.TrailingZeros64(w)))
		}
	}
	return n, some
}

// IDs are the numbers of hits of the measured part, by which they are found in the balancer's log.
type IDs struct {
	Answered Numbers
	Lost     Numbers // sent, and no answer came
	Again    Numbers // sent a second time
}

// End is greater than all numbers of hits that may have reached the balancer.
func (ids *IDs) End() uint64 { return max(ids.Answered.End(), ids.Lost.End()) }

func (ids *IDs) add(h *Hit) {
	switch {
	case h.Status != 0:
		ids.Answered.Add(h.Number)
	case h.Err.Reached():
		ids.Lost.Add(h.Number)
	}
	if h.Again {
		ids.Again.Add(h.Number)
	}
}

func (ids *IDs) merge(other *IDs) {
	ids.Answered.Merge(&other.Answered)
	ids.Lost.Merge(&other.Lost)
	ids.Again.Merge(&other.Again)
}
