// Package servers decides which server a login tries first. It is pure but for a draw
// of lots: what is known of the servers goes in, an order comes out.
package servers

import (
	"slices"

	"goldm/ldm/wire"
)

const (
	// maxCPUs is how many processors count, of which a server may tell what it likes.
	maxCPUs = 256
	// far is the round trip at which a server counts half, in microseconds. On a local
	// network it is far less; a desktop is no pleasure long before ten times that.
	far = 10_000
)

// Order returns names, which are servers in the administrator's order, in the order in
// which a login shall try them. None is left out, for what is known is old: a server
// that was down may be back by now.
//
// Those that take logins come first, then those that are full, those that turn
// connections away, those that do not answer, and those that are drained. Within each
// of these lots are drawn, so that clients that log in together do not all choose
// the same: a server with twice as much to give comes first twice as often. Where no
// server tells its rating the order is the administrator's. draw returns random
// numbers from 0 up to 1, as rand.Float64 does.
func Order(names []string, known []wire.Server, draw func() float64) []string {
	var tiers [tiers][]wire.Server
	for _, name := range names {
		s := wire.Server{Name: name}
		if at := slices.IndexFunc(known, func(k wire.Server) bool { return k.Name == name }); at >= 0 {
			s = known[at]
		}
		t := tier(s)
		tiers[t] = append(tiers[t], s)
	}
	var order []string
	for _, servers := range tiers {
		order = append(order, drawn(servers, draw)...)
	}
	return order
}

// tiers is how many values tier has.
const tiers = 5

// tier puts a server that was not asked yet among those that are up: it mostly is. A
// server that is drained is tried in the end: nobody has proved that it is, and a login
// that it does not want it refuses itself.
func tier(s wire.Server) int {
	switch {
	case s.Drained:
		return 4
	case s.State == wire.Down:
		return 3
	case s.State == wire.Busy:
		return 2
	case s.Full():
		return 1
	}
	return 0
}

// drawn draws lots for the places. What those servers win that do not tell their rating
// goes to the first of them that is left, so that they keep the administrator's order.
func drawn(servers []wire.Server, draw func() float64) []string {
	var order []string
	for left := slices.Clone(servers); len(left) > 0; {
		at := 0
		if slices.ContainsFunc(left, isRated) {
			at = lot(scores(left), draw())
		}
		if !isRated(left[at]) {
			at = slices.IndexFunc(left, func(s wire.Server) bool { return !isRated(s) })
		}
		order = append(order, left[at].Name)
		left = slices.Delete(left, at, at+1)
	}
	return order
}

func isRated(s wire.Server) bool { return s.Rating > 0 }

// lot returns to which of the scores a number from 0 up to 1 falls.
func lot(scores []float64, number float64) int {
	var sum float64
	for _, score := range scores {
		sum += score
	}
	number *= sum
	for i, score := range scores {
		if number -= score; number < 0 {
			return i
		}
	}
	return len(scores) - 1 // which the rounding of numbers may lead to
}

// scores returns how much each server has to give. One that does not tell counts as much
// as those that do on average.
func scores(servers []wire.Server) []float64 {
	scores := make([]float64, len(servers))
	var sum, rated float64
	for i, s := range servers {
		if isRated(s) {
			scores[i] = score(s)
			sum, rated = sum+scores[i], rated+1
		}
	}
	for i, s := range servers {
		if !isRated(s) {
			scores[i] = sum / rated
		}
	}
	return scores
}

// score is the share of the server that is free, by its rating, times its size, at this
// distance.
func score(s wire.Server) float64 {
	size := min(max(s.CPUs, 1), maxCPUs)
	return float64(s.Rating) * float64(size) / (1 + float64(max(s.RTT, 0))/far)
}
