// Package servers decides which server a login tries first. It is pure: what is
// known of the servers goes in, an order comes out.
package servers

import (
	"cmp"
	"slices"

	"goldm/ldm/wire"
)

// Order returns the servers in the order in which a login shall try them: the
// administrator's, but those that turn connections away after the others, and
// those that do not answer last. None is left out, for what is known is old: a
// server that was down may be back by now.
func Order(list []wire.Server) []wire.Server {
	order := slices.Clone(list)
	slices.SortStableFunc(order, func(a, b wire.Server) int { return cmp.Compare(rank(a), rank(b)) })
	return order
}

// rank puts a server that was not asked yet among those that are up: it mostly is.
func rank(s wire.Server) int {
	switch s.State {
	case wire.Busy:
		return 1
	case wire.Down:
		return 2
	}
	return 0
}
