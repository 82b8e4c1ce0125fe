package peer

import "net"

// Gate is where the programs of a session's socket wait until they have shown their cookie. The
// session's user has places of its own; all other users, root among them, share others.
type Gate struct {
	user        int
	own, others *Queue[int]
}

// NewGate returns the gate of a user's session, with places for programs of this user and for
// programs of all other users.
func NewGate(user, own, others int) *Gate {
	return &Gate{user: user, own: NewQueue[int](own), others: NewQueue[int](others)}
}

// Visitor is a program at a gate.
type Visitor struct {
	Peer
	place *Place[int]
}

// Enter takes a place for a program. The gate closes the connection of a program whose place
// another one gets. The error means that the kernel does not say whose the program is.
func (g *Gate) Enter(conn net.Conn) (*Visitor, error) {
	peer, err := Of(conn)
	if err != nil {
		return nil, err
	}
	queue := g.others
	if peer.UID == g.user {
		queue = g.own
	}
	return &Visitor{Peer: peer, place: queue.Take(peer.UID, func() { conn.Close() })}, nil
}

// Leave gives the place up, and reports whether the program still had it.
func (v *Visitor) Leave() bool { return v.place.Leave() }
