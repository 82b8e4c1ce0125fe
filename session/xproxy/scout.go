package xproxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"goldm/internal/x11"
)

// The scout is a program of our own, the first one on the display. It asks for what all
// programs want to know, in one round trip for the whole session, and stays as long as
// the X server: what it learned is good no longer.

// scoutOrder is the byte order of nearly all programs.
const scoutOrder = x11.LittleEndian

// scout fills f.constants, and returns when the X server has gone, or ctx is done.
func (f *far) scout(ctx context.Context) {
	back := func(c *constants) {
		f.constants = c
		close(f.scouted)
	}
	if f.config.Offer.Plain {
		back(nil)
		<-ctx.Done()
		return
	}
	stream, err := f.conn.Open()
	if err != nil {
		back(nil)
		return // the connection has ended
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, func() { stream.Close() })()
	in := bufio.NewReaderSize(stream, 4<<10)
	c, err := explore(stream, in, f.config.Offer.Cookie)
	back(c)
	if err != nil {
		// Without it all passes: a program may hear why.
		f.config.Log.Warn("X11: nothing is answered on this side", "err", err)
		<-ctx.Done()
		return
	}
	io.Copy(io.Discard, in) // events that every program gets, such as MappingNotify
}

// question is a request of the scout's.
type question struct {
	key       string
	major     byte
	extension string // whose opcode the answer tells
}

// explore asks the X server.
func explore(out io.Writer, in io.Reader, cookie []byte) (*constants, error) {
	setup := x11.SetupRequest{Order: scoutOrder, Major: x11.ProtocolMajor, Minor: x11.ProtocolMinor, AuthName: cookieName, AuthData: cookie}
	requests, questions := questionnaire()
	if _, err := out.Write(append(setup.Append(nil), requests...)); err != nil {
		return nil, err
	}
	colormaps, err := readSetup(in)
	if err != nil {
		return nil, err
	}
	replies, majors := make(map[string][]byte), make(map[string]byte)
	for _, q := range questions {
		reply, err := readReply(in)
		if err != nil {
			return nil, fmt.Errorf("request %d: %w", q.major, err)
		}
		if !keeps(scoutOrder, q.major, reply) {
			continue
		}
		replies[q.key] = reply
		if e := x11.ParseExtensionReply(reply); q.extension != "" && e.Present {
			majors[q.extension] = e.Major
		}
	}
	c := newConstants(newServer(majors))
	c.server.colormaps = colormaps
	for key, reply := range replies {
		c.put(key, reply)
	}
	return c, nil
}

// questionnaire returns the scout's requests, and what they are.
func questionnaire() (requests []byte, questions []question) {
	var s server
	add := func(one []byte, extension string) {
		r, _ := x11.ParseRequest(scoutOrder, one, false)
		questions = append(questions, question{key: s.key(scoutOrder, r, one), major: r.Major, extension: extension})
		requests = append(requests, one...)
	}
	for _, name := range slices.Sorted(maps.Keys(extensions)) {
		add(x11.AppendQueryExtension(nil, scoutOrder, name), name)
	}
	for _, name := range askedExtensions {
		add(x11.AppendQueryExtension(nil, scoutOrder, name), "")
	}
	add(x11.AppendRequest(nil, scoutOrder, x11.ListExtensions, 0), "")
	for _, name := range knownAtoms {
		one := x11.AppendQueryExtension(nil, scoutOrder, name) // which looks alike
		one[0] = internAtom
		add(one, "")
	}
	return requests, questions
}

// maxSetup bounds a server's answer to the setup, in bytes.
const maxSetup = 8 + 4*0xffff

// readSetup reads the server's answer to the setup, and returns the default colormaps of screens
// whose root window's visual is TrueColor.
func readSetup(in io.Reader) (map[uint32]bool, error) {
	answer := make([]byte, x11.SetupAnswerHead, maxSetup)
	if _, err := io.ReadFull(in, answer); err != nil {
		return nil, err
	}
	answer = answer[:x11.SetupAnswerSize(scoutOrder, answer)]
	if _, err := io.ReadFull(in, answer[x11.SetupAnswerHead:]); err != nil {
		return nil, err
	}
	if answer[0] != x11.SetupAccepted {
		return nil, fmt.Errorf("the X server refuses: %.100q", x11.RefusalReason(answer))
	}
	return trueColormaps(answer), nil
}

// trueColormaps parses the answer to a setup (appendix B, Connection Setup). What makes no
// sense ends the list.
func trueColormaps(answer []byte) map[uint32]bool {
	const trueColor = 4
	found := make(map[uint32]bool)
	if len(answer) < 40 {
		return found
	}
	screens := int(answer[28])
	at := 40 + x11.Pad(int(scoutOrder.Uint16(answer[24:]))) + 8*int(answer[29])
	cut := func(n int) []byte {
		if at+n > len(answer) {
			return nil
		}
		b := answer[at : at+n]
		at += n
		return b
	}
	for range screens {
		screen := cut(40)
		if screen == nil {
			return found
		}
		colormap, visual := scoutOrder.Uint32(screen[4:]), scoutOrder.Uint32(screen[32:])
		for range int(screen[39]) {
			depth := cut(8)
			if depth == nil {
				return found
			}
			for range int(scoutOrder.Uint16(depth[2:])) {
				v := cut(24)
				if v == nil {
					return found
				}
				if scoutOrder.Uint32(v) == visual && v[4] == trueColor {
					found[colormap] = true
				}
			}
		}
	}
	return found
}

// readReply reads the next reply, past any events.
func readReply(in io.Reader) ([]byte, error) {
	for {
		head := make([]byte, x11.AnswerHead)
		if _, err := io.ReadFull(in, head); err != nil {
			return nil, err
		}
		size := x11.AnswerSize(scoutOrder, head)
		if size > maxKept {
			return nil, fmt.Errorf("answer of %d bytes", size)
		}
		whole := append(head, make([]byte, size-x11.AnswerHead)...)
		if _, err := io.ReadFull(in, whole[x11.AnswerHead:]); err != nil {
			return nil, err
		}
		switch x11.Kind(whole) {
		case x11.Reply:
			return whole, nil
		case x11.Error:
			return nil, errors.New("refused by the X server")
		}
	}
}
