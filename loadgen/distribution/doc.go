// Package distribution says whether an upstream group of nginx shared its requests as nginx.conf promises,
// and why not where it did not.
//
// # Round robin: an exact bound
//
// nginx's round robin is not random, so a statistical test is the wrong one: it would pass splits that the
// algorithm can't produce. It is the smooth weighted round robin of ngx_http_upstream_get_peer() in
// src/http/ngx_http_upstream_round_robin.c ("Upstream: smooth weighted round-robin balancing", nginx 1.3.1):
// for each request, every peer's current weight c grows by its weight w, the peer with the greatest c is
// chosen, and the sum W of all weights is taken from that peer's c.
//
// Count in units of W: p = w/W is a peer's share, x = c/W. After a stretch of N requests of which k went to a
// peer, its x has changed by Np - k. So the deviation k - Np over a stretch is the difference of the peer's x
// at its two ends, and bounding x bounds it. With n peers:
//
//   - Every step adds 1 to the sum of all x and takes 1 away, so the sum is always 0.
//   - From below: before 1 is taken from it, the chosen x is the greatest of n that add up to 1, so at least
//     1/n. After that it is at least 1/n - 1, and no other x has shrunk.
//   - From above: let A(k) be the mean of the k greatest x, so A(n) = 0. Look at the k greatest after a step.
//     If the chosen peer is among them, their sum grew by at most 1 and lost 1, so A(k) did not grow. If it is
//     not, it was, before the subtraction, at least as great as each of them; so their mean is at most that
//     of the k+1 greatest after the growth, which is at most A(k+1) + 1/(k+1). By induction
//     A(k) ≤ 1/(k+1) + … + 1/n, and the greatest x, A(1), is at most 1/2 + … + 1/n. (This is the argument
//     for the "cup game"; see Adler et al., "A proportionate fair scheduling rule with good worst-case
//     performance", SPAA 2003.)
//
// The two differ by (1/2 + … + 1/n) + (1 - 1/n) = 1 + 1/2 + … + 1/(n-1), the harmonic number H(n-1). Hence:
//
//	over any stretch of requests, each of n peers is within H(n-1) requests of its share
//
// which is 1 for two peers, 1.84 for four and 2.29 for six, whatever the weights are and whatever requests the
// stretch begins with. The tests check it against every cycle of small weights and against a simulation.
//
// That holds for one sequence of choices. Where the group has a zone, all worker processes of nginx share
// one; without it each worker has its own, and a stretch of all requests is one stretch for each of the R
// workers: R·H(n-1).
//
// The requests of a run are such a stretch but for these, each of which is known and named:
//
//   - Requests of the warm-up that were still under way when the measured part began may have been placed
//     after its first one. Leaving one out changes the deviation of the peer that answered it by p-1, and that
//     of every other by p, so the bound grows by the sum of these over the peer's own or over all others,
//     whichever is more.
//   - Requests that got no answer were placed nobody knows where: the bound grows by max(p, 1-p) for each.
//   - Foreign requests, known from nginx's access log with their servers, belong to the sequence. They are
//     counted in before deviations are compared with the bound.
//   - An attempt that failed is followed by a choice among the other peers only; nginx may leave a peer out
//     after max_fails failures, and lets it come back with a weight that grows again step by step. The split
//     is then no longer that of the weights: the group fails, and the reason names the peer.
//
// # Random and hash: a G-test
//
// The method random draws a peer for each request, so the counts are multinomial, and the G-test with n-1
// degrees of freedom applies (log-likelihood ratio; Sokal and Rohlf, "Biometry"). The critical value is that
// of a probability of 0.001: one of a thousand sound runs fails.
//
// The method hash draws once for each different key, not for each request: with five different URIs no more
// than five draws have been made, however many requests were sent. So the G-test counts keys, taken to be the
// URIs, and makes no judgement where these are too few, or where requests of one URI went to different servers,
// so that the key must be another. A consistent hash places each server at 160 points per weight of a ring,
// which makes the arcs themselves random with a relative variance of about 1/(160 w). nginx.conf as read
// here does not say whether a hash is consistent, so the statistic is divided by the inflation that this means,
// 1 + K·max(p/160w) for K keys; that costs the test a little of its power.
//
// least_conn, least_time and ip_hash promise nothing about shares: their groups are shown without a verdict.
package distribution
