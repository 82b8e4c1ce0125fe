// Package tagged encodes messages as JSON objects that say what they are in a
// member "type", as greetd's IPC does, and decodes them into the type's struct.
// The framing around an object is the caller's.
package tagged

import (
	"encoding/json"
	"fmt"
)

// BadMessage is an object that makes no sense: no JSON, an unknown type, or
// members of the wrong type. Its text never quotes a member's value, which may
// be a secret.
type BadMessage struct{ Reason string }

func (e *BadMessage) Error() string { return "message: " + e.Reason }

// Encode returns the struct v as an object with "type" as its first member.
func Encode(kind string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", kind, err)
	}
	out := fmt.Appendf(nil, `{"type":%q`, kind)
	if len(body) > len("{}") {
		out = append(out, ',')
	}
	return append(out, body[1:]...), nil
}

// Decode decodes an object into the pointer that byKind returns for its type;
// byKind returns the nil interface for a type it does not know. The error is a
// *BadMessage.
func Decode[M comparable](object []byte, byKind func(kind string) M) (M, error) {
	var none M
	var tag struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(object, &tag); err != nil {
		return none, &BadMessage{Reason: "not an object with a type"}
	}
	m := byKind(tag.Type)
	if m == none {
		return none, &BadMessage{Reason: fmt.Sprintf("unknown type %.40q", tag.Type)}
	}
	if err := json.Unmarshal(object, m); err != nil {
		return none, &BadMessage{Reason: "malformed " + tag.Type}
	}
	return m, nil
}
