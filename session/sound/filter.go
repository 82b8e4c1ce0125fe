package sound

import (
	"bytes"
	"io"
)

// A filter reads what a program sends and passes it on, except for commands with
// which the program would make the daemon do something else than sound: modules
// open files and network ports and load other code.
type filter struct {
	from io.Reader
	left io.Reader // of the current frame

	refused func(code uint32) // is told; may be nil
}

func (f *filter) Read(p []byte) (int, error) {
	for {
		if f.left == nil {
			if err := f.next(); err != nil {
				return 0, err
			}
		}
		n, err := f.left.Read(p)
		if err == io.EOF {
			f.left = nil
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
		if err != nil && err != io.EOF {
			return 0, err
		}
	}
}

// next begins a frame. An end of the stream within one shows as an end
// nonetheless: the daemon is the judge of that.
func (f *filter) next() error {
	header, err := readFrame(f.from)
	if err != nil {
		return err
	}
	body := io.LimitReader(f.from, int64(header.length()))
	if !header.isPacket() {
		f.left = io.MultiReader(bytes.NewReader(header[:]), body)
		return nil
	}
	start := make([]byte, commandSize)
	if _, err := io.ReadFull(body, start); err != nil {
		return err
	}
	c, _, err := parseCommand(start)
	if err != nil {
		return err
	}
	if !isRefused(c.code) {
		f.left = io.MultiReader(bytes.NewReader(header[:]), bytes.NewReader(start), body)
		return nil
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return err
	}
	if f.refused != nil {
		f.refused(c.code)
	}
	f.left = bytes.NewReader(refusal(c.tag))
	return nil
}

func isRefused(code uint32) bool {
	return code == commandExit || code == commandLoadModule || code == commandUnloadModule
}

// refusal returns the frame that stands in for a refused command: one that both
// daemons answer with an error, under the program's tag. No module has such a name.
func refusal(tag uint32) []byte {
	packet := command{commandLoadModule, tag}.append(nil)
	packet = append(packet, typeString, '/', 0, typeString, 0)
	return appendPacket(nil, packet)
}
