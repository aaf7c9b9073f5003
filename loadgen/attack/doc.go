// Package attack sends requests by a schedule and tells, for each of them, when it was due, when it was sent, when it
// was answered and by whom. It owns how requests are sent, and what guards that: giving up, setting the runtime up,
// and what the generator itself used.
//
// There are two engines under the same accounting. "vegeta" is vegeta's Attacker (github.com/tsenart/vegeta/v12/lib),
// with its Targeter, its Pacer, its Results and net/http's client, which can do all that HTTP can. "fast" is an event
// loop that writes ready-made bytes to plain connections. In both
//
//   - latency is counted from when a hit was due by the schedule (package pace). vegeta counts it from when a worker
//     took the hit: with 64 workers and a server that stalls for 2 s at 1,000/s it reports a p99 of 8 ms where users
//     would have waited 1.9 s. So connections can be bounded and the figures stay true.
//   - what the generator adds to a latency is known for each hit (Hit.Lag): how late it was sent while a connection was
//     idle, and for how long nobody looked when it was answered.
//   - each hit waits timers out that are accurate to some ten microseconds. Go's own are served by a poller that
//     counts in milliseconds.
//   - nothing is kept of a hit but what its Sink counts, and a failure is a class, never a text.
package attack
