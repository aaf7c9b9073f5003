// Package judge tells whether counts are as promised: requests that a load balancer gave to its servers, against the
// shares that its weights promise. It owns the statistics of that question and knows nothing of balancers.
//
//	result, err := judge.Judge([]judge.Share{{"a", 70, 312}, {"b", 30, 188}}, judge.Options{})
//	if result.Verdict == judge.Fail {
//		t.Error(result.Sentence)
//	}
//
// A verdict is one of three. Fail: what was counted comes by chance less often than Options.False. Pass: it does not, and
// every share is known so well that it lies within Options.Precision of what was promised. Undecided: neither, and Needed
// says how many requests decide. A test that fails on anything but Fail flakes as seldom as False says, and one that
// passes on Undecided says nothing; both are in the caller's hand.
//
// What is promised depends on how the balancer chooses, see Method. Randomly chosen servers give a multinomial: p comes
// from the exact test where its outcomes can be counted out, else from the G-test. Servers chosen in a cycle give counts
// that are certain up to a bound. For counts that arrive one after the other, Sequential decides as soon as it can and is
// right however often it is asked.
package judge
