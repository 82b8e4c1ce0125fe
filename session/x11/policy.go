package x11

import (
	"maps"
	"slices"

	"goldm/internal/x11"
)

// Minor opcodes that are refused although their extension is allowed.
const (
	randrCreateLease = 45 // answered with a file descriptor: randrproto, RRCreateLease
	xvShmPutImage    = 19 // names a shared memory segment: Xvproto.h
)

// A list holds the extensions that clients may use, each with what is refused
// of it nevertheless.
type list map[string]extension

type extension struct {
	refused []byte // minor opcodes

	// forms are, where there are any, the only minor opcodes that pass; see form.
	forms map[byte]form
}

func (l list) has(name string) bool {
	_, ok := l[name]
	return ok
}

// allowed is the list for forwarded clients.
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
var allowed = list{
	"BIG-REQUESTS":            {}, // requests over 256 KiB, which the framing follows
	"Composite":               {}, // compositing window managers
	"DAMAGE":                  {}, // the same
	"DOUBLE-BUFFER":           {}, // drawing without flicker
	"DPMS":                    {}, // the desktop's energy settings
	"GLX":                     {}, // toolkits ask it for visuals; indirect OpenGL
	"Generic Event Extension": {}, // longer events, which the framing follows
	"MIT-SCREEN-SAVER":        {}, // idle time, screen lockers
	"RANDR":                   {refused: []byte{randrCreateLease}},
	"RENDER":                  {}, // the text and blending of all toolkits
	"SHAPE":                   {}, // windows that are not rectangles
	"SYNC":                    {}, // frame pacing, idle time
	"XC-MISC":                 {}, // fresh resource numbers for clients that run for long
	"XFIXES":                  {}, // regions, cursors, selection owners
	"XINERAMA":                {}, // the layout of screens, for older programs
	"XInputExtension":         {}, // touch, smooth wheels, tablets
	"XKEYBOARD":               {}, // keyboard layouts
	"XTEST":                   {}, // on-screen keyboards
	"XVideo":                  {refused: []byte{xvShmPutImage}},
}

// allowedHere is the list for programs of this machine: that of forwarded
// clients and what shares memory and graphics devices by descriptors.
var allowedHere = allowed.and(list{
	"DRI3":    {forms: dri3Forms}, // OpenGL and Vulkan on the graphics device
	"MIT-SHM": {forms: shmForms},  // pictures without a copy over the socket
	"Present": {},                 // shows what DRI3 has drawn; it has no descriptors of its own
})

// and returns a list of what is in either.
func (l list) and(more list) list {
	both := maps.Clone(l)
	maps.Copy(both, more)
	return both
}

// maxAllowedName is the length of the longest name in allowedHere, in bytes.
const maxAllowedName = 32

// A duty is what the framing of requests has to do about a major opcode.
type duty byte

const (
	refuse   duty = iota // answered by BadRequest
	pass                 // nothing
	deny                 // answered by BadAccess
	someBad              // refused for some minor opcodes
	share                // passes in some forms only
	bigReq               // BIG-REQUESTS' only request changes the framing
	askName              // QueryExtension
	askNames             // ListExtensions
)

// policy says what may pass on one X server, whose extensions' opcodes it
// knows. It does not change once it is made.
type policy struct {
	list       list
	duties     [256]duty
	refused    map[byte][]byte        // minor opcodes, for someBad
	forms      map[byte]map[byte]form // by major and minor opcode, for share
	maxRequest int64                  // bytes
}

// newPolicy makes the policy of a server that gave major opcodes to these
// extensions of a list and takes requests of up to maxRequest bytes.
func newPolicy(l list, majors map[string]byte, maxRequest int64) *policy {
	p := &policy{list: l, refused: make(map[byte][]byte), forms: make(map[byte]map[byte]form), maxRequest: maxRequest}
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
	extension, ok := p.list[name]
	switch {
	case !ok || major < x11.FirstExtension:
	case name == "BIG-REQUESTS":
		p.duties[major] = bigReq
	case extension.forms != nil:
		p.duties[major] = share
		p.forms[major] = extension.forms
	case len(extension.refused) > 0:
		p.duties[major] = someBad
		p.refused[major] = extension.refused
	default:
		p.duties[major] = pass
	}
}

// errorFor returns the code of the error that a request is refused by, and the
// rule that it breaks.
func (p *policy) errorFor(r x11.Request) (code byte, rule string) {
	switch p.duties[r.Major] {
	case refuse:
		return x11.BadRequest, "the extension is not on the list"
	case deny:
		return x11.BadAccess, "access control is not the client's"
	case someBad:
		if slices.Contains(p.refused[r.Major], r.Minor) {
			return x11.BadRequest, "the extension's request is not on the list"
		}
	}
	return 0, ""
}
