package sound

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"
)

// word is a number as packets have it.
func word(value uint32) []byte { return appendU32(nil, value) }

// packet makes a frame of a command.
func packet(code, tag uint32, rest ...[]byte) []byte {
	return appendPacket(nil, slices.Concat(append([][]byte{word(code), word(tag)}, rest...)...))
}

// audio makes a frame of a stream.
func audio(channel uint32, data []byte) []byte {
	var header frame
	header.setLength(len(data))
	binary.BigEndian.PutUint32(header[4:], channel)
	return append(header[:], data...)
}

func cookieOf(b byte) []byte { return bytes.Repeat([]byte{b}, cookieSize) }

// greetingOf is what libpulse 16 sends first, where it would like to share memory.
func greetingOf(cookie []byte) []byte {
	length := binary.BigEndian.AppendUint32([]byte{typeBytes}, uint32(len(cookie)))
	return packet(commandAuth, 0, word(35|0xc0000000), length, cookie)
}

func TestGreeting(t *testing.T) {
	theirs, daemons := cookieOf('s'), cookieOf('d')
	a, err := readAuth(iotest.OneByteReader(bytes.NewReader(greetingOf(theirs))))
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range [][]byte{nil, theirs[1:], daemons} {
		if _, err := a.admit(other, daemons); !errors.Is(err, errCookie) {
			t.Errorf("cookie %.3q: %v", other, err)
		}
	}
	a, err = a.admit(theirs, daemons)
	if err != nil {
		t.Fatal(err)
	}
	length := binary.BigEndian.AppendUint32([]byte{typeBytes}, cookieSize)
	if want := packet(commandAuth, 0, word(35), length, daemons); !bytes.Equal(a.append(nil), want) {
		t.Errorf("the daemon gets\n%q, want\n%q", a.append(nil), want)
	}
}

func TestBadGreetings(t *testing.T) {
	good := greetingOf(cookieOf('s'))
	long := slices.Clone(good)
	binary.BigEndian.PutUint32(long, maxAuth+1)
	for name, greeting := range map[string][]byte{
		"nothing":             {},
		"a short header":      good[:headerSize-1],
		"a short packet":      good[:len(good)-1],
		"no packet":           audio(0, good[headerSize:]),
		"another command":     packet(commandLoadModule, 0, word(35)),
		"no cookie":           packet(commandAuth, 0, word(35)),
		"a cookie too long":   packet(commandAuth, 0, word(35), []byte{typeBytes, 0xff, 0xff, 0xff, 0xff, 1}),
		"an empty packet":     appendPacket(nil, nil),
		"words of other type": appendPacket(nil, bytes.Repeat([]byte{'B'}, 20)),
		"a giant's header":    long,
		"HTTP":                []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
	} {
		if a, err := readAuth(bytes.NewReader(greeting)); err == nil {
			t.Errorf("%s: taken as %+v", name, a)
		}
	}
}

func TestFilter(t *testing.T) {
	name := slices.Concat([]byte{typeString}, []byte("module-native-protocol-tcp\x00"), []byte{typeString}, []byte("auth-anonymous=1\x00"))
	ours := slices.Concat(
		packet(9, 1, []byte("P...")),
		audio(0, bytes.Repeat([]byte("music"), 20000)),
		audio(7, nil),
		packet(20, 2),
	)
	in := slices.Concat(ours, packet(commandLoadModule, 3, name), packet(commandUnloadModule, 4, word(5)), packet(commandExit, 6), ours)
	want := slices.Concat(ours, refusal(3), refusal(4), refusal(6), ours)
	var refused []uint32
	f := &filter{from: iotest.HalfReader(bytes.NewReader(in)), refused: func(code uint32) { refused = append(refused, code) }}
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
	}
	if want := []uint32{commandLoadModule, commandUnloadModule, commandExit}; !slices.Equal(refused, want) {
		t.Errorf("refused %d, want %d", refused, want)
	}
}

// Every frame that leaves a filter is whole and harmless, whatever comes in.
func FuzzFilter(f *testing.F) {
	f.Add(slices.Concat(packet(9, 1), audio(1, []byte("music")), packet(commandLoadModule, 3, []byte("t\x00"))))
	f.Add(packet(commandExit, 1))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, _ := io.ReadAll(&filter{from: bytes.NewReader(in)})
		r := bytes.NewReader(out)
		for {
			header, err := readFrame(r)
			if err != nil {
				return
			}
			body := make([]byte, min(int(header.length()), r.Len()))
			io.ReadFull(r, body)
			if !header.isPacket() {
				continue
			}
			c, rest, err := parseCommand(body)
			if err != nil {
				t.Fatalf("a packet without a command: %q", body)
			}
			if isRefused(c.code) && !bytes.Equal(rest, []byte{typeString, '/', 0, typeString, 0}) {
				t.Fatalf("command %d passed: %q", c.code, rest)
			}
		}
	})
}

func FuzzReadAuth(f *testing.F) {
	f.Add(greetingOf(cookieOf('s')))
	f.Fuzz(func(t *testing.T, in []byte) {
		a, err := readAuth(bytes.NewReader(in))
		if err != nil {
			return
		}
		again, err := readAuth(bytes.NewReader(a.append(nil)))
		if err != nil || again.version != a.version&versionMask || !bytes.Equal(again.cookie, a.cookie) || again.tag != a.tag {
			t.Fatalf("%+v came back as %+v, %v", a, again, err)
		}
	})
}
