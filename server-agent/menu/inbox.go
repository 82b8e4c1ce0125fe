package menu

import (
	"fmt"

	"goldm/internal/bundle"
)

// Inbox puts the parts of a packed menu together.
type Inbox struct {
	packed []byte
	over   bool
}

// Add takes the next part.
func (i *Inbox) Add(part []byte) {
	if i.over = i.over || len(i.packed)+len(part) > bundle.MaxSize; !i.over {
		i.packed = append(i.packed, part...)
	}
}

// Packed returns the whole.
func (i *Inbox) Packed() ([]byte, error) {
	if i.over {
		return nil, fmt.Errorf("menu over %d bytes", bundle.MaxSize)
	}
	return i.packed, nil
}
