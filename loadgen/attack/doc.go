// Package attack sends requests by a schedule and tells, for each of them, when it was due, when it was sent,
// when it was answered and by whom.
//
// The parts are vegeta's (github.com/tsenart/vegeta/v12/lib): its Attacker has the workers and hands each of
// them the next hit. What vegeta gets wrong for this purpose is put right from outside:
//
//   - Time. vegeta counts latency from when a worker took the hit. When all workers are busy, hits queue
//     unseen: with 64 workers and a server that stalls for 2 s at 1,000/s it reports a p99 of 8 ms where
//     users would have waited 1.9 s. Here latency is counted from when the hit was due by the schedule
//     (package pace), so workers can be capped and the figures stay true.
//   - Pacing. Go's timers are served by a poller that counts in milliseconds; the pacer here sleeps on a timer
//     of the kernel that is accurate to some ten microseconds (see sleeper).
//   - Cost. The http.RoundTripper given to vegeta's client (shard) writes ready-made bytes to a connection
//     it keeps and reads the answer with fasthttp's parser; net/http's transport is not involved.
//   - Memory. Nothing is kept of a hit but what its Sink counts, and a failure is a class (see Class), never a
//     text.
package attack
