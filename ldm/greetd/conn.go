package greetd

import (
	"encoding/binary"
	"fmt"
	"io"

	"goldm/internal/tagged"
)

// MaxFrame bounds a frame's body, in bytes. Nothing that a greeter has to say
// comes near it.
const MaxFrame = 64 << 10

// ReadRequest reads one request. The error is a *tagged.BadMessage where
// the connection may go on, io.EOF at its end between two frames.
func ReadRequest(r io.Reader) (Request, error) {
	frame, err := readFrame(r)
	if err != nil {
		return nil, err
	}
	return tagged.Decode(frame, newRequest)
}

// ReadResponse reads one response; errors as ReadRequest.
func ReadResponse(r io.Reader) (Response, error) {
	frame, err := readFrame(r)
	if err != nil {
		return nil, err
	}
	return tagged.Decode(frame, newResponse)
}

// WriteRequest writes one request, in one Write.
func WriteRequest(w io.Writer, m Request) error {
	return writeFrame(w, m.requestType(), m)
}

// WriteResponse writes one response, in one Write.
func WriteResponse(w io.Writer, m Response) error {
	return writeFrame(w, m.responseType(), m)
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.NativeEndian.Uint32(head[:])
	if n > MaxFrame {
		return nil, fmt.Errorf("greetd frame of %d bytes: the limit is %d", n, MaxFrame)
	}
	frame := make([]byte, n)
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, fmt.Errorf("greetd frame of %d bytes: %w", n, unexpected(err))
	}
	return frame, nil
}

// unexpected turns an end of file into one in the middle of something.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func writeFrame(w io.Writer, kind string, m any) error {
	body, err := tagged.Encode(kind, m)
	if err != nil {
		return err
	}
	if len(body) > MaxFrame {
		return fmt.Errorf("greetd frame of %d bytes: the limit is %d", len(body), MaxFrame)
	}
	frame := binary.NativeEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	_, err = w.Write(append(frame, body...))
	return err
}
