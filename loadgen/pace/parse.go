package pace

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Accepted names what Parse reads, for messages.
const Accepted = "constant, poisson, ramp:FROM:TO, step:R1:R2:…, sine:MEAN:AMPLITUDE[:PERIOD]"

// Parse reads a pace for an attack of the given duration. Constant and poisson run at rate hits per second;
// the others carry their own rates: a ramp spans the duration, each step has an equal part of it, and a sine
// without a period has one swing.
func Parse(text string, rate float64, duration time.Duration, seed uint64) (Pace, error) {
	kind, rest, _ := strings.Cut(text, ":")
	rates, period, err := numbers(kind, rest)
	if err != nil {
		return nil, err
	}
	switch {
	case kind == "constant" && rest == "":
		return Constant(rate), nil
	case kind == "poisson" && rest == "":
		return Poisson{PerSecond: rate, Seed: seed}, nil
	case kind == "ramp" && len(rates) == 2:
		if rates[0]+rates[1] == 0 {
			return nil, errors.New("a ramp from 0 to 0 sends nothing")
		}
		return Ramp{From: rates[0], To: rates[1], Over: duration}, nil
	case kind == "step" && len(rates) > 0:
		if rates[len(rates)-1] == 0 {
			return nil, errors.New("the last step needs a rate above 0")
		}
		return Step{Rates: rates, Each: duration / time.Duration(len(rates))}, nil
	case kind == "sine" && len(rates) == 2:
		if rates[1] >= rates[0] {
			return nil, errors.New("the amplitude of a sine must be smaller than its mean")
		}
		return Sine{Mean: rates[0], Amp: rates[1], Period: cmp.Or(period, duration)}, nil
	}
	return nil, fmt.Errorf("want %s", Accepted)
}

// OwnRates tells whether the pace that text names carries its own rates instead of taking one.
func OwnRates(text string) bool { return strings.Contains(text, ":") }

// numbers reads the colon-separated rates after a pace's name; only a sine's third is a period.
func numbers(kind, text string) (rates []float64, period time.Duration, err error) {
	if text == "" {
		return nil, 0, nil
	}
	for i, word := range strings.Split(text, ":") {
		if kind == "sine" && i == 2 {
			period, err = time.ParseDuration(word)
			if err != nil || period <= 0 {
				return nil, 0, fmt.Errorf("%q is no period: want a duration above 0, for example 10s", word)
			}
			continue
		}
		rate, err := strconv.ParseFloat(word, 64)
		if err != nil || rate < 0 || math.IsInf(rate, 0) || math.IsNaN(rate) {
			return nil, 0, fmt.Errorf("%q is no rate: want requests per second, 0 or more", word)
		}
		rates = append(rates, rate)
	}
	return rates, period, nil
}
