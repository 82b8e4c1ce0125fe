package xproxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"goldm/internal/x11"
)

// The scout is a program of our own, the first one on the display. It asks for what all
// programs want to know, in one round trip for the whole session, and stays as long as
// the X server: what it learned is good no longer. Others rehearse meanwhile what programs say first;
// see rehearse.go.

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
	c, err := explore(stream, in, f.config.Offer.Cookie, f.watched)
	back(c)
	if err != nil {
		// Without it all passes: a program may hear why.
		f.config.Log.Warn("X11: nothing is answered on this side", "err", err)
		<-ctx.Done()
		return
	}
	var rehearsals sync.WaitGroup
	defer rehearsals.Wait()
	for said := range c.server.rehearsals() {
		rehearsals.Go(func() { f.rehearse(ctx, c, said) })
	}
	err = errors.Join(c.learnNames(stream, in), c.learnColours(stream, in))
	things, lookErr := c.server.lookAround(stream, in)
	rehearsals.Go(func() { f.asker(ctx, c, things) })
	if err := errors.Join(err, lookErr); err != nil && ctx.Err() == nil {
		f.config.Log.Warn("X11: less is answered on this side", "err", err)
	}
	io.Copy(io.Discard, in) // events that every program gets, such as MappingNotify
}

// lastPredefined is the last atom that all servers have, and maxNames how many more the scout wants to
// know: those of X servers' own are their devices' and properties'.
const (
	lastPredefined = 68
	maxNames       = 1000
)

// learnNames asks for the names of the atoms that the X server has made itself, on the scout's connection: the
// scout's own come after them.
func (c *constants) learnNames(out io.Writer, in io.Reader) error {
	c.mu.Lock()
	last := min(slices.Max(append(slices.Collect(maps.Keys(c.names)), 0)), lastPredefined+maxNames)
	var requests []byte
	var unknown []uint32
	for atom := uint32(1); atom <= last; atom++ {
		if c.names[atom] == "" {
			unknown = append(unknown, atom)
			requests = scoutOrder.AppendUint32(append(requests, getAtomName, 0, 2, 0), atom)
		}
	}
	c.mu.Unlock()
	if _, err := out.Write(requests); err != nil {
		return err
	}
	for _, atom := range unknown {
		reply, err := readReply(in)
		if err != nil {
			return err
		}
		c.put(string(scoutOrder)+string(scoutOrder.AppendUint32([]byte{getAtomName, 0, 2, 0}, atom)), reply)
	}
	return nil
}

// learnColours asks for the colours of default colormaps, on the scout's connection.
func (c *constants) learnColours(out io.Writer, in io.Reader) error {
	for colormap, visual := range c.server.colormaps {
		requests := visual.probe(scoutOrder, colormap)
		if _, err := out.Write(slices.Concat(requests...)); err != nil {
			return err
		}
		var replies [][]byte
		for range requests {
			reply, err := readReply(in)
			if err != nil {
				return err
			}
			replies = append(replies, reply)
		}
		if requests == nil {
			continue
		}
		if colours := visual.learn(scoutOrder, requests, replies); colours != nil {
			c.putColours(colormap, colours)
		}
	}
	return nil
}

// question is a request of the scout's.
type question struct {
	key       string
	major     byte
	extension string // whose opcode the answer tells
}

// explore asks the X server.
func explore(out io.Writer, in io.Reader, cookie []byte, w *watched) (*constants, error) {
	requests, questions := questionnaire()
	if _, err := out.Write(append(scoutSetup(cookie), requests...)); err != nil {
		return nil, err
	}
	answer, err := readSetup(in)
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
	s := newServer(majors)
	s.colormaps, s.roots = parseScreens(answer)
	c := newConstants(s, w)
	for key, reply := range replies {
		c.put(key, reply)
	}
	return c, nil
}

func scoutSetup(cookie []byte) []byte {
	setup := x11.SetupRequest{Order: scoutOrder, Major: x11.ProtocolMajor, Minor: x11.ProtocolMinor, AuthName: cookieName, AuthData: cookie}
	return setup.Append(nil)
}

// questionnaire returns the scout's requests, and what they are.
func questionnaire() (requests []byte, questions []question) {
	s := newServer(nil)
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

// readSetup reads the server's answer to the setup.
func readSetup(in io.Reader) ([]byte, error) {
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
	return answer, nil
}

// parseScreens returns the root windows in the answer to a setup (appendix B, Connection Setup), and the
// default colormaps of those whose visual is TrueColor. What makes no sense ends the list.
func parseScreens(answer []byte) (colormaps map[uint32]visual, roots map[uint32]bool) {
	const trueColor = 4
	colormaps, roots = make(map[uint32]visual), make(map[uint32]bool)
	if len(answer) < 40 {
		return colormaps, roots
	}
	rest := answer[min(len(answer), 40+x11.Pad(int(scoutOrder.Uint16(answer[24:])))+8*int(answer[29])):]
	cut := func(n int) (b []byte) {
		if n <= len(rest) {
			b, rest = rest[:n], rest[n:]
		}
		return b
	}
	for range int(answer[28]) {
		screen := cut(40)
		if screen == nil {
			break
		}
		roots[scoutOrder.Uint32(screen)] = true
		for range int(screen[39]) {
			depth := cut(8)
			if depth == nil {
				return colormaps, roots
			}
			for range int(scoutOrder.Uint16(depth[2:])) {
				v := cut(24)
				if v == nil {
					return colormaps, roots
				}
				if scoutOrder.Uint32(v) == scoutOrder.Uint32(screen[32:]) && v[4] == trueColor {
					colormaps[scoutOrder.Uint32(screen[4:])] = visual{scoutOrder.Uint32(v[8:]), scoutOrder.Uint32(v[12:]), scoutOrder.Uint32(v[16:])}
				}
			}
		}
	}
	return colormaps, roots
}

// readReply reads the next reply, past any events.
func readReply(in io.Reader) ([]byte, error) {
	for {
		message, err := readMessage(in)
		if err != nil {
			return nil, err
		}
		switch x11.Kind(message) {
		case x11.Reply:
			return message, nil
		case x11.Error:
			return nil, errors.New("refused by the X server")
		}
	}
}

// readMessage reads the next message whole.
func readMessage(in io.Reader) ([]byte, error) {
	head := make([]byte, x11.AnswerHead)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, err
	}
	size := x11.AnswerSize(scoutOrder, head)
	if size > maxKept {
		return nil, fmt.Errorf("message of %d bytes", size)
	}
	whole := append(head, make([]byte, size-x11.AnswerHead)...)
	_, err := io.ReadFull(in, whole[x11.AnswerHead:])
	return whole, err
}
