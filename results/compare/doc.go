// Package compare tells whether sets of runs differ, with the pair of runs as the unit: the requests within one run
// share its luck, so a test on them calls identical runs different.
//
// It works in steps, each with a file of its own:
//
//  1. By or the caller makes Sets of runs; the first is the base that each other one is held against.
//  2. Runs that say nothing are taken out and counted: the generator fell behind, or the run ended early.
//  3. Runs that are not alike (another rate, scenario, machine …) are refused, or footnoted if so asked.
//  4. Runs are paired: those of one round of a campaign, else neighbours in time. Drift of the machine hits both of a
//     pair alike and cancels out of their difference.
//  5. Each Metric takes one figure from each run. The differences of the pairs, of logarithms where the figures allow
//     it, go through one exact signed-rank test, which gives the change, its interval and its p.
//  6. All rows of all tables are one family: chances of error add up to at most alpha over the whole family
//     (Bonferroni), for the intervals as for the p values. A row is significant exactly where its interval leaves
//     out zero.
//  7. Each row gets a Result: different; the same, where the interval lies within a threshold below which nobody cares;
//     or unknown, with the number of pairs that would tell.
//
// Only a few metrics are tested, see Primary: each further test takes power from all others. Of n pairs no p is below
// 2/2ⁿ, so that 1, 4, 12 and 21 tests need 6, 8, 9 and 10 pairs at least.
package compare
