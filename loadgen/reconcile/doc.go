// Package reconcile sets three counts of the same requests against each other: what the client saw, what
// nginx wrote into its access log, and what the servers counted. Requests that are not in all three are
// attributed to a cause; what no cause accounts for is reported as unexplained and never hidden.
//
// A Watch begins just before the attack: it remembers where the access log ends and asks every server for its
// /metrics. Finish, after the attack, reads what the log has grown by and asks again. The log is written
// with a delay (buffer and flush of access_log), and a server counts a request once its answer is complete,
// which is after the client has it; so Finish waits, within bounds, until both have caught up.
//
// Lines of the log are told apart by their user agent: those of the run, those of its warm-up (with
// tally.WarmupSuffix), and foreign ones. Each line lists the attempts that nginx made for the request, so it tells
// which servers have answered it. With
//
//	C  answers the client saw                       N  lines of the run
//	a  sent by the client, no answer                u  lines of the run that no server answered
//	r  answers beyond one for a line of the run     f  attempts cut off that a server completed nevertheless
//	S  requests the servers counted, less those of the warm-up and foreign ones in the log
//
// the counts agree where
//
//	C + a = N    and    N - u + r + f = S
//
// with a, u, r and f known within what was observed: a is at most the number of requests that the client sent
// and got no answer to, and f at most the number of attempts that ended without an answer.
//
// Others may go on meanwhile. A server counts their requests at some moment between the first byte and the end of the
// answer, so S is compared with those that had ended before it was asked, and as many as it says of those that had begun.
// A websocket is counted when it opens and logged when it closes: what a server has opened more is open still.
package reconcile
