package x11

import (
	"slices"

	"goldm/internal/x11"
)

// Minor opcodes that are refused although their extension is allowed.
const (
	randrCreateLease = 45 // answered with a file descriptor: randrproto, RRCreateLease
	xvShmPutImage    = 19 // names a shared memory segment: Xvproto.h
)

// allowed lists the extensions that a forwarded client may use, each with the
// minor opcodes that are refused nevertheless.
//
// The X server takes us for a local client, since the other end of its Unix
// socket is a program of this machine and none named ssh; what it grants us it
// grants whoever sits on the far side. So the list holds what desktops use and
// what means the same at a distance. Everything else is refused, known or to
// come. Left out on purpose:
//
//   - MIT-SHM, XFree86-Bigfont, DRI2, DRI3, Present, XFree86-DRI and
//     XVideo-MotionCompensation work by shared memory, graphics devices and file
//     descriptors. These do not cross a network, and a segment's number that
//     the far side names is a segment of somebody else's on this machine.
//   - XFree86-VidModeExtension and XFree86-DGA give the hardware to local clients.
//   - RECORD taps the other clients' connections; X-Resource tells their
//     process numbers on this machine.
//   - SECURITY makes new cookies for this display, good without us and after
//     this session; SELinux and TOG-CUP nobody needs.
var allowed = map[string][]byte{
	"BIG-REQUESTS":            nil, // requests over 256 KiB, which the framing follows
	"Composite":               nil, // compositing window managers
	"DAMAGE":                  nil, // the same
	"DOUBLE-BUFFER":           nil, // drawing without flicker
	"DPMS":                    nil, // the desktop's energy settings
	"GLX":                     nil, // toolkits ask it for visuals; indirect OpenGL
	"Generic Event Extension": nil, // longer events, which the framing follows
	"MIT-SCREEN-SAVER":        nil, // idle time, screen lockers
	"RANDR":                   {randrCreateLease},
	"RENDER":                  nil, // the text and blending of all toolkits
	"SHAPE":                   nil, // windows that are not rectangles
	"SYNC":                    nil, // frame pacing, idle time
	"XC-MISC":                 nil, // fresh resource numbers for clients that run for long
	"XFIXES":                  nil, // regions, cursors, selection owners
	"XINERAMA":                nil, // the layout of screens, for older programs
	"XInputExtension":         nil, // touch, smooth wheels, tablets
	"XKEYBOARD":               nil, // keyboard layouts
	"XTEST":                   nil, // on-screen keyboards
	"XVideo":                  {xvShmPutImage},
}

// maxAllowedName is the length of the longest name in allowed, in bytes.
const maxAllowedName = 32

func isAllowed(name string) bool {
	_, ok := allowed[name]
	return ok
}

// A duty is what the framing of requests has to do about a major opcode.
type duty byte

const (
	refuse   duty = iota // answered by BadRequest
	pass                 // nothing
	deny                 // answered by BadAccess
	someBad              // refused for some minor opcodes
	bigReq               // BIG-REQUESTS' only request changes the framing
	askName              // QueryExtension
	askNames             // ListExtensions
)

// policy says what may pass on one X server, whose extensions' opcodes it
// knows. It does not change once it is made.
type policy struct {
	duties     [256]duty
	refused    map[byte][]byte // minor opcodes, for someBad
	maxRequest int64           // bytes
}

// newPolicy makes the policy of a server that gave major opcodes to these
// allowed extensions and takes requests of up to maxRequest bytes.
func newPolicy(majors map[string]byte, maxRequest int64) *policy {
	p := &policy{refused: make(map[byte][]byte), maxRequest: maxRequest}
	// The core requests, and those numbers below that no server has assigned,
	// which it answers by BadRequest itself. Unassigned is refused, so that all
	// errors about it are answers to what we refused.
	for major := x11.Unassigned + 1; major < x11.FirstExtension; major++ {
		p.duties[major] = pass
	}
	p.duties[x11.QueryExtension] = askName
	p.duties[x11.ListExtensions] = askNames
	// Servers let local clients change who may connect (section 9,
	// ChangeHosts); the far side is none.
	p.duties[x11.ChangeHosts] = deny
	p.duties[x11.SetAccessControl] = deny
	for name, major := range majors {
		p.allow(name, major)
	}
	return p
}

func (p *policy) allow(name string, major byte) {
	minors, ok := allowed[name]
	switch {
	case !ok || major < x11.FirstExtension:
	case name == "BIG-REQUESTS":
		p.duties[major] = bigReq
	case len(minors) > 0:
		p.duties[major] = someBad
		p.refused[major] = minors
	default:
		p.duties[major] = pass
	}
}

// errorFor returns the code of the error that a request is refused by.
func (p *policy) errorFor(r x11.Request) (code byte, refused bool) {
	switch p.duties[r.Major] {
	case refuse:
		return x11.BadRequest, true
	case deny:
		return x11.BadAccess, true
	case someBad:
		return x11.BadRequest, slices.Contains(p.refused[r.Major], r.Minor)
	}
	return 0, false
}
