package control

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"goldm/internal/tagged"
)

func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"type\":\"register\",\"id\":\"1\",\"one\":true}\n{\"type\":\"info\"}\n"))
	f.Add([]byte("{\"type\":\"list\",\"list\":[{\"id\":\"1\"}]}"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := NewReader(bytes.NewReader(wire), MaxRequest)
		for range len(wire) + 1 {
			m, err := r.Read()
			var bad *tagged.BadMessage
			switch {
			case err == io.EOF:
				return
			case err != nil && !errors.As(err, &bad):
				t.Fatalf("read: %v", err)
			case err == nil && m == nil:
				t.Fatal("neither message nor error")
			}
		}
		t.Error("more messages than bytes")
	})
}
