// Package bench sets loadgen, as a whole process, beside the tools that people use instead: the vegeta
// command, hey and wrk, each where it is installed or can be built. All of them load the same bare fasthttp
// server in a process of its own, one after the other in several rounds, so that what else the machine does
// meets all of them; figures are medians of the rounds, and only their ratios mean anything elsewhere.
//
// It consists of benchmarks only:
//
//	go test -run '^$' -bench . ./loadgen/bench
//
// BENCH_ROUNDS (3) and BENCH_TIME (3s) make it longer. BENCH_MEMORY_TIME (20s) is how long BenchmarkMemory
// watches the resident memory of a run, and BENCH_STALL_TIME (20s) how long the runs with a stall last.
// BenchmarkTruth prints the table of what is so and what each tool says, and takes two minutes at least.
package bench
