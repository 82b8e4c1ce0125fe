package x11

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

const getInputFocus = 43 // core opcode: a round trip without effect

// run runs a program on the forwarded display and returns what it printed.
func (s *forwarded) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	xtest.Need(t, args[0])
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "DISPLAY="+s.name(), "XAUTHORITY="+s.authority)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestProgramSeesOnlyAllowedExtensions(t *testing.T) {
	server := xtest.Start(t)
	out, err := forward(t, displayOf(server)).run(t, "xdpyinfo")
	if err != nil {
		t.Fatalf("xdpyinfo: %v\n%s", err, out)
	}
	_, list, _ := strings.Cut(out, "number of extensions:")
	list, _, _ = strings.Cut(list, "default screen")
	names := strings.Split(strings.TrimSpace(list), "\n")[1:]
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	for _, name := range names {
		if !allowed.has(name) {
			t.Errorf("xdpyinfo lists %s", name)
		}
	}
	for _, name := range []string{"BIG-REQUESTS", "RENDER", "XKEYBOARD", "XInputExtension"} {
		if !slices.Contains(names, name) {
			t.Errorf("xdpyinfo does not list %s:\n%s", name, out)
		}
	}
}

func TestTerminal(t *testing.T) {
	s := forward(t, displayOf(xtest.Start(t)))
	mark := t.TempDir() + "/mark"
	if out, err := s.run(t, "xterm", "-e", "touch", mark); err != nil {
		t.Fatalf("xterm: %v\n%s", err, out)
	}
	if _, err := os.Stat(mark); err != nil {
		t.Fatalf("xterm did not run its command: %v", err)
	}
}

func TestRefusedByNumber(t *testing.T) {
	server := xtest.Start(t)
	shm := connect(t, displayOf(server), x11.LittleEndian, x11.SetupAccepted).query("MIT-SHM")
	if !shm.Present {
		t.Fatal("Xvfb has no MIT-SHM: this test shows nothing")
	}
	s := forward(t, displayOf(server))
	orders(t, func(t *testing.T, o x11.Order) {
		c := connect(t, s.display, o, x11.SetupAccepted)
		if c.query("MIT-SHM").Present {
			t.Error("MIT-SHM is present")
		}
		if !c.query("RENDER").Present {
			t.Error("RENDER is absent")
		}
		const attach = 1 // ShmAttach
		body := o.AppendUint32(nil, o.Uint32(c.setup[12:])|1)
		c.send(request(o, getInputFocus, 0))
		c.send(request(o, shm.Major, attach, append(body, make([]byte, 8)...)...))
		c.send(request(o, getInputFocus, 0))
		c.reply()
		checkError(t, o, c.next(), x11.BadRequest, shm.Major, attach, 4)
		if seq := x11.Sequence(o, c.reply()); seq != 5 {
			t.Errorf("reply %d, expected 5", seq)
		}
	})
}

func TestAccessControl(t *testing.T) {
	s := forward(t, displayOf(xtest.Start(t)))
	orders(t, func(t *testing.T, o x11.Order) {
		c := connect(t, s.display, o, x11.SetupAccepted)
		c.send(request(o, x11.SetAccessControl, 0))
		c.send(request(o, x11.ChangeHosts, 0, append(o.AppendUint16([]byte{0, 0}, 4), 10, 0, 0, 1)...))
		c.send(request(o, x11.ListHosts, 0))
		checkError(t, o, c.next(), x11.BadAccess, x11.SetAccessControl, 0, 1)
		checkError(t, o, c.next(), x11.BadAccess, x11.ChangeHosts, 0, 2)
		hosts := c.reply()
		if enabled, n := hosts[1], o.Uint16(hosts[8:]); enabled != 1 || n != 0 {
			t.Errorf("access control %d with %d hosts, expected 1 with 0", enabled, n)
		}
	})
}

func checkError(t *testing.T, o x11.Order, m []byte, code, major byte, minor, sequence uint16) {
	t.Helper()
	if x11.Kind(m) != x11.Error {
		t.Fatalf("message of kind %d, expected an error", m[0])
	}
	gotMajor, gotMinor := x11.ErrorOpcodes(o, m)
	if x11.ErrorCode(m) != code || gotMajor != major || gotMinor != minor || x11.Sequence(o, m) != sequence {
		t.Errorf("error %d about request %d.%d, the %dth; expected error %d about request %d.%d, the %dth",
			x11.ErrorCode(m), gotMajor, gotMinor, x11.Sequence(o, m), code, major, minor, sequence)
	}
}

func TestWrongCookie(t *testing.T) {
	display := displayOf(xtest.Start(t))
	s := forward(t, display)
	orders(t, func(t *testing.T, o x11.Order) {
		for _, wrong := range []Display{
			{},
			{AuthName: s.display.AuthName, AuthData: make([]byte, 16)},
			{AuthName: s.display.AuthName, AuthData: s.display.AuthData[:15]},
			{AuthName: "XDM-AUTHORIZATION-1", AuthData: s.display.AuthData},
			{AuthName: display.AuthName, AuthData: display.AuthData}, // the true one
			{AuthName: s.display.AuthName, AuthData: make([]byte, maxAuth+1)},
		} {
			wrong.Host, wrong.Number = s.display.Host, s.display.Number
			c := connect(t, &wrong, o, x11.SetupRefused)
			if reason := x11.RefusalReason(c.setup); !strings.HasPrefix(reason, "goldm: ") {
				t.Errorf("reason %q", reason)
			}
			c.ended()
		}
	})
	if s.forwarder.probe.conn != nil {
		t.Error("the display was asked for a client that had no cookie")
	}
}

