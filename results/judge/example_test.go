package judge_test

import (
	"fmt"

	"balanceo/results/judge"
)

// A test of a balancer that is told to share 70:30: instead of "within 5 % of 500 requests", which a sound balancer
// misses now and then and many a broken one hits.
func ExampleJudge() {
	result, err := judge.Judge([]judge.Share{{Name: "v1", Weight: 70, Count: 312}, {Name: "v2", Weight: 30, Count: 188}}, judge.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Verdict)
	fmt.Println(result.Sentence)
	// Output:
	// fail
	// v1 got 62.4 % where 70 % is promised: by chance once in 3,400 such runs. Not chance.
}

// Requests are sent until the verdict is in, and no longer.
func ExampleSequential() {
	s, err := judge.NewSequential([]float64{70, 30}, 0.001)
	if err != nil {
		fmt.Println(err)
		return
	}
	for !s.Decided() {
		if err := s.Add([]int64{5, 5}); err != nil { // of ten requests, five each
			fmt.Println(err)
			return
		}
	}
	fmt.Println(s.Verdict(), s.Counts())
	// Output: fail [60 60]
}
