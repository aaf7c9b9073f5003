// Package compare tells whether two sets of runs differ, with the run as the sample: the requests within one
// run share its luck, so a test on them calls identical runs different.
//
// It works in steps, each with a file of its own:
//
//  1. By or the caller makes two Sets of runs.
//  2. Runs that say nothing are taken out and counted: the generator fell behind, or the run ended early.
//  3. Runs that are not alike (another rate, scenario, machine …) are refused, or footnoted if so asked.
//  4. Each Metric takes one figure from each run.
//  5. The k-th run of one set is paired with the k-th of the other in the order of time. Of interleaved runs
//     (turn and turn about) the members of a pair lie next to each other, so drift of the machine cancels out of their
//     difference. The estimate is the median of the paired differences, with an interval (see Interval).
//  6. The Mann-Whitney U test (benchmath's, exact for small samples) gives each row its p, and Holm's method
//     corrects them for the number of rows in the table. A row whose corrected p is not below alpha shows "~".
//
// What six runs a side can see, simulated: a metric that differs by 20 % is found with certainty where identical runs
// vary by 3 % (standard deviation), in 95 % of the tables where they vary by 5 %, in 55 % where they vary by 8 %.
//
// The table of one pair of sets is one family of tests: with alpha 0.05 at most one table in twenty of identical
// sets shows any difference at all.
package compare