func TestSmuggling(t *testing.T) {
	server := xtest.Start(t)
	direct := connect(t, displayOf(server), x11.LittleEndian, x11.SetupAccepted)
	big := direct.query("BIG-REQUESTS").Major
	s := forward(t, displayOf(server))
	orders(t, func(t *testing.T, o x11.Order) {
		enable := request(o, big, x11.BigReqEnable)
		for name, bad := range map[string][]byte{
			"not enabled":         bigRequest(o, x11.NoOperation, 0, make([]byte, 64)...),
			"enabled by minor 1":  slices.Concat(request(o, big, 1), bigRequest(o, x11.NoOperation, 0)),
			"enabled by length 2": slices.Concat(request(o, big, 0, 0), bigRequest(o, x11.NoOperation, 0)),
			"length 0":            slices.Concat(enable, []byte{x11.NoOperation, 0, 0, 0, 0, 0, 0, 0}),
			"length 1":            slices.Concat(enable, o.AppendUint32([]byte{x11.NoOperation, 0, 0, 0}, 1)),
			"too long":            slices.Concat(enable, o.AppendUint32([]byte{x11.NoOperation, 0, 0, 0}, 1<<22)),
		} {
			t.Run(name, func(t *testing.T) {
				c := connect(t, s.display, o, x11.SetupAccepted)
				c.send(bad)
				c.ended()
			})
		}
	})
	if out, err := s.run(t, "xdpyinfo"); err != nil {
		t.Errorf("the next client: %v\n%s", err, out)
	}
}

// TestExtendedLengths checks that the X server frames extended lengths as we do.
func TestExtendedLengths(t *testing.T) {
	s := forward(t, displayOf(xtest.Start(t)))
	orders(t, func(t *testing.T, o x11.Order) {
		c := connect(t, s.display, o, x11.SetupAccepted)
		c.send(request(o, c.query("BIG-REQUESTS").Major, x11.BigReqEnable))
		c.reply()
		name := append(o.AppendUint16(nil, 7), "\x00\x00MIT-SHM"...)
		c.send(slices.Concat(
			bigRequest(o, x11.NoOperation, 0),
			bigRequest(o, x11.NoOperation, 0, make([]byte, 500_000)...),
			bigRequest(o, 254, 1, 1, 2, 3, 4),
			bigRequest(o, x11.QueryExtension, 0, name...),
			request(o, x11.QueryExtension, 0, name...),
			bigRequest(o, x11.ListExtensions, 0),
			bigRequest(o, x11.ListExtensions, 0, 1, 2, 3, 4),
			request(o, getInputFocus, 0)))
		checkError(t, o, c.next(), x11.BadRequest, 254, 1, 5)
		for range 2 {
			if x11.ParseExtensionReply(c.reply()).Present {
				t.Error("MIT-SHM is present")
			}
		}
		if list := c.reply(); bytes.Contains(list, []byte("MIT-SHM")) || !bytes.Contains(list, []byte("RENDER")) {
			t.Errorf("list of extensions: %q", list)
		}
		checkError(t, o, c.next(), x11.BadLength, x11.ListExtensions, 0, 9)
		if seq := x11.Sequence(o, c.reply()); seq != 10 {
			t.Errorf("reply %d, expected 10", seq)
		}
	})
}

// TestBigImage draws an image of 4 MB in one request and reads it back.
func TestBigImage(t *testing.T) {
	s := forward(t, displayOf(xtest.Start(t, "-screen", "0", "1280x1024x24")))
	orders(t, func(t *testing.T, o x11.Order) {
		c := connect(t, s.display, o, x11.SetupAccepted)
		c.send(request(o, c.query("BIG-REQUESTS").Major, x11.BigReqEnable))
		c.reply()
		const width, height = 1024, 1000
		image := make([]byte, 4*width*height)
		for i := range image {
			if image[i] = byte(i * 7919 >> 8); i%4 == c.unusedByte() {
				image[i] = 0
			}
		}
		root, gc := c.root(), c.newGC()
		draw := o.AppendUint32(o.AppendUint32(nil, root), gc)
		draw = o.AppendUint16(o.AppendUint16(draw, width), height)
		draw = append(o.AppendUint32(draw, 0), 0, 24, 0, 0)     // at 0,0; depth 24
		c.send(bigRequest(o, 72, 2, append(draw, image...)...)) // PutImage, ZPixmap

		get := o.AppendUint32(o.AppendUint32(nil, root), 0)
		get = o.AppendUint16(o.AppendUint16(get, width), height)
		c.send(request(o, 73, 2, o.AppendUint32(get, 0xffffff)...)) // GetImage
		got := c.reply()[x11.AnswerHead:]
		if !bytes.Equal(got, image) {
			t.Errorf("the image that comes back is another one (%d bytes for %d)", len(got), len(image))
		}
	})
}

// root returns the root window of the first screen: section 8, Server Response.
func (c *rawClient) root() uint32 {
	vendor := int(c.order.Uint16(c.setup[24:]))
	formats := int(c.setup[29])
	return c.order.Uint32(c.setup[40+x11.Pad(vendor)+8*formats:])
}

// unusedByte returns which byte of a pixel of four holds no colour.
func (c *rawClient) unusedByte() int {
	if imageByteOrder := c.setup[30]; imageByteOrder == 1 {
		return 0
	}
	return 3
}

// newGC makes a graphics context for the root window.
func (c *rawClient) newGC() uint32 {
	id := c.order.Uint32(c.setup[12:]) | 1
	body := c.order.AppendUint32(c.order.AppendUint32(nil, id), c.root())
	c.send(request(c.order, 55, 0, c.order.AppendUint32(body, 0)...)) // CreateGC
	return id
}
