package serve

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// closed tells whether a connection was closed at this end.
func closed(c net.Conn) bool {
	return errors.Is(c.SetDeadline(time.Time{}), io.ErrClosedPipe)
}

// When there are too many connections, the oldest goes.
func TestConns(t *testing.T) {
	c := newConns(2)
	add := func() net.Conn {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { theirs.Close() })
		return c.add(ours)
	}
	one, two, three := add(), add(), add()
	if !closed(one) || closed(two) || closed(three) {
		t.Errorf("with one too many: %v %v %v", closed(one), closed(two), closed(three))
	}
	one.Close() // once more, which takes no other's place
	three.Close()
	four := add()
	if closed(two) || closed(four) {
		t.Error("closed with room for all")
	}
	c.close()
	if five := add(); !closed(two) || !closed(four) || !closed(five) || c.open.Len() != 0 {
		t.Errorf("after the end: %v %v %v, %d open", closed(two), closed(four), closed(five), c.open.Len())
	}
}
