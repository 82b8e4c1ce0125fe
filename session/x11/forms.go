package x11

import (
	"golang.org/x/sys/unix"

	"goldm/internal/x11"
)

// A form is a request of an extension that shares memory or devices with its
// clients: how long it is, and which descriptors belong to it. A request's
// numbers are bytes, an extended length's four left out.
type form struct {
	size int // of the request

	takes   int            // descriptors that the client sends beside the request
	counted int            // offset of the byte with their number, where that differs
	kind    func(int) bool // what each of them has to be

	gives   byte // the most descriptors that the server sends beside the reply
	segment int  // offset of the shared segment, which must be the client's own
	code    byte // of the error by which the request is refused in any case
}

const (
	noCode     = 0
	maxBuffers = 4 // of a pixmap: dri3proto, DRI3PixmapFromBuffers
)

// Minor opcodes of MIT-SHM.
const (
	shmAttach        = 1
	shmDetach        = 2
	shmPutImage      = 3
	shmGetImage      = 4
	shmCreatePixmap  = 5
	shmAttachFd      = 6
	shmCreateSegment = 7
)

// Minor opcodes of DRI3.
const (
	dri3Open              = 1
	dri3PixmapFromBuffer  = 2
	dri3BufferFromPixmap  = 3
	dri3FenceFromFD       = 4
	dri3FDFromFence       = 5
	dri3Modifiers         = 6 // GetSupportedModifiers
	dri3PixmapFromBuffers = 7
	dri3BuffersFromPixmap = 8
	dri3SetInUse          = 9 // SetDRMDeviceInUse
	dri3ImportSyncobj     = 10
	dri3FreeSyncobj       = 11
)

// dri3Forms holds the requests of DRI3 1.4 (dri3proto.txt, appendix A). Later
// ones may have descriptors in other ways.
var dri3Forms = map[byte]form{
	0:                     {size: 12},           // QueryVersion
	dri3Open:              {size: 12, gives: 1}, // the graphics device
	dri3PixmapFromBuffer:  {size: 24, takes: 1, kind: isAnonymous},
	dri3BufferFromPixmap:  {size: 8, gives: 1},
	dri3FenceFromFD:       {size: 16, takes: 1, kind: isMemory},
	dri3FDFromFence:       {size: 12, gives: 1},
	dri3Modifiers:         {size: 12},
	dri3PixmapFromBuffers: {size: 64, takes: maxBuffers, counted: 12, kind: isAnonymous},
	dri3BuffersFromPixmap: {size: 8, gives: maxBuffers},
	dri3SetInUse:          {size: 16},
	dri3ImportSyncobj:     {size: 12, takes: 1, kind: isAnonymous},
	dri3FreeSyncobj:       {size: 8},
}

// shmForms holds the requests of MIT-SHM 1.2 (shmproto.h). A segment by its
// number is one of the X server's IPC namespace, which is not the program's: it
// would be another program's. The answer is the one that a server gives where it
// cannot attach (MIT-SHM, ShmAttach); programs go on without such memory then.
var shmForms = map[byte]form{
	0:                {size: 4}, // QueryVersion
	shmAttach:        {size: 16, code: x11.BadAccess},
	shmDetach:        {size: 8, segment: 4},
	shmPutImage:      {size: 40, segment: 32},
	shmGetImage:      {size: 32, segment: 24},
	shmCreatePixmap:  {size: 28, segment: 20},
	shmAttachFd:      {size: 12, takes: 1, kind: isMemory},
	shmCreateSegment: {size: 16, gives: 1},
}

// isMemory reports whether a descriptor is of memory, which the X server can map
// and touch without waiting: a file of a FUSE file system could hold it for ever.
// No other files have seals (fcntl(2), F_GET_SEALS), and to ask for them waits
// for no file system.
func isMemory(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	return err == nil
}

// isAnonymous reports whether a descriptor is of no file: buffers and fences of
// the graphics device are none, and have no type of file. It asks no file system.
func isAnonymous(fd int) bool {
	var s unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &s)
	return err == nil && s.Mode&unix.S_IFMT == 0
}
