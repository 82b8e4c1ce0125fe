package greetd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/tagged"
)

func frame(body string) []byte {
	return append(binary.NativeEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// The bytes are those of greetd-ipc(7): compatibility, not taste.
func TestWireFormat(t *testing.T) {
	password := "secret"
	requests := []struct {
		body string
		want Request
	}{
		{`{"type":"create_session","username":"anna"}`, &CreateSession{Username: "anna"}},
		{`{"type":"post_auth_message_response","response":"secret"}`, &PostResponse{Response: &password}},
		{`{"type":"post_auth_message_response"}`, &PostResponse{}},
		{`{"type":"start_session","cmd":["sway"]}`, &StartSession{Cmd: []string{"sway"}}},
		{`{"type":"cancel_session"}`, &CancelSession{}},
	}
	for _, tt := range requests {
		got, err := ReadRequest(bytes.NewReader(frame(tt.body)))
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", tt.body, err, diff)
		}
		var out bytes.Buffer
		if err := WriteRequest(&out, tt.want); err != nil || out.String() != string(frame(tt.body)) {
			t.Errorf("%T: wrote %q, %v", tt.want, out.String(), err)
		}
	}
	responses := []struct {
		body string
		want Response
	}{
		{`{"type":"success"}`, &Success{}},
		{`{"type":"error","error_type":"auth_error","description":"no"}`, &Error{Type: AuthError, Description: "no"}},
		{`{"type":"auth_message","auth_message_type":"secret","auth_message":"Password: "}`, &AuthMessage{Type: Secret, Text: "Password: "}},
	}
	for _, tt := range responses {
		var out bytes.Buffer
		if err := WriteResponse(&out, tt.want); err != nil || out.String() != string(frame(tt.body)) {
			t.Errorf("%T: wrote %q, %v", tt.want, out.String(), err)
		}
	}
}

// Greeters in other languages send null where ours sends nothing.
func TestNullResponse(t *testing.T) {
	got, err := ReadRequest(bytes.NewReader(frame(`{"type":"post_auth_message_response","response":null}`)))
	if diff := cmp.Diff(Request(&PostResponse{}), got); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
}

func TestBadFrames(t *testing.T) {
	tests := []struct {
		name      string
		in        []byte
		goesOn    bool // the connection is still in step
		complaint string
	}{
		{"nothing", nil, false, "EOF"},
		{"half a length", []byte{1, 0}, false, "unexpected EOF"},
		{"half a frame", frame(`{"type":"cancel_session"}`)[:12], false, "unexpected EOF"},
		{"4 GB", []byte{255, 255, 255, 255, '{'}, false, "4294967295 bytes"},
		{"garbage", frame("\x00\xffgarbage"), true, "not an object"},
		{"no type", frame(`{}`), true, `unknown type ""`},
		{"unknown type", frame(`{"type":"dance"}`), true, `unknown type "dance"`},
		{"an array", frame(`["type"]`), true, "not an object"},
		{"wrong member", frame(`{"type":"create_session","username":{"secret":1}}`), true, "malformed create_session"},
	}
	for _, tt := range tests {
		_, err := ReadRequest(bytes.NewReader(tt.in))
		if err == nil || !strings.Contains(err.Error(), tt.complaint) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.complaint)
		}
		var bad *tagged.BadMessage
		if errors.As(err, &bad) != tt.goesOn {
			t.Errorf("%s: got %T", tt.name, err)
		}
	}
}

// What somebody typed does not come back in an error, which may be logged.
func TestErrorsKeepSecrets(t *testing.T) {
	_, err := ReadRequest(bytes.NewReader(frame(`{"type":"post_auth_message_response","response":["hunter2"]}`)))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("got %v", err)
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add(frame(`{"type":"create_session","username":"anna","progress":true}`))
	f.Add(frame(`{"type":"start_session","cmd":["a","b"],"env":["LANG=C"]}`))
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		for {
			m, err := ReadRequest(r)
			var bad *tagged.BadMessage
			if err != nil && !errors.As(err, &bad) {
				return
			}
			if m == nil {
				continue
			}
			var out bytes.Buffer
			if err := WriteRequest(&out, m); err != nil {
				continue // grew past the limit by escapes
			}
			if again, err := ReadRequest(&out); err != nil || !cmp.Equal(m, again) {
				t.Fatalf("%#v came back as %#v, %v", m, again, err)
			}
			if _, err := out.ReadByte(); err != io.EOF {
				t.Fatal("a frame is longer than it says")
			}
		}
	})
}
