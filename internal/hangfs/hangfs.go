// Package hangfs is a file system for tests that takes requests and answers none. A
// process that asks it for something waits in the kernel, where KILL does not reach it.
//
// It speaks just enough of the kernel's FUSE protocol to be mounted: linux/fuse.h.
package hangfs

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	opInit = 26

	inHeader  = 40 // bytes of struct fuse_in_header
	outHeader = 16 // of struct fuse_out_header
	initOut   = 64 // of struct fuse_init_out

	maxRequest = 1 << 20
)

// FS is a file system that is mounted.
type FS struct {
	device *os.File
	asked  chan struct{}
	ended  chan struct{}
	dir    string
}

// Mount mounts the file system on a folder: user uid's, which all may use. It needs root.
func Mount(dir string, uid, gid int) (*FS, error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/fuse: %w", err)
	}
	data := fmt.Sprintf("fd=%d,rootmode=%o,user_id=%d,group_id=%d,allow_other", fd, unix.S_IFDIR, uid, gid)
	if err := unix.Mount("hangfs", dir, "fuse.hangfs", unix.MS_NOSUID|unix.MS_NODEV, data); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("mount %s: %w", dir, err)
	}
	device := os.NewFile(uintptr(fd), "/dev/fuse") // not before: poll(2) fails until it is mounted
	f := &FS{device: device, asked: make(chan struct{}), ended: make(chan struct{}), dir: dir}
	go f.serve()
	return f, nil
}

// Asked is closed once a process waits for an answer.
func (f *FS) Asked() <-chan struct{} { return f.asked }

// Ended is closed when the connection was ended, by Close or from outside.
func (f *FS) Ended() <-chan struct{} { return f.ended }

// Close ends the file system: who waits for it gets an error.
func (f *FS) Close() {
	f.device.Close()
	<-f.ended
	unix.Unmount(f.dir, unix.MNT_DETACH)
}

func (f *FS) serve() {
	defer close(f.ended)
	asked := false
	for request := make([]byte, maxRequest); ; {
		n, err := f.device.Read(request)
		if err != nil {
			return
		}
		if n < inHeader {
			continue
		}
		if binary.NativeEndian.Uint32(request[4:]) == opInit {
			f.device.Write(initReply(request))
			continue
		}
		if !asked {
			asked = true
			close(f.asked)
		}
	}
}

// initReply agrees to protocol version 7.31 with no feature.
func initReply(request []byte) []byte {
	reply := make([]byte, outHeader+initOut)
	binary.NativeEndian.PutUint32(reply, uint32(len(reply)))
	copy(reply[8:16], request[8:16]) // the request's number
	binary.NativeEndian.PutUint32(reply[outHeader:], 7)
	binary.NativeEndian.PutUint32(reply[outHeader+4:], 31)
	binary.NativeEndian.PutUint32(reply[outHeader+20:], 4096) // max_write
	return reply
}
