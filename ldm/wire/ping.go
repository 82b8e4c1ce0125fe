package wire

// Ping asks a worker, or a probe, for a sign of life; Pong answers it, at once.
type Ping struct {
	ID uint32 `json:"id"` // from 1, one more each time
}

// Pong answers the Ping with that number. An answer to nothing breaks the protocol.
type Pong struct {
	ID uint32 `json:"id"`
}

func (*Ping) messageType() string { return "ping" }
func (*Pong) messageType() string { return "pong" }
